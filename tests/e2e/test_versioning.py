"""Buckets that keep versions, through the proxy and without it: a version is sealed and shown as its client knows it."""

import hashlib
import random
from collections.abc import Iterator
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest
from botocore.exceptions import ClientError

from tests.support.oss_clients import oss2_bucket, oss2_refusal, v2_client
from tests.support.servers import Server, s3_client

_MIB = 1024 * 1024
_OLD = random.Random(1).randbytes(3 * _MIB + 5)
_NEW = b"new bytes"


@pytest.fixture
def s3(dev_or_store: Server) -> Any:
    return s3_client(dev_or_store)


@pytest.fixture
def bucket(s3: Any, bucket_name: str) -> str:
    s3.create_bucket(Bucket=bucket_name)
    s3.put_bucket_versioning(Bucket=bucket_name, VersioningConfiguration={"Status": "Enabled"})
    return bucket_name


@pytest.fixture
def oss(dev_or_store: Server, bucket: str) -> Iterator[oss2.Bucket]:
    handle = oss2_bucket(dev_or_store, bucket)
    yield handle
    handle.session.session.close()


@pytest.fixture
def v2(dev_or_store: Server) -> oss_v2.Client:
    return v2_client(dev_or_store)


def _refused(call: Any, **arguments: Any) -> tuple[int, str, dict[str, str]]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    meta = caught.value.response["ResponseMetadata"]
    return meta["HTTPStatusCode"], caught.value.response["Error"]["Code"], meta["HTTPHeaders"]


def test_versions_are_listed_as_head_shows_them_and_read_in_the_clear(
    dev_or_store: Server, s3: Any, bucket: str
) -> None:
    versions = [s3.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"] for body in (_OLD, _NEW, b"")]

    listed = s3.list_object_versions(Bucket=bucket)["Versions"]

    assert [(entry["VersionId"], entry["IsLatest"], entry["Size"]) for entry in listed] == [
        (versions[2], True, 0), (versions[1], False, len(_NEW)), (versions[0], False, len(_OLD)),
    ]  # fmt: skip
    for entry, body in zip(listed, (b"", _NEW, _OLD), strict=True):
        head = s3.head_object(Bucket=bucket, Key="k", VersionId=entry["VersionId"])
        assert (head["ETag"], head["ContentLength"]) == (entry["ETag"], entry["Size"])
        assert head["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
        got = s3.get_object(Bucket=bucket, Key="k", VersionId=entry["VersionId"])
        assert (got["Body"].read(), got["VersionId"]) == (body, entry["VersionId"])
        assert ("ServerSideEncryption" in got) == dev_or_store.seals


def test_oss_versions_are_listed_as_head_shows_them(oss: oss2.Bucket, v2: oss_v2.Client, bucket: str) -> None:
    versions = [oss.put_object("k", body).versionid for body in (_OLD, _NEW)]

    listed = oss.list_object_versions().versions
    paged = v2.list_object_versions(oss_v2.ListObjectVersionsRequest(bucket=bucket)).version

    assert [(entry.versionid, entry.is_latest, entry.size) for entry in listed] == [
        (versions[1], True, len(_NEW)), (versions[0], False, len(_OLD)),
    ]  # fmt: skip
    for entry, other, body in zip(listed, paged, (_NEW, _OLD), strict=True):
        head = v2.head_object(oss_v2.HeadObjectRequest(bucket, "k", version_id=entry.versionid))
        meta = oss.get_object_meta("k", params={"versionId": entry.versionid})
        assert (head.content_length, head.etag.strip('"'), head.version_id) == (entry.size, entry.etag, entry.versionid)
        assert (meta.content_length, meta.etag, meta.versionid) == (entry.size, entry.etag, entry.versionid)
        assert (other.version_id, other.size, other.etag.strip('"')) == (entry.versionid, entry.size, entry.etag)
        got = v2.get_object(oss_v2.GetObjectRequest(bucket, "k", version_id=entry.versionid))
        assert (got.body.content, got.version_id) == (body, entry.versionid)


def test_a_range_of_an_old_version(s3: Any, oss: oss2.Bucket, bucket: str) -> None:
    old = s3.put_object(Bucket=bucket, Key="k", Body=_OLD)["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=_NEW)

    part = s3.get_object(Bucket=bucket, Key="k", VersionId=old, Range="bytes=65530-131080")

    assert part["Body"].read() == _OLD[65530:131081]
    assert part["ContentRange"] == f"bytes 65530-131080/{len(_OLD)}"
    assert oss.get_object("k", byte_range=(None, 9), params={"versionId": old}).read() == _OLD[-9:]


def test_a_deleted_object_is_told_and_comes_back(s3: Any, bucket: str) -> None:
    old = s3.put_object(Bucket=bucket, Key="k", Body=_OLD)["VersionId"]
    deleted = s3.delete_object(Bucket=bucket, Key="k")
    marker = deleted["VersionId"]

    assert deleted["DeleteMarker"] is True
    status, code, headers = _refused(s3.get_object, Bucket=bucket, Key="k")
    assert (status, code) == (404, "NoSuchKey")
    assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", marker)
    for call, codes in ((s3.get_object, "MethodNotAllowed"), (s3.head_object, "405")):
        status, code, headers = _refused(call, Bucket=bucket, Key="k", VersionId=marker)
        assert (status, code, headers["x-amz-delete-marker"], headers["allow"]) == (405, codes, "true", "DELETE")
    status, _, headers = _refused(s3.head_object, Bucket=bucket, Key="k")
    assert (status, headers["x-amz-delete-marker"]) == (404, "true")
    page = s3.list_object_versions(Bucket=bucket)
    assert [(entry["VersionId"], entry["IsLatest"]) for entry in page["DeleteMarkers"]] == [(marker, True)]
    assert [(entry["VersionId"], entry["Size"]) for entry in page["Versions"]] == [(old, len(_OLD))]

    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)

    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == _OLD


def test_oss_tells_and_undoes_a_deletion(oss: oss2.Bucket, v2: oss_v2.Client, bucket: str) -> None:
    oss.put_object("k", _OLD)
    marker = oss.delete_object("k").versionid

    with pytest.raises(oss2.exceptions.NoSuchKey) as gone:
        oss.get_object("k")
    assert gone.value.headers["x-oss-delete-marker"] == "true"
    assert oss2_refusal(lambda: oss.get_object("k", params={"versionId": marker}))[:2] == (405, "MethodNotAllowed")
    with pytest.raises(oss_v2.exceptions.OperationError) as refused:
        v2.get_object(oss_v2.GetObjectRequest(bucket, "k", version_id=marker))
    assert refused.value.unwrap().code == "MethodNotAllowed"

    undone = v2.delete_object(oss_v2.DeleteObjectRequest(bucket, "k", version_id=marker))

    assert (undone.delete_marker, undone.version_id) == (True, marker)
    assert oss.get_object("k").read() == _OLD


def test_a_version_that_never_was_is_not_found(s3: Any, oss: oss2.Bucket, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=_NEW)

    never = "0" * 32
    assert _refused(s3.get_object, Bucket=bucket, Key="k", VersionId=never)[:2] == (404, "NoSuchVersion")
    assert oss2_refusal(lambda: oss.get_object("k", params={"versionId": never}))[:2] == (404, "NoSuchVersion")
    assert _refused(s3.get_object, Bucket=bucket, Key="k", VersionId="null")[:2] == (404, "NoSuchVersion")


def test_an_old_version_is_copied_back_and_elsewhere(s3: Any, oss: oss2.Bucket, bucket: str) -> None:
    old = s3.put_object(Bucket=bucket, Key="k", Body=_OLD, Metadata={"a": "1"})["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=_NEW)
    source = {"Bucket": bucket, "Key": "k", "VersionId": old}

    back = s3.copy_object(Bucket=bucket, Key="k", CopySource=source)
    other = oss.copy_object(bucket, "k", "other", params={"versionId": old})

    assert back["CopySourceVersionId"] == old
    assert other.headers["x-oss-copy-source-version-id"] == old
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["VersionId"], got["Metadata"]) == (_OLD, back["VersionId"], {"a": "1"})
    got = s3.get_object(Bucket=bucket, Key="other")
    assert (got["Body"].read(), got["VersionId"]) == (_OLD, other.versionid)


def test_a_part_is_copied_from_an_old_version_and_completing_makes_a_version(s3: Any, bucket: str) -> None:
    body = random.Random(2).randbytes(6 * _MIB)
    old = s3.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=_NEW)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    target = {"Bucket": bucket, "Key": "k", "UploadId": upload}

    source = {"Bucket": bucket, "Key": "k", "VersionId": old}
    first = s3.upload_part_copy(**target, PartNumber=1, CopySource=source, CopySourceRange="bytes=0-5242879")
    second = s3.upload_part(**target, PartNumber=2, Body=_NEW)
    parts = [
        {"PartNumber": 1, "ETag": first["CopyPartResult"]["ETag"]},
        {"PartNumber": 2, "ETag": second["ETag"]},
    ]
    done = s3.complete_multipart_upload(**target, MultipartUpload={"Parts": parts})

    assert first["CopySourceVersionId"] == old
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["VersionId"]) == (body[:5242880] + _NEW, done["VersionId"])
    sizes = [entry["Size"] for entry in s3.list_object_versions(Bucket=bucket)["Versions"]]
    assert sizes == [5242880 + len(_NEW), len(_NEW), len(body)]
    again = s3.complete_multipart_upload(**target, MultipartUpload={"Parts": parts})
    assert (again["VersionId"], again["ETag"]) == (done["VersionId"], done["ETag"])


def test_what_was_there_before_versioning_is_the_null_version(s3: Any, bucket_name: str) -> None:
    s3.create_bucket(Bucket=bucket_name)
    s3.put_object(Bucket=bucket_name, Key="k", Body=_OLD)
    s3.put_bucket_versioning(Bucket=bucket_name, VersioningConfiguration={"Status": "Enabled"})

    new = s3.put_object(Bucket=bucket_name, Key="k", Body=_NEW)["VersionId"]

    listed = s3.list_object_versions(Bucket=bucket_name)["Versions"]
    assert [(entry["VersionId"], entry["Size"]) for entry in listed] == [(new, len(_NEW)), ("null", len(_OLD))]
    got = s3.get_object(Bucket=bucket_name, Key="k", VersionId="null")
    assert (got["Body"].read(), got["VersionId"]) == (_OLD, "null")


def test_suspended_buckets_overwrite_their_null_version(s3: Any, bucket: str) -> None:
    kept = s3.put_object(Bucket=bucket, Key="k", Body=_OLD)["VersionId"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})

    for body in (b"1", _NEW):
        assert s3.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"] == "null"

    listed = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [(entry["VersionId"], entry["Size"]) for entry in listed] == [("null", len(_NEW)), (kept, len(_OLD))]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == _NEW
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=kept)["Body"].read() == _OLD


def test_many_versions_are_deleted_in_one_request(s3: Any, oss: oss2.Bucket, bucket: str) -> None:
    first, second = (s3.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"] for body in (_OLD, _NEW))
    s3.put_object(Bucket=bucket, Key="other", Body=_NEW)

    objects = [{"Key": "k", "VersionId": second}, {"Key": "other"}]
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})["Deleted"]

    assert gone[0] == {"Key": "k", "VersionId": second}
    assert (gone[1]["Key"], gone[1]["DeleteMarker"]) == ("other", True)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == _OLD
    versions = oss2.models.BatchDeleteObjectVersionList()
    versions.append(oss2.models.BatchDeleteObjectVersion("other", gone[1]["DeleteMarkerVersionId"]))
    versions.append(oss2.models.BatchDeleteObjectVersion("k", first))
    answered = oss.delete_object_versions(versions).delete_versions
    assert [(one.key, bool(one.delete_marker)) for one in answered] == [("other", True), ("k", False)]
    assert [entry["Key"] for entry in s3.list_object_versions(Bucket=bucket)["Versions"]] == ["other"]


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_pages_of_versions_have_plaintext_sizes(s3: Any, v2: oss_v2.Client, bucket: str, size: int) -> None:
    expected = []
    for key in ("a b/ü", "c+d"):
        versions = [
            (key, s3.put_object(Bucket=bucket, Key=key, Body=bytes(length))["VersionId"], length)
            for length in (1, 70000)
        ]
        expected += reversed(versions)

    boto = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": size})
    oss = v2.list_object_versions_paginator(limit=size).iter_page(oss_v2.ListObjectVersionsRequest(bucket=bucket))

    assert [(e["Key"], e["VersionId"], e["Size"]) for page in boto for e in page.get("Versions", [])] == expected
    assert [(e.key, e.version_id, e.size) for page in oss for e in page.version or ()] == expected


def test_tags_and_acls_of_an_old_version(s3: Any, oss: oss2.Bucket, bucket: str) -> None:
    old = s3.put_object(Bucket=bucket, Key="k", Body=_OLD)["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=_NEW)
    one = {"Bucket": bucket, "Key": "k", "VersionId": old}

    s3.put_object_tagging(**one, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    oss.put_object_acl("k", oss2.OBJECT_ACL_PUBLIC_READ, params={"versionId": old})

    assert s3.get_object_tagging(**one)["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    assert oss.get_object_acl("k", params={"versionId": old}).acl == "public-read"
    assert oss.get_object_acl("k").acl == "default"
    assert s3.get_object(**one)["Body"].read() == _OLD
    attributes = s3.get_object_attributes(**one, ObjectAttributes=["ObjectSize", "ETag"])
    assert (attributes["ObjectSize"], attributes["VersionId"]) == (len(_OLD), old)


def test_appended_objects_keep_one_version_until_they_are_replaced(s3: Any, oss: oss2.Bucket, bucket: str) -> None:
    oss.append_object("a", 0, b"one ")
    oss.append_object("a", 4, b"two")
    assert [(one.versionid, one.size) for one in oss.list_object_versions().versions] == [("null", 7)]

    new = oss.put_object("a", _NEW).versionid

    with pytest.raises(oss2.exceptions.ObjectNotAppendable):
        oss.append_object("a", len(_NEW), b"x")
    listed = [(one.versionid, one.size, one.etag) for one in oss.list_object_versions().versions]
    heads = [oss.head_object("a", params={"versionId": version}) for version in (new, "null")]
    assert listed == [(new, len(_NEW), heads[0].etag), ("null", 7, heads[1].etag)]
    assert oss.get_object("a", params={"versionId": "null"}).read() == b"one two"
    oss.delete_object("a")
    with pytest.raises(oss2.exceptions.ObjectNotAppendable):
        oss.append_object("a", 0, b"x")


def test_links_have_versions(oss: oss2.Bucket) -> None:
    oss.put_object("target", _OLD)
    first = oss.put_symlink("target", "link").versionid
    oss.put_object("second", _NEW)
    second = oss.put_symlink("second", "link").versionid

    assert oss.get_object("link").read() == _NEW
    old = oss.get_object("link", params={"versionId": first})
    assert (old.read(), old.versionid) == (_OLD, first)
    assert oss.get_symlink("link").versionid == second
    assert oss.get_symlink("link", params={"versionId": first}).target_key == "target"


def test_restoring_a_standard_object_is_refused_in_each_dialect(
    s3: Any, oss: oss2.Bucket, v2: oss_v2.Client, bucket: str
) -> None:
    version = s3.put_object(Bucket=bucket, Key="k", Body=_NEW)["VersionId"]

    for named in ({}, {"VersionId": version}):
        assert _refused(s3.restore_object, Bucket=bucket, Key="k", RestoreRequest={"Days": 2}, **named)[:2] == (
            403, "InvalidObjectState",
        )  # fmt: skip
    with pytest.raises(oss2.exceptions.OperationNotSupported):
        oss.restore_object("k")
    with pytest.raises(oss_v2.exceptions.OperationError) as refused:
        v2.restore_object(oss_v2.RestoreObjectRequest(bucket, "k", version_id=version))
    assert refused.value.unwrap().code == "OperationNotSupported"


def test_an_archived_object_is_restored(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=_NEW, StorageClass="GLACIER")

    answer = s3.restore_object(Bucket=bucket, Key="k", RestoreRequest={"Days": 2})

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_encrypting_in_place_makes_a_version_with_the_same_bytes(dev: Server, bucket_name: str) -> None:
    oss = oss2_bucket(dev, bucket_name)
    oss.create_bucket()
    oss.put_bucket_versioning(oss2.models.BucketVersioningConfig("Enabled"))
    before = oss.put_object("k", _NEW, headers={"x-oss-meta-a": "1"}).versionid

    oss.update_object_meta("k", {"x-oss-server-side-encryption": "KMS", "x-oss-meta-a": "1"})

    head = oss.head_object("k")
    assert (head.headers["x-oss-server-side-encryption"], head.headers["x-oss-meta-a"]) == ("KMS", "1")
    assert head.versionid != before
    old = oss.get_object("k", params={"versionId": before})
    assert (old.read(), old.headers["x-oss-server-side-encryption"]) == (_NEW, "AES256")
    assert oss.get_object("k").read() == _NEW
    oss.session.session.close()


def test_on_oss_a_copy_onto_itself_obeys_its_directive_where_versions_are_kept(oss: oss2.Bucket, bucket: str) -> None:
    oss.put_object("k", _NEW, headers={"x-oss-meta-a": "1", "Content-Type": "text/x-a"})

    oss.copy_object(bucket, "k", "k", headers={"x-oss-meta-a": "2", "Content-Type": "text/x-b"})
    kept = oss.head_object("k")
    oss.update_object_meta("k", {"x-oss-meta-a": "3"})
    replaced = oss.head_object("k")

    assert (kept.headers["x-oss-meta-a"], kept.content_type) == ("1", "text/x-a")
    assert replaced.headers["x-oss-meta-a"] == "3"
    assert len(oss.list_object_versions().versions) == 3
    assert oss.get_object("k").read() == _NEW


def test_a_copy_that_is_sealed_anew_tells_the_version_that_it_is_of(dev: Server, bucket_name: str) -> None:
    oss = oss2_bucket(dev, bucket_name)
    oss.create_bucket()
    oss.put_bucket_versioning(oss2.models.BucketVersioningConfig("Enabled"))
    old = oss.put_object("k", _NEW).versionid
    oss.put_object("k", _OLD)

    copied = oss.copy_object(
        bucket_name, "k", "other", headers={"x-oss-server-side-encryption": "SM4"}, params={"versionId": old}
    )

    assert copied.headers["x-oss-copy-source-version-id"] == old
    assert (copied.headers["x-oss-server-side-encryption"], oss.get_object("other").read()) == ("SM4", _NEW)
    oss.session.session.close()
