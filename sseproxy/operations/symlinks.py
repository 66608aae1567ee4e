"""Symbolic links of OSS: reads go to the target, because a link's headers hold no envelope (OSS dossier §6.8).

The storage answers a read through a link with the target's bytes but the link's metadata. Without the target's
envelope a sealed target would look like an unsealed object; so the target is opened under its own name, and the answer
is made of what is true of its bytes and what the link says.
"""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import unquote

from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.dialect.base import Dialect
from sseproxy.errors import PreconditionFailed, UpstreamError
from sseproxy.exchange import Request, Response
from sseproxy.model import ObjectRef
from sseproxy.operations.backend import Address, address_of, expect, object_request
from sseproxy.operations.context import Services
from sseproxy.operations.viewing import KEPT_WHEN_NOT_MODIFIED
from sseproxy.policy.forwarding import to_client
from sseproxy.signing.canonical import encode_key
from sseproxy.wire.conditions import parse_conditions
from sseproxy.wire.headers import parse_http_date

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
    remaining = _without_dates(request, headers)
    target = await named_by(services, address_of(request))
    query_of_target = request.query.copy()
    query_of_target.popall("versionId", None)
    return replace(
        request,
        key=target.ref.key,
        raw_key=target.raw_key,
        headers=remaining,
        query=CIMultiDictProxy(query_of_target),
    )


def _without_dates(request: Request, link: Mapping[str, str]) -> CIMultiDictProxy[str]:
    """Return the request's headers without a condition on dates that the link's own date settles.

    What is shown of a link is the later of its date and its target's. Where that is later than the date of a condition,
    the target's alone could say otherwise. Raises `PreconditionFailed`.
    """
    conditions, headers = parse_conditions(request.headers), CIMultiDict(request.headers)
    since, until = conditions.if_modified_since, conditions.if_unmodified_since
    shown = parse_http_date(link.get("Last-Modified", ""))
    if shown is None:
        return request.headers
    if until is not None and shown > until and conditions.if_match is None:
        raise PreconditionFailed(Condition="If-Unmodified-Since")
    if since is not None and shown > since:
        headers.popall("If-Modified-Since")
    return CIMultiDictProxy(headers)


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

    Length, ETag, digests and encryption are the target's, everything else is the link's.
    """
    headers = to_client(link, dialect, sealed=True)
    if answer.status == HTTPStatus.NOT_MODIFIED:
        told = {"etag", dialect.header("version-id"), *(name.lower() for name in KEPT_WHEN_NOT_MODIFIED)}
        kept = [(name, value) for name, value in headers.items() if name.lower() in told]
        return replace(answer, headers=CIMultiDict([*kept, ("ETag", answer.headers["ETag"])]))
    sse = dialect.sse.prefix
    for name, value in answer.headers.items():
        if name in _OF_THE_BYTES or name == dialect.crc64_header or name.lower().startswith(sse):
            headers[name] = value
    if dialect.object_type_header is not None:
        headers[dialect.object_type_header] = _LINK
    return replace(answer, headers=headers)
