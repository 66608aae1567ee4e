"""The ACL of an object, kept where an object is copied onto itself (OSS dossier §1.6).

Storages make the ACL of a copy that of the request, and the client that encrypts an object in place says nothing of it.
"""

from dataclasses import replace
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from sseproxy.errors import UpstreamError
from sseproxy.operations.attributes import Found, pinned
from sseproxy.operations.backend import expect, object_request
from sseproxy.operations.context import Services

_MOST_DOCUMENT = 64 * 1024  # bytes
_WITHOUT_ACLS = frozenset({405, 501})  # what a storage answers that has none


async def canned_acl_of(services: Services, found: Found) -> str | None:
    """Return the ACL of an object that was found, in one word; None where it is the bucket's, or there are no ACLs."""
    address = pinned(services, found)
    query = "&".join(filter(None, ["acl", address.version_query]))
    async with services.upstream.send(replace(object_request(services, "GET", address), raw_query=query)) as response:
        if response.status in _WITHOUT_ACLS:
            return None
        await expect(services, response, 200)
        grant = _grant(await response.read(_MOST_DOCUMENT))
    return None if grant in {"", "default"} else grant


def _grant(document: bytes) -> str:
    try:
        root = fromstring(document, forbid_dtd=True)
    except (ParseError, DefusedXmlException) as cause:
        raise UpstreamError("The storage's ACL cannot be read.") from cause
    return next((element.text or "" for element in root.iter() if element.tag.rpartition("}")[2] == "Grant"), "")
