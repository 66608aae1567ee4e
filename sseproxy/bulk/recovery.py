"""The recovery record: the copy of an object's envelope within its body (docs/format.md, "Body")."""

from sseproxy.format import TAIL, Envelope, decode_recovery, parse_tail
from sseproxy.operations.attributes import Found, read_end
from sseproxy.operations.context import Services


def recovery_in(end: bytes) -> Envelope | None:
    """Return the recovery envelope in an object's last bytes; None where the object has none, or `end` is too short.

    Raises `EnvelopeRejected`, `FooterRejected`.
    """
    tail = parse_tail(end[-TAIL:])
    if tail is None or not tail.recovery_length or len(end) < recovery_end(end):
        return None
    return decode_recovery(end[-recovery_end(end) : -tail.closing_length])


def recovery_end(end: bytes) -> int:
    """Return how many bytes an object's end has from its recovery record on; 0 where `end` shows no tail."""
    tail = parse_tail(end[-TAIL:])
    return 0 if tail is None else tail.closing_length + tail.recovery_length


async def read_recovery(services: Services, found: Found) -> Envelope | None:
    """Return the recovery envelope of a stored object, None where it has none.

    Raises `EnvelopeRejected`, `FooterRejected`, `Overwritten`.
    """
    length = recovery_end(await read_end(services, found, TAIL)) if found.stored_size >= TAIL else 0
    if not TAIL < length <= found.stored_size:
        return None
    return recovery_in(await read_end(services, found, length))
