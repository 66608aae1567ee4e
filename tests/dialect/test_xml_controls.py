"""Control characters in documents, which XML cannot tell of and storages do all the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.dialect.s3 import S3
from sseproxy.dialect.xml_controls import as_meant, readable
from sseproxy.dialect.xml_reading import parse_xml, text_of
from sseproxy.errors import MalformedXml

_PIECES = st.lists(
    st.one_of(
        st.sampled_from(["&#1;", "&#x1;", "&#x01;", "&#0031;", "&#X1f;", "&#0;", "&#x000001F;", "&amp;", "&#9;", "&#34;", "."]),
        st.text(st.characters(exclude_characters="&<>\r", exclude_categories=["Cs", "Cc"]), max_size=4),
    ),
    max_size=12,
)  # fmt: skip
_MEANT = {
    "&#1;": "\x01", "&#x1;": "\x01", "&#x01;": "\x01", "&#0031;": "\x1f", "&#X1f;": "\x1f", "&#0;": "\x00",
    "&#x000001F;": "\x1f", "&amp;": "&", "&#9;": "\t", "&#34;": '"',
}  # fmt: skip


@given(_PIECES)
def test_references_are_what_they_mean_and_everything_else_stays(pieces: list[str]) -> None:
    document = f"<a><b>{''.join(pieces)}</b></a>".encode()
    if b"\xf3\xb0" in document:
        return

    assert len(readable(document)) == len(document)
    if "&#x000001F;" not in pieces:  # longer than anybody writes it
        assert text_of(parse_xml(document), "b") == "".join(_MEANT.get(piece, piece) for piece in pieces)


@pytest.mark.parametrize("reference", ["&#xFFFE;", "&#xD800;", "&#x11FFFF;", "&#x000001F;", "&#1", "&#;"])
def test_what_is_no_control_character_is_an_error_as_before(reference: str) -> None:
    with pytest.raises(MalformedXml):
        parse_xml(f"<a>{reference}</a>".encode())


def test_a_document_with_private_characters_of_the_same_plane_is_left_alone() -> None:
    document = "<a><b>\U000f0081</b></a>".encode()

    assert readable(document) is document
    assert text_of(parse_xml(document), "b") == "\U000f0081"
    with pytest.raises(MalformedXml):
        parse_xml("<a>\U000f0081&#1;</a>".encode())


def test_a_text_without_stand_ins_stays() -> None:
    assert as_meant("plain .\U000f0000") == "plain .\U000f0000"


def test_a_listing_keeps_its_references_and_changes_what_stands_behind_them() -> None:
    document = (
        b"<ListBucketResult><Prefix>a&#1;</Prefix><Contents><Key>a&#1;&#x0b;b</Key><ETag>&quot;ab&quot;</ETag>"
        b"<Size>20</Size></Contents><Contents><Key>&#31;..</Key><Size>30</Size></Contents></ListBucketResult>"
    )
    first, second = S3.xml.parse_listing(document)
    first.size, first.etag, second.size = 1, "cd", 2

    assert (first.key, second.key) == ("a\x01\x0bb", "\x1f..")
    assert S3.xml.render_listing(document, [first, second]) == (
        b"<ListBucketResult><Prefix>a&#1;</Prefix><Contents><Key>a&#1;&#x0b;b</Key><ETag>&quot;cd&quot;</ETag>"
        b"<Size>1</Size></Contents><Contents><Key>&#31;..</Key><Size>2</Size></Contents></ListBucketResult>"
    )
