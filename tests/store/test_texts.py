"""Dates and XML."""

import pytest

from sseproxy.store.faults import Fault
from sseproxy.store.texts import (
    child,
    document,
    escape,
    http_date,
    iso_date,
    parse_document,
    parse_http_date,
    shown_name,
)


def test_both_forms_of_a_date_are_by_the_second() -> None:
    moment = 1554781532_999

    assert http_date(moment) == "Tue, 09 Apr 2019 03:45:32 GMT"
    assert iso_date(moment) == "2019-04-09T03:45:32.000Z"
    assert parse_http_date(http_date(moment)) == 1554781532
    assert parse_http_date("yesterday") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a&b<c>\"d'", "a&amp;b&lt;c&gt;&quot;d'"), ("\x01\t\n\r", "&#x1;\t\n&#xd;"), ("\udcff", "\ufffd"), ("ü", "ü")],
)
def test_text_is_escaped(text: str, expected: str) -> None:
    assert escape(text) == expected


def test_documents_nest() -> None:
    made = document("A", [("B", 1), ("C", [("D", "<")]), ("E", "")], "urn:x")

    assert made == b'<?xml version="1.0" encoding="UTF-8"?>\n<A xmlns="urn:x"><B>1</B><C><D>&lt;</D></C><E></E></A>'


def test_documents_are_read_without_their_namespaces() -> None:
    root = parse_document(b'<A xmlns="urn:x"><B>1</B><C/></A>', "A")

    assert (child(root, "B"), child(root, "C"), child(root, "D")) == ("1", "", None)


@pytest.mark.parametrize(
    "body", [b"", b"<A>", b"<B/>", b"\xff", b"<!DOCTYPE A><A/>", b'<!DOCTYPE A [<!ENTITY a "b">]><A>&a;</A>', b"<A/>x"]
)
def test_anything_else_is_malformed(body: bytes) -> None:
    with pytest.raises(Fault) as refused:
        parse_document(body, "A")

    assert refused.value.name == "MalformedXML"


def test_names_are_shown_plain_or_encoded() -> None:
    name = "a/ü ~+%".encode()

    assert shown_name(name, encode=False) == "a/ü ~+%"
    assert shown_name(name, encode=True) == "a/%C3%BC%20~%2B%25"
