"""Segments: sizes by chunkings, and every way of damaging stored frames."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sseproxy.errors import FrameRejected, IntegrityError, SegmentTruncated
from sseproxy.format import FRAME, SALT, TAG, DataKey, SegmentEntry, SegmentOpener, SegmentSealer, segment_stored_size
from sseproxy.stage import Buffer
from tests.format.sealing import cut, fixed_bytes, joined, run

P = FRAME
SIZES = [0, 1, P - 1, P, P + 1, 2 * P, 2 * P + 1, 5 * P + 3]
CHUNKS = [4096, P - 1, P, P + 1, P + TAG, 4 * P, 1 << 22]
KEY = DataKey(bytes(range(32)))


def seal(plain: bytes, number: int = 1, chunk: int = 1 << 22) -> tuple[SegmentEntry, bytes]:
    """Return the table entry and the stored segment, salt included."""
    sealer = SegmentSealer(KEY, number)
    stored = run(sealer, cut(plain, chunk))
    assert sealer.plaintext_size == len(plain)
    return SegmentEntry(number=number, plaintext_size=len(plain), salt=sealer.salt), stored


def open_frames(entry: SegmentEntry, frames: bytes, chunk: int = 1 << 22) -> bytes:
    return run(SegmentOpener(KEY, entry), cut(frames, chunk))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_segment_comes_back_however_it_was_cut(size: int, chunk: int) -> None:
    plain = fixed_bytes(size)

    entry, stored = seal(plain, chunk=chunk)

    assert len(stored) == segment_stored_size(size)
    assert stored[:SALT] == entry.salt
    assert open_frames(entry, stored[SALT:], chunk=chunk) == plain


@pytest.mark.parametrize("size", SIZES)
def test_the_chunking_does_not_show_in_the_stored_bytes(size: int) -> None:
    plain = fixed_bytes(size)

    stored = {
        run(SegmentSealer(KEY, 3, _salt=bytes(32)), [b"", *cut(plain, chunk), b""]) for chunk in (1000, P, 1 << 22)
    }

    assert len(stored) == 1


@settings(max_examples=60)
@given(
    st.integers(0, 3 * P), st.lists(st.integers(0, P + 40), max_size=12), st.lists(st.integers(0, P + 40), max_size=12)
)
def test_any_cuts_give_the_plaintext_back(size: int, cuts_in: list[int], cuts_out: list[int]) -> None:
    def pieces(data: bytes, lengths: list[int]) -> list[bytes]:
        out = []
        for length in lengths:
            out.append(data[:length])
            data = data[length:]
        return [*out, data]

    plain = fixed_bytes(size)
    sealer = SegmentSealer(KEY, 1)
    stored = run(sealer, pieces(plain, cuts_in))
    entry = SegmentEntry(number=1, plaintext_size=size, salt=sealer.salt)

    assert run(SegmentOpener(KEY, entry), pieces(stored[SALT:], cuts_out)) == plain


def test_an_empty_segment_is_its_salt_alone() -> None:
    entry, stored = seal(b"")

    assert stored == entry.salt
    assert open_frames(entry, b"") == b""


def test_the_last_frame_leaves_only_when_the_end_is_known() -> None:
    sealer = SegmentSealer(KEY, 1)

    assert joined(sealer.feed(bytes(P))) == b""
    assert len(joined(sealer.feed(b"x"))) == SALT + P + TAG
    assert len(joined(sealer.finish())) == 1 + TAG


def test_an_exact_multiple_of_the_frame_has_no_empty_frame_behind_it() -> None:
    _, stored = seal(bytes(2 * P))

    assert len(stored) == SALT + 2 * (P + TAG)


def test_returned_buffers_never_change() -> None:
    sealer = SegmentSealer(KEY, 1)
    chunk = fixed_bytes(P + 100)
    buffers = [buffer for _ in range(10) for buffer in sealer.feed(chunk)]
    early = [bytes(buffer) for buffer in buffers]

    sealer.feed(chunk)
    sealer.finish()

    assert [bytes(buffer) for buffer in buffers] == early
    assert all(memoryview(buffer).readonly for buffer in buffers)


def test_output_buffers_hold_four_frames_at_most() -> None:
    buffers = SegmentSealer(KEY, 1).feed(bytes(40 * P))

    assert max(len(buffer) for buffer in buffers) <= 4 * (P + TAG) + SALT


def test_the_same_plaintext_twice_gives_different_bytes() -> None:
    assert seal(b"same")[1] != seal(b"same")[1]


def test_a_segment_too_large_for_the_table_is_refused() -> None:
    sealer = SegmentSealer(KEY, 1)
    sealer.plaintext_size = 2**40 - 1

    with pytest.raises(ValueError, match="too large"):
        sealer.feed(b"x")


def test_a_frame_is_released_before_the_stream_has_ended() -> None:
    entry, stored = seal(fixed_bytes(P + 10))
    opener = SegmentOpener(KEY, entry)

    assert len(joined(opener.feed(stored[SALT : SALT + P + TAG]))) == P
    assert joined(opener.feed(stored[SALT + P + TAG :])) == fixed_bytes(P + 10)[P:]
    assert opener.consumed == len(stored) - SALT


@pytest.mark.parametrize(("first", "last"), [(0, 0), (1, 1), (0, 2), (2, 2), (1, None), (2, None)])
def test_frames_open_without_those_before_and_after(first: int, last: int | None) -> None:
    plain = fixed_bytes(2 * P + 5)
    entry, stored = seal(plain)
    end = 3 if last is None else last + 1

    frames = stored[SALT:][first * (P + TAG) : end * (P + TAG)]
    opened = run(SegmentOpener(KEY, entry, first_frame=first, last_frame=last), cut(frames, 9_999))

    assert opened == plain[first * P : end * P]


@pytest.mark.parametrize(("first", "last"), [(-1, 0), (0, 3), (4, None), (2, 0)])
def test_frames_that_the_segment_does_not_have_are_a_mistake(first: int, last: int | None) -> None:
    entry, _ = seal(bytes(2 * P + 5))

    with pytest.raises(ValueError, match="no such frames"):
        SegmentOpener(KEY, entry, first_frame=first, last_frame=last)


def swap_frames(frames: bytes) -> bytes:
    return frames[P + TAG : 2 * (P + TAG)] + frames[: P + TAG] + frames[2 * (P + TAG) :]


def flip_bit(at: int) -> Callable[[bytes], bytes]:
    return lambda frames: frames[:at] + bytes([frames[at] ^ 0x10]) + frames[at + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "two frames swapped": swap_frames,
    "first frame twice": lambda frames: frames[: P + TAG] * 2 + frames[2 * (P + TAG) :],
    "first bit": flip_bit(0),
    "a bit in the first tag": flip_bit(P + 3),
    "a bit in the middle frame": flip_bit(P + TAG + 100),
    "last bit": lambda frames: frames[:-1] + bytes([frames[-1] ^ 1]),
    "last byte cut off": lambda frames: frames[:-1],
    "last frame cut off": lambda frames: frames[: 2 * (P + TAG)],
    "all cut off": lambda frames: b"",
    "a byte appended": lambda frames: frames + b"\0",
    "last frame twice": lambda frames: frames + frames[2 * (P + TAG) :],
    "first byte missing": lambda frames: frames[1:],
    "a frame of a stranger": lambda frames: seal(fixed_bytes(P))[1][SALT:] + frames[P + TAG :],
}


def feed_into(released: list[Buffer], opener: SegmentOpener, chunks: Iterator[bytes]) -> None:
    for chunk in chunks:
        released += opener.feed(chunk)
    released += opener.finish()


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
@pytest.mark.parametrize("chunk", [1 << 22, 10_000])
def test_damaged_frames_never_open(damage: Callable[[bytes], bytes], chunk: int) -> None:
    plain = fixed_bytes(2 * P + 77)
    entry, stored = seal(plain)
    opener = SegmentOpener(KEY, entry)
    released: list[Buffer] = []

    with pytest.raises(IntegrityError):
        feed_into(released, opener, cut(damage(stored[SALT:]), chunk))

    assert plain.startswith(joined(released))


def test_a_segment_cut_at_a_frame_does_not_pass_for_a_shorter_one() -> None:
    entry, stored = seal(fixed_bytes(2 * P))
    shorter = SegmentEntry(number=1, plaintext_size=P, salt=entry.salt)

    with pytest.raises(FrameRejected):
        open_frames(shorter, stored[SALT:][: P + TAG])


def test_a_last_frame_does_not_pass_for_one_in_the_middle() -> None:
    entry, stored = seal(fixed_bytes(P))
    longer = SegmentEntry(number=1, plaintext_size=P + 1, salt=entry.salt)

    with pytest.raises(FrameRejected):
        SegmentOpener(KEY, longer).feed(stored[SALT:])


@pytest.mark.parametrize(
    "other",
    [
        lambda entry: SegmentEntry(number=2, plaintext_size=entry.plaintext_size, salt=entry.salt),
        lambda entry: SegmentEntry(number=1, plaintext_size=entry.plaintext_size, salt=bytes(32)),
        lambda entry: SegmentEntry(number=1, plaintext_size=entry.plaintext_size - 1, salt=entry.salt),
        lambda entry: SegmentEntry(number=1, plaintext_size=entry.plaintext_size + 1, salt=entry.salt),
    ],
    ids=["other number", "other attempt", "smaller", "larger"],
)
def test_frames_open_only_under_their_own_entry(other: Callable[[SegmentEntry], SegmentEntry]) -> None:
    entry, stored = seal(fixed_bytes(1000))

    with pytest.raises((FrameRejected, SegmentTruncated)):
        open_frames(other(entry), stored[SALT:])


def test_frames_do_not_open_under_another_key() -> None:
    entry, stored = seal(fixed_bytes(1000))

    with pytest.raises(FrameRejected, match="Frame 0 of segment 1"):
        SegmentOpener(DataKey(bytes(32)), entry).feed(stored[SALT:])


def test_a_byte_that_comes_after_the_last_frame_is_refused() -> None:
    entry, stored = seal(fixed_bytes(P + 3))
    opener = SegmentOpener(KEY, entry)
    opener.feed(stored[SALT:])

    with pytest.raises(SegmentTruncated, match="goes on"):
        opener.feed(b"\0")


def test_rewinding_forgets_the_unfinished_frame() -> None:
    plain = fixed_bytes(3 * P)
    entry, stored = seal(plain)
    frames = stored[SALT:]
    opener = SegmentOpener(KEY, entry)

    opened = joined(opener.feed(frames[: P + TAG + 500]))
    opener.rewind()
    opened += joined(opener.feed(frames[opener.consumed :]))
    opener.finish()

    assert opened == plain
