"""The end of an object: padding, recovery, footer and tail (docs/format.md, "Footer", "Tail")."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final

from cryptography.exceptions import InvalidTag

from sseproxy.errors import FooterRejected
from sseproxy.format import layout
from sseproxy.format.attributes import (
    MOST_TABLE,
    Attributes,
    check_attributes,
    pack_attributes,
    table_length,
    unpack_attributes,
)
from sseproxy.format.envelope import Envelope, recovery_bytes
from sseproxy.format.keys import ClosingKeys, DataKey
from sseproxy.format.layout import TAG, TAIL, segment_stored_size
from sseproxy.format.suites import aead_of
from sseproxy.model import Layout
from sseproxy.stage import Buffer

TAIL_READ: Final = 16_384  # what a cold read asks for from the end; enough for some 400 segments
LONGEST_FOOTER: Final = 28 + MOST_TABLE + 512  # docs/format.md, "Footer"

_NONCE = 12
_SHORTEST_FOOTER = _NONCE + 1 + TAG
_TAIL = Struct(">IHBB8s")  # docs/format.md, "Tail"
_MAGIC = b"sseproxy"
_MOST_RECOVERY = 0xFFFF
_ZEROS = memoryview(bytes(65_536))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The last 16 bytes of an object, understood but not yet authenticated."""

    footer_length: int
    recovery_length: int

    @property
    def closing_length(self) -> int:
        """How long footer and tail are together."""
        return self.footer_length + TAIL


def parse_tail(last16: bytes) -> Tail | None:
    """Understand the last 16 bytes of a stored body; None where they are no tail of ours.

    Raises `FooterRejected` where they are one of a version that this release does not know, or impossible.
    """
    if len(last16) != TAIL:
        return None
    footer_length, recovery_length, version, zero, magic = _TAIL.unpack(last16)
    if magic != _MAGIC or zero:
        return None
    if version != layout.VERSION:
        raise FooterRejected(f"The object was sealed in format version {version}, which this release does not know.")
    if not _SHORTEST_FOOTER <= footer_length <= LONGEST_FOOTER:
        raise FooterRejected("The object's tail announces a footer that cannot be.")
    return Tail(footer_length=footer_length, recovery_length=recovery_length)


def is_tail(last16: bytes) -> bool:
    """Whether these bytes end a sealed object, of this version or of one that this release does not know.

    For bodies that came without an envelope: true means that the metadata was lost. What looks like a tail but
    announces an impossible footer is somebody's plain bytes.
    """
    if len(last16) != TAIL:
        return False
    footer_length, _, version, zero, magic = _TAIL.unpack(last16)
    known_or_later = version > layout.VERSION or (
        version == layout.VERSION and _SHORTEST_FOOTER <= footer_length <= LONGEST_FOOTER
    )
    return magic == _MAGIC and not zero and known_or_later


def seal_footer(key: DataKey | ClosingKeys, attributes: Attributes, *, recovery_length: int) -> tuple[bytes, bytes]:
    """Return footer and tail. The same attributes under the same key give the same bytes.

    Raises `ValueError` where the attributes contradict themselves or do not fit.
    """
    return _seal(key, _packed(attributes), recovery_length)


def closing(
    key: DataKey | ClosingKeys, attributes: Attributes, envelope: Envelope, *, sealed_so_far: int
) -> Sequence[Buffer]:
    """Return everything after the last segment, so that the object gets exactly its stored size.

    `sealed_so_far` counts the stored bytes of all segments, those of parts sent earlier included. The last buffer
    is footer and tail: what `Envelope.footer` takes a copy of. Raises `ValueError` where segments and attributes
    disagree.
    """
    if sealed_so_far != sum(segment_stored_size(entry.plaintext_size) for entry in attributes.segments):
        raise ValueError("The segments sent are not those of the attributes.")
    if envelope.layout is not attributes.layout:
        raise ValueError("Envelope and attributes name different layouts.")
    room = layout.stored_size(attributes.plaintext_size) - sealed_so_far
    recovery = recovery_bytes(envelope)
    packed = _packed(attributes)
    spare = room - _NONCE - len(packed) - TAG - TAIL
    if spare < 0:  # cannot be (docs/format.md, "Stored size"); an object of another size would be lost
        raise ValueError("The segments leave no room for the footer.")
    if len(recovery) > min(spare, _MOST_RECOVERY):
        recovery = b""
    footer, tail = _seal(key, packed, len(recovery))
    return [*_padding(spare - len(recovery)), recovery, footer + tail]


def fits(attributes: Attributes) -> bool:
    """Whether table and footer fit the object's stored size: parts' checksums of 64 bytes do not always."""
    if table_length(attributes) > MOST_TABLE:
        return False
    segments = sum(segment_stored_size(entry.plaintext_size) for entry in attributes.segments)
    closing_length = _NONCE + len(pack_attributes(attributes)) + TAG + TAIL
    return segments + closing_length <= layout.stored_size(attributes.plaintext_size)


def open_footer(key: DataKey, envelope: Envelope, footer: bytes, tail: bytes, *, stored_size: int | None) -> Attributes:
    """Open a footer and check it against tail, envelope and, where known, the stored size.

    The key's commitment must have been checked. Raises `FooterRejected`.
    """
    parsed = parse_tail(tail)
    if parsed is None or parsed.footer_length != len(footer):
        raise FooterRejected("Footer and tail of the object do not belong together.")
    try:
        plain = aead_of(key.suite, key.footer_key).decrypt(footer[:_NONCE], footer[_NONCE:], tail)
    except InvalidTag as cause:
        raise FooterRejected from cause
    try:
        attributes = unpack_attributes(plain)
    except ValueError as cause:
        raise FooterRejected(f"The object's footer is not valid: {cause}") from cause
    if attributes.layout is not envelope.layout:
        raise FooterRejected("Footer and envelope of the object name different layouts.")
    if stored_size is not None and stored_size != _demanded_size(attributes, parsed):
        raise FooterRejected("The object's stored size is not the one that its footer demands.")
    return attributes


def _demanded_size(attributes: Attributes, tail: Tail) -> int:
    if attributes.layout is not Layout.APPEND:
        return layout.stored_size(attributes.plaintext_size)
    last = segment_stored_size(attributes.segments[-1].plaintext_size)
    return attributes.offsets[-1] + last + tail.recovery_length + tail.closing_length


def open_footer_copy(key: DataKey, envelope: Envelope, *, stored_size: int | None) -> Attributes | None:
    """Open the copy of the footer that travels in the envelope, None where there is none.

    Raises `FooterRejected` as `open_footer` does.
    """
    if envelope.footer is None:
        return None
    return open_footer(key, envelope, envelope.footer[:-TAIL], envelope.footer[-TAIL:], stored_size=stored_size)


def _packed(attributes: Attributes) -> bytes:
    check_attributes(attributes)  # bounds every field, and with them the footer's length
    return pack_attributes(attributes)


def _seal(key: DataKey | ClosingKeys, packed: bytes, recovery_length: int) -> tuple[bytes, bytes]:
    tail = _TAIL.pack(_NONCE + len(packed) + TAG, recovery_length, layout.VERSION, 0, _MAGIC)
    nonce = hmac.digest(key.footer_nonce_key, packed + tail, "sha256")[:_NONCE]
    return nonce + aead_of(key.suite, key.footer_key).encrypt(nonce, packed, tail), tail


def _padding(length: int) -> list[Buffer]:
    whole, rest = divmod(length, len(_ZEROS))
    return [*([_ZEROS] * whole), _ZEROS[:rest]]
