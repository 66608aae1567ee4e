"""Whether a CMK, or a version of one, is in use: a look at everything in the store that names what wrapped it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum

from sseproxy.bulk.context import Tools
from sseproxy.bulk.finding import Listed, Scope, address_in, find, list_versions
from sseproxy.dialect.xml_listings import bucket_names
from sseproxy.errors import EnvelopeRejected
from sseproxy.format import decode_envelope
from sseproxy.model import Algorithm, ObjectRef, WrappedKey
from sseproxy.operations.backend import expect
from sseproxy.operations.context import Services
from sseproxy.operations.kek_records import StateKekRecords
from sseproxy.operations.uploads import UPLOADS, find_upload
from sseproxy.ports import UpstreamRequest

_AT_ONCE = 32  # objects that are looked at together
LookedAt = Callable[[int], None]  # told how many objects have been looked at, all versions counted

_MOST_BUCKETS = 8 * 1024 * 1024  # bytes of a list of buckets


class Thing(Enum):
    """What a CMK wraps a key of."""

    OBJECT = "object"
    UPLOAD = "upload in progress"
    BUCKET_KEY = "bucket key"
    STATE_KEY = "key of the state bucket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A thing that a CMK is needed for. `version` is the CMK's, None where the key service does not show it."""

    thing: Thing
    ref: ObjectRef  # of a bucket key: its bucket
    key_id: str
    version: str | None


async def find_use(tools: Tools, looked_at: LookedAt, key_id: str) -> Use | None:
    """Return an object, or an upload in progress, that hangs on the CMK with this canonical id; None if none does.

    Ends at the first. Raises what `all_uses` does.
    """
    async with aclosing(all_uses(tools, looked_at)) as uses:
        async for use in uses:
            if use.key_id == key_id and use.thing in {Thing.OBJECT, Thing.UPLOAD}:
                return use
    return None


@dataclass(slots=True)
class Count:
    """How many things of a kind there are, and the first of them."""

    first: Use
    count: int = 1


async def count_uses(tools: Tools, looked_at: LookedAt, key_id: str, version: str) -> dict[Thing, Count]:
    """Count what a version of a CMK wraps; a use whose version is not shown counts. Raises what `all_uses` does.

    An object under a bucket key counts by the wrap that it carries itself, whatever newer wrap of its bucket key the
    state bucket has: that bucket may be lost.
    """
    found: dict[Thing, Count] = {}
    async with aclosing(all_uses(tools, looked_at)) as uses:
        async for use in uses:
            if use.key_id != key_id or use.version not in {version, None}:
                continue
            if use.thing in found:
                found[use.thing].count += 1
            else:
                found[use.thing] = Count(use)
    return found


async def all_uses(tools: Tools, looked_at: LookedAt) -> AsyncGenerator[Use]:
    """Yield what needs CMKs: what the state bucket holds, then the objects of every bucket that can be listed.

    Of objects it is all versions, in the buckets that the proxy's own access key can list, one request each.
    Raises the storage's refusals, and `StateRejected` for state that cannot be read.
    """
    for kept in (_state_key(tools), _bucket_keys(tools), _uploads(tools), _objects(tools, looked_at)):
        async with aclosing(kept) as uses:
            async for use in uses:
                yield use


# ---- the state bucket ----


async def _state_key(tools: Tools) -> AsyncGenerator[Use]:
    wrapped = await tools.services.state.wrapped_key()
    if wrapped is not None:
        yield _use(tools, Thing.STATE_KEY, ObjectRef(tools.services.state_settings.bucket, ""), wrapped)


async def _bucket_keys(tools: Tools) -> AsyncGenerator[Use]:
    """Yield the newest wrap of each bucket key, which is the one that is opened."""
    records = StateKekRecords(tools.services.state)
    async with aclosing(records.all()) as drawn:
        async for seat, first in drawn:
            newest = await records.newest(first.kek_id) or first
            yield _use(tools, Thing.BUCKET_KEY, ObjectRef(seat.bucket, ""), newest.wrapped)


async def _uploads(tools: Tools) -> AsyncGenerator[Use]:
    state, folder = tools.services.state, ""
    async with aclosing(state.list(UPLOADS)) as entries:
        async for entry in entries:
            last, folder = folder, UPLOADS + entry.key.removeprefix(UPLOADS).partition("/")[0] + "/"
            upload = None if folder == last else await find_upload(state, folder)
            if upload is None:
                continue
            if upload.closing_keys is not None:
                yield _use(tools, Thing.UPLOAD, upload.ref, upload.closing_keys)
            if upload.envelope.algorithm is not Algorithm.CUSTOMER:
                version = tools.key_version(upload.envelope)
                yield Use(thing=Thing.UPLOAD, ref=upload.ref, key_id=upload.envelope.key_id, version=version)


def _use(tools: Tools, thing: Thing, ref: ObjectRef, wrapped: WrappedKey) -> Use:
    return Use(thing=thing, ref=ref, key_id=wrapped.key_id, version=tools.wrap_version(wrapped))


# ---- objects ----


async def _objects(tools: Tools, looked_at: LookedAt) -> AsyncGenerator[Use]:
    count = 0
    async with aclosing(_all_buckets(tools.services)) as buckets:
        async for bucket in buckets:
            if bucket == tools.services.state_settings.bucket:
                continue
            async with aclosing(_some_at_once(tools, bucket)) as batches:
                async for some in batches:
                    for use in await _sealed_of(tools, bucket, some):
                        yield use
                    count += len(some)
                    looked_at(count)


async def _some_at_once(tools: Tools, bucket: str) -> AsyncGenerator[list[Listed]]:
    waiting: list[Listed] = []
    async with aclosing(list_versions(tools.services, Scope(bucket=bucket))) as listing:
        async for listed in listing:
            waiting.append(listed)
            if len(waiting) == _AT_ONCE:
                yield waiting
                waiting = []
    yield waiting


async def _sealed_of(tools: Tools, bucket: str, listed: list[Listed]) -> list[Use]:
    found = await asyncio.gather(*(_object(tools, bucket, one) for one in listed))
    return [use for use in found if use is not None]


async def _object(tools: Tools, bucket: str, listed: Listed) -> Use | None:
    """Return the CMK that the data key of an object's version hangs on, None where there is none."""
    found = await find(tools.services, address_in(bucket, listed.key, listed.version_id))
    text = None if found is None else found.headers.get(tools.services.dialect.envelope_header)
    if text is None:
        return None
    try:
        envelope = decode_envelope(text)
    except EnvelopeRejected:  # no CMK opens it
        return None
    if envelope.algorithm is Algorithm.CUSTOMER:
        return None
    version = tools.key_version(envelope)
    return Use(
        thing=Thing.OBJECT,
        ref=ObjectRef(bucket, listed.key, listed.version_id),
        key_id=envelope.key_id,
        version=version,
    )


async def _all_buckets(services: Services) -> AsyncGenerator[str]:
    query: str | None = ""
    while query is not None:
        async with services.upstream.send(UpstreamRequest(method="GET", raw_query=query)) as response:
            await expect(services, response, 200)
            names, query = bucket_names(await response.read(_MOST_BUCKETS))
        for name in names:
            yield name
