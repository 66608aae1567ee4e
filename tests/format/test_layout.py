"""The size arithmetic, checked against its definition and against the worst legal objects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.format.layout import (
    FRAME,
    MOST_SEGMENTS,
    SMALLEST_SEGMENT,
    frames_of,
    plaintext_size,
    segment_stored_size,
    stored_size,
)

TIB = 2**40
SIZES = st.one_of(
    st.integers(0, 50 * TIB),
    st.integers(0, 20_000_000),
    # the neighbourhood of every step of the function
    st.builds(lambda n, d: max(n * FRAME + d, 0), st.integers(0, 50 * TIB // FRAME), st.integers(-3, 3)),
    st.builds(lambda n, d: max(n * SMALLEST_SEGMENT + d, 0), st.integers(0, 12_000), st.integers(-3, 3)),
)


@pytest.mark.parametrize(
    ("plain", "stored"),
    [
        (0, 1_024),
        (1, 1_041),
        (65_535, 66_575),
        (65_536, 66_576),
        (65_537, 66_593),
        (102_399, 103_455),
        (102_400, 103_576),
        (1_048_576, 1_051_056),
        (5 * 2**30, 5_371_220_744),
        (9_999 * 102_400, 1_025_348_488),
        (5 * TIB, 5_498_901_517_064),
    ],
)
def test_stored_sizes_are_those_of_the_specification(plain: int, stored: int) -> None:
    assert stored_size(plain) == stored


@given(SIZES)
def test_the_inverse_gives_the_plaintext_size_back(size: int) -> None:
    assert plaintext_size(stored_size(size)) == size


@given(SIZES)
def test_stored_size_grows_strictly(size: int) -> None:
    assert stored_size(size + 1) > stored_size(size)


@given(SIZES, st.integers(-150, 150))
def test_a_size_between_two_stored_sizes_is_none(size: int, offset: int) -> None:
    near = stored_size(size) + offset

    found = plaintext_size(near)

    assert found is None or stored_size(found) == near


def test_the_inverse_agrees_with_a_table_of_all_small_sizes() -> None:
    table = {stored_size(size): size for size in range(330_000)}

    wrong = [size for size in range(300_000) if plaintext_size(size) != table.get(size)]

    assert wrong == []


@pytest.mark.parametrize("size", [-5, 0, 15, 1_023])
def test_nothing_is_stored_in_less_than_the_fixed_part(size: int) -> None:
    assert plaintext_size(size) is None


def test_a_negative_plaintext_size_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="not negative"):
        stored_size(-1)


@given(SIZES)
def test_overhead_stays_below_the_promised_bound(size: int) -> None:
    overhead = stored_size(size) - size

    assert overhead <= 0.0015 * size + 1_024 + 16
    assert overhead <= 16 * frames_of(size) + 1_199_880 + 1_024


def worst_case(segments: list[int], width: int) -> int:
    """The stored bytes of an object without padding and recovery, at the most the attributes may take."""
    footer = 28 + len(segments) * (40 + width) + 300
    return sum(map(segment_stored_size, segments)) + footer + 16


PART_SIZES = st.one_of(
    st.integers(SMALLEST_SEGMENT, 5 * 2**30),
    st.builds(lambda n, d: n * FRAME + d, st.integers(2, 80_000), st.integers(-2, 2)),
    st.just(SMALLEST_SEGMENT),
)


@given(st.lists(PART_SIZES, max_size=60), st.integers(0, 5 * 2**30), st.integers(0, 32))
def test_every_legal_list_of_segments_fits_the_stored_size(parts: list[int], last: int, width: int) -> None:
    segments = [*parts, last]

    assert worst_case(segments, width) <= stored_size(sum(segments))


@pytest.mark.parametrize("part", [SMALLEST_SEGMENT, SMALLEST_SEGMENT + 1, 131_073, 5 * 2**20 + 1, 5 * 2**30])
@pytest.mark.parametrize("last", [0, 1, FRAME, FRAME + 1, SMALLEST_SEGMENT - 1, 5 * 2**30])
def test_ten_thousand_segments_with_the_widest_checksums_fit(part: int, last: int) -> None:
    segments = [part] * (MOST_SEGMENTS - 1) + [last]

    room = stored_size(sum(segments)) - worst_case(segments, 32)

    assert room >= 576  # what is always left for the recovery record


def test_the_limit_of_segments_is_needed() -> None:
    segments = [2 * FRAME + 1] * (MOST_SEGMENTS + 10)

    assert worst_case(segments, 32) > stored_size(sum(segments))
