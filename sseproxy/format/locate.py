"""Range arithmetic: from a plaintext range to stored bytes and trims (docs/format.md, "Reading")."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from sseproxy.errors import PartNumberNotSatisfiable
from sseproxy.format.attributes import Attributes, SegmentEntry
from sseproxy.format.layout import FRAME, SALT, STORED_FRAME, frames_of, segment_stored_size
from sseproxy.model import ByteRange


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRange:
    """Frames `first_frame` to `last_frame` of a segment: `length` stored bytes at `offset` of the object."""

    segment: SegmentEntry
    first_frame: int
    last_frame: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Where a plaintext range lies: open `ranges`, drop `skip` bytes, keep `take`.

    Between two ranges lies nothing but the later segment's salt, and in an appendable object what closed the earlier
    append, so one backend request fetches all.
    """

    ranges: tuple[StoredRange, ...]
    skip: int
    take: int

    @property
    def stored(self) -> ByteRange | None:
        """The stored bytes to ask the backend for, None where there is nothing to read."""
        if not self.ranges:
            return None
        last = self.ranges[-1]
        return ByteRange(self.ranges[0].offset, last.offset + last.length - 1)


def locate(wanted: ByteRange, attributes: Attributes) -> Located:
    """Return where the wanted plaintext lies. Raises `ValueError` where the attributes' table does not reach that far.

    The attributes must have been checked.
    """
    if not attributes.plaintext_before <= wanted.first <= wanted.last < attributes.plaintext_size:
        raise ValueError("The range lies outside the object, or in front of the table's first segment.")
    segments = attributes.segments
    sizes = [entry.plaintext_size for entry in segments]
    starts = list(accumulate(sizes, initial=attributes.plaintext_before))
    offsets = attributes.offsets or list(accumulate(map(segment_stored_size, sizes), initial=0))
    first = bisect_right(starts, wanted.first) - 1
    last = bisect_right(starts, wanted.last) - 1
    ranges = []
    for position in range(first, last + 1):
        entry = segments[position]
        if not entry.plaintext_size:
            continue
        from_byte = max(wanted.first - starts[position], 0)
        to_byte = min(wanted.last - starts[position], entry.plaintext_size - 1)
        ranges.append(_stored_range(entry, offsets[position], from_byte // FRAME, to_byte // FRAME))
    skip = (wanted.first - starts[first]) % FRAME
    return Located(ranges=tuple(ranges), skip=skip, take=wanted.length)


def whole(attributes: Attributes) -> Located:
    """Return where the whole plaintext lies; nowhere if it is empty."""
    if attributes.plaintext_size == 0:
        return Located(ranges=(), skip=0, take=0)
    return locate(ByteRange(0, attributes.plaintext_size - 1), attributes)


def part_range(attributes: Attributes, number_in_order: int) -> ByteRange | None:
    """Return the plaintext range of the n-th part, counted from 1; None where that part has no bytes.

    An object that is not a client's multipart upload is one part. Raises `PartNumberNotSatisfiable` where there
    are fewer parts.
    """
    if attributes.part_count is None:
        sizes = [attributes.plaintext_size]
    else:
        sizes = [entry.plaintext_size for entry in attributes.segments]
    if not 1 <= number_in_order <= len(sizes):
        raise PartNumberNotSatisfiable(ActualPartCount=str(len(sizes)), PartNumberRequested=str(number_in_order))
    first = sum(sizes[: number_in_order - 1])
    size = sizes[number_in_order - 1]
    return ByteRange(first, first + size - 1) if size else None


def _stored_range(entry: SegmentEntry, segment_offset: int, first_frame: int, last_frame: int) -> StoredRange:
    frames = last_frame - first_frame + 1
    length = frames * STORED_FRAME
    if last_frame == frames_of(entry.plaintext_size) - 1:
        length -= (last_frame + 1) * FRAME - entry.plaintext_size
    return StoredRange(
        segment=entry,
        first_frame=first_frame,
        last_frame=last_frame,
        offset=segment_offset + SALT + first_frame * STORED_FRAME,
        length=length,
    )
