"""Objects larger than what the storage copies in one request, with that limit lowered: copied by parts."""

import os
from dataclasses import replace

import pytest

from sseproxy.errors import UnsupportedFeature, UpstreamAnswered
from sseproxy.model import ObjectRef, WriteCondition
from sseproxy.operations.condition_probe import KnownConditions
from sseproxy.operations.context import Services
from sseproxy.operations.rewrap import RewrapOutcome, RewrapResult, rewrap_object
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS
from tests.operations.fakes import Sent
from tests.operations.world import World

_REF = ObjectRef("bucket", "key")
_LIMIT = 5 * 1024 * 1024
_BODY = os.urandom(2 * _LIMIT)  # sealed, it takes three parts


def _limited(world: World) -> Services:
    """A process of its own, whose storage copies no more than 5 MiB in one request."""
    services = world.other_process().services
    limits = replace(services.dialect.limits, largest_copy=_LIMIT)
    return replace(services, dialect=replace(services.dialect, limits=limits))


async def _rewrap(world: World, services: Services | None = None) -> RewrapOutcome:
    return await rewrap_object(services or _limited(world), _REF, nobody_writes=True)


async def _uploads(world: World) -> bytes:
    return (await world.do("GET", "/bucket?uploads")).body


async def test_a_large_object_is_rewrapped_by_parts_and_keeps_bytes_metadata_tags_and_etag(world: World) -> None:
    tags = {"own_tagging": "a=1&b=%20c"}
    await world.put("key", _BODY, own_meta_colour="blue", Content_Type="text/x", Cache_Control="private", **tags)
    before = await world.get("key")
    stored = await world.stored("key")
    world.kms.versions[SERVICE_KEY_ALIAS] = 2
    world.journal.sent.clear()

    outcome = await _rewrap(world)
    after = await world.other_process().get("key")

    assert outcome.result is RewrapResult.REWRAPPED
    assert outcome.after == await world.envelope("key")
    assert outcome.after is not None
    assert outcome.after.wrapped_key[0] == 2
    assert await world.stored("key") == stored
    assert after.body == _BODY
    for name in ("ETag", "Content-Type", "Cache-Control", world.name("meta-colour"), world.name("tagging-count")):
        assert after[name] == before[name]
    ranges = sorted(sent.headers.get(world.name("copy-source-range"), "") for sent in world.journal.sent)
    assert [found for found in ranges if found] == [
        f"bytes=0-{_LIMIT - 1}",
        f"bytes={2 * _LIMIT}-{len(stored) - 1}",
        f"bytes={_LIMIT}-{2 * _LIMIT - 1}",
    ]


async def test_an_object_of_parts_is_rewrapped_by_other_parts(s3: World) -> None:
    created = await s3.do("POST", "/bucket/key?uploads")
    upload_id = created.body.partition(b"<UploadId>")[2].partition(b"<")[0].decode()
    parts = [_BODY[:_LIMIT], _BODY[_LIMIT : _LIMIT + 7 + _LIMIT // 2]]
    etags = []
    for number, part in enumerate(parts, 1):
        answer = await s3.do("PUT", f"/bucket/key?partNumber={number}&uploadId={upload_id}", part)
        etags.append(answer["ETag"])
    listed = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in enumerate(etags, 1)
    )
    document = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    assert (await s3.do("POST", f"/bucket/key?uploadId={upload_id}", document)).status == 200
    before = await s3.get("key")
    s3.kms.versions[SERVICE_KEY_ALIAS] = 2

    outcome = await _rewrap(s3)
    after = await s3.other_process().get("key")

    assert outcome.result is RewrapResult.REWRAPPED
    assert (after.body, after["ETag"]) == (b"".join(parts), before["ETag"])
    second = await s3.do("GET", "/bucket/key?partNumber=2")
    assert (second.body, second["x-amz-mp-parts-count"]) == (parts[1], "2")


async def test_what_somebody_writes_while_parts_are_copied_is_not_buried(s3: World) -> None:
    await s3.put("key", _BODY)
    s3.kms.versions[SERVICE_KEY_ALIAS] = 2
    writer = s3.other_process()
    interrupted: list[Sent] = []

    async def write_first(sent: Sent) -> None:
        if sent.method == "POST" and "uploadId=" in sent.raw_query and not interrupted:
            interrupted.append(sent)
            await writer.put("key", b"new")

    s3.journal.before = write_first
    outcome = await _rewrap(s3)
    s3.journal.before = None

    assert "If-Match" in interrupted[0].headers
    assert outcome.result is RewrapResult.CURRENT  # the new object is under the new version by itself
    assert (await s3.get("key")).body == b"new"
    assert b"<Upload>" not in await _uploads(s3)


async def test_a_copy_that_fails_leaves_the_object_and_no_upload_behind(world: World) -> None:
    await world.put("key", _BODY)
    world.kms.versions[SERVICE_KEY_ALIAS] = 2
    envelope = await world.envelope("key")

    async def spoil(sent: Sent) -> None:
        if "partNumber=2" in sent.raw_query:
            raise UpstreamAnswered(500, "InternalError", "no")

    world.journal.before = spoil
    with pytest.raises(UpstreamAnswered):
        await _rewrap(world)
    world.journal.before = None

    assert await world.envelope("key") == envelope
    assert (await world.get("key")).body == _BODY
    assert b"<Upload>" not in await _uploads(world)


async def test_a_storage_that_guards_copies_but_not_completes_is_not_written_to(s3: World) -> None:
    await s3.put("key", _BODY)
    s3.kms.versions[SERVICE_KEY_ALIAS] = 2
    envelope = await s3.envelope("key")
    services = _limited(s3)
    lacking = KnownConditions(
        s3.journal,
        s3.dialect,
        services.state_settings,
        s3.observer,
        lacks=[WriteCondition.COMPLETE_IF_MATCH],
    )

    with pytest.raises(UnsupportedFeature, match="does not keep If-Match on CompleteMultipartUpload"):
        await _rewrap(s3, replace(services, conditions=lacking))

    assert await s3.envelope("key") == envelope
