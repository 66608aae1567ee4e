"""Reading the storage's small documents: an element's text, wherever and in whatever name space it stands."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from sseproxy.errors import UpstreamError


def parse_document(document: bytes) -> Element:
    """Return a document's root. Raises `UpstreamError`."""
    try:
        root: Element = fromstring(document, forbid_dtd=True)
    except (ParseError, DefusedXmlException) as cause:
        raise UpstreamError("The storage's answer could not be read.") from cause
    return root


def named(root: Element, name: str) -> Iterator[Element]:
    """Yield the elements of that name, at any depth, in order."""
    return (element for element in root.iter() if element.tag.rpartition("}")[2] == name)


def text_in(element: Element, name: str) -> str:
    """Return the text of the first element of that name within another; empty where there is none."""
    return next(((found.text or "").strip() for found in named(element, name)), "")


def first_text(document: bytes, name: str) -> str:
    """Return the text of a document's first element of that name; empty where there is none."""
    return text_in(parse_document(document), name)
