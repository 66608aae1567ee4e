"""Range arithmetic, with exact numbers and against a plain reference."""

import pytest

from sseproxy.errors import PartNumberNotSatisfiable
from sseproxy.format import FRAME, SALT, TAG, Attributes, SegmentEntry, locate, part_range, segment_stored_size, whole
from sseproxy.model import ByteRange, Layout

P, F, M = FRAME, FRAME + TAG, 102_400


def attributes_of(sizes: list[int], layout: Layout = Layout.MULTIPART, *, is_client_upload: bool = True) -> Attributes:
    return Attributes(
        layout=layout,
        plaintext_size=sum(sizes),
        segments=tuple(
            SegmentEntry(number=n, plaintext_size=size, salt=bytes([n]) * 32) for n, size in enumerate(sizes, 1)
        ),
        crc64=0,
        part_count=len(sizes) if layout is Layout.MULTIPART and is_client_upload else None,
    )


SINGLE = attributes_of([3 * P + 10], Layout.SINGLE)
PARTS = attributes_of([M, 2 * P, 5])


@pytest.mark.parametrize(
    ("first", "last", "frames", "offset", "length", "skip"),
    [
        (0, 0, (0, 0), SALT, F, 0),
        (P - 1, P - 1, (0, 0), SALT, F, P - 1),
        (P, P, (1, 1), SALT + F, F, 0),
        (P - 1, P, (0, 1), SALT, 2 * F, P - 1),
        (5, 3 * P + 9, (0, 3), SALT, 3 * F + 10 + TAG, 5),
        (3 * P + 3, 3 * P + 4, (3, 3), SALT + 3 * F, 10 + TAG, 3),
    ],
)
def test_a_range_of_a_single_object_is_located(
    first: int, last: int, frames: tuple[int, int], offset: int, length: int, skip: int
) -> None:
    located = locate(ByteRange(first, last), SINGLE)

    assert len(located.ranges) == 1
    found = located.ranges[0]
    assert (found.first_frame, found.last_frame, found.offset, found.length) == (*frames, offset, length)
    assert (located.skip, located.take) == (skip, last - first + 1)
    assert located.stored == ByteRange(offset, offset + length - 1)


def test_a_range_across_parts_gives_one_range_for_each_with_only_a_salt_between() -> None:
    located = locate(ByteRange(M - 1, M + 2 * P), PARTS)

    assert [found.segment.number for found in located.ranges] == [1, 2, 3]
    assert located.skip == M - 1 - P
    assert located.take == 2 * P + 2
    for earlier, later in zip(located.ranges, located.ranges[1:], strict=False):
        assert later.offset - (earlier.offset + earlier.length) == SALT
    assert located.ranges[2].offset == segment_stored_size(M) + segment_stored_size(2 * P) + SALT


def test_the_whole_object_begins_behind_the_first_salt() -> None:
    located = whole(PARTS)

    assert located.stored == ByteRange(SALT, sum(map(segment_stored_size, (M, 2 * P, 5))) - 1)
    assert (located.skip, located.take) == (0, M + 2 * P + 5)


@pytest.mark.parametrize("sizes", [[0], [M, 0]])
def test_an_empty_segment_is_nowhere(sizes: list[int]) -> None:
    located = whole(attributes_of(sizes))

    assert [found.segment.plaintext_size for found in located.ranges] == [size for size in sizes if size]
    assert located.take == sum(sizes)


def test_nothing_is_read_of_an_empty_object() -> None:
    assert whole(attributes_of([0], Layout.SINGLE)).stored is None


@pytest.mark.parametrize(("first", "last"), [(0, 3 * P + 10), (3 * P + 10, 3 * P + 10), (-1, 0), (5, 4)])
def test_a_range_outside_the_object_is_a_mistake(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        locate(ByteRange(first, last), SINGLE)


def test_parts_are_counted_in_order_whatever_their_numbers() -> None:
    assert part_range(PARTS, 1) == ByteRange(0, M - 1)
    assert part_range(PARTS, 2) == ByteRange(M, M + 2 * P - 1)
    assert part_range(PARTS, 3) == ByteRange(M + 2 * P, M + 2 * P + 4)


@pytest.mark.parametrize("number", [0, 4, 10_000])
def test_a_part_that_is_not_there_is_not_satisfiable(number: int) -> None:
    with pytest.raises(PartNumberNotSatisfiable) as caught:
        part_range(PARTS, number)

    assert caught.value.details == {"ActualPartCount": "3", "PartNumberRequested": str(number)}


@pytest.mark.parametrize(
    "attributes", [SINGLE, attributes_of([M, 5], is_client_upload=False)], ids=["single", "internal multipart"]
)
def test_an_object_that_is_no_clients_upload_is_one_part(attributes: Attributes) -> None:
    assert part_range(attributes, 1) == ByteRange(0, attributes.plaintext_size - 1)
    with pytest.raises(PartNumberNotSatisfiable):
        part_range(attributes, 2)


def test_a_part_without_bytes_has_no_range() -> None:
    assert part_range(attributes_of([M, 0]), 2) is None
    assert part_range(attributes_of([0], Layout.SINGLE), 1) is None
