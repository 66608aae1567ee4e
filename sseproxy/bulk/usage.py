"""Whether a CMK is in use: a look at the envelopes of all objects, which ends at the first that it wraps."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from sseproxy.bulk.context import Tools
from sseproxy.bulk.finding import Scope, address_in, find, list_objects
from sseproxy.dialect.xml_listings import bucket_names
from sseproxy.errors import EnvelopeRejected
from sseproxy.format import decode_envelope
from sseproxy.model import ObjectRef
from sseproxy.operations.backend import expect
from sseproxy.operations.context import Services
from sseproxy.ports import UpstreamRequest

_AT_ONCE = 32  # objects that are looked at together
_MOST_BUCKETS = 8 * 1024 * 1024  # bytes of a list of buckets


async def find_use(tools: Tools, key_id: str) -> ObjectRef | None:
    """Return an object whose data key hangs on the CMK with this canonical id; None where there is none.

    Looks at the present version of every object in every bucket that the proxy's own access key can list, one request
    each: older versions and parts of uploads in progress are not seen. Raises the storage's refusals.
    """
    async with aclosing(_all_buckets(tools.services)) as buckets:
        async for bucket in buckets:
            if bucket != tools.services.state_settings.bucket:
                used = await _use_in(tools, bucket, key_id)
                if used is not None:
                    return used
    return None


async def _use_in(tools: Tools, bucket: str, key_id: str) -> ObjectRef | None:
    waiting: list[str] = []
    async with aclosing(list_objects(tools.services, Scope(bucket=bucket))) as listing:
        async for listed in listing:
            waiting.append(listed.key)
            if len(waiting) == _AT_ONCE:
                used = await _first_use(tools, bucket, waiting, key_id)
                if used is not None:
                    return used
                waiting.clear()
    return await _first_use(tools, bucket, waiting, key_id)


async def _first_use(tools: Tools, bucket: str, keys: list[str], key_id: str) -> ObjectRef | None:
    found = await asyncio.gather(*(_key_of(tools, bucket, key) for key in keys))
    return next((ObjectRef(bucket, key) for key, used in zip(keys, found, strict=True) if used == key_id), None)


async def _key_of(tools: Tools, bucket: str, key: str) -> str | None:
    """Return the CMK that an object's data key hangs on, None where there is none."""
    found = await find(tools.services, address_in(bucket, key))
    text = None if found is None else found.headers.get(tools.services.dialect.envelope_header)
    if text is None:
        return None
    try:
        return decode_envelope(text).key_id
    except EnvelopeRejected:  # no CMK opens it
        return None


async def _all_buckets(services: Services) -> AsyncGenerator[str]:
    query: str | None = ""
    while query is not None:
        async with services.upstream.send(UpstreamRequest(method="GET", raw_query=query)) as response:
            await expect(services, response, 200)
            names, query = bucket_names(await response.read(_MOST_BUCKETS))
        for name in names:
            yield name
