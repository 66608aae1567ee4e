"""A stored object copied by the storage part by part, where it does not copy as much in one request.

The sealed bytes stay as they are: which segments an object has is told by its footer, not by the storage's parts, so
that a copy may be cut anywhere (docs/format.md, "Copy"). What clients see change is an ETag that is the storage's own.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.errors import SseProxyError
from sseproxy.operations.attributes import Overwritten
from sseproxy.operations.backend import Address, expect, refusal
from sseproxy.operations.context import Services
from sseproxy.operations.uploads import upload_query
from sseproxy.ports import UpstreamRequest

_PART = 256 * 1024 * 1024  # bytes; more where 10,000 parts would not do
_AT_ONCE = 4  # parts of an object
_ABORT_TIMEOUT_S = 10
_DOCUMENT = 256 * 1024  # bytes of the storage's answers


@dataclass(frozen=True, slots=True, kw_only=True)
class PartedCopy:
    """A copy onto `target`. `headers` describe the new object; `source` names the old one on each part's request.

    `conditions` are those of Complete. `size` is in bytes, as they are stored.
    """

    target: Address
    headers: CIMultiDict[str]
    source: Mapping[str, str]
    conditions: Mapping[str, str]
    size: int


def needs_parts(services: Services, stored_size: int) -> bool:
    """Whether the storage does not copy so many bytes in one request."""
    return stored_size > services.dialect.limits.largest_copy


async def copy_in_parts(services: Services, copy: PartedCopy) -> CIMultiDictProxy[str]:
    """Copy; returns the headers of the storage's answer to Complete. Nothing is left behind where it fails.

    Raises `Overwritten` where source or target is not any more what the conditions name, and what the storage says.
    """
    upload_id = await _create(services, copy)
    try:
        return await _complete(services, copy, upload_id, await _parts(services, copy, upload_id))
    except BaseException:
        await _abort(services, copy, upload_id)
        raise


def _ranges(services: Services, size: int) -> list[tuple[int, int]]:
    """Return first and last byte of each part."""
    limits = services.dialect.limits
    part = max(min(_PART, limits.largest_copy), -(-size // limits.most_parts))
    return [(first, min(first + part, size) - 1) for first in range(0, size, part)]


async def _create(services: Services, copy: PartedCopy) -> str:
    request = replace(_request(copy, "POST", "uploads"), headers=copy.headers)
    async with services.upstream.send(request) as response:
        await expect(services, response, 200)
        return services.dialect.xml.parse_created_upload(await response.read(_DOCUMENT))


async def _parts(services: Services, copy: PartedCopy, upload_id: str) -> list[tuple[int, str]]:
    """Copy all parts; returns their numbers and ETags."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def send(number: int, first: int, last: int) -> tuple[int, str]:
        async with room:
            return number, await _part(services, copy, upload_query(upload_id, number), f"bytes={first}-{last}")

    try:
        async with asyncio.TaskGroup() as group:
            numbered = enumerate(_ranges(services, copy.size), 1)
            sending = [group.create_task(send(number, first, last)) for number, (first, last) in numbered]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    return [task.result() for task in sending]


async def _part(services: Services, copy: PartedCopy, query: str, wanted: str) -> str:
    headers = CIMultiDict({**copy.source, services.dialect.header("copy-source-range"): wanted})
    request = replace(_request(copy, "PUT", query), headers=headers)
    async with services.upstream.send(request) as response:
        if response.status == 412:
            raise Overwritten
        if response.status != 200:
            raise await refusal(services, response)
        return services.dialect.xml.parse_copied_part(await response.read(_DOCUMENT))  # raises for an error under 200


async def _complete(
    services: Services, copy: PartedCopy, upload_id: str, parts: list[tuple[int, str]]
) -> CIMultiDictProxy[str]:
    document = services.dialect.xml.render_complete_request(parts)
    request = replace(
        _request(copy, "POST", upload_query(upload_id)),
        headers=CIMultiDict(copy.conditions),
        body=document,
        content_length=len(document),
    )
    async with services.upstream.send(request) as response:
        if response.status == 412:
            raise Overwritten
        await expect(services, response, 200)
        etag = services.dialect.xml.parse_completed(await response.read(_DOCUMENT))  # raises for an error under 200
        headers = CIMultiDict(response.headers)
        headers.setdefault("ETag", etag)
        return CIMultiDictProxy(headers)


async def _abort(services: Services, copy: PartedCopy, upload_id: str) -> None:
    """Remove what was copied, as far as the storage is there to do so."""
    request = replace(_request(copy, "DELETE", upload_query(upload_id)), body=None, content_length=None)
    with suppress(SseProxyError, TimeoutError):
        async with asyncio.timeout(_ABORT_TIMEOUT_S), services.upstream.send(request):
            pass


def _request(copy: PartedCopy, method: str, query: str) -> UpstreamRequest:
    return UpstreamRequest(
        method=method,
        bucket=copy.target.ref.bucket,
        raw_key=copy.target.raw_key,
        raw_query=query,
        body=b"",
        content_length=0,
    )
