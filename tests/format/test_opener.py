"""Opening ranges: every range of every object gives the plain reference's bytes, however the backend cuts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.errors import FrameRejected, SegmentTruncated
from sseproxy.format import FRAME, SALT, TAG, Opener, locate, whole
from sseproxy.model import ByteRange
from tests.format.sealing import cut, fixed_bytes, joined, read_located, run, seal, seal_single

P, M = FRAME, 102_400
OBJECTS = {
    "single": seal_single(fixed_bytes(3 * P + 7)),
    "three parts": seal([(1, fixed_bytes(M)), (2, fixed_bytes(2 * P)), (9, fixed_bytes(5))]),
    "five parts": seal([(n, fixed_bytes(M + n * 1000, seed=n)) for n in range(1, 6)]),
    "empty last part": seal([(1, fixed_bytes(M)), (2, b"")]),
    "one byte": seal_single(b"x"),
}


@pytest.mark.parametrize("size", [0, 1, P - 1, P, P + 1, 2 * P, 2 * P + 1])
@pytest.mark.parametrize("chunk", [10_000, P - 1, P, P + 1, P + TAG, 1 << 22])
def test_a_whole_object_comes_back_however_the_backend_cuts_it(size: int, chunk: int) -> None:
    sealed = seal_single(fixed_bytes(size))

    assert read_located(sealed.key, whole(sealed.attributes), sealed.stored, chunk=chunk) == sealed.plain


@given(st.sampled_from(sorted(OBJECTS)), st.data())
def test_any_range_gives_the_bytes_of_the_plain_object(name: str, data: st.DataObject) -> None:
    sealed = OBJECTS[name]
    border = st.sampled_from([0, P, 2 * P, M, M + P, M + 2 * P, len(sealed.plain)])
    near = st.builds(lambda at, by: min(max(at + by, 0), len(sealed.plain) - 1), border, st.integers(-2, 2))
    place = st.integers(0, len(sealed.plain) - 1) | near
    first, last = sorted((data.draw(place), data.draw(place)))
    chunk = data.draw(st.sampled_from([1 << 20, P, 777]))

    located = locate(ByteRange(first, last), sealed.attributes)

    assert read_located(sealed.key, located, sealed.stored, chunk=chunk) == sealed.plain[first : last + 1]


@given(st.sampled_from(["single", "three parts", "five parts"]), st.data())
def test_a_range_that_breaks_off_anywhere_goes_on_at_the_resume_offset(name: str, data: st.DataObject) -> None:
    sealed = OBJECTS[name]
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(sealed.plain) - 1)] * 2)))
    located = locate(ByteRange(first, last), sealed.attributes)
    assert located.stored is not None
    body_end = located.stored.last + 1
    opener = Opener(sealed.key, located)
    opened = b""

    for _ in range(4):
        stop = data.draw(st.integers(opener.resume_offset, body_end))
        before = opener.resume_offset
        opened += run_some(opener, sealed.stored[before:stop])
        assert before <= opener.resume_offset <= body_end
        opener.rewind()
    opened += run_some(opener, sealed.stored[opener.resume_offset : body_end])

    assert joined(opener.finish()) == b""
    assert opened == sealed.plain[first : last + 1]
    assert opener.resume_offset == body_end
    assert opener.position == located.stored.length


def run_some(opener: Opener, data: bytes) -> bytes:
    return b"".join(joined(opener.feed(chunk)) for chunk in cut(data, 50_000))


def test_the_end_is_known_without_finish() -> None:
    sealed = OBJECTS["three parts"]
    located = whole(sealed.attributes)
    assert located.stored is not None
    opener = Opener(sealed.key, located)

    assert not opener.is_done
    opened = joined(opener.feed(sealed.stored[located.stored.first : located.stored.last + 1]))

    assert opened == sealed.plain
    assert opener.is_done


def test_the_position_after_a_part_is_the_next_parts_first_frame() -> None:
    sealed = OBJECTS["three parts"]
    located = whole(sealed.attributes)
    opener = Opener(sealed.key, located)
    first = located.ranges[0]

    opener.feed(sealed.stored[first.offset : first.offset + first.length])

    assert opener.resume_offset == located.ranges[1].offset
    assert opener.position == first.length + SALT


def test_a_salt_may_come_in_pieces_of_its_own() -> None:
    sealed = OBJECTS["three parts"]
    located = whole(sealed.attributes)
    assert located.stored is not None
    opener = Opener(sealed.key, located)
    end = located.ranges[0].offset + located.ranges[0].length

    opened = joined(opener.feed(sealed.stored[located.stored.first : end]))
    assert opener.feed(sealed.stored[end : end + 10]) == []
    assert opener.feed(sealed.stored[end + 10 : end + SALT]) == []
    opened += joined(opener.feed(sealed.stored[end + SALT : located.stored.last + 1]))

    assert opened == sealed.plain


def test_a_body_that_breaks_off_within_a_salt_goes_on_behind_it() -> None:
    sealed = OBJECTS["three parts"]
    located = whole(sealed.attributes)
    assert located.stored is not None
    opener = Opener(sealed.key, located)
    end = located.ranges[0].offset + located.ranges[0].length

    opened = joined(opener.feed(sealed.stored[located.stored.first : end + 10]))
    opener.rewind()
    opened += joined(opener.feed(sealed.stored[opener.resume_offset : located.stored.last + 1]))

    assert opened == sealed.plain


def test_a_salt_in_the_body_is_never_believed() -> None:
    sealed = OBJECTS["five parts"]
    stored = bytearray(sealed.stored)
    for found in whole(sealed.attributes).ranges:
        stored[found.offset - SALT : found.offset] = bytes(SALT)

    assert read_located(sealed.key, whole(sealed.attributes), bytes(stored)) == sealed.plain


@pytest.mark.parametrize("missing", [1, TAG, P, P + TAG])
def test_a_body_that_ends_early_is_refused(missing: int) -> None:
    sealed = OBJECTS["single"]
    located = whole(sealed.attributes)
    assert located.stored is not None
    body = sealed.stored[located.stored.first : located.stored.last + 1 - missing]

    with pytest.raises(SegmentTruncated):
        run(Opener(sealed.key, located), [body])


def test_a_body_that_goes_on_is_refused() -> None:
    sealed = OBJECTS["single"]
    located = whole(sealed.attributes)
    assert located.stored is not None

    with pytest.raises(SegmentTruncated):
        run(Opener(sealed.key, located), [sealed.stored[located.stored.first : located.stored.last + 2]])


def test_a_body_for_an_empty_object_is_refused() -> None:
    sealed = seal_single(b"")
    opener = Opener(sealed.key, whole(sealed.attributes))

    assert opener.feed(b"") == []
    assert opener.resume_offset == 0
    opener.rewind()
    with pytest.raises(SegmentTruncated):
        opener.feed(b"x")


def test_a_range_shifted_by_a_byte_is_refused() -> None:
    sealed = OBJECTS["single"]
    located = locate(ByteRange(P, 2 * P), sealed.attributes)
    wanted = located.stored
    assert wanted is not None

    with pytest.raises(FrameRejected):
        run(Opener(sealed.key, located), [sealed.stored[wanted.first + 1 : wanted.last + 2]])


def test_trimming_returns_views_without_empty_ones() -> None:
    sealed = OBJECTS["single"]
    located = locate(ByteRange(P + 5, P + 6), sealed.attributes)
    wanted = located.stored
    assert wanted is not None

    buffers = Opener(sealed.key, located).feed(sealed.stored[wanted.first : wanted.last + 1])

    assert [bytes(buffer) for buffer in buffers] == [sealed.plain[P + 5 : P + 7]]
