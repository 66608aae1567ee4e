"""The ETag that clients see."""

import pytest

from sseproxy.format import Attributes, SegmentEntry
from sseproxy.model import Layout
from sseproxy.operations.etags import bare_etag, client_etag, is_named, opaque_etag

_MD5 = "5d41402abc4b2a76b9719d911017c592"
_BACKEND = "0123456789abcdef0123456789ABCDEF"


def _attributes(*, md5: bytes | None, part_count: int | None) -> Attributes:
    entry = SegmentEntry(number=1, plaintext_size=5, salt=bytes(32))
    return Attributes(
        layout=Layout.MULTIPART if part_count else Layout.SINGLE,
        plaintext_size=5,
        segments=(entry,),
        crc64=0,
        md5=md5,
        part_count=part_count,
    )


def test_an_object_with_an_md5_shows_it() -> None:
    assert client_etag(_attributes(md5=bytes.fromhex(_MD5), part_count=None), _BACKEND) == _MD5


def test_a_multipart_object_shows_its_part_count() -> None:
    assert client_etag(_attributes(md5=bytes.fromhex(_MD5), part_count=3), _BACKEND) == f"{_MD5}-3"


def test_an_object_without_an_md5_shows_an_opaque_etag() -> None:
    assert client_etag(_attributes(md5=None, part_count=3), _BACKEND) == f"{_BACKEND}-0"
    assert client_etag(None, _BACKEND) == f"{_BACKEND}-0"


@pytest.mark.parametrize("etag", [f"{_MD5}-2", "abc", "", _MD5 + "0"])
def test_what_nobody_takes_for_an_md5_stays_as_it_is(etag: str) -> None:
    assert opaque_etag(etag) == etag


@pytest.mark.parametrize(
    ("header", "bare"), [('"abc"', "abc"), ("abc", "abc"), ('W/"abc"', "abc"), (None, ""), ('""', "")]
)
def test_quotes_and_weakness_are_no_part_of_an_etag(header: str | None, bare: str) -> None:
    assert bare_etag(header) == bare


@pytest.mark.parametrize(
    ("tags", "named"),
    [(f'"{_MD5}"', True), (_MD5.upper(), True), (f'"x", "{_MD5}"', True), ('"x"', False), (f'"{_MD5}-1"', False)],
)
def test_a_list_of_etags_is_searched_without_regard_to_quotes_and_case(tags: str, *, named: bool) -> None:
    assert is_named(tags, _MD5) is named
