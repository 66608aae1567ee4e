"""Reading documents: no document types, no entities, bounded depth, names without namespaces."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from sseproxy.dialect.xml_controls import as_meant, readable
from sseproxy.errors import MalformedXml

_DEEPEST = 32


def parse_xml(document: bytes) -> Element:
    """Return the root; tags are local names. Raises `MalformedXml`. How long it may be is the caller's to bound."""
    legible = readable(document)
    try:
        root: Element = fromstring(legible, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as cause:
        raise MalformedXml from cause
    _localize(root, _DEEPEST)
    if legible is not document:
        for element in root.iter():
            element.text = as_meant(element.text or "")
    return root


def _localize(element: Element, depth: int) -> None:
    if depth == 0:
        raise MalformedXml("The document is nested too deeply.")
    element.tag = element.tag.rpartition("}")[2]
    for inner in element:
        _localize(inner, depth - 1)


def child(element: Element, name: str) -> Element | None:
    """Return the first child of a name."""
    return next(children(element, name), None)


def children(element: Element, name: str) -> Iterator[Element]:
    """Yield the children of a name."""
    return (inner for inner in element if inner.tag == name)


def text_of(element: Element, name: str, default: str = "") -> str:
    """Return the text of the first child of a name, `default` where there is none."""
    found = child(element, name)
    return default if found is None else (found.text or "")
