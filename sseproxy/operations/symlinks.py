"""Symbolic links of OSS: reads go to the target, because a link's headers hold no envelope (OSS dossier §6.8).

The storage answers a read through a link with the target's bytes but the link's metadata. Without the target's
envelope a sealed target would look like an unsealed object.
"""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote

from multidict import CIMultiDictProxy

from sseproxy.errors import UpstreamError
from sseproxy.exchange import Request
from sseproxy.operations.backend import address_of, expect, object_request
from sseproxy.operations.context import Services
from sseproxy.signing.canonical import encode_key

_LINK = "Symlink"


async def target_of(services: Services, request: Request, headers: Mapping[str, str]) -> Request | None:
    """Return the request for the object that a link names, None where the headers are not those of a link."""
    dialect = services.dialect
    if dialect.object_type_header is None or headers.get(dialect.object_type_header) != _LINK:
        return None
    address = address_of(request)
    asked = object_request(services, "GET", address)
    query = "&".join(filter(None, ["symlink", address.version_query]))
    async with services.upstream.send(replace(asked, raw_query=query)) as response:
        await expect(services, response, 200)
        target = response.headers.get(dialect.header("symlink-target"))
    if target is None:
        raise UpstreamError("The storage does not tell what the link names.")
    key = unquote(target, errors="surrogateescape")
    query_of_target = request.query.copy()
    query_of_target.popall("versionId", None)
    return replace(
        request,
        key=key,
        raw_key=encode_key(key),
        query=CIMultiDictProxy(query_of_target),
    )
