"""What others do between two requests of one operation: it is noticed, nothing wrong is stored, nothing is left over."""

import re
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from hashlib import md5

import pytest

from sseproxy.errors import FooterRejected, InvalidPart, NoSuchUpload, UpstreamError
from sseproxy.exchange import Body
from sseproxy.format import TAIL, TAIL_READ, parse_tail
from sseproxy.model import WriteCondition
from sseproxy.operations.uploads import UPLOADS
from sseproxy.ports import Upstream, UpstreamRequest, UpstreamResponse
from tests.operations.fakes import Sent
from tests.operations.overlooking import Overlooking, on_storage
from tests.operations.world import World

_UPLOAD = re.compile(rb"<UploadId>([^<]+)</UploadId>")
_KIB = 1024
_TO_KMS = b"<ObjectEncryption><SSE-KMS><KMSKeyArn>arn:aws:kms:us-east-1:000000000000:key/k2</KMSKeyArn></SSE-KMS></ObjectEncryption>"


@dataclass
class Meanwhile:
    """A storage where something happens once: when it has a request's whole body, before it does what that says."""

    storage: Upstream
    when: Callable[[UpstreamRequest], bool]
    then: Callable[[], Awaitable[object]]
    has_happened: bool = False

    @asynccontextmanager
    async def send(self, request: UpstreamRequest) -> AsyncIterator[UpstreamResponse]:
        if not self.has_happened and self.when(request):
            self.has_happened = True
            body = await _whole(request.body)
            await self.then()
            request = replace(request, body=body, content_length=len(body))
        async with self.storage.send(request) as response:
            yield response


@dataclass
class Hasty:
    """A storage that answers for a part before it has read it."""

    storage: Upstream

    @asynccontextmanager
    async def send(self, request: UpstreamRequest) -> AsyncIterator[UpstreamResponse]:
        if "partNumber" in request.raw_query:
            request = replace(request, body=b"", content_length=0)
        async with self.storage.send(request) as response:
            yield response


async def _whole(body: bytes | Body | None) -> bytes:
    if body is None or isinstance(body, bytes):
        return body or b""
    return b"".join([bytes(data) async for data in body])


async def _begun(world: World) -> str:
    found = _UPLOAD.search((await world.do("POST", "/bucket/k?uploads")).body)
    assert found is not None
    return found[1].decode()


async def _part(world: World, upload: str, number: int, body: bytes) -> str:
    part = await world.do("PUT", f"/bucket/k?partNumber={number}&uploadId={upload}", body)
    return f"<Part><PartNumber>{number}</PartNumber><ETag>{part['ETag']}</ETag></Part>"


async def _complete(world: World, upload: str, listed: str) -> int:
    document = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    return (await world.do("POST", f"/bucket/k?uploadId={upload}", document)).status


async def _state(world: World) -> list[str]:
    return [entry.key async for entry in world.services.state.list(UPLOADS)]


async def test_an_object_that_is_overwritten_while_it_gets_another_key_is_not_buried(s3: World) -> None:
    world = on_storage(s3, Overlooking(s3.storage, [WriteCondition.COPY_IF_MATCH]))
    await world.put("k", b"first")
    await world.services.conditions.get()
    writer = world.other_process()
    meanwhile = Meanwhile(
        world.journal.behind,
        when=lambda sent: sent.method == "PUT" and sent.raw_key == "k" and "If-Match" in sent.headers,
        then=lambda: writer.put("k", b"second"),
    )
    world.journal.behind = meanwhile

    await world.do("PUT", "/bucket/k?encryption", _TO_KMS, {"Content-MD5": b64encode(md5(_TO_KMS).digest()).decode()})

    after = await world.get("k")
    assert meanwhile.has_happened
    assert (after.body, after["x-amz-server-side-encryption"]) == (b"second", "aws:kms")


async def test_a_part_that_is_kept_while_its_upload_is_aborted_is_refused_and_leaves_nothing(world: World) -> None:
    upload = await _begun(world)
    other = world.other_process()
    world.journal.behind = Meanwhile(
        world.storage,
        when=lambda sent: sent.method == "PUT" and sent.bucket == "sseproxy-state",
        then=lambda: other.do("DELETE", f"/bucket/k?uploadId={upload}"),
    )

    with pytest.raises(NoSuchUpload) as refused:
        await _part(world, upload, 1, b"small")

    assert refused.value.details == {"UploadId": upload}
    assert await _state(world) == []


async def _again(world: World, upload: str, sent: Sent) -> None:
    await _part(world.other_process(), upload, 1, b"others")


async def _cut(world: World, upload: str, sent: Sent) -> None:
    await _changed(world, sent, lambda stored: stored[:-1])


async def _lengthened(world: World, upload: str, sent: Sent) -> None:
    await _changed(world, sent, lambda stored: stored + b"x")


async def _gone(world: World, upload: str, sent: Sent) -> None:
    request = UpstreamRequest(method="DELETE", bucket=sent.bucket, raw_key=sent.raw_key)
    async with world.storage.send(request) as response:
        assert response.status == 204


async def _changed(world: World, sent: Sent, change: Callable[[bytes], bytes]) -> None:
    async with world.storage.send(UpstreamRequest(method="GET", bucket=sent.bucket, raw_key=sent.raw_key)) as response:
        stored = await response.read()
    request = UpstreamRequest(method="PUT", bucket=sent.bucket, raw_key=sent.raw_key, body=change(stored))
    async with world.storage.send(request) as response:
        assert response.status == 200


@pytest.mark.parametrize("change", [_again, _cut, _lengthened, _gone], ids=lambda change: change.__name__)
async def test_a_kept_part_that_is_another_when_it_is_needed_makes_no_object(
    world: World, change: Callable[[World, str, Sent], Awaitable[None]]
) -> None:
    upload = await _begun(world)
    listed = await _part(world, upload, 1, b"object")
    changed: list[Sent] = []

    async def interfere(sent: Sent) -> None:
        if sent.method == "GET" and sent.bucket == "sseproxy-state" and "/kept" in sent.raw_key and not changed:
            changed.append(sent)
            await change(world, upload, sent)

    world.journal.before = interfere
    with pytest.raises(InvalidPart) as refused:
        await _complete(world, upload, listed)
    world.journal.before = None

    assert changed
    assert refused.value.details["PartNumber"] == "1"
    assert not await world.has("k")
    assert await _complete(world, upload, await _part(world, upload, 1, b"object")) == 200
    assert (await world.get("k")).body == b"object"


async def test_a_part_that_the_storage_took_unread_is_no_part(world: World) -> None:
    upload = await _begun(world)
    world.journal.behind = Hasty(world.storage)

    with pytest.raises(UpstreamError, match="before it had the whole part"):
        await _part(world, upload, 1, bytes(5 * _KIB * _KIB))

    world.journal.behind = world.storage
    assert b"<Part>" not in (await world.do("GET", f"/bucket/k?uploadId={upload}")).body


async def test_a_footer_that_is_longer_than_the_first_read_is_read_whole(oss: World) -> None:
    upload, parts = await _begun(oss), [bytes([number % 251]) * (100 * _KIB) for number in range(430)]
    listed = [await _part(oss, upload, number, part) for number, part in enumerate(parts, 1)]
    assert await _complete(oss, upload, "".join(listed)) == 200
    stored = await oss.stored("k")
    reader = oss.other_process()

    head, got = await reader.head("k"), await reader.get("k")
    some = await reader.get("k", Range="bytes=102399-102400")

    tail = parse_tail(stored[-TAIL:])
    assert tail is not None
    assert tail.closing_length > TAIL_READ
    assert (head.content_length, got.body == b"".join(parts), some.body) == (430 * 100 * _KIB, True, b"\0\1")
    await oss.reseed("k", stored[-tail.closing_length + 1 :])
    with pytest.raises(FooterRejected, match="shorter than its footer"):
        await oss.other_process().get("k")
