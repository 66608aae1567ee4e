"""What tests of buckets share: settings, requests past the proxy, listings and what HEAD and GET say."""

import re
from dataclasses import replace

from sseproxy.model import EtagMode
from sseproxy.operations.bucket_states import BucketState
from sseproxy.ports import UpstreamRequest
from sseproxy.settings import EncryptionSettings
from tests.operations.world import World

OPAQUE = BucketState(sealed=True, opaque_etags=True)
GREW = replace(OPAQUE, appended=True)
LISTINGS = ["", "?list-type=2", "?versions"]
_ENTRY = re.compile(r"<(Contents|Version)>(.*?)</\1>", re.DOTALL)


def with_etags(world: World, mode: EtagMode | None) -> World:
    """Return the same process with another setting `encryption.etag`."""
    return replace(world, services=replace(world.services, encryption=EncryptionSettings(etag=mode)))


def opaque(world: World) -> World:
    return with_etags(world, EtagMode.OPAQUE)


async def past(world: World, method: str, target: str, body: bytes | None = None) -> int:
    """Send a request to the storage, past the proxy; a PUT of an object writes its key unless there is a body."""
    bucket, _, key = target.removeprefix("/").partition("/")
    sent = (key.encode() if body is None else body) if method == "PUT" else None
    request = UpstreamRequest(method=method, bucket=bucket, raw_key=key, body=sent)
    async with world.storage.send(request) as response:
        return response.status


async def state_of(world: World, bucket: str = "new-bucket") -> BucketState:
    return await world.services.bucket_states.read(bucket)


async def entries_of(world: World, query: str, bucket: str = "new-bucket") -> dict[str, tuple[int, str]]:
    document = (await world.do("GET", f"/{bucket}{query}")).body.decode()
    return {
        text_in(entry, "Key"): (int(text_in(entry, "Size")), text_in(entry, "ETag").replace("&quot;", '"'))
        for _, entry in _ENTRY.findall(document)
    }


def text_in(document: str, name: str) -> str:
    found = re.search(rf"<{name}>(.*?)</{name}>", document)
    assert found is not None, document
    return found[1]


async def told_of(world: World, key: str, bucket: str = "new-bucket", **headers: str) -> tuple[int, str]:
    """Return size and ETag as HEAD tells them; GET has to agree."""
    head = await world.do("HEAD", f"/{bucket}/{key}", headers=headers)
    got = await world.do("GET", f"/{bucket}/{key}", headers=headers)
    assert head.content_length == len(got.body)
    assert head["ETag"] == got["ETag"]
    return len(got.body), head["ETag"]
