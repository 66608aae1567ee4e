"""A listing's entry without a look-up: exactly what the footer and the storage's ETag give."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.dialect.base import ListedEntry
from sseproxy.format import SMALLEST_SEGMENT, plaintext_size, stored_size
from sseproxy.format.cached_entry import ShownEntry
from sseproxy.model import Checksum, ChecksumAlgorithm, ChecksumType, Layout
from sseproxy.operations.etags import client_etag
from sseproxy.operations.shown_entries import computed_entry, shown_entry
from tests.format.sealing import fixed_bytes, seal

TIB = 2**40
HEX = "0123456789abcdefABCDEF"
ETAGS = st.one_of(
    st.text(HEX, min_size=32, max_size=32),
    st.builds("{}-{}".format, st.text(HEX, min_size=32, max_size=32), st.integers(1, 10_000)),
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='"'), min_size=1, max_size=64),
)
CHECKSUMS = st.sampled_from(
    [
        None,
        Checksum(algorithm=ChecksumAlgorithm.SHA512, type=ChecksumType.FULL_OBJECT, value=bytes(64)),
        Checksum(algorithm=ChecksumAlgorithm.CRC32, type=ChecksumType.FULL_OBJECT, value=bytes(4)),
    ]
)
LAST = st.one_of(st.integers(0, 5), st.integers(65_530, 65_540), st.integers(102_395, 102_405), st.integers(0, 300_000))
FURTHER = st.lists(st.integers(SMALLEST_SEGMENT, SMALLEST_SEGMENT + 70_000), max_size=3)


def _entry(
    size: int,
    etag: str = "0" * 32,
    *,
    appendable: bool = False,
    link: bool = False,
    version_id: str | None = None,
) -> ListedEntry:
    return ListedEntry(
        key="k",
        version_id=version_id,
        stored_etag=etag,
        stored_size=size,
        appendable=appendable,
        link=link,
        size=size,
        etag=etag,
    )


@given(FURTHER, LAST, CHECKSUMS, ETAGS)
def test_the_arithmetic_says_of_sealed_bytes_what_their_footer_says(
    further: list[int], last: int, checksum: Checksum | None, etag: str
) -> None:
    sizes = [*further, last]
    parts = [(3 * number + 1, fixed_bytes(size)) for number, size in enumerate(sizes)]
    sealed = seal(parts, checksum=checksum)

    computed = computed_entry(_entry(len(sealed.stored), etag))

    assert computed is not None
    told = shown_entry(replace(sealed.attributes, md5=None, checksum=None), etag)
    assert computed == told == ShownEntry(sum(sizes), client_etag(None, etag))


@given(LAST, st.booleans())
def test_an_object_sent_in_one_request_is_told_like_one_in_parts(size: int, with_copy: bool) -> None:  # noqa: FBT001
    sealed = seal([(1, fixed_bytes(size))], layout=Layout.SINGLE, with_copy=with_copy)

    computed = computed_entry(_entry(len(sealed.stored)))

    assert computed == ShownEntry(size, "0" * 32 + "-0")


@given(st.integers(0, 50 * TIB), ETAGS)
def test_every_size_that_a_sealed_object_can_have_is_computed_exactly(size: int, etag: str) -> None:
    computed = computed_entry(_entry(stored_size(size), etag))

    assert computed == ShownEntry(size, client_etag(None, etag))


@given(st.integers(0, 50 * TIB))
def test_a_stored_size_is_computed_if_and_only_if_a_sealed_object_can_have_it(stored: int) -> None:
    computed = computed_entry(_entry(stored))

    assert (computed is None) == (plaintext_size(stored) is None)
    assert computed is None or stored_size(computed.size) == stored


@pytest.mark.parametrize(
    "entry",
    [
        _entry(stored_size(100), appendable=True),
        _entry(stored_size(100), link=True),
        _entry(stored_size(100), etag=""),
        _entry(stored_size(100), etag="0" * 32 + "-2", version_id="null"),
        _entry(0),
        _entry(1023),
        _entry(1025),
    ],
    ids=["appendable", "link", "no ETag", "parts, no version", "empty", "too small", "between two sizes"],
)
def test_what_the_entry_does_not_tell_is_not_computed(entry: ListedEntry) -> None:
    assert computed_entry(entry) is None


@pytest.mark.parametrize(("etag", "version_id"), [("0" * 32, "null"), ("0" * 32 + "-2", "3"), ("0" * 32 + "-2", None)])
def test_other_versions_are_computed(etag: str, version_id: str | None) -> None:
    assert computed_entry(_entry(stored_size(100), etag, version_id=version_id)) == ShownEntry(
        100, client_etag(None, etag)
    )
