"""Symbolic links of OSS: reads go to the target, because a link's headers hold no envelope (OSS dossier §6.8).

The storage answers a read through a link with the target's bytes but the link's metadata. Without the target's
envelope a sealed target would look like an unsealed object; so the target is opened under its own name, and the answer
is made of what is true of its bytes and what the link says.
"""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import unquote

from multidict import CIMultiDictProxy

from sseproxy.dialect.base import Dialect
from sseproxy.errors import UpstreamError
from sseproxy.exchange import Request, Response
from sseproxy.model import ObjectRef
from sseproxy.operations.backend import Address, address_of, expect, object_request
from sseproxy.operations.context import Services
from sseproxy.policy.forwarding import to_client
from sseproxy.signing.canonical import encode_key

_LINK = "Symlink"
_OF_THE_BYTES = ("Accept-Ranges", "Content-MD5", "Content-Range", "ETag")


def is_link(dialect: Dialect, headers: Mapping[str, str]) -> bool:
    """Whether the storage's headers are those of a link."""
    return dialect.object_type_header is not None and headers.get(dialect.object_type_header) == _LINK


async def target_of(services: Services, request: Request, headers: Mapping[str, str]) -> Request | None:
    """Return the request for the object that a link names, None where the headers are not those of a link."""
    dialect = services.dialect
    if not is_link(dialect, headers):
        return None
    target = await named_by(services, address_of(request))
    query_of_target = request.query.copy()
    query_of_target.popall("versionId", None)
    return replace(
        request,
        key=target.ref.key,
        raw_key=target.raw_key,
        query=CIMultiDictProxy(query_of_target),
    )


async def named_by(services: Services, link: Address) -> Address:
    """Return the object that a link names. Raises `UpstreamError` where the storage does not tell it."""
    asked = object_request(services, "GET", link)
    query = "&".join(filter(None, ["symlink", link.version_query]))
    async with services.upstream.send(replace(asked, raw_query=query)) as response:
        await expect(services, response, 200)
        target = response.headers.get(services.dialect.header("symlink-target"))
    if target is None:
        raise UpstreamError("The storage does not tell what the link names.")
    key = unquote(target, errors="surrogateescape")
    return Address(ObjectRef(link.ref.bucket, key), encode_key(key))


def as_link(dialect: Dialect, answer: Response, link: Mapping[str, str]) -> Response:
    """Return the answer of a target as one that was read through a link; `link` are the storage's headers of that.

    Length, ETag, digests and encryption are the target's, everything else is the link's. An answer without a body that
    says that nothing has changed stays what it is.
    """
    if answer.status == HTTPStatus.NOT_MODIFIED:
        return answer
    headers = to_client(link, dialect, sealed=True)
    sse = dialect.sse.prefix
    for name, value in answer.headers.items():
        if name in _OF_THE_BYTES or name == dialect.crc64_header or name.lower().startswith(sse):
            headers[name] = value
    if dialect.object_type_header is not None:
        headers[dialect.object_type_header] = _LINK
    return replace(answer, headers=headers)
