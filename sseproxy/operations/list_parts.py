"""ListParts: the parts of an upload as the client knows them, kept ones included.

The backend knows which attempt of a part is the present one, the records know what the client was told of it.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from multidict import CIMultiDict

from sseproxy.dialect.base import PartsPage, PartView
from sseproxy.errors import InvalidArgument
from sseproxy.exchange import Request, Response
from sseproxy.format import ClosingKeys, DataKey, PartRecord
from sseproxy.operations.backend import Address, address_of, expect
from sseproxy.operations.context import Services
from sseproxy.operations.state_store import StateStore
from sseproxy.operations.upload_keys import open_for_closing
from sseproxy.operations.upload_part import find_upload
from sseproxy.operations.uploads import Attempt, Upload, kept_key, kept_parts, load_attempts, upload_query
from sseproxy.ports import UpstreamRequest
from sseproxy.wire.numbers import natural

_DOCUMENT = 4 * 1024 * 1024  # bytes of a page of the backend's
_PAGE = 1000
_MOST_DIGITS = 9  # of a number of parts


async def list_parts(services: Services, request: Request) -> Response:
    """Serve ListParts."""
    upload = await find_upload(services, request)
    marker = _number(request, "part-number-marker", default=0)
    most = min(_number(request, "max-parts", default=_PAGE), services.dialect.limits.most_listed)
    key = await open_for_closing(services, request, upload)
    pages = [page async for page in _pages(services, address_of(request), upload.upload_id, marker, most + 1)]
    parts = await _latest(services, upload, key, [part for page in pages for part in page.parts], marker, most + 1)
    shown, truncated = parts[:most], 0 < most < len(parts)
    page = PartsPage(
        bucket=upload.ref.bucket,
        key=upload.ref.key,
        upload_id=upload.upload_id,
        marker=marker,
        next_marker=shown[-1].number if shown else marker,
        most=most,
        truncated=truncated,
        url_encoded=request.query.get("encoding-type") == "url",
        parts=shown,
        facts=services.dialect.xml.parse_upload_facts(pages[0].document),
        checksum_algorithm=upload.checksum_algorithm,
        checksum_type=upload.checksum_type,
        client_encryption=upload.client_encryption or {},
    )
    headers = CIMultiDict({"Content-Type": "application/xml"})
    return Response(status=200, headers=headers, body=services.dialect.xml.render_parts(page))


async def present_parts(
    services: Services, address: Address, upload: Upload, key: DataKey | ClosingKeys
) -> list[PartView]:
    """Return the latest attempt of every part, in order."""
    listed = [part async for part in backend_parts(services, address, upload.upload_id)]
    return await _latest(services, upload, key, listed)


async def _latest(
    services: Services,
    upload: Upload,
    key: DataKey | ClosingKeys,
    listed: Sequence[PartView],
    after: int = 0,
    most: int | None = None,
) -> list[PartView]:
    """Return the latest attempt of parts with a number above `after`, at most `most`; `listed` are the storage's."""
    backend: dict[int, PartView] = {}
    for part in listed:
        # Some storages (SeaweedFS) list every attempt of a part, in any order.
        known = backend.get(part.number)
        if known is None or part.last_modified >= known.last_modified:
            backend[part.number] = part
    kept = await kept_parts(services.state, upload)
    chosen: dict[int, PartView] = {}
    async with aclosing(load_attempts(services.state, upload, key, after_part=after)) as attempts:
        async for attempt in attempts:
            if most is not None and len(chosen) >= most and attempt.record.number not in chosen:
                break
            view = _present(attempt, backend, kept)
            if view is None or (view.number in chosen and not await is_kept(services.state, upload, attempt.record)):
                continue
            chosen[view.number] = view
    return list(chosen.values())


async def is_kept(state: StateStore, upload: Upload, record: PartRecord) -> bool:
    """Whether the bytes that wait under a part's number are those of this very attempt; of several, one is."""
    start = b""
    async with state.get_stream(kept_key(upload, record.number)) as body:
        if body is not None:
            async for data in body:
                start += bytes(data[: len(record.salt)])
                if len(start) >= len(record.salt):
                    break
    return start[: len(record.salt)] == record.salt


async def backend_parts(services: Services, address: Address, upload_id: str) -> AsyncGenerator[PartView]:
    """Yield the parts that the backend has, with stored sizes and the backend's ETags, page by page."""
    async with aclosing(_pages(services, address, upload_id)) as pages:
        async for page in pages:
            for part in page.parts:
                yield part


@dataclass(frozen=True, slots=True)
class _Page:
    """A page of the backend's ListParts."""

    parts: Sequence[PartView]
    document: bytes


async def _pages(
    services: Services, address: Address, upload_id: str, after: int = 0, most: int | None = None
) -> AsyncGenerator[_Page]:
    """Yield pages of the backend's, beginning above `after`; no more where there are `most` parts."""
    marker: int | None = after
    seen = 0
    while marker is not None:
        request = UpstreamRequest(
            method="GET",
            bucket=address.ref.bucket,
            raw_key=address.raw_key,
            raw_query=f"max-parts={_PAGE}&part-number-marker={marker}&{upload_query(upload_id)}",
        )
        async with services.upstream.send(request) as response:
            await expect(services, response, 200)
            document = await response.read(_DOCUMENT)
        parts, marker = services.dialect.xml.parse_parts(document)
        yield _Page(parts, document)
        seen += len(parts)
        if most is not None and seen >= most:
            return


def _present(attempt: Attempt, backend: Mapping[int, PartView], kept: Mapping[int, datetime]) -> PartView | None:
    """Return how an attempt is shown, None where a later attempt has replaced it.

    A kept part that is still there is later than what the backend has: a larger attempt would have removed it.
    """
    record = attempt.record
    stored = backend.get(record.number)
    if record.kept:
        return _view(record, kept[record.number]) if record.number in kept else None
    if record.number in kept or stored is None or stored.etag != record.backend_etag:
        return None
    return _view(record, stored.last_modified)


def _view(record: PartRecord, last_modified: datetime) -> PartView:
    return PartView(
        number=record.number,
        last_modified=last_modified,
        etag=record.etag,
        plaintext_size=record.plaintext_size,
        checksum=record.checksum,
        crc64=record.crc64,
    )


def _number(request: Request, name: str, *, default: int) -> int:
    text = request.query.get(name)
    if text is None or text == "":
        return default
    number = natural(text, most_digits=_MOST_DIGITS)
    if number is None:
        raise InvalidArgument(
            f"Provided {name} not an integer or within integer range", ArgumentName=name, ArgumentValue=text
        )
    return number
