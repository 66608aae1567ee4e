"""Buckets and their default encryption."""

from base64 import b64encode
from dataclasses import replace
from hashlib import md5

import pytest

from sseproxy.dialect.base import SseRequest
from sseproxy.dialect.sse_headers import shown_key_id
from sseproxy.errors import (
    AccessRefused,
    MalformedXml,
    NoBucketEncryption,
    NoSuchBucket,
    RequestError,
    SseNotAllowedHere,
    UnsupportedFeature,
)
from sseproxy.model import Algorithm, Suite
from sseproxy.settings import EncryptionSettings
from tests.operations.world import Answer, World

_S3_RULE = (
    b'<ServerSideEncryptionConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule>'
    b"<ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>"
    b"<KMSMasterKeyID>my-key</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule>"
    b"</ServerSideEncryptionConfiguration>"
)
_OSS_RULE = (
    b"<ServerSideEncryptionRule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>KMS</SSEAlgorithm>"
    b"<KMSMasterKeyID>my-key</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></ServerSideEncryptionRule>"
)


def _rule(world: World) -> bytes:
    return _S3_RULE if world.dialect.name == "s3" else _OSS_RULE


def _digest(body: bytes) -> dict[str, str]:
    return {"Content-MD5": b64encode(md5(body).digest()).decode()}


async def _set(world: World, bucket: str, rule: bytes) -> Answer:
    return await world.do("PUT", f"{bucket}?encryption", rule, _digest(rule))


async def test_a_buckets_default_encrypts_what_says_nothing_itself(world: World) -> None:
    await _set(world, "/bucket", _rule(world))

    default = await world.put("a", b"x")
    chosen = await world.put("b", b"x", own_server_side_encryption="AES256")

    assert default[world.dialect.sse.algorithm_header] == world.dialect.sse.words[Algorithm.KMS]
    assert default[world.dialect.sse.key_id_header] == shown_key_id("my-key", world.dialect.sse)
    assert chosen[world.dialect.sse.algorithm_header] == "AES256"


async def test_what_was_put_can_be_read_and_deleted(world: World) -> None:
    await _set(world, "/bucket", _rule(world))

    assert b"<KMSMasterKeyID>my-key</KMSMasterKeyID>" in (await world.do("GET", "/bucket?encryption")).body
    assert (await world.do("DELETE", "/bucket?encryption")).status == 204
    assert (await world.do("DELETE", "/bucket?encryption")).status == 204
    assert (await world.put("a", b"x"))[world.dialect.sse.algorithm_header] == "AES256"


async def test_a_bucket_without_a_rule_shows_the_default_in_s3_and_404_in_oss(s3: World, oss: World) -> None:
    assert b"<SSEAlgorithm>AES256</SSEAlgorithm>" in (await s3.do("GET", "/bucket?encryption")).body
    with pytest.raises(NoBucketEncryption):
        await oss.do("GET", "/bucket?encryption")


async def test_encryption_settings_never_reach_the_storage(world: World) -> None:
    await _set(world, "/bucket", _rule(world))
    await world.do("GET", "/bucket?encryption")

    assert [said for said in world.journal.said() if "encryption" in said] == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_bucket_that_is_not_there_has_no_encryption(world: World, method: str) -> None:
    body = _rule(world) if method == "PUT" else b""

    with pytest.raises(NoSuchBucket):
        await world.do(method, "/nowhere?encryption", body, _digest(body))


async def test_a_rule_that_is_none_is_refused(world: World) -> None:
    with pytest.raises(MalformedXml):
        await _set(world, "/bucket", b"<x/>")


async def test_another_process_sees_a_rule_after_its_lifetime(world: World) -> None:
    await world.put("a", b"x")
    other = world.other_process()
    await other.services.bucket_defaults.put("bucket", SseRequest(algorithm=Algorithm.KMS))

    early = await world.put("a", b"x")
    world.clock.advance(31)
    late = await world.put("a", b"x")

    assert early[world.dialect.sse.algorithm_header] == "AES256"
    assert late[world.dialect.sse.algorithm_header] == world.dialect.sse.words[Algorithm.KMS]


async def test_a_bucket_is_created_and_deleted_with_its_rule(world: World) -> None:
    await world.do("PUT", "/new-bucket")
    await _set(world, "/new-bucket", _rule(world))
    await world.do("DELETE", "/new-bucket")
    await world.do("PUT", "/new-bucket")

    assert await world.services.bucket_defaults.read("new-bucket") is None


async def test_oss_sets_the_default_with_the_buckets_creation(oss: World, s3: World) -> None:
    await oss.do("PUT", "/new-bucket", headers={"own_server_side_encryption": "AES256"})

    assert await oss.services.bucket_defaults.read("new-bucket") == SseRequest(algorithm=Algorithm.AES256)
    (created,) = (sent for sent in oss.journal.sent if str(sent) == "PUT /new-bucket/")
    assert not [name for name in created.headers if "encryption" in name]
    with pytest.raises(SseNotAllowedHere):
        await s3.do("PUT", "/new-bucket", headers={"own_server_side_encryption": "AES256"})


async def test_a_bucket_is_not_created_with_a_rule_that_the_configuration_does_not_allow(oss: World) -> None:
    oss.services = replace(oss.services, encryption=EncryptionSettings(allowed_algorithms=(Algorithm.KMS,)))

    with pytest.raises(AccessRefused):
        await oss.do("PUT", "/new-bucket", headers={"own_server_side_encryption": "SM4"})

    assert oss.journal.sent == []


async def test_a_rule_that_s3_has_no_word_for_is_refused_there_and_not_shown_as_another(s3: World) -> None:
    await s3.services.bucket_defaults.put("bucket", SseRequest(algorithm=Algorithm.SM4, suite=Suite.SM4_GCM))

    with pytest.raises(UnsupportedFeature):
        await s3.do("GET", "/bucket?encryption")
    with pytest.raises(UnsupportedFeature):
        await s3.put("k", b"x")


@pytest.mark.parametrize(
    "rule",
    [
        SseRequest(algorithm=Algorithm.SM4, suite=Suite.SM4_GCM),
        SseRequest(algorithm=Algorithm.KMS, key_id="k", suite=Suite.SM4_GCM, bucket_key=True),
        SseRequest(algorithm=Algorithm.AES256, bucket_key=False),
    ],
)
async def test_a_rule_is_kept_whole(world: World, rule: SseRequest) -> None:
    await world.services.bucket_defaults.put("bucket", rule)

    assert await world.other_process().services.bucket_defaults.get("bucket") == rule


@pytest.mark.parametrize(("method", "target"), [("GET", "/bucket/k"), ("HEAD", "/bucket/k"), ("DELETE", "/bucket/k")])
async def test_encryption_headers_where_they_do_not_belong_are_refused(world: World, method: str, target: str) -> None:
    with pytest.raises(SseNotAllowedHere):
        await world.do(method, target, headers={"own_server_side_encryption": "AES256"})


async def test_an_unknown_algorithm_is_refused_before_the_body(world: World) -> None:
    with pytest.raises(RequestError):
        await world.put("k", b"x", own_server_side_encryption="ROT13")
    assert world.journal.sent == []
