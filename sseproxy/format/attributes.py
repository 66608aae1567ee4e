"""What the footer says of an object: attributes, segment table, and their rules (docs/format.md, "Attributes")."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from struct import Struct
from typing import Final

from sseproxy.format.codes import CHECKSUM_TYPES, CHECKSUMS, LAYOUTS
from sseproxy.format.layout import (
    LARGEST_SEGMENT,
    MOST_APPENDS,
    MOST_SEGMENTS,
    MOST_TABLED_APPENDS,
    SALT,
    SMALLEST_SEGMENT,
    VERSION,
    segment_stored_size,
)
from sseproxy.format.packing import Fields, pack_map
from sseproxy.model import CHECKSUM_WIDTHS, Checksum, ChecksumType, Layout

MOST_TABLE: Final = 720_000  # longest table in bytes, docs/format.md, "Attributes"

_LARGEST_OBJECT = LARGEST_SEGMENT * MOST_SEGMENTS
_WIDEST_CHECKSUM = max(CHECKSUM_WIDTHS.values())
_ENTRY = 40  # number u24, plaintext size u40, salt: docs/format.md, "Attributes"
_OFFSET = 5  # bytes of a stored offset, docs/format.md, "Append"
_DIGEST = 32  # SHA-256

# Field numbers: docs/format.md, "Attributes".
_VERSION, _LAYOUT, _SIZE, _WIDTH, _TABLE, _CRC64, _MD5, _PART_COUNT = 1, 2, 3, 4, 5, 6, 7, 8
_CHECKSUM, _CHECKSUM_TYPE, _CHECKSUM_VALUE, _CRC64NVME = 9, 10, 11, 12
_OFFSETS, _BEFORE_OFFSET, _BEFORE_LENGTH, _BEFORE_DIGEST = 13, 14, 15, 16  # docs/format.md, "Append"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEntry:
    """A segment as the table has it. `checksum` is its part's checksum, or empty; all of a table have one width."""

    number: int
    plaintext_size: int
    salt: bytes
    checksum: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class FooterPlace:
    """An earlier footer of an appendable object, with its tail: where it is stored, and the SHA-256 of both."""

    offset: int
    length: int
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """Everything authenticated about an object's plaintext.

    Of an appendable object `segments` are the last ones alone; `offsets` say where each is stored, and `before` where
    the footer is that knows those in front of them (docs/format.md, "Append").

    `md5` is what the client's ETag is made of: of the bytes, or of the parts' MD5s where `part_count` is given;
    None where the ETag is opaque. `part_count` is given for a client's multipart upload only, in every ETag mode.
    """

    layout: Layout
    plaintext_size: int
    segments: tuple[SegmentEntry, ...]
    crc64: int  # CRC-64/XZ of the plaintext
    md5: bytes | None = None
    part_count: int | None = None
    checksum: Checksum | None = None
    crc64nvme: int | None = None
    offsets: tuple[int, ...] = ()
    before: FooterPlace | None = None

    @property
    def plaintext_before(self) -> int:
        """How many bytes of plaintext lie in segments in front of the table; none but in an appendable object."""
        return self.plaintext_size - sum(entry.plaintext_size for entry in self.segments)


def check_attributes(attributes: Attributes) -> None:
    """Raise `ValueError` where the attributes contradict themselves or the format."""
    if attributes.layout is Layout.APPEND:
        _check_appended(attributes)
    else:
        _check_segments(attributes)
    _check_part_count(attributes)
    _check_checksums(attributes)


def pack_attributes(attributes: Attributes) -> bytes:
    """Return the encoding of the attributes, unchecked."""
    checksum, md5, crc64nvme = attributes.checksum, attributes.md5, attributes.crc64nvme
    before = attributes.before
    return pack_map(
        {
            _VERSION: VERSION,
            _LAYOUT: LAYOUTS.number(attributes.layout),
            _SIZE: attributes.plaintext_size,
            _WIDTH: len(attributes.segments[0].checksum) if attributes.segments else 0,
            _TABLE: b"".join(_pack_entry(entry) for entry in attributes.segments),
            _CRC64: attributes.crc64.to_bytes(8, "big"),
            _MD5: md5,
            _PART_COUNT: attributes.part_count,
            _CHECKSUM: None if checksum is None else CHECKSUMS.number(checksum.algorithm),
            _CHECKSUM_TYPE: None if checksum is None else CHECKSUM_TYPES.number(checksum.type),
            _CHECKSUM_VALUE: None if checksum is None else checksum.value,
            _CRC64NVME: None if crc64nvme is None else crc64nvme.to_bytes(8, "big"),
            _OFFSETS: b"".join(offset.to_bytes(_OFFSET, "big") for offset in attributes.offsets) or None,
            _BEFORE_OFFSET: None if before is None else before.offset,
            _BEFORE_LENGTH: None if before is None else before.length,
            _BEFORE_DIGEST: None if before is None else before.sha256,
        }
    )


def table_length(attributes: Attributes) -> int:
    """Return the length of the segment table."""
    return sum(_ENTRY + len(entry.checksum) for entry in attributes.segments)


def unpack_attributes(data: bytes) -> Attributes:
    """Return the attributes of an encoding, checked; raises `ValueError` where anything is not as it must be."""
    fields = Fields(data)
    fields.integer(_VERSION, least=VERSION, most=VERSION)
    layout = LAYOUTS.member(fields.integer(_LAYOUT, most=0xFF))
    size = fields.integer(_SIZE, most=_LARGEST_OBJECT)
    width = fields.integer(_WIDTH, most=_WIDEST_CHECKSUM)
    attributes = Attributes(
        layout=layout,
        plaintext_size=size,
        segments=_unpack_table(fields.binary(_TABLE, most=MOST_TABLE), width),
        crc64=int.from_bytes(fields.fixed(_CRC64, 8), "big"),
        md5=fields.fixed(_MD5, 16) if _MD5 in fields else None,
        part_count=fields.integer(_PART_COUNT, least=1, most=MOST_SEGMENTS) if _PART_COUNT in fields else None,
        checksum=take_checksum(fields, _CHECKSUM, _CHECKSUM_TYPE, _CHECKSUM_VALUE),
        crc64nvme=int.from_bytes(fields.fixed(_CRC64NVME, 8), "big") if _CRC64NVME in fields else None,
        offsets=_take_offsets(fields) if layout is Layout.APPEND else (),
        before=_take_before(fields) if layout is Layout.APPEND else None,
    )
    fields.close()
    check_attributes(attributes)
    return attributes


def take_checksum(fields: Fields, algorithm_key: int, type_key: int, value_key: int) -> Checksum | None:
    """Take a checksum from the three fields that hold one, None where the first is absent."""
    if algorithm_key not in fields:
        return None
    algorithm = CHECKSUMS.member(fields.integer(algorithm_key, most=0xFF))
    kind = CHECKSUM_TYPES.member(fields.integer(type_key, most=0xFF))
    return Checksum(algorithm=algorithm, type=kind, value=fields.fixed(value_key, CHECKSUM_WIDTHS[algorithm]))


def _pack_entry(entry: SegmentEntry) -> bytes:
    return entry.number.to_bytes(3, "big") + entry.plaintext_size.to_bytes(5, "big") + entry.salt + entry.checksum


def _unpack_table(table: bytes, width: int) -> tuple[SegmentEntry, ...]:
    if len(table) % (_ENTRY + width):
        raise ValueError("The segment table has no whole number of entries.")
    return tuple(
        SegmentEntry(
            number=int.from_bytes(number, "big"),
            plaintext_size=int.from_bytes(size, "big"),
            salt=salt,
            checksum=checksum,
        )
        for number, size, salt, checksum in Struct(f"3s5s{SALT}s{width}s").iter_unpack(table)
    )


def _take_offsets(fields: Fields) -> tuple[int, ...]:
    packed = fields.binary(_OFFSETS, most=_OFFSET * MOST_TABLED_APPENDS)
    if len(packed) % _OFFSET:
        raise ValueError("The offsets have no whole number of entries.")
    return tuple(int.from_bytes(packed[at : at + _OFFSET], "big") for at in range(0, len(packed), _OFFSET))


def _take_before(fields: Fields) -> FooterPlace | None:
    if _BEFORE_OFFSET not in fields:
        return None
    return FooterPlace(
        offset=fields.integer(_BEFORE_OFFSET, least=1, most=LARGEST_SEGMENT),
        length=fields.integer(_BEFORE_LENGTH, least=1, most=MOST_TABLE),
        sha256=fields.fixed(_BEFORE_DIGEST, _DIGEST),
    )


def _check_appended(attributes: Attributes) -> None:
    """Check the table of an appendable object, which may begin with any segment (docs/format.md, "Append")."""
    segments, offsets, before = attributes.segments, attributes.offsets, attributes.before
    if not 1 <= len(segments) <= MOST_TABLED_APPENDS or len(offsets) != len(segments):
        raise ValueError("The table has no segments, too many, or segments without a place.")
    first = segments[0].number
    if first < 1 or [entry.number for entry in segments] != list(range(first, first + len(segments))):
        raise ValueError("The segments' numbers do not count up.")
    if segments[-1].number > MOST_APPENDS:
        raise ValueError("There are more segments than the format counts.")
    if (before is None) != (first == 1) or offsets[0] != (0 if before is None else before.offset + before.length):
        raise ValueError("The table does not begin where the footer before it ends.")
    ends = [offset + segment_stored_size(entry.plaintext_size) for offset, entry in zip(offsets, segments, strict=True)]
    if any(end >= offset for end, offset in zip(ends, offsets[1:], strict=False)):
        raise ValueError("Segments lie over each other.")
    if attributes.plaintext_before < 0 or (before is None and attributes.plaintext_before):
        raise ValueError("The segments' sizes do not add up to the object's.")
    if not all(0 <= entry.plaintext_size <= LARGEST_SEGMENT and len(entry.salt) == SALT for entry in segments):
        raise ValueError("A segment's size or salt is out of range.")
    if attributes.md5 is not None or attributes.checksum is not None or attributes.crc64nvme is not None:
        raise ValueError("An appendable object has one digest, its CRC-64.")


def _check_segments(attributes: Attributes) -> None:
    segments = attributes.segments
    numbers = [entry.number for entry in segments]
    if attributes.layout is Layout.SINGLE:
        if numbers != [1]:
            raise ValueError("A single object has one segment, number 1.")
    elif not numbers or numbers[0] < 1 or numbers[-1] > MOST_SEGMENTS or any(a >= b for a, b in pairwise(numbers)):
        raise ValueError("The segments' numbers do not ascend from 1 to 10,000.")
    if any(entry.plaintext_size < SMALLEST_SEGMENT for entry in segments[:-1]):
        raise ValueError("A segment other than the last is too small.")
    if not all(0 <= entry.plaintext_size <= LARGEST_SEGMENT and len(entry.salt) == SALT for entry in segments):
        raise ValueError("A segment's size or salt is out of range.")
    if attributes.plaintext_before or attributes.offsets or attributes.before is not None:
        raise ValueError("The segments' sizes do not add up to the object's, or they have places of their own.")


def _check_part_count(attributes: Attributes) -> None:
    count = attributes.part_count
    if count is None:
        return
    if attributes.layout is not Layout.MULTIPART or count != len(attributes.segments):
        raise ValueError("The part count is not the number of segments.")


def _check_checksums(attributes: Attributes) -> None:
    checksum = attributes.checksum
    widths: Sequence[int] = (0,)
    if checksum is not None:
        width = CHECKSUM_WIDTHS[checksum.algorithm]
        if len(checksum.value) != width:
            raise ValueError("The checksum's length is not its algorithm's.")
        if checksum.type is ChecksumType.COMPOSITE and attributes.part_count is None:
            raise ValueError("A composite checksum needs a part count.")
        widths = (0, width) if attributes.part_count is not None else (0,)
    found = {len(entry.checksum) for entry in attributes.segments}
    if len(found) != 1 or not found.issubset(widths):
        raise ValueError("The parts' checksums do not have the width of the object's.")
    if attributes.md5 is not None and len(attributes.md5) != 16:
        raise ValueError("The MD5 has not 16 bytes.")
