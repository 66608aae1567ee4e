"""Tags, ACLs, attributes, GetObjectMeta and symlinks."""

from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest

from tests.store.wire import Wire, md5_b64


@pytest.fixture
def k(wire: Wire, bucket: str) -> str:
    wire.s3("PUT", f"/{bucket}/k", b"hello world", {"x-amz-meta-a": "1"})
    return f"/{bucket}/k"


def test_tags_change_without_touching_the_object(s3: Any, oss: oss2.Bucket, bucket: str, k: str) -> None:
    before = s3.head_object(Bucket=bucket, Key="k")

    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    assert dict(oss.get_object_tagging("k").tag_set.tagging_rule) == {"a": "1"}
    rule = oss2.models.TaggingRule()
    rule.add("b", "2")
    oss.put_object_tagging("k", oss2.models.Tagging(rule))
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "b", "Value": "2"}]
    s3.delete_object_tagging(Bucket=bucket, Key="k")

    after = s3.head_object(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    assert [after[name] for name in ("ETag", "LastModified", "Metadata")] == [
        before[name] for name in ("ETag", "LastModified", "Metadata")
    ]


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([("k", "v")] * 2, "InvalidTag"),
        ([("", "v")], "InvalidTag"),
        ([("k" * 129, "v")], "InvalidTag"),
        ([("k", "v" * 257)], "InvalidTag"),
        ([(str(number), "") for number in range(11)], "BadRequest"),
    ],
)
def test_tags_have_limits(wire: Wire, k: str, tags: list[tuple[str, str]], code: str) -> None:
    inner = "".join(f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in tags)
    body = f"<Tagging><TagSet>{inner}</TagSet></Tagging>".encode()

    assert wire.s3("PUT", f"{k}?tagging", body, {"Content-MD5": md5_b64(body)}).outcome == (400, code)


def test_object_acls_are_kept(s3: Any, oss: oss2.Bucket, bucket: str, k: str) -> None:
    assert [grant["Permission"] for grant in s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]] == ["FULL_CONTROL"]
    assert oss.get_object_acl("k").acl == "default"

    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")

    assert oss.get_object_acl("k").acl == "public-read"
    grants = s3.get_object_acl(Bucket=bucket, Key="k")
    assert [grant["Permission"] for grant in grants["Grants"]] == ["FULL_CONTROL", "READ"]
    s3.put_object_acl(
        Bucket=bucket, Key="k", AccessControlPolicy={"Owner": grants["Owner"], "Grants": grants["Grants"][:1]}
    )
    assert oss.get_object_acl("k").acl == "private"


def test_bucket_acls_are_kept(s3: Any, oss: oss2.Bucket, bucket: str) -> None:
    oss.put_bucket_acl("public-read-write")

    permissions = [grant["Permission"] for grant in s3.get_bucket_acl(Bucket=bucket)["Grants"]]
    assert permissions == ["FULL_CONTROL", "READ", "WRITE"]
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    assert oss.get_bucket_acl().acl == "private"


def test_unknown_acls_are_refused(wire: Wire, bucket: str, k: str) -> None:
    assert wire.s3("PUT", f"{k}?acl", b"", {"x-amz-acl": "mine"}).outcome == (400, "InvalidArgument")
    assert wire.s3("PUT", f"{k}?acl", b"<A/>").outcome == (400, "MalformedACLError")
    assert wire.oss("PUT", f"/{bucket}?acl", b"", {"x-oss-acl": "mine"}).outcome == (400, "InvalidArgument")


def test_an_acl_is_no_access(wire: Wire, k: str) -> None:
    wire.s3("PUT", f"{k}?acl", b"", {"x-amz-acl": "public-read"})

    assert wire.send("GET", k, {}).outcome == (403, "AccessDenied")


def test_attributes_of_an_object(s3: Any, bucket: str, k: str) -> None:
    wanted = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]

    got = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=wanted)

    assert (got["ETag"], got["ObjectSize"], got["StorageClass"]) == ("5eb63bbbe01eeed093cb22bb8f5acdc3", 11, "STANDARD")
    assert got["Checksum"] == {"ChecksumCRC64NVME": "jSnVw/bqjr4=", "ChecksumType": "FULL_OBJECT"}
    assert "ObjectParts" not in got


def test_attributes_must_be_named(wire: Wire, k: str) -> None:
    assert wire.s3("GET", f"{k}?attributes").outcome == (400, "InvalidArgument")
    headers = {"x-amz-object-attributes": "Colour"}
    assert wire.s3("GET", f"{k}?attributes", headers=headers).outcome == (400, "InvalidArgument")


def test_object_meta_is_short(oss: oss2.Bucket, k: str) -> None:
    got = oss.get_object_meta("k")

    assert (got.content_length, got.headers["x-oss-hash-crc64ecma"]) == (11, "5981764153023615706")
    assert got.etag == "5EB63BBBE01EEED093CB22BB8F5ACDC3"
    assert not [name for name in got.headers if name.lower().startswith("x-oss-meta")]


def test_a_symlink_shows_its_own_headers_over_the_bytes_of_its_target(
    oss: oss2.Bucket, v2: oss_v2.Client, bucket: str
) -> None:
    oss.put_object("tärget", b"hello world", headers={"x-oss-meta-a": "target"})

    oss.put_symlink("tärget", "link", headers={"x-oss-meta-a": "link"})

    assert oss.get_symlink("link").target_key == "tärget"
    got = oss.get_object("link")
    assert got.read() == b"hello world"
    assert (got.headers["x-oss-meta-a"], got.headers["x-oss-object-type"]) == ("link", "Symlink")
    assert v2.get_symlink(oss_v2.GetSymlinkRequest(bucket=bucket, key="link")).target == "t%C3%A4rget"


def test_symlinks_that_lead_nowhere(oss: oss2.Bucket, wire: Wire, bucket: str) -> None:
    oss.put_symlink("nothing", "link")
    oss.put_symlink("link", "twice")

    assert wire.oss("GET", f"/{bucket}/link").outcome == (404, "SymlinkTargetNotExist")
    assert wire.oss("GET", f"/{bucket}/twice").outcome == (400, "InvalidTargetType")
    oss.put_object("plain", b"")
    assert wire.oss("GET", f"/{bucket}/plain?symlink").outcome == (400, "NotSymlink")
