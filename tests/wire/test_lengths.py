import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.errors import IncompleteBody, MetadataLost
from sseproxy.wire.lengths import LengthGuard, TailGuard


def test_a_body_of_the_right_length_passes() -> None:
    guard = LengthGuard(5)

    assert [*guard.feed(b"abc"), *guard.feed(b"de"), *guard.finish()] == [b"abc", b"de"]


def test_one_byte_too_many_is_refused_at_once_and_one_too_few_at_the_end() -> None:
    guard = LengthGuard(2)
    guard.feed(b"a")

    with pytest.raises(IncompleteBody):
        guard.finish()
    with pytest.raises(IncompleteBody):
        guard.feed(b"bc")


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_the_tail_guard_changes_nothing_and_judges_the_last_16_bytes(pieces: list[bytes]) -> None:
    seen: list[bytes] = []
    guard = TailGuard(lambda tail: bool(seen.append(tail)))  # type: ignore[func-returns-value]  # notes and answers False
    out = b"".join(bytes(part) for piece in pieces for part in guard.feed(piece))
    held = b"".join(bytes(part) for part in guard.finish())
    whole = b"".join(pieces)

    assert out + held == whole
    assert seen == [whole[-16:]]
    assert held == whole[-16:]


def test_a_sealed_objects_end_is_not_released() -> None:
    guard = TailGuard(lambda tail: tail == b"t" * 16)
    guard.feed(b"body" + b"t" * 16)

    with pytest.raises(MetadataLost):
        guard.finish()
