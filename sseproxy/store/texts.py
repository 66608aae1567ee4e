"""Dates, XML and percent-encoding as the answers need them."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote_from_bytes
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from sseproxy.store.faults import Fault

_MOST_DIGITS = 19  # more are slow to read, and `int` refuses thousands
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SPECIAL = re.compile('[&<>"\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]')
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}

Content = str | int | Sequence["Node"]
Node = tuple[str, Content]


def natural(text: str) -> int | None:
    """Return a number in nothing but decimal digits, at most as many as sizes have; None for all else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def http_date(milliseconds: int) -> str:
    """Return a time since the epoch as an RFC 1123 date, by the second."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return (
        f"{_DAYS[moment.weekday()]}, {moment.day:02d} {_MONTHS[moment.month - 1]} {moment.year:04d} "
        f"{moment.hour:02d}:{moment.minute:02d}:{moment.second:02d} GMT"
    )


def iso_date(milliseconds: int) -> str:
    """Return a time as `2026-02-21T00:05:13.000Z`: always three zeros, so that it equals the HTTP date."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).isoformat()[:19] + ".000Z"


def parse_http_date(text: str) -> int | None:
    """Return an HTTP date in seconds since the epoch, or None where it is not one."""
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except (TypeError, ValueError):
        return None


def escape(text: str) -> str:
    """Escape for XML; what XML cannot hold becomes a character reference, as S3 does, or U+FFFD."""
    return text if _SPECIAL.search(text) is None else _SPECIAL.sub(_entity, text)


def _entity(found: re.Match[str]) -> str:
    char = found[0]
    if char in _ENTITIES:
        return _ENTITIES[char]
    return f"&#x{ord(char):x};" if ord(char) < 0x20 else "\ufffd"


def document(root: str, nodes: Iterable[Node], namespace: str = "") -> bytes:
    """Return an XML document in UTF-8."""
    out = ['<?xml version="1.0" encoding="UTF-8"?>\n', f'<{root} xmlns="{namespace}">' if namespace else f"<{root}>"]
    _render(nodes, out)
    out.append(f"</{root}>")
    return "".join(out).encode()


def _render(nodes: Iterable[Node], out: list[str]) -> None:
    for tag, content in nodes:
        if isinstance(content, str):
            out.append(f"<{tag}>{escape(content)}</{tag}>")
        elif isinstance(content, int):
            out.append(f"<{tag}>{content}</{tag}>")
        else:
            out.append(f"<{tag}>")
            _render(content, out)
            out.append(f"</{tag}>")


def parse_document(body: bytes, *roots: str, name: str = "MalformedXML") -> Element:
    """Parse a request document whose root is one of `roots`; namespaces are dropped from all tags.

    Raises `Fault` `name` for anything else, for a DTD or for entities.
    """
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as problem:
        raise Fault(name) from problem
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if root.tag not in roots:
        raise Fault(name)
    return root


def child(element: Element, tag: str) -> str | None:
    """Return the text of the child `tag`, or None where there is none."""
    found = element.find(tag)
    return None if found is None else (found.text or "")


def shown_name(name: bytes, *, encode: bool) -> str:
    """Return a key or prefix for a listing: as text, or percent-encoded for `encoding-type=url`."""
    return quote_from_bytes(name, safe="/") if encode else name.decode("utf-8", "surrogateescape")
