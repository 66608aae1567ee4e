"""Buckets, their settings, and DeleteObjects."""

from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest

from tests.store.wire import Wire, md5_b64
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Server


def test_creating_a_bucket_again_is_an_error_on_s3_only(wire: Wire, oss: oss2.Bucket, bucket: str) -> None:
    assert wire.s3("PUT", f"/{bucket}").outcome == (409, "BucketAlreadyOwnedByYou")
    assert oss.create_bucket().status == 200


@pytest.mark.parametrize("name", ["ab", "a" * 64, "Upper", "under_score", "-a-b", "a.-b", "a..b", "1.2.3.4", "abc-."])
def test_illegal_bucket_names_are_refused(wire: Wire, name: str) -> None:
    assert wire.s3("PUT", f"/{name}").outcome == (400, "InvalidBucketName")
    assert wire.oss("PUT", f"/{name}").outcome == (400, "InvalidBucketName")


@pytest.mark.parametrize("name", ["abc", "a" * 63, "a-b.c-d", "1bucket"])
def test_legal_bucket_names_are_taken(wire: Wire, name: str) -> None:
    assert wire.s3("PUT", f"/{name}").status == 200
    assert wire.s3("DELETE", f"/{name}").status == 204


def test_only_an_empty_bucket_can_be_deleted(wire: Wire, bucket: str) -> None:
    wire.s3("PUT", f"/{bucket}/k", b"x")
    assert wire.s3("DELETE", f"/{bucket}").outcome == (409, "BucketNotEmpty")
    wire.s3("DELETE", f"/{bucket}/k")
    wire.s3("POST", f"/{bucket}/k?uploads")

    assert wire.oss("DELETE", f"/{bucket}").outcome == (409, "BucketNotEmpty")
    assert wire.s3("DELETE", f"/{bucket}").status == 204
    assert wire.s3("HEAD", f"/{bucket}").status == 404
    assert wire.s3("DELETE", f"/{bucket}").outcome == (404, "NoSuchBucket")


def test_oss_clients_create_and_describe_buckets(store: Server, v2: oss_v2.Client) -> None:
    oss = oss2.Bucket(oss2.Auth(ACCESS_KEY, SECRET_KEY), store.url, "made-by-oss")

    oss.create_bucket(oss2.BUCKET_ACL_PUBLIC_READ, oss2.models.BucketCreateConfig(oss2.BUCKET_STORAGE_CLASS_STANDARD))

    info = oss.get_bucket_info()
    assert (info.name, info.acl.grant, info.location) == ("made-by-oss", "public-read", f"oss-{REGION}")
    assert info.bucket_encryption_rule.sse_algorithm is None
    assert oss.get_bucket_location().location == f"oss-{REGION}"
    assert oss.get_bucket_acl().acl == "public-read"
    oss.put_object("k", b"123")
    stat = oss.get_bucket_stat()
    assert (stat.object_count, stat.storage_size_in_bytes) == (1, 3)
    assert v2.is_bucket_exist("made-by-oss")
    assert not v2.is_bucket_exist("made-by-nobody")


def test_location_and_versioning(s3: Any, oss: oss2.Bucket, bucket: str) -> None:
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert oss.get_bucket_versioning().status is None
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == REGION


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("policy", (404, "NoSuchBucketPolicy")),
        ("cors", (404, "NoSuchCORSConfiguration")),
        ("lifecycle", (404, "NoSuchLifecycleConfiguration")),
        ("website", (404, "NoSuchWebsiteConfiguration")),
        ("tagging", (404, "NoSuchTagSet")),
        ("replication", (404, "ReplicationConfigurationNotFoundError")),
        ("encryption", (404, "ServerSideEncryptionConfigurationNotFoundError")),
        ("object-lock", (404, "ObjectLockConfigurationNotFoundError")),
        ("publicAccessBlock", (404, "NoSuchPublicAccessBlockConfiguration")),
        ("ownershipControls", (404, "OwnershipControlsNotFoundError")),
        ("logging", (200, "")),
        ("notification", (200, "")),
        ("requestPayment", (200, "")),
        ("accelerate", (200, "")),
        ("analytics", (501, "NotImplemented")),
        ("inventory", (501, "NotImplemented")),
    ],
)
def test_settings_that_nobody_made(wire: Wire, bucket: str, name: str, outcome: tuple[int, str]) -> None:
    assert wire.s3("GET", f"/{bucket}?{name}").outcome == outcome
    assert wire.s3("GET", f"/no-such-bucket?{name}").outcome[1] in ("NoSuchBucket", "NotImplemented")


def test_oss_has_its_own_word_for_no_encryption(oss: oss2.Bucket) -> None:
    with pytest.raises(oss2.exceptions.NoSuchServerSideEncryptionRule):
        oss.get_bucket_encryption()


@pytest.mark.parametrize("name", ["cors", "lifecycle", "website", "logging", "policy"])
def test_settings_come_back_as_they_were_sent(wire: Wire, bucket: str, name: str) -> None:
    body = b'{"a": 1}' if name == "policy" else b"<Anything><A>1</A></Anything>"

    assert wire.s3("PUT", f"/{bucket}?{name}", body, {"Content-MD5": md5_b64(body)}).status == 200
    assert wire.s3("GET", f"/{bucket}?{name}").body == body
    assert wire.s3("DELETE", f"/{bucket}?{name}").status == 204
    assert wire.s3("GET", f"/{bucket}?{name}").body != body


@pytest.mark.parametrize("name", ["encryption", "object-lock", "replication"])
def test_settings_that_would_change_the_store_are_refused(wire: Wire, bucket: str, name: str) -> None:
    assert wire.s3("PUT", f"/{bucket}?{name}", b"<A/>", {"Content-MD5": md5_b64(b"<A/>")}).outcome == (
        501,
        "NotImplemented",
    )
    assert wire.oss("PUT", f"/{bucket}?{name}", b"<A/>").outcome == (400, "NotImplemented")


def test_some_settings_need_a_digest(wire: Wire, bucket: str) -> None:
    assert wire.s3("PUT", f"/{bucket}?cors", b"<A/>").outcome == (400, "InvalidRequest")
    assert wire.s3("PUT", f"/{bucket}?cors", b"nonsense", {"Content-MD5": md5_b64(b"nonsense")}).code == "MalformedXML"


def test_many_objects_are_deleted_at_once(s3: Any, oss: oss2.Bucket, v2: oss_v2.Client, bucket: str) -> None:
    for key in ("a", "b", "c&<", "d", "e"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")

    by_s3 = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "nothing"}]})
    by_oss = oss.batch_delete_objects(["b", "c&<"])
    by_v2 = v2.delete_multiple_objects(
        oss_v2.DeleteMultipleObjectsRequest(bucket=bucket, objects=[oss_v2.DeleteObject(key="d")])
    )

    assert [entry["Key"] for entry in by_s3["Deleted"]] == ["a", "nothing"]
    assert by_oss.deleted_keys == ["b", "c&<"]
    assert [entry.key for entry in by_v2.deleted_objects or []] == ["d"]
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["e"]


@pytest.mark.parametrize(
    ("body", "digest", "outcome"),
    [
        (b"<Delete><Object><Key>k</Key></Object></Delete>", "without", (400, "InvalidRequest")),
        (b"<Delete><Object><Key>k</Key></Object></Delete>", "with", (200, "")),
        (b"<Delete></Delete>", "with", (400, "MalformedXML")),
        (b"<Delete><Object><Key></Key></Object></Delete>", "with", (400, "MalformedXML")),
        (b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>", "with", (400, "MalformedXML")),
        (b"nonsense", "with", (400, "MalformedXML")),
    ],
)
def test_deleting_many_needs_a_digest_and_a_proper_document(
    wire: Wire, bucket: str, body: bytes, digest: str, outcome: tuple[int, str]
) -> None:
    answer = wire.s3("POST", f"/{bucket}?delete", body, {"Content-MD5": md5_b64(body)} if digest == "with" else {})

    assert answer.outcome == outcome


def test_quiet_deletion_says_nothing_but_errors(wire: Wire, bucket: str) -> None:
    body = b"<Delete><Quiet>true</Quiet><Object><Key>a</Key></Object><Object><Key>b</Key><VersionId>x</VersionId></Object></Delete>"

    answer = wire.s3("POST", f"/{bucket}?delete", body, {"Content-MD5": md5_b64(body)})

    assert (answer.texts("Deleted"), answer.text("Code"), answer.texts("Key")) == ([], "NoSuchVersion", ["b"])
