"""Storing a body of unknown length: an internal multipart upload, one segment per part.

To the client it is an object written in one request: no part count, the plain MD5 as ETag (docs/format.md, "Stored
size"). The upload is completed only after the whole body has been verified, and aborted on any failure.
"""

import asyncio
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace

from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.errors import EntityTooLarge, SseProxyError
from sseproxy.exchange import Body, empty_body
from sseproxy.format import (
    Attributes,
    DataKey,
    Envelope,
    SegmentEntry,
    SegmentSealer,
    closing,
    segment_stored_size,
    stored_size,
)
from sseproxy.model import Layout
from sseproxy.operations.backend import expect
from sseproxy.operations.bodies import PartCutter, preceded
from sseproxy.operations.body_check import BodyCheck
from sseproxy.operations.context import Services
from sseproxy.operations.etags import bare_etag
from sseproxy.operations.plan import Plan, StoredObject, add_envelope, largest_plaintext
from sseproxy.operations.sealing import attributes_of, entry_of
from sseproxy.operations.store_conditions import on_complete
from sseproxy.operations.uploads import upload_query
from sseproxy.ports import UpstreamRequest

HELD_PART = 5 * 1024 * 1024  # bytes of plaintext in a part that is held; the least that storages take
PART = 16 * 1024 * 1024  # bytes of plaintext in a part; 10,000 of them are far beyond what one request may store
_ABORT_TIMEOUT_S = 10
_DOCUMENT = 256 * 1024  # bytes of the storage's answers


async def store_in_parts(
    services: Services,
    plan: Plan,
    body: Body,
    check: BodyCheck,
    *,
    part_size: int = PART,
    length: int | None = None,
    held: bool = False,
) -> StoredObject:
    """Seal and store a body as it comes, whatever its length. Closes `body`.

    `part_size` is that of a part's plaintext. Raises `EntityTooLarge` for a body of unknown length that is more than
    the storage takes in one request, as a client may expect, and `UnsupportedFeature` where the storage does not keep
    the plan's conditions here. Not every storage takes parts that do not announce their
    length: they do where `length`, the body's, is known, and with `held`, which holds each part in memory first.
    """
    largest = largest_plaintext(services.dialect.limits.largest_stored_object) if length is None else length
    async with aclosing(body):
        if required := on_complete(plan.conditions):
            (await services.conditions.get()).require(*required)
        key, envelope = await services.keyring.draw(plan.decision, plan.address.ref, Layout.MULTIPART)
        upload_id = await _create(services, plan, envelope)
        work = _Work(services, plan, key, envelope, check, upload_id, part_size, largest, length, held)
        try:
            attributes = await work.send_all(body)
            answer = await work.complete()
        except BaseException:
            await work.abort()
            raise
    return StoredObject(envelope=envelope, attributes=attributes, headers=answer)


async def _create(services: Services, plan: Plan, envelope: Envelope) -> str:
    headers = plan.headers.copy()
    add_envelope(services.dialect, headers, envelope)
    request = UpstreamRequest(
        method="POST",
        bucket=plan.address.ref.bucket,
        raw_key=plan.address.raw_key,
        raw_query="uploads",
        headers=headers,
        body=b"",
    )
    async with services.upstream.send(request) as response:
        await expect(services, response, 200)
        return services.dialect.xml.parse_created_upload(await response.read(_DOCUMENT))


@dataclass(slots=True)
class _Work:
    """One internal upload on its way."""

    services: Services
    plan: Plan
    key: DataKey
    envelope: Envelope
    check: BodyCheck
    upload_id: str
    part_size: int
    largest: int
    length: int | None
    held: bool
    entries: list[SegmentEntry] = field(default_factory=list)
    backend_etags: list[str] = field(default_factory=list)
    attributes: Attributes | None = None

    async def send_all(self, body: Body) -> Attributes:
        """Send part after part until the body has ended and is verified; the last one closes the object."""
        cutter = PartCutter(body, self.part_size)
        while self.attributes is None:
            number = len(self.entries) + 1
            sealed = self._sealed_part(cutter, number)
            if not self.held:
                await self._send(self._request("PUT", number, sealed, self._part_length(number)))
                continue
            async with self.services.held_parts:
                buffers = [data async for data in sealed]
                length = sum(map(len, buffers))
                whole = preceded(buffers, empty_body())  # which lets go of what it has handed on
                await self._send(replace(self._request("PUT", number, whole), content_length=length))
        return self.attributes

    async def _send(self, request: UpstreamRequest) -> None:
        async with self.services.upstream.send(request) as response:
            await expect(self.services, response, 200)
            self.backend_etags.append(bare_etag(response.headers.get("ETag")))

    async def complete(self) -> CIMultiDictProxy[str]:
        """Make the parts an object; returns the headers of the storage's answer."""
        document = self.services.dialect.xml.render_complete_request(list(enumerate(self.backend_etags, 1)))
        request = self._request("POST", None, document)
        request.headers.extend(self.plan.conditions)
        async with self.services.upstream.send(request) as response:
            await expect(self.services, response, 200)
            # Raises for an <Error> under 200 (S3 dossier §7.6).
            etag = self.services.dialect.xml.parse_completed(await response.read(_DOCUMENT))
            headers = CIMultiDict(response.headers)
            headers.setdefault("ETag", etag)
            return CIMultiDictProxy(headers)

    async def abort(self) -> None:
        """Remove what was sent, as far as the storage is there to do so."""
        with suppress(SseProxyError, TimeoutError):
            async with asyncio.timeout(_ABORT_TIMEOUT_S), self.services.upstream.send(self._request("DELETE", None)):
                pass

    def _part_length(self, number: int) -> int | None:
        """Return how many bytes a part has as it is stored; the last one holds what closes the object as well."""
        if self.length is None:
            return None
        before = (number - 1) * self.part_size
        if self.length - before > self.part_size:
            return segment_stored_size(self.part_size)
        return stored_size(self.length) - (number - 1) * segment_stored_size(self.part_size)

    def _request(
        self, method: str, number: int | None, body: bytes | Body | None = None, content_length: int | None = None
    ) -> UpstreamRequest:
        return UpstreamRequest(
            method=method,
            bucket=self.plan.address.ref.bucket,
            raw_key=self.plan.address.raw_key,
            raw_query=upload_query(self.upload_id, number),
            body=body,
            content_length=content_length,
        )

    async def _sealed_part(self, cutter: PartCutter, number: int) -> Body:
        sealer = SegmentSealer(self.key, number)
        async with aclosing(cutter.part()) as part:
            async for data in part:
                await self.check.add(data)
                if self.check.plaintext_size > self.largest:
                    raise EntityTooLarge(MaxSizeAllowed=str(self.largest))
                for out in sealer.feed(data):
                    yield out
        if not cutter.ended:
            for out in sealer.finish():
                yield out
            self.entries.append(entry_of(sealer, number))
            return
        facts = await self.check.verified()
        for out in sealer.finish():
            yield out
        self.entries.append(entry_of(sealer, number))
        self.attributes = attributes_of(Layout.MULTIPART, facts, self.entries, self.plan.decision.etag_mode)
        sealed_so_far = sum(segment_stored_size(entry.plaintext_size) for entry in self.entries)
        for out in closing(self.key, self.attributes, self.envelope, sealed_so_far=sealed_so_far):
            yield out
