"""Pages of a listing against a plain reference, and what they cost."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.store.faults import Fault
from sseproxy.store.pages import after_marker, make_token, page_of, read_token, successor

_NAMES = st.text("ab/\xff", max_size=6).map(lambda text: text.encode("latin-1"))


@dataclass(frozen=True, order=True)
class Row:
    key: bytes


class Table:
    """Rows in order, and how often they were looked for and read."""

    def __init__(self, keys: set[bytes]) -> None:
        self.rows = [Row(key) for key in sorted(keys)]
        self.searches = self.reads = 0

    def fetch(self, first: bytes, end: bytes | None) -> Iterator[Row]:
        self.searches += 1
        for row in self.rows:
            if row.key >= first and (end is None or row.key < end):
                self.reads += 1
                yield row


def _reference(keys: set[bytes], prefix: bytes, delimiter: bytes) -> list[bytes]:
    found = []
    for key in sorted(keys):
        if key.startswith(prefix):
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            name = key if at < 0 else key[: at + len(delimiter)]
            if name not in found:
                found.append(name)
    return found


def _name(item: Row | bytes) -> bytes:
    return item.key if isinstance(item, Row) else item


@given(st.sets(_NAMES.filter(bool), max_size=20), _NAMES, st.sampled_from([b"", b"/", b"a", b"a/"]), st.integers(1, 5))
def test_pages_with_tokens_make_up_the_reference(keys: set[bytes], prefix: bytes, delimiter: bytes, most: int) -> None:
    table, found, first = Table(keys), [], b""
    while True:
        page = page_of(table.fetch, prefix, delimiter, first, most)
        found += [_name(item) for item in page.items]
        if not page.truncated:
            break
        assert len(page.items) == most
        first = read_token(make_token(page.resume))

    assert found == _reference(keys, prefix, delimiter)


@given(st.sets(_NAMES.filter(bool), max_size=20), _NAMES, st.sampled_from([b"", b"/"]), st.integers(1, 5))
def test_pages_with_markers_make_up_the_reference(keys: set[bytes], prefix: bytes, delimiter: bytes, most: int) -> None:
    table, found, marker = Table(keys), [], b""
    while True:
        page = page_of(table.fetch, prefix, delimiter, after_marker(marker, prefix, delimiter), most)
        found += [_name(item) for item in page.items]
        if not page.truncated:
            break
        marker = found[-1]

    assert found == _reference(keys, prefix, delimiter)


def test_a_page_of_a_thousand_reads_a_thousand_and_one_rows() -> None:
    table = Table({b"%05d" % number for number in range(12_000)})

    page = page_of(table.fetch, b"", b"", b"05", 1000)

    assert (len(page.items), page.truncated, table.reads, table.searches) == (1000, True, 1001, 1)


def test_common_prefixes_cost_one_row_each_however_much_is_below() -> None:
    table = Table({b"%02d/%05d" % (number % 100, number) for number in range(12_000)})

    page = page_of(table.fetch, b"", b"/", b"", 1000)

    assert (len(page.items), table.reads, table.searches) == (100, 100, 101)


@pytest.mark.parametrize(
    ("prefix", "expected"), [(b"a", b"b"), (b"a/", b"a0"), (b"a\xff", b"b"), (b"\xff\xff", None), (b"", None)]
)
def test_the_successor_is_the_first_key_behind_a_prefix(prefix: bytes, expected: bytes | None) -> None:
    assert successor(prefix) == expected


@pytest.mark.parametrize("token", ["", "x", "AAAA", "AAAAAAAA", make_token(b"a")[:-2] + "9=", "ü"])
def test_a_token_that_was_not_made_here_is_refused(token: str) -> None:
    with pytest.raises(Fault) as refused:
        read_token(token)

    assert refused.value.name == "InvalidArgument"
