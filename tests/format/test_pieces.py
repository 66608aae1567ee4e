"""Cutting: the same pieces for every chunking, views where nothing crosses a border."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.format.pieces import Cutter


def pieces_of(chunks: list[bytes], length: int, *, hold_last: bool) -> list[bytes]:
    cutter = Cutter(length, hold_last=hold_last)
    pieces = [bytes(piece) for chunk in chunks for piece in cutter.add(chunk)]
    rest = bytes(cutter.rest())
    return [*pieces, rest] if rest else pieces


@given(st.lists(st.binary(max_size=25), max_size=20), st.integers(1, 8), st.booleans())
def test_the_pieces_do_not_depend_on_the_chunking(chunks: list[bytes], length: int, hold_last: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    data = b"".join(chunks)

    pieces = pieces_of(chunks, length, hold_last=hold_last)

    assert pieces == [data[at : at + length] for at in range(0, len(data), length)]


def test_a_full_piece_is_held_until_a_byte_follows() -> None:
    cutter = Cutter(4, hold_last=True)

    assert cutter.add(b"abcd") == ()
    assert [bytes(piece) for piece in cutter.add(b"e")] == [b"abcd"]
    assert bytes(cutter.rest()) == b"e"


def test_a_full_piece_leaves_at_once_where_none_is_held() -> None:
    cutter = Cutter(4, hold_last=False)

    assert [bytes(piece) for piece in cutter.add(b"abcd")] == [b"abcd"]
    assert not cutter.rest()


def test_a_piece_that_lies_whole_in_a_buffer_is_a_view_of_it() -> None:
    data = b"0123456789abcdef"

    pieces = Cutter(4, hold_last=True).add(data)

    assert [piece.obj is data for piece in pieces] == [True, True, True]


def test_one_byte_at_a_time_keeps_one_piece_in_memory() -> None:
    cutter = Cutter(1000, hold_last=True)
    for _ in range(999):
        cutter.add(b"x")

    rest = cutter.rest()

    assert len(rest) == 999
    assert len(memoryview(rest.obj)) == 1000


@pytest.mark.parametrize("data", [b"", bytearray(), memoryview(b"")])
def test_an_empty_buffer_changes_nothing(data: bytes | bytearray | memoryview) -> None:
    cutter = Cutter(4, hold_last=True)
    cutter.add(b"abcd")

    assert cutter.add(data) == ()
    assert bytes(cutter.rest()) == b"abcd"


def test_views_of_wider_items_are_cut_by_bytes() -> None:
    wide = memoryview(bytearray(b"abcdefgh")).cast("I")

    assert [bytes(piece) for piece in Cutter(4, hold_last=True).add(wide)] == [b"abcd"]
