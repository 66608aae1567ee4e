"""Opening a downloaded sealed object without proxy and store: the way out (docs/format.md, "Reading").

The plaintext gets its name only after every frame has been verified; on any failure nothing of it is left.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sseproxy.bulk.recovery import recovery_end, recovery_in
from sseproxy.errors import CustomerKeyNeeded, EnvelopeRejected, FooterRejected, SegmentTruncated
from sseproxy.format import (
    TAIL,
    Attributes,
    DataKey,
    Envelope,
    Opener,
    check_follows,
    locate,
    open_block,
    open_footer,
    parse_tail,
)
from sseproxy.model import Algorithm, ByteRange, CustomerKey, ObjectRef
from sseproxy.operations.keyring import Keyring

_BLOCK = 1024 * 1024  # bytes read at once


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedFile:
    """A downloaded object. `envelope` None: the one in its recovery record is taken."""

    path: Path
    ref: ObjectRef
    envelope: Envelope | None = None
    customer_key: CustomerKey | None = None


async def unseal_file(keyring: Keyring, sealed: SealedFile, target: Path, *, replace: bool = False) -> int:
    """Write the plaintext of a downloaded object to `target` and return how many bytes it has.

    `replace` allows `target` to exist. Raises `IntegrityError`s, `KeyServiceError`s, `CustomerKeyNeeded`,
    `WrongCustomerKey`, `OSError`.
    """
    with sealed.path.open("rb") as source:
        size = os.fstat(source.fileno()).st_size
        end = _read_end(source, size)
        envelope = sealed.envelope or _recovered(end)
        if envelope.algorithm is Algorithm.CUSTOMER and sealed.customer_key is None:
            raise CustomerKeyNeeded("The object was sealed under a client's own key (SSE-C): give it as well.")
        key = await keyring.open(envelope, sealed.ref, sealed.customer_key)
        attributes = _open_footer(key, envelope, end, size)
        with _whole_file(target, replace=replace) as sink:
            for table in _tables(source, key, envelope, attributes):
                _open_frames(source, sink, key, table)
    return attributes.plaintext_size


def _read_end(source: BinaryIO, size: int) -> bytes:
    """Return the recovery record, footer and tail. Raises `FooterRejected`."""
    tail = _read(source, max(size - TAIL, 0), TAIL)
    parsed = parse_tail(tail)
    if parsed is None:
        raise FooterRejected("The file does not end like a sealed object: it is none, or was not downloaded whole.")
    if parsed.closing_length > size:
        raise FooterRejected("The file is shorter than its footer.")
    length = min(recovery_end(tail), size)
    return _read(source, size - length, length)


def _recovered(end: bytes) -> Envelope:
    envelope = recovery_in(end)
    if envelope is None:
        raise EnvelopeRejected(
            "The file holds no recovery envelope; give the one of the object's metadata with --envelope."
        )
    return envelope


def _open_footer(key: DataKey, envelope: Envelope, end: bytes, size: int) -> Attributes:
    parsed = parse_tail(end[-TAIL:])
    if parsed is None:
        raise AssertionError("the tail was there before")
    return open_footer(key, envelope, end[-parsed.closing_length : -TAIL], end[-TAIL:], stored_size=size)


def _tables(source: BinaryIO, key: DataKey, envelope: Envelope, last: Attributes) -> list[Attributes]:
    """Return the segment tables of an object, the first one first; only an appendable object has more than its last."""
    tables = [last]
    while tables[-1].before is not None:
        place = tables[-1].before
        block = open_block(key, envelope, place, _read(source, place.offset, place.length))
        check_follows(tables[-1], block.attributes)
        tables.append(block.attributes)
    return tables[::-1]


def _open_frames(source: BinaryIO, sink: BinaryIO, key: DataKey, table: Attributes) -> None:
    """Write the plaintext of the segments that a table names."""
    first, last = table.plaintext_before, table.plaintext_size - 1
    if last < first:
        return
    located = locate(ByteRange(first, last), table)
    wanted = located.stored
    if wanted is None:
        raise AssertionError("a range that is not empty lies somewhere")
    opener, left = Opener(key, located), wanted.length
    source.seek(wanted.first)
    while left:
        block = source.read(min(_BLOCK, left))
        if not block:
            raise SegmentTruncated("The file ended while it was read.")
        left -= len(block)
        sink.writelines(opener.feed(block))
    opener.finish()


def _read(source: BinaryIO, offset: int, length: int) -> bytes:
    source.seek(offset)
    return source.read(length)


@contextmanager
def _whole_file(target: Path, *, replace: bool) -> Iterator[BinaryIO]:
    """Open a file beside `target` that takes its name, synced, if nothing goes wrong, and else is removed."""
    if not replace and target.exists():
        raise FileExistsError(17, "exists already; give another name, or --force", str(target))
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as sink:
            yield sink
            sink.flush()
            os.fsync(sink.fileno())
        _take_name(name, target, replace=replace)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def _take_name(name: str, target: Path, *, replace: bool) -> None:
    """Give a finished file its name; without `replace`, one that appeared meanwhile is left alone."""
    if replace:
        os.replace(name, target)
        return
    try:
        os.link(name, target)
    except FileExistsError:
        raise FileExistsError(17, "appeared meanwhile; give another name, or --force", str(target)) from None
    except OSError:  # a file system without hard links
        os.rename(name, target)
