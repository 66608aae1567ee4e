"""Bucket keys through the front door of the operations: how often the KMS is asked, and what replicas share."""

import asyncio
from dataclasses import replace

import pytest

from sseproxy.errors import KeyDisabled, StateRejected, UpstreamUnavailable, WrappedKeyRejected, WrongPlace
from sseproxy.exchange import Request
from sseproxy.format import encode_envelope
from sseproxy.model import Algorithm, Binding, EtagMode, Layout, ObjectRef
from sseproxy.operations.dispatch import handle
from sseproxy.operations.rewrap import RewrapResult, rewrap_object
from sseproxy.policy.encryption import EncryptionDecision
from tests.operations.fakes import Sent, make_request
from tests.operations.world import Answer, World, read

_KMS = {"own_server_side_encryption": "aws:kms"}
_ALIAS = "alias/aws/s3"
_BOUND_S = 60  # CacheSettings.unwrapped_key_lifetime
_LIFETIME_S = 86400  # of a KEK
_DECISION = EncryptionDecision(
    algorithm=Algorithm.KMS, key_id=_ALIAS, etag_mode=EtagMode.MD5, binding=Binding.BUCKET_KEY, under_kek=True
)


async def _put(world: World, key: str, body: bytes = b"x", **headers: str) -> None:
    await world.put(key, body, **_KMS, **headers)


async def _served(world: World, request: Request) -> Answer:
    """Serve a request beside others, which `World.do` does not allow for."""
    return await read(await handle(world.services, request))


async def _put_beside_others(world: World, key: str) -> None:
    headers = {"x-amz-server-side-encryption": "aws:kms"}
    await _served(world, make_request("PUT", f"/bucket/{key}", b"x", headers=headers))


async def _calm(world: World) -> None:
    """Let what every process asks the KMS for at its start be over, and count from here."""
    await world.services.state.open_key()
    world.kms.calls = 0


async def test_objects_of_a_bucket_share_a_kek_and_cost_one_call(s3: World) -> None:
    await _calm(s3)
    for number in range(50):
        await _put(s3, f"{number}", b"%d" % number)

    envelopes = [await s3.envelope(f"{number}") for number in range(50)]
    assert s3.kms.calls == 1
    assert len({envelope.kek_id for envelope in envelopes}) == 1
    assert len({envelope.wrapped_key for envelope in envelopes}) == 50
    assert len({envelope.commitment for envelope in envelopes}) == 50
    assert not any(envelope.bucket_key for envelope in envelopes)  # the flag that clients see is another matter
    for number in range(50):
        assert (await s3.get(f"{number}")).body == b"%d" % number


async def test_a_client_that_asks_for_a_bucket_key_is_told_so_and_one_that_refuses_gets_none(s3: World) -> None:
    await _put(s3, "with", own_server_side_encryption_bucket_key_enabled="true")
    await _put(s3, "without", own_server_side_encryption_bucket_key_enabled="false")

    with_key, without = await s3.envelope("with"), await s3.envelope("without")
    assert (with_key.bucket_key, with_key.wrapped_kek is None) == (True, False)
    assert (without.bucket_key, without.wrapped_kek) == (False, None)
    assert (await s3.get("with"))["x-amz-server-side-encryption-bucket-key-enabled"] == "true"
    assert "x-amz-server-side-encryption-bucket-key-enabled" not in await s3.get("without")


async def test_without_bucket_keys_every_object_costs_a_call(s3: World) -> None:
    await _calm(s3)
    for number in range(20):
        await _put(s3, f"{number}", own_server_side_encryption_bucket_key_enabled="false")

    assert s3.kms.calls == 20


async def test_first_objects_that_are_written_at_once_draw_one_kek(s3: World) -> None:
    await _calm(s3)
    await asyncio.gather(*(_put_beside_others(s3, f"{number}") for number in range(30)))

    assert s3.kms.calls == 1
    assert len({(await s3.envelope(f"{number}")).kek_id for number in range(30)}) == 1


async def test_a_cold_process_that_reads_many_objects_at_once_asks_once_per_kek(s3: World) -> None:
    for number in range(40):
        await _put(s3, f"{number}")
    cold = s3.other_process()
    await _calm(cold)

    requests = (make_request("GET", f"/bucket/{number}") for number in range(40))
    answers = await asyncio.gather(*(_served(cold, request) for request in requests))

    assert [answer.body for answer in answers] == [b"x"] * 40
    assert s3.kms.calls == 1


async def test_replicas_share_the_kek_that_the_first_of_them_drew(s3: World) -> None:
    other = s3.other_process()

    await _put(s3, "one")
    await _put(other, "two")

    assert (await s3.envelope("one")).kek_id == (await s3.envelope("two")).kek_id
    assert (await s3.get("two")).body == (await other.get("one")).body == b"x"


async def test_replicas_that_draw_at_the_same_moment_agree_on_one(s3: World) -> None:
    other = s3.other_process()
    await s3.services.state.open_key()
    await other.services.state.open_key()
    drawn = asyncio.Barrier(2)

    async def meet(sent: Sent) -> None:
        if sent.method == "PUT" and sent.raw_key.startswith("keks/drawn/"):
            await drawn.wait()

    s3.journal.before = meet
    await asyncio.gather(_put_beside_others(s3, "one"), _put_beside_others(other, "two"))
    s3.journal.before = None

    assert (await s3.envelope("one")).kek_id == (await s3.envelope("two")).kek_id


async def test_buckets_and_cmks_have_keks_of_their_own(s3: World) -> None:
    await s3.do("PUT", "/second")
    await _put(s3, "one")
    await _put(s3, "two", own_server_side_encryption_aws_kms_key_id="alias/mine")
    second = await s3.do("PUT", "/second/one", b"x", _KMS)

    assert second.status == 200
    keks = [sent.raw_key for sent in s3.journal.sent if sent.method == "PUT" and "keks/" in sent.raw_key]
    assert [key.split("/")[2] for key in keks] == ["bucket", "bucket", "second"]
    assert (await s3.envelope("one")).kek_id != (await s3.envelope("two")).kek_id


async def test_a_kek_seals_for_its_lifetime_and_opens_for_ever(s3: World) -> None:
    await _put(s3, "old")
    s3.clock.advance(_LIFETIME_S)
    await _put(s3, "new")

    assert (await s3.envelope("old")).kek_id != (await s3.envelope("new")).kek_id
    assert (await s3.get("old")).body == (await s3.get("new")).body == b"x"


async def test_a_kek_seals_so_many_objects_and_no_more(s3: World) -> None:
    await _calm(s3)
    keyring = s3.services.keyring
    envelopes = [
        (await keyring.draw(_DECISION, ObjectRef("bucket", str(number)), Layout.SINGLE))[1] for number in range(1001)
    ]

    assert len({envelope.kek_id for envelope in envelopes[:1000]}) == 1
    assert envelopes[1000].kek_id != envelopes[0].kek_id
    assert s3.kms.calls == 2


# ---- revocation ----


async def test_a_disabled_cmk_stops_reads_and_writes_within_the_bound(s3: World) -> None:
    await _put(s3, "key")
    await s3.get("key")
    s3.clock.advance(_BOUND_S - 1)
    s3.kms.disabled.add(_ALIAS)

    assert (await s3.get("key")).body == b"x"
    s3.clock.advance(1)

    with pytest.raises(KeyDisabled):
        await s3.get("key")
    with pytest.raises(KeyDisabled):
        await _put(s3, "another")
    with pytest.raises(KeyDisabled):
        await s3.other_process().get("key")
    s3.kms.disabled.clear()
    assert (await s3.get("key")).body == b"x"


async def test_reading_again_and_again_does_not_prolong_the_bound(s3: World) -> None:
    await _put(s3, "key")
    s3.kms.disabled.add(_ALIAS)
    for _ in range(_BOUND_S):
        await s3.get("key")
        s3.clock.advance(1)

    with pytest.raises(KeyDisabled):
        await s3.get("key")


# ---- rotation ----


async def _rotate(world: World) -> int:
    """Rotate the CMK and re-wrap its KEKs, as the command does in a process of its own."""
    world.kms.versions[_ALIAS] = 2
    services = world.other_process().services
    return await services.keyring.rewrap_keks(_ALIAS)


async def test_rotating_a_cmk_re_wraps_its_keks_and_touches_no_object(s3: World) -> None:
    await s3.do("PUT", "/second")
    await _put(s3, "one")
    await s3.do("PUT", "/second/two", b"x", _KMS)
    await _put(s3, "others", own_server_side_encryption_aws_kms_key_id="alias/mine")
    before = await s3.envelope("one")
    s3.journal.sent.clear()

    assert await _rotate(s3) == 2
    assert await s3.services.keyring.rewrap_keks(_ALIAS) == 0  # nothing is left to do
    assert s3.journal.said("bucket") == s3.journal.said("second") == []

    s3.kms.destroyed.add((_ALIAS, 1))
    cold = s3.other_process()
    assert (await cold.get("one")).body == b"x"
    assert (await cold.do("GET", "/second/two")).body == b"x"
    assert await s3.envelope("one") == before


async def test_new_objects_carry_the_newest_wrap_of_the_kek(s3: World) -> None:
    await _put(s3, "old")
    await _rotate(s3)
    await _put(s3.other_process(), "new")

    old, new = await s3.envelope("old"), await s3.envelope("new")
    assert old.kek_id == new.kek_id
    assert old.wrapped_kek is not None
    assert new.wrapped_kek is not None
    assert (old.wrapped_kek[0], new.wrapped_kek[0]) == (1, 2)


async def test_a_kek_whose_cmk_was_rotated_elsewhere_is_re_wrapped_when_it_seals_next(s3: World) -> None:
    await _put(s3, "old")
    s3.kms.versions[_ALIAS] = 2
    s3.clock.advance(_BOUND_S)
    await _put(s3, "new")
    await _put(s3, "newer")

    new, newer = await s3.envelope("new"), await s3.envelope("newer")
    assert new.wrapped_kek is not None
    assert new.wrapped_kek[0] == 2
    assert newer.wrapped_kek == new.wrapped_kek
    s3.kms.destroyed.add((_ALIAS, 1))
    assert (await s3.other_process().get("old")).body == b"x"


async def test_single_objects_can_be_re_wrapped_under_the_newest_version(s3: World) -> None:
    await _put(s3, "key")
    s3.kms.versions[_ALIAS] = 2

    first = await rewrap_object(s3.other_process().services, ObjectRef("bucket", "key"))
    again = await rewrap_object(s3.other_process().services, ObjectRef("bucket", "key"))

    assert (first.result, again.result) == (RewrapResult.REWRAPPED, RewrapResult.CURRENT)
    envelope = await s3.envelope("key")
    assert envelope.wrapped_kek is not None
    assert envelope.wrapped_kek[0] == 2
    assert (await s3.get("key")).body == b"x"


# ---- what is lost with the state bucket, and what is not ----


async def _empty_state(world: World) -> None:
    keys = [entry.key async for entry in world.services.state.list("")]
    for key in keys:
        await world.services.state.delete([key])


async def test_an_object_is_read_without_any_record(s3: World) -> None:
    await _put(s3, "key")
    await _empty_state(s3)

    assert (await s3.other_process().get("key")).body == b"x"


async def test_an_object_is_read_while_the_state_bucket_is_away(s3: World) -> None:
    await _put(s3, "key")
    cold = s3.other_process()

    async def fail(sent: Sent) -> None:
        if sent.bucket == s3.services.state_settings.bucket:
            raise UpstreamUnavailable

    s3.journal.before = fail
    assert (await cold.get("key")).body == b"x"
    s3.journal.before = None
    assert s3.observer.events == ["kek_record_unavailable"]


async def test_a_record_that_is_not_ours_is_refused(s3: World) -> None:
    await _put(s3, "key")
    envelope = await s3.envelope("key")
    assert envelope.kek_id is not None
    state = s3.services.state
    await state.put(f"keks/newest/{envelope.kek_id.hex()}", b"\x80", purpose="kek", bucket="")

    with pytest.raises(StateRejected):
        await s3.other_process().get("key")

    await state.put(f"keks/newest/{envelope.kek_id.hex()}", b"\x80", purpose="other", bucket="")
    with pytest.raises(StateRejected):
        await s3.other_process().get("key")


async def test_a_newer_wrap_that_does_not_open_gives_way_to_the_objects_own(s3: World) -> None:
    await _put(s3, "key")
    await _rotate(s3)
    s3.kms.destroyed.add((_ALIAS, 2))  # as after the KMS was restored from a backup of before the rotation

    assert (await s3.other_process().get("key")).body == b"x"
    assert s3.observer.events == ["kek_record_rejected"]


# ---- what does not open ----


async def _edit(world: World, **changes: object) -> None:
    envelope = replace(await world.envelope("key"), **changes)  # type: ignore[arg-type]
    headers = {world.dialect.envelope_header: encode_envelope(envelope)}
    await world.seed("key", await world.stored("key"), headers)


async def test_an_envelope_with_another_kek_does_not_open(s3: World) -> None:
    await _put(s3, "key")
    s3.clock.advance(_LIFETIME_S)
    await _put(s3, "other")
    other = await s3.envelope("other")

    await _edit(s3, kek_id=other.kek_id)
    with pytest.raises(WrappedKeyRejected):
        await s3.other_process().get("key")
    await _edit(s3, wrapped_kek=other.wrapped_kek)
    with pytest.raises(WrappedKeyRejected):
        await s3.other_process().get("key")
    with pytest.raises(WrappedKeyRejected):
        await s3.get("key")


async def test_an_object_in_another_place_does_not_open_and_says_so(s3: World) -> None:
    await _put(s3, "key")
    await s3.do("PUT", "/elsewhere")
    await s3.copy_past_the_proxy("key", "elsewhere")
    headers = await s3.stored_headers("key")
    await s3.seed("moved", await s3.stored("key"), {s3.dialect.envelope_header: headers[s3.dialect.envelope_header]})

    with pytest.raises(WrongPlace):
        await s3.do("GET", "/elsewhere/key")
    with pytest.raises(WrongPlace):
        await s3.get("moved")


async def test_a_copy_is_under_the_kek_of_its_own_bucket(s3: World) -> None:
    await s3.do("PUT", "/second")
    await _put(s3, "key", b"body")
    await s3.do("PUT", "/second/copy", headers={"own_copy_source": "/bucket/key", **_KMS})

    assert (await s3.other_process().do("GET", "/second/copy")).body == b"body"


async def test_an_upload_goes_on_in_another_process_under_the_same_kek(s3: World) -> None:
    begun = await s3.do("POST", "/bucket/big?uploads", headers=_KMS)
    upload_id = begun.body.decode().partition("<UploadId>")[2].partition("<")[0]
    part = await s3.other_process().do("PUT", f"/bucket/big?partNumber=1&uploadId={upload_id}", b"part")
    document = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{part['ETag']}</ETag></Part>"
        "</CompleteMultipartUpload>"
    )
    await s3.do("POST", f"/bucket/big?uploadId={upload_id}", document.encode())

    assert (await s3.envelope("big")).wrapped_kek is not None
    assert (await s3.other_process().get("big")).body == b"part"
