"""The tags of an object, as the header that gives them to another one (S3 dossier §1.6; OSS dossier §6.7)."""

from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import urlencode
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from multidict import CIMultiDict

from sseproxy.errors import UpstreamError
from sseproxy.operations.attributes import Found, pinned
from sseproxy.operations.backend import expect, object_request
from sseproxy.operations.context import Services

_MOST_DOCUMENT = 64 * 1024  # bytes; ten tags with longest names are below 8 KiB


async def tagging_of(services: Services, found: Found) -> str | None:
    """Return the tags of an object that was found, None where it has none."""
    if found.headers.get(services.dialect.header("tagging-count"), "0") == "0":
        return None
    address = pinned(services, found)
    query = "&".join(filter(None, ["tagging", address.version_query]))
    async with services.upstream.send(replace(object_request(services, "GET", address), raw_query=query)) as response:
        await expect(services, response, 200)
        return urlencode(_parse(await response.read(_MOST_DOCUMENT)))


async def name_tags(services: Services, headers: CIMultiDict[str], source: Found) -> None:
    """Let a copy that the storage makes have its source's tags, unless `headers` say others.

    They are named: Ceph RGW drops them from a copy with new metadata, whatever the directive says.
    """
    directive = services.dialect.header("tagging-directive")
    if headers.get(directive, "COPY").upper() == "REPLACE":
        return
    tags = await tagging_of(services, source)
    if tags is not None:
        headers[services.dialect.header("tagging")] = tags
        headers[directive] = "REPLACE"


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
