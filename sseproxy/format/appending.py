"""Appendable objects: a block for every append, each closed by a footer of its own (docs/format.md, "Append").

Every footer knows the whole object's size and CRC-64 and the last segments; for those in front of them it names the
footer to ask. So an append costs the same however long the object is, and the object's end is enough to append to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from sseproxy.errors import FooterRejected
from sseproxy.format.attributes import Attributes, FooterPlace, SegmentEntry, check_attributes, pack_attributes
from sseproxy.format.envelope import Envelope, recovery_bytes
from sseproxy.format.footer import open_footer, seal_footer
from sseproxy.format.keys import DataKey
from sseproxy.format.layout import MOST_APPENDS, MOST_TABLED_APPENDS, SALT, TAG, TAIL, segment_stored_size
from sseproxy.model import Layout

SHORT_TABLE: Final = 16  # segments after which a footer takes up those of the footer before it, up to 256

_FOOTER_NONCE = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The last footer of an appendable object: what it says, and where it stands with its tail."""

    attributes: Attributes
    place: FooterPlace


def block_of(attributes: Attributes, footer_and_tail: bytes, *, end: int) -> Block:
    """Return the block that the bytes of its footer and tail close, which end at offset `end` of the object."""
    length = len(footer_and_tail)
    place = FooterPlace(offset=end - length, length=length, sha256=sha256(footer_and_tail).digest())
    return Block(attributes=attributes, place=place)


def open_block(key: DataKey, envelope: Envelope, place: FooterPlace, data: bytes) -> Block:
    """Open the footer that a later one names. Raises `FooterRejected` where the bytes are not the ones it means."""
    if len(data) != place.length or sha256(data).digest() != place.sha256:
        raise FooterRejected("An earlier footer of the object is not the one that a later one names.")
    attributes = open_footer(key, envelope, data[:-TAIL], data[-TAIL:], stored_size=place.offset + place.length)
    return Block(attributes=attributes, place=place)


def check_follows(later: Attributes, earlier: Attributes) -> None:
    """Raise `FooterRejected` unless the later table begins where the earlier one ends."""
    follows = later.segments[0].number == earlier.segments[-1].number + 1
    if not follows or earlier.plaintext_size != later.plaintext_before:
        raise FooterRejected("The footers of the object do not follow each other.")


def table_start(number: int) -> int:
    """Return the first segment that the table of the block with this number is to have.

    Most tables are short, so that small appends stay small; every sixteenth is long, so that a reader that goes back
    needs few steps. Readers do not depend on this rule.
    """
    span = MOST_TABLED_APPENDS if number % SHORT_TABLE == 0 else SHORT_TABLE
    return (number - 1) // span * span + 1


def appended(
    last: Sequence[Block], entry: SegmentEntry, crc64: int, *, stored_size: int, plaintext_size: int
) -> Attributes:
    """Return the attributes after one more segment.

    `last` are the object's blocks as far back as `table_start` of the new segment, the last one first; none for the
    first append. `stored_size` and `plaintext_size` are the object's before, `crc64` its CRC-64 afterwards. Raises
    `ValueError` where there is no number left.
    """
    if entry.number > MOST_APPENDS:
        raise ValueError("There are more segments than the format counts.")
    start = table_start(entry.number)
    entries: tuple[SegmentEntry, ...] = (entry,)
    offsets: tuple[int, ...] = (stored_size,)
    before = last[0].place if last else None
    for block in last:
        table = block.attributes.segments
        if entries[0].number <= start or len(table) + len(entries) > MOST_TABLED_APPENDS:
            break
        entries, offsets, before = table + entries, block.attributes.offsets + offsets, block.attributes.before
    return Attributes(
        layout=Layout.APPEND,
        plaintext_size=plaintext_size + entry.plaintext_size,
        segments=entries,
        crc64=crc64,
        offsets=offsets,
        before=before,
    )


def block_closing(key: DataKey, attributes: Attributes, envelope: Envelope) -> tuple[bytes, bytes]:
    """Return what stands behind the segment of an append: the recovery record, and footer with tail."""
    recovery = recovery_bytes(envelope)
    footer, tail = seal_footer(key, attributes, recovery_length=len(recovery))
    return recovery, footer + tail


def block_stored_size(attributes: Attributes, envelope: Envelope) -> int:
    """Return the stored size of an append whose attributes are known but for salts, digests and CRC."""
    check_attributes(attributes)
    footer = _FOOTER_NONCE + len(pack_attributes(attributes)) + TAG
    segment = segment_stored_size(attributes.segments[-1].plaintext_size)
    return segment + len(recovery_bytes(envelope)) + footer + TAIL


def unsealed_entry(number: int, plaintext_size: int) -> SegmentEntry:
    """Return a table entry for a segment that is still to be sealed, for `block_stored_size`."""
    return SegmentEntry(number=number, plaintext_size=plaintext_size, salt=bytes(SALT))
