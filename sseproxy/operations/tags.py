"""The tags of an object, as the header that gives them to another one (S3 dossier §1.6; OSS dossier §6.7)."""

from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import urlencode
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from sseproxy.errors import UpstreamError
from sseproxy.operations.attributes import Found, pinned
from sseproxy.operations.backend import expect, object_request
from sseproxy.operations.context import Services

_MOST_DOCUMENT = 64 * 1024  # bytes; ten tags with longest names are below 8 KiB


async def tagging_of(services: Services, found: Found) -> str | None:
    """Return the tags of an object that was found, None where it has none."""
    if not has_tags(services, found):
        return None
    address = pinned(services, found)
    query = "&".join(filter(None, ["tagging", address.version_query]))
    async with services.upstream.send(replace(object_request(services, "GET", address), raw_query=query)) as response:
        await expect(services, response, 200)
        return urlencode(_parse(await response.read(_MOST_DOCUMENT)))


def has_tags(services: Services, found: Found) -> bool:
    """Whether an object has tags."""
    return found.headers.get(services.dialect.header("tagging-count"), "0") != "0"


def _parse(document: bytes) -> list[tuple[str, str]]:
    try:
        root = fromstring(document, forbid_dtd=True)
    except (ParseError, DefusedXmlException) as cause:
        raise UpstreamError("The storage's tags cannot be read.") from cause
    tags = [element for element in root.iter() if _name(element.tag) == "Tag"]
    return [(found.get("Key", ""), found.get("Value", "")) for found in map(_texts, tags)]


def _texts(tag: Iterable[Element]) -> dict[str, str]:
    return {_name(child.tag): child.text or "" for child in tag}


def _name(tag: str) -> str:
    """Return an element's name without its namespace."""
    return tag.rpartition("}")[2]
