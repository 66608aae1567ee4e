"""Storing a plaintext body as a sealed object: small ones held whole, others streamed.

Nothing is stored on any failure: the storage was told a longer length than it got, or never gets a Complete.
"""

from base64 import b64encode
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from hashlib import md5

from multidict import CIMultiDictProxy

from sseproxy.exchange import Body
from sseproxy.format import (
    Attributes,
    DataKey,
    Envelope,
    SegmentSealer,
    closing,
    segment_stored_size,
    stored_size,
)
from sseproxy.model import Layout
from sseproxy.operations.assertions import BodyFacts
from sseproxy.operations.backend import expect
from sseproxy.operations.bodies import collect_head, preceded
from sseproxy.operations.body_check import BodyCheck
from sseproxy.operations.context import Services
from sseproxy.operations.etags import bare_etag
from sseproxy.operations.plan import Plan, StoredObject, add_envelope, check_size
from sseproxy.operations.pump import INLINE_DIGEST, in_thread
from sseproxy.operations.sealing import MOST_HELD, attributes_of, entry_of, seal_segment, seal_whole
from sseproxy.operations.shown_entries import remember
from sseproxy.operations.storing_parts import HELD_PART, PART, store_in_parts
from sseproxy.ports import UpstreamRequest
from sseproxy.stage import Buffer

Drawn = tuple[DataKey, Envelope]


async def store(services: Services, plan: Plan, body: Body, length: int | None, check: BodyCheck) -> StoredObject:
    """Seal `body` and store it. Closes `body`.

    `length` is what the client announced, None for a body of unknown length, which becomes an internal multipart
    upload where it is longer than 1 MiB. Raises `EntityTooLarge` before the body is read where that can be known,
    what `BodyCheck.verified` raises, and the storage's refusal.
    """
    stored = await _store(services, plan, body, length, check)
    await remember(
        services,
        plan.address.ref,
        stored.attributes,
        bare_etag(stored.headers.get("ETag")),
        stored.headers.get(services.dialect.header("version-id")),
    )
    return stored


async def _store(services: Services, plan: Plan, body: Body, length: int | None, check: BodyCheck) -> StoredObject:
    draw = partial(services.keyring.draw, plan.decision, plan.address.ref, Layout.SINGLE)
    async with aclosing(body):
        if length is not None:
            check_size(services.dialect, length)
            drawn = await draw()  # before the body: what the key service refuses, nobody sends in vain
            if length > MOST_HELD:
                return await _store_streamed(services, plan, drawn, body, length, check)
            buffers, _ = await collect_head(body, MOST_HELD)
            return await _store_held(services, plan, drawn, buffers, check)
        buffers, ended = await collect_head(body, MOST_HELD)
        if ended:
            return await _store_held(services, plan, await draw(), buffers, check)
        held = not services.dialect.chunked_upload_allowed
        part_size = HELD_PART if held else PART
        return await store_in_parts(services, plan, preceded(buffers, body), check, part_size=part_size, held=held)


async def _store_held(
    services: Services, plan: Plan, drawn: Drawn, buffers: Iterable[Buffer], check: BodyCheck
) -> StoredObject:
    for data in buffers:
        await check.add(data)
    facts = await check.verified()
    key, envelope = drawn
    sealed = seal_whole(key, envelope, buffers, facts, plan.decision.etag_mode)
    headers = plan.headers.copy()
    headers["Content-MD5"] = await content_md5(services, sealed.stored)
    plan = replace(plan, headers=headers)
    answer = await send_sealed(services, plan, sealed.envelope, sealed.stored, len(sealed.stored))
    return StoredObject(envelope=envelope, attributes=sealed.attributes, headers=answer)


async def _store_streamed(
    services: Services, plan: Plan, drawn: Drawn, body: Body, length: int, check: BodyCheck
) -> StoredObject:
    key, envelope = drawn
    sealer = SegmentSealer(key, 1)
    known: list[Attributes] = []

    def close(facts: BodyFacts) -> Iterable[Buffer]:
        known.append(attributes_of(Layout.SINGLE, facts, [entry_of(sealer, 1)], plan.decision.etag_mode))
        return closing(key, known[0], envelope, sealed_so_far=segment_stored_size(facts.plaintext_size))

    sealed = seal_segment(body, sealer, check, close)
    answer = await send_sealed(services, plan, envelope, sealed, stored_size(length))
    return StoredObject(envelope=envelope, attributes=known[0], headers=answer)


async def send_sealed(
    services: Services, plan: Plan, envelope: Envelope, body: bytes | Body, content_length: int
) -> CIMultiDictProxy[str]:
    """Put a sealed object into the storage in one request. Returns the headers of its answer."""
    headers = plan.headers.copy()
    headers.extend(plan.conditions)
    add_envelope(services.dialect, headers, envelope)
    request = UpstreamRequest(
        method="PUT",
        bucket=plan.address.ref.bucket,
        raw_key=plan.address.raw_key,
        raw_query=plan.raw_query,
        headers=headers,
        body=body,
        content_length=content_length,
    )
    async with services.upstream.send(request) as response:
        await expect(services, response, 200)
        return response.headers


async def content_md5(services: Services, stored: bytes) -> str:
    """Return Content-MD5 of the ciphertext, so that the storage can tell damage on the way."""
    if len(stored) <= INLINE_DIGEST:
        return _md5_base64(stored)
    return await in_thread(services.digest_pool, _md5_base64, stored)


def _md5_base64(data: bytes) -> str:
    return b64encode(md5(data, usedforsecurity=False).digest()).decode()
