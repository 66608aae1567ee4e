"""Promise: `x-oss-forbid-overwrite` holds for every operation that writes an object (OSS dossier §3.4, §6.1, §6.2)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest

from tests.support.oss_clients import created_bucket, oss2_refusal, v2_client, v2_refusal
from tests.support.servers import Server

_HEADER = "x-oss-forbid-overwrite"
_FORBID, _ALLOW = {_HEADER: "true"}, {_HEADER: "false"}
_EXISTS = (409, "FileAlreadyExists", "The object you specified already exists and can not be overwritten.")
_MIB = 1 << 20


def _complete(bucket: Any, key: str, headers: Mapping[str, str], *, lists: bool) -> Any:
    upload = bucket.init_multipart_upload(key).upload_id
    part = oss2.models.PartInfo(1, bucket.upload_part(key, upload, 1, b"second").etag)
    if lists:
        return bucket.complete_multipart_upload(key, upload, [part], headers=dict(headers))
    return bucket.complete_multipart_upload(key, upload, None, headers={"x-oss-complete-all": "yes", **headers})


def _initiate(bucket: Any, key: str, headers: Mapping[str, str]) -> Any:
    upload = bucket.init_multipart_upload(key, headers=dict(headers)).upload_id
    part = oss2.models.PartInfo(1, bucket.upload_part(key, upload, 1, b"second").etag)
    return bucket.complete_multipart_upload(key, upload, [part])


def _streamed(bucket: Any, key: str, headers: Mapping[str, str]) -> Any:
    return bucket.put_object(key, iter([b"second", bytes(2 * _MIB)]), headers=dict(headers))


WRITES: Mapping[str, Callable[[Any, str, Mapping[str, str]], Any]] = {
    "PutObject": lambda b, key, h: b.put_object(key, b"second", headers=dict(h)),
    "PutObject of 2 MiB": lambda b, key, h: b.put_object(key, b"second" + bytes(2 * _MIB), headers=dict(h)),
    "PutObject of unknown length": _streamed,
    "CopyObject": lambda b, key, h: b.copy_object(b.bucket_name, "source", key, headers=dict(h)),
    "InitiateMultipartUpload": _initiate,
    "CompleteMultipartUpload": lambda b, key, h: _complete(b, key, h, lists=True),
    "complete-all": lambda b, key, h: _complete(b, key, h, lists=False),
    "PutSymlink": lambda b, key, h: b.put_symlink("source", key, headers=dict(h)),
}
every_write = pytest.mark.parametrize("write", WRITES)


@pytest.fixture
def bucket(dev_or_store: Server, bucket_name: str) -> Iterator[Any]:
    with created_bucket(dev_or_store, bucket_name) as bucket:
        bucket.put_object("source", b"second")
        bucket.put_object("there", b"first")
        yield bucket


@every_write
def test_what_is_there_stays_where_overwriting_is_forbidden(bucket: Any, write: str) -> None:
    assert oss2_refusal(WRITES[write], bucket, "there", _FORBID) == _EXISTS
    assert bucket.get_object("there").read() == b"first"


@every_write
def test_what_is_not_there_is_written_although_overwriting_is_forbidden(bucket: Any, write: str) -> None:
    WRITES[write](bucket, "new", _FORBID)

    assert bucket.get_object("new").read()[:6] == b"second"


@every_write
@pytest.mark.parametrize("headers", [_ALLOW, {}], ids=["false", "absent"])
def test_what_is_there_is_overwritten_otherwise(bucket: Any, write: str, headers: dict[str, str]) -> None:
    WRITES[write](bucket, "there", headers)

    assert bucket.get_object("there").read()[:6] == b"second"


@every_write
def test_neither_true_nor_false_is_refused(bucket: Any, write: str) -> None:
    with pytest.raises(oss2.exceptions.InvalidArgument) as refused:
        WRITES[write](bucket, "new", {_HEADER: "abc"})

    details = refused.value.details
    assert (refused.value.status, details["ArgumentName"], details["ArgumentValue"]) == (400, _HEADER, "abc")
    assert not bucket.object_exists("new")


@every_write
@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
def test_where_versions_are_kept_or_were_nothing_is_forbidden(bucket: Any, write: str, status: str) -> None:
    bucket.put_bucket_versioning(oss2.models.BucketVersioningConfig("Enabled"))
    bucket.put_bucket_versioning(oss2.models.BucketVersioningConfig(status))

    WRITES[write](bucket, "there", _FORBID)

    assert bucket.get_object("there").read()[:6] == b"second"


def test_an_upload_that_began_before_the_object_is_not_completed_over_it(bucket: Any) -> None:
    upload = bucket.init_multipart_upload("late", headers=_FORBID).upload_id
    part = oss2.models.PartInfo(1, bucket.upload_part("late", upload, 1, b"second").etag)
    bucket.put_object("late", b"first")

    assert oss2_refusal(bucket.complete_multipart_upload, "late", upload, [part], headers=_FORBID) == _EXISTS
    assert bucket.get_object("late").read() == b"first"
    bucket.delete_object("late")
    bucket.complete_multipart_upload("late", upload, [part], headers=_FORBID)
    assert bucket.get_object("late").read() == b"second"


def test_appends_overwrite_nothing_and_so_are_not_forbidden(bucket: Any) -> None:
    bucket.append_object("log", 0, b"abc", headers=_FORBID)
    bucket.append_object("log", 3, b"def", headers=_FORBID)

    assert oss2_refusal(bucket.append_object, "log", 0, b"x", headers=_FORBID)[:2] == (409, "PositionNotEqualToLength")
    assert oss2_refusal(bucket.append_object, "there", 0, b"x", headers=_FORBID)[:2] == (409, "ObjectNotAppendable")
    assert [bucket.get_object(key).read() for key in ("log", "there")] == [b"abcdef", b"first"]


def test_the_v2_sdk_says_it_by_a_field_of_its_requests(dev_or_store: Server, bucket: Any) -> None:
    client, name = v2_client(dev_or_store), bucket.bucket_name
    place: dict[str, Any] = {"bucket": name, "key": "there", "forbid_overwrite": True}
    copy = oss_v2.CopyObjectRequest(source_bucket=name, source_key="source", **place)
    upload = client.initiate_multipart_upload(oss_v2.InitiateMultipartUploadRequest(bucket=name, key="there")).upload_id
    complete = oss_v2.CompleteMultipartUploadRequest(upload_id=upload, complete_all="yes", **place)
    client.upload_part(oss_v2.UploadPartRequest(bucket=name, key="there", upload_id=upload, part_number=1, body=b"x"))
    link = oss_v2.PutSymlinkRequest(symlink_target="source", **{**place, "forbid_overwrite": "true"})

    assert v2_refusal(client.put_object, oss_v2.PutObjectRequest(body=b"second", **place)) == _EXISTS
    assert v2_refusal(client.copy_object, copy) == _EXISTS
    initiate = oss_v2.InitiateMultipartUploadRequest(**place)
    assert v2_refusal(client.initiate_multipart_upload, initiate) == _EXISTS
    assert v2_refusal(client.complete_multipart_upload, complete) == _EXISTS
    assert v2_refusal(client.put_symlink, link) == _EXISTS
    assert bucket.get_object("there").read() == b"first"
