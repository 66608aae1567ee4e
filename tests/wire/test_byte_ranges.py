import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.model import ByteRange
from sseproxy.wire.byte_ranges import Unsatisfiable, content_range, parse_content_range, parse_range, resolve

_IGNORED = [
    "bytes=10-5", "bytes=abc", "bytes=-", "bytes=-1-", "bytes=,", "bytes= -1", "bytes=--1", "bytes=0 -1", "bytes=0--1",
    "bytes=100-x", "foo=0-1", "bytes=0-0,1-2", "", "bytes=" + "9" * 60 + "-", "bytes=\u0661-\u0662", "bytes=0-1\n", "bytes",
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "first", "last"),
    [
        ("bytes=0-9", 0, 9), ("bytes=90-", 90, 99), ("bytes=-10", 90, 99), ("bytes=000-09", 0, 9),
        ("bytes=90-200", 90, 99), ("bytes=-200", 0, 99),
    ],
)  # fmt: skip
def test_ranges_of_a_hundred_bytes(value: str, first: int, last: int) -> None:
    spec = parse_range(value)

    assert spec is not None
    assert resolve(spec, 100) == ByteRange(first, last)


@pytest.mark.parametrize("value", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_ranges_outside_a_hundred_bytes(value: str) -> None:
    spec = parse_range(value)

    assert spec is not None
    assert resolve(spec, 100) == Unsatisfiable()


@pytest.mark.parametrize("value", _IGNORED)
def test_what_s3_ignores_is_no_range(value: str) -> None:
    assert parse_range(value) is None


@pytest.mark.parametrize(
    ("value", "expected"), [("bytes=0-0", Unsatisfiable()), ("bytes=-0", Unsatisfiable()), ("bytes=-1", None)]
)
def test_ranges_of_an_empty_object(value: str, expected: Unsatisfiable | None) -> None:
    spec = parse_range(value)

    assert spec is not None
    assert resolve(spec, 0) == expected


@given(st.integers(0, 2**50), st.integers(0, 2**50), st.integers(0, 2**50))
def test_a_printed_content_range_is_read_as_it_was(first: int, length: int, more: int) -> None:
    wanted = ByteRange(first, first + length)

    assert parse_content_range(content_range(wanted, wanted.last + 1 + more)) == (wanted, wanted.last + 1 + more)


@given(st.integers(0, 60), st.none() | st.integers(0, 60), st.integers(0, 50))
def test_a_range_gives_the_bytes_that_it_names(first: int, last: int | None, size: int) -> None:
    spec = parse_range(f"bytes={first}-{'' if last is None else last}")
    whole = list(range(size))
    named = [byte for byte in whole if byte >= first and (last is None or byte <= last)]

    if last is not None and last < first:
        assert spec is None
        return
    assert spec is not None
    resolved = resolve(spec, size)
    if isinstance(resolved, ByteRange):
        assert whole[resolved.first : resolved.last + 1] == named
        assert resolved.length == len(named) > 0
    else:
        assert resolved == Unsatisfiable()
        assert named == []


@given(st.integers(0, 60), st.integers(0, 50))
def test_a_suffix_gives_the_last_bytes(length: int, size: int) -> None:
    spec = parse_range(f"bytes=-{length}")
    assert spec is not None

    resolved = resolve(spec, size)

    if length == 0:
        assert resolved == Unsatisfiable()
    elif size == 0:
        assert resolved is None
    else:
        assert isinstance(resolved, ByteRange)
        assert list(range(size))[resolved.first : resolved.last + 1] == list(range(size))[-length:]


def test_a_content_range_may_leave_the_size_open() -> None:
    assert parse_content_range("bytes 0-9/*") == (ByteRange(0, 9), None)


@pytest.mark.parametrize(
    "value", ["", "bytes */10", "bytes 5-4/10", "bytes 0-1", "bytes 0-" + "9" * 5000 + "/*", "items 0-1/2"]
)
def test_what_is_no_content_range_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"^no Content-Range$"):
        parse_content_range(value)
