"""Length-prefixed framing."""

from hypothesis import given
from hypothesis import strategies as st

from sseproxy.format import lp


def test_the_length_comes_first_in_four_bytes() -> None:
    assert lp(b"") == b"\0\0\0\0"
    assert lp(b"abc") == b"\0\0\0\x03abc"


@given(st.lists(st.binary(max_size=5), max_size=4), st.lists(st.binary(max_size=5), max_size=4))
def test_different_lists_have_different_framings(one: list[bytes], other: list[bytes]) -> None:
    assert (b"".join(map(lp, one)) == b"".join(map(lp, other))) == (one == other)
