import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.errors import MetadataLost
from sseproxy.wire.lengths import TailGuard


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
