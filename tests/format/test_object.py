"""Whole objects in a hostile store: whatever is done to the bytes, nothing wrong is ever served."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.errors import CommitmentMismatch, EnvelopeRejected, FooterRejected, FrameRejected, IntegrityError
from sseproxy.format import FRAME, SALT, TAG, TAIL, DataKey, parse_tail, segment_stored_size, stored_size, whole
from sseproxy.model import Layout
from tests.format.sealing import Sealed, fixed_bytes, open_attributes, open_object, read_located, seal, seal_single

P, F, M = FRAME, FRAME + TAG, 102_400
PARTS = seal([(1, fixed_bytes(M)), (2, fixed_bytes(M + 5)), (3, fixed_bytes(77))])
SINGLE = seal_single(fixed_bytes(P + 9), with_copy=True)


def opened(sealed: Sealed, stored: bytes) -> bytes:
    return open_object(sealed.key, sealed.header, stored)


def unread_ranges(sealed: Sealed) -> Iterator[range]:
    """What a reader never looks at: salts in the body, padding and recovery record."""
    at = 0
    for entry in sealed.attributes.segments:
        yield range(at, at + SALT)
        at += segment_stored_size(entry.plaintext_size)
    tail = parse_tail(sealed.stored[-TAIL:])
    assert tail is not None
    yield range(at, len(sealed.stored) - tail.closing_length)


def is_unread(sealed: Sealed, at: int) -> bool:
    return any(at in unread for unread in unread_ranges(sealed))


def flipped(stored: bytes, at: int, bit: int) -> bytes:
    return stored[:at] + bytes([stored[at] ^ (1 << bit)]) + stored[at + 1 :]


def check_flip(sealed: Sealed, at: int, bit: int) -> None:
    changed = flipped(sealed.stored, at, bit)
    if is_unread(sealed, at):
        assert opened(sealed, changed) == sealed.plain
    else:
        with pytest.raises(IntegrityError):
            opened(sealed, changed)


def interesting(sealed: Sealed) -> Iterator[int]:
    """Both ends of every salt, frame and tag, and everything behind the last frame."""
    for found in whole(sealed.attributes).ranges:
        yield from range(found.offset - SALT, found.offset + 4)
        for frame in range(found.first_frame, found.last_frame + 1):
            end = found.offset + min((frame + 1) * F, found.length)
            yield from range(end - TAG - 2, min(end + 2, len(sealed.stored)))
    tail = parse_tail(sealed.stored[-TAIL:])
    assert tail is not None
    yield from range(len(sealed.stored) - tail.closing_length - tail.recovery_length - 3, len(sealed.stored))


@pytest.mark.parametrize("sealed", [PARTS, SINGLE], ids=["three parts", "single"])
def test_a_flipped_bit_at_any_border_is_found_or_was_never_read(sealed: Sealed) -> None:
    for position, at in enumerate(interesting(sealed)):
        check_flip(sealed, at, position % 8)


@given(st.integers(0, len(PARTS.stored) - 1), st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_found_or_was_never_read(at: int, bit: int) -> None:
    check_flip(PARTS, at, bit)


@pytest.mark.soak
def test_a_flipped_bit_in_every_byte_is_found_or_was_never_read() -> None:
    for at in range(len(PARTS.stored)):
        check_flip(PARTS, at, at % 8)


@pytest.mark.parametrize("sealed", [PARTS, SINGLE], ids=["three parts", "single"])
def test_an_object_cut_off_anywhere_is_refused(sealed: Sealed) -> None:
    lengths = {0, 1, TAIL - 1, TAIL, len(sealed.stored) - 1, len(sealed.stored) - TAIL}
    for found in whole(sealed.attributes).ranges:
        lengths |= {found.offset + frame * F for frame in range(found.last_frame + 1)} | {found.offset + found.length}

    for length in lengths:
        with pytest.raises(IntegrityError):
            opened(sealed, sealed.stored[:length])


@pytest.mark.parametrize("more", [b"\0", b"x" * 100, PARTS.stored[-TAIL:], PARTS.stored])
def test_an_object_with_more_bytes_is_refused(more: bytes) -> None:
    with pytest.raises(IntegrityError):
        opened(PARTS, PARTS.stored + more)
    with pytest.raises(IntegrityError):
        opened(PARTS, more + PARTS.stored)


def test_bytes_moved_between_padding_and_body_are_refused() -> None:
    body_end = sum(segment_stored_size(entry.plaintext_size) for entry in PARTS.attributes.segments)
    stored = PARTS.stored

    with pytest.raises(IntegrityError):
        opened(PARTS, stored[: body_end - 1] + b"\0" + stored[body_end - 1 : -TAIL - 1] + stored[-TAIL:])


def test_two_segments_swapped_are_refused() -> None:
    same = seal([(1, fixed_bytes(M, 1)), (2, fixed_bytes(M, 2))])
    size = segment_stored_size(M)

    with pytest.raises(FrameRejected):
        opened(same, same.stored[size : 2 * size] + same.stored[:size] + same.stored[2 * size :])


def test_two_frames_swapped_are_refused() -> None:
    sealed = seal_single(fixed_bytes(3 * P))
    frames = sealed.stored[SALT:]

    with pytest.raises(FrameRejected):
        opened(sealed, sealed.stored[:SALT] + frames[F : 2 * F] + frames[:F] + frames[2 * F :])


def test_a_frame_of_another_segment_is_refused() -> None:
    size = segment_stored_size(M)
    stored = bytearray(PARTS.stored)
    stored[SALT : SALT + F] = stored[size + SALT : size + SALT + F]

    with pytest.raises(FrameRejected):
        opened(PARTS, bytes(stored))


def test_a_part_of_another_attempt_is_refused() -> None:
    retried = seal(
        [(1, PARTS.plain[:M]), (2, fixed_bytes(M + 5, seed=9)), (3, fixed_bytes(77))],
        salt_of=lambda number: fixed_bytes(SALT, seed=200 + number),
    )
    first, second = segment_stored_size(M), segment_stored_size(M + 5)
    mixed = PARTS.stored[:first] + retried.stored[first : first + second] + PARTS.stored[first + second :]

    with pytest.raises(FrameRejected):
        opened(PARTS, mixed)


def test_the_end_of_another_attempt_is_refused() -> None:
    retried = seal(
        [(1, fixed_bytes(M, seed=8)), (2, fixed_bytes(M + 5, seed=9)), (3, fixed_bytes(77))],
        salt_of=lambda number: fixed_bytes(SALT, seed=200 + number),
    )
    end = parse_tail(retried.stored[-TAIL:])
    assert end is not None

    with pytest.raises(FrameRejected):
        opened(PARTS, PARTS.stored[: -end.closing_length] + retried.stored[-end.closing_length :])


def test_another_objects_bytes_are_refused() -> None:
    stranger = seal_single(PARTS.plain)
    other_key = seal([(1, PARTS.plain[:M])], key=DataKey(bytes(32)))

    with pytest.raises(FooterRejected):
        opened(PARTS, stranger.stored)
    with pytest.raises(FooterRejected):
        opened(PARTS, other_key.stored)


def test_another_key_is_refused_before_anything_is_decrypted() -> None:
    with pytest.raises(CommitmentMismatch):
        open_object(DataKey(bytes(32)), PARTS.header, PARTS.stored)


def test_no_character_of_the_envelope_can_make_wrong_bytes() -> None:
    header = SINGLE.header
    refused = 0
    for at, character in enumerate(header):
        changed = header[:at] + ("B" if character == "A" else "A") + header[at + 1 :]
        try:
            assert open_object(SINGLE.key, changed, SINGLE.stored) == SINGLE.plain
        except IntegrityError:
            refused += 1

    assert refused > 50  # version, suite, layout, commitment, structure; names and wraps are checked by the KMS


def test_an_envelope_of_the_other_layout_is_refused() -> None:
    other = seal_single(b"x", with_copy=False)
    forged = seal([(1, b"x")], layout=Layout.MULTIPART)

    with pytest.raises(FooterRejected):
        open_object(other.key, forged.header, other.stored)
    with pytest.raises(EnvelopeRejected):
        open_object(other.key, "", other.stored)


def test_an_empty_object_is_checked_too() -> None:
    empty = seal_single(b"")

    assert opened(empty, empty.stored) == b""
    assert len(empty.stored) == stored_size(0)
    with pytest.raises(IntegrityError):
        opened(empty, flipped(empty.stored, len(empty.stored) - TAIL - 1, 0))
    with pytest.raises(CommitmentMismatch):
        open_object(DataKey(bytes(32)), empty.header, empty.stored)


def test_the_numbers_of_the_parts_may_have_gaps() -> None:
    sealed = seal([(3, fixed_bytes(M)), (500, fixed_bytes(M)), (10_000, b"")])

    assert opened(sealed, sealed.stored) == sealed.plain


@given(
    st.lists(st.integers(M, 3 * M), max_size=4),
    st.integers(0, 2 * P),
    st.sampled_from([1 << 20, 70_001]),
)
def test_every_object_comes_back(sizes: list[int], last: int, chunk: int) -> None:
    parts = [(3 * n + 1, fixed_bytes(size, seed=n)) for n, size in enumerate([*sizes, last])]
    sealed = seal(parts)

    attributes = open_attributes(sealed.key, sealed.header, sealed.stored)

    assert len(sealed.stored) == stored_size(len(sealed.plain))
    assert read_located(sealed.key, whole(attributes), sealed.stored, chunk=chunk) == sealed.plain
