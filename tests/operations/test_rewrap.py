"""Re-wrapping single objects, over the embedded store in both dialects."""

import pytest

from sseproxy.errors import UpstreamAnswered, WrongPlace
from sseproxy.model import Algorithm, Binding, EtagMode, ObjectRef
from sseproxy.operations.rewrap import RewrapOutcome, RewrapResult, rewrap_object
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS, EncryptionDecision
from tests.operations.fakes import Sent
from tests.operations.world import World

_REF = ObjectRef("bucket", "key")
_OTHER = EncryptionDecision(
    algorithm=Algorithm.KMS, key_id="alias/other", etag_mode=EtagMode.MD5, binding=Binding.BUCKET_KEY
)


async def _rewrap(world: World, *, to: EncryptionDecision | None = None, dry_run: bool = False) -> RewrapOutcome:
    """Re-wrap in a process of its own, as the command does; nobody else writes."""
    services = world.other_process().services
    return await rewrap_object(services, _REF, to=to, nobody_writes=True, dry_run=dry_run)


@pytest.mark.parametrize("size", [0, 5, 1024 * 1024 + 1])
async def test_after_a_rotation_an_object_gets_the_new_version_and_keeps_everything_else(
    world: World, size: int
) -> None:
    body = b"x" * size
    await world.put("key", body, own_meta_colour="blue", Content_Type="text/x", Cache_Control="private")
    before = await world.get("key")
    stored = await world.stored("key")
    world.kms.versions[SERVICE_KEY_ALIAS] = 2

    outcome = await _rewrap(world)
    after = await world.other_process().get("key")

    assert outcome.result is RewrapResult.REWRAPPED
    assert outcome.before is not None
    assert outcome.after == await world.envelope("key")
    assert outcome.after is not None
    assert (outcome.before.wrapped_key[0], outcome.after.wrapped_key[0]) == (1, 2)
    assert outcome.after.commitment == outcome.before.commitment
    assert await world.stored("key") == stored
    assert after.body == body
    for name in ("ETag", "Content-Type", "Cache-Control", world.name("meta-colour")):
        assert after[name] == before[name]


async def test_an_object_under_the_newest_version_is_left_alone(world: World) -> None:
    await world.put("key", b"x")
    world.journal.sent.clear()

    outcome = await _rewrap(world)

    assert outcome.result is RewrapResult.CURRENT
    assert [sent.method for sent in world.journal.sent] == ["HEAD"]


async def test_an_object_gets_another_cmk(s3: World) -> None:
    await s3.put("key", b"x")

    outcome = await _rewrap(s3, to=_OTHER)
    got = await s3.get("key")

    assert outcome.result is RewrapResult.REWRAPPED
    assert (await s3.envelope("key")).key_id == "alias/other"
    assert got["x-amz-server-side-encryption"] == "aws:kms"
    assert got.body == b"x"
    assert (await _rewrap(s3, to=_OTHER)).result is RewrapResult.CURRENT


async def test_a_dry_run_tells_and_writes_nothing(world: World) -> None:
    await world.put("key", b"x")
    world.kms.versions[SERVICE_KEY_ALIAS] = 2
    envelope = await world.envelope("key")

    outcome = await _rewrap(world, dry_run=True)

    assert (outcome.result, outcome.before, outcome.after) == (RewrapResult.NEEDED, envelope, None)
    assert await world.envelope("key") == envelope


async def test_an_object_that_is_not_sealed_is_left_alone(world: World) -> None:
    await world.seed("key", b"plain")

    assert (await _rewrap(world)).result is RewrapResult.NOT_SEALED
    assert await world.stored("key") == b"plain"


async def test_an_object_that_is_not_there_is_told_as_the_storage_tells_it(world: World) -> None:
    with pytest.raises(UpstreamAnswered) as refused:
        await _rewrap(world)
    assert refused.value.status == 404


async def test_what_somebody_writes_in_the_middle_is_not_buried(s3: World) -> None:
    await s3.put("key", b"old")
    s3.kms.versions[SERVICE_KEY_ALIAS] = 2
    writer = s3.other_process()
    interrupted: list[Sent] = []

    async def write_first(sent: Sent) -> None:
        if sent.method == "PUT" and "x-amz-copy-source" in sent.headers and not interrupted:
            interrupted.append(sent)
            await writer.put("key", b"new")

    s3.journal.before = write_first
    outcome = await _rewrap(s3)
    s3.journal.before = None

    assert len(interrupted) == 1
    assert interrupted[0].headers["If-Match"] == interrupted[0].headers["x-amz-copy-source-if-match"]
    assert outcome.result is RewrapResult.CURRENT  # the new object is under the new version by itself
    assert (await s3.get("key")).body == b"new"


async def test_a_storage_that_cannot_guard_a_copy_is_not_written_to_unasked(oss: World) -> None:
    await oss.put("key", b"x")
    oss.kms.versions[SERVICE_KEY_ALIAS] = 2
    envelope = await oss.envelope("key")

    outcome = await rewrap_object(oss.other_process().services, _REF)

    assert outcome.result is RewrapResult.UNGUARDED
    assert await oss.envelope("key") == envelope


async def test_an_object_in_another_bucket_than_it_was_sealed_for_is_made_readable(world: World) -> None:
    await world.put("key", b"x")
    await world.do("PUT", "/backup")
    await world.copy_past_the_proxy("key", "backup")
    with pytest.raises(WrongPlace):
        await world.do("GET", "/backup/key")

    services = world.other_process().services
    moved = ObjectRef("backup", "key")
    outcome = await rewrap_object(services, moved, sealed_as=_REF, nobody_writes=True)

    assert outcome.result is RewrapResult.REWRAPPED
    assert (await world.do("GET", "/backup/key")).body == b"x"
