"""Promise: each documented error is what a client's own mistake brings, typed in both SDKs (OSS dossier §3.4)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest

from tests.support.oss_clients import created_bucket, v2_client, v2_refusal
from tests.support.servers import Server

E = oss2.exceptions
_NO_DIGEST = "1B2M2Y8AsgTpgAmY7PhCfg=="  # of nothing


@dataclass(frozen=True)
class Row:
    """A mistake, and what comes of it; `kind` is what oss2 raises."""

    call: Callable[[Any], Any]
    status: int
    code: str
    kind: type[Exception] = E.ServerError


def _complete(bucket: Any, *parts: oss2.models.PartInfo, upload: str = "") -> Any:
    return bucket.complete_multipart_upload("u", upload or bucket.init_multipart_upload("u").upload_id, list(parts))


def _small_parts(bucket: Any) -> Any:
    upload = bucket.init_multipart_upload("u").upload_id
    sent = [oss2.models.PartInfo(number, bucket.upload_part("u", upload, number, b"x").etag) for number in (1, 2)]
    return _complete(bucket, *sent, upload=upload)


def _tags(bucket: Any) -> Any:
    rule = oss2.models.TaggingRule()
    for number in range(11):
        rule.tagging_rule[str(number)] = "v"
    return bucket.put_object_tagging("k", oss2.models.Tagging(rule))


def _nowhere(method: str, key: str, query: dict[str, str], body: bytes) -> Callable[[Any], Any]:
    return lambda bucket: bucket._do(method, "no-such-bucket-at-all", key, params=query, data=body)


def _named(name: str) -> Callable[[Any], Any]:
    return lambda bucket: bucket._do("PUT", unquote(name), "")


ROWS: Mapping[str, Row] = {
    "a part of another upload": Row(
        lambda b: _complete(b, oss2.models.PartInfo(1, "0" * 32)), 400, "InvalidPart"
    ),
    "an upload that is not there": Row(
        lambda b: _complete(b, oss2.models.PartInfo(1, "0" * 32), upload="0" * 32), 404, "NoSuchUpload", E.NoSuchUpload
    ),
    "parts that are too small": Row(_small_parts, 400, "EntityTooSmall"),
    "a key that begins with a slash": Row(lambda b: b.put_object("/k", b"x"), 400, "InvalidObjectName", E.InvalidObjectName),
    "a key that begins with a backslash": Row(lambda b: b.put_object("\\k", b"x"), 400, "InvalidObjectName", E.InvalidObjectName),
    "a key that is too long": Row(lambda b: b.put_object("k" * 1024, b"x"), 400, "InvalidObjectName", E.InvalidObjectName),
    "another digest": Row(
        lambda b: b.put_object("n", b"x", headers={"Content-MD5": _NO_DIGEST}), 400, "InvalidDigest", E.InvalidDigest
    ),
    "a digest that is none": Row(
        lambda b: b.put_object("n", b"x", headers={"Content-MD5": "x"}), 400, "InvalidDigest", E.InvalidDigest
    ),
    "another CRC": Row(
        lambda b: b.put_object("n", b"x", headers={"x-oss-hash-crc64ecma": "1"}), 400, "InvalidCRC64"
    ),
    "a storage class that is none": Row(
        lambda b: b.put_object("n", b"x", headers={"x-oss-storage-class": "Cold"}), 400, "InvalidStorageClass"
    ),
    "an ACL that is none": Row(
        lambda b: b.put_object("n", b"x", headers={"x-oss-object-acl": "open"}),
        400, "InvalidArgument", E.InvalidArgument,
    ),
    "a source without a key": Row(
        lambda b: b._do("PUT", b.bucket_name, "n", headers={"x-oss-copy-source": "/only-a-bucket"}),
        400, "InvalidArgument", E.InvalidArgument,
    ),
    "a source that is not there": Row(
        lambda b: b.copy_object(b.bucket_name, "nothing", "n"), 404, "NoSuchKey", E.NoSuchKey
    ),
    "a version that cannot be": Row(
        lambda b: b.get_object("k", params={"versionId": "x"}), 400, "InvalidArgument", E.InvalidArgument
    ),
    "a version that is not there": Row(
        lambda b: b.get_object("k", params={"versionId": "0" * 32}), 404, "NoSuchVersion"
    ),
    "a bucket that is not empty": Row(lambda b: b.delete_bucket(), 409, "BucketNotEmpty", E.BucketNotEmpty),
    "a position that is wrong": Row(
        lambda b: b.append_object("a", 5, b"x"), 409, "PositionNotEqualToLength", E.PositionNotEqualToLength
    ),
    "appending to what was put": Row(
        lambda b: b.append_object("k", 1, b"x"), 409, "ObjectNotAppendable", E.ObjectNotAppendable
    ),
    "overwriting what must not be": Row(
        lambda b: b.put_object("k", b"y", headers={"x-oss-forbid-overwrite": "true"}), 409, "FileAlreadyExists"
    ),
    "a condition that fails": Row(
        lambda b: b.get_object("k", headers={"If-Match": '"x"'}), 412, "PreconditionFailed", E.PreconditionFailed
    ),
    "a range behind the end": Row(
        lambda b: b.get_object("k", byte_range=(9, 10), headers={"x-oss-range-behavior": "standard"}),
        416, "InvalidRange",
    ),
    "a document that is none": Row(
        lambda b: b._do("PUT", b.bucket_name, "k", params={"tagging": ""}, data=b"<Tagging>"), 400, "MalformedXML", E.MalformedXml
    ),
    "conditions on a write": Row(
        lambda b: b.put_object("n", b"x", headers={"If-Modified-Since": "Tue, 09 Apr 2019 03:45:32 GMT"}),
        400, "NotImplemented", E.NotImplemented,
    ),
    "a link that is none": Row(lambda b: b.get_symlink("k"), 400, "NotSymlink"),
    "more tags than there may be": Row(_tags, 400, "BadRequest"),
    "a method that is none": Row(lambda b: b._do("PATCH", b.bucket_name, "k"), 405, "MethodNotAllowed"),
    "a method that is none on a sub-resource": Row(
        lambda b: b._do("PUT", b.bucket_name, "k", params={"uploads": ""}), 405, "MethodNotAllowed"
    ),
    "a key that is not there": Row(lambda b: b.get_object("none"), 404, "NoSuchKey", E.NoSuchKey),
    "a key that is not there, HEAD": Row(lambda b: b.head_object("none"), 404, "NoSuchKey", E.NoSuchKey),
    "a key that is not there, meta": Row(lambda b: b.get_object_meta("none"), 404, "NoSuchKey", E.NoSuchKey),
    "a link to nowhere": Row(
        lambda b: (b.put_symlink("none", "l"), b.get_object("l")), 404, "SymlinkTargetNotExist"
    ),
    "a link to a link": Row(
        lambda b: (b.put_symlink("k", "l"), b.put_symlink("l", "m"), b.get_object("m")), 400, "InvalidTargetType"
    ),
    "a rule that is not there": Row(
        lambda b: b.get_bucket_encryption(), 404, "NoSuchServerSideEncryptionRule", E.NoSuchServerSideEncryptionRule
    ),
    **{
        f"a bucket that is not there, {method} {'&'.join(query) or 'object'}": Row(
            _nowhere(method, key, query, body), 404, "NoSuchBucket", E.NoSuchBucket
        )
        for method, key, query, body in (
            ("GET", "k", {}, b""), ("HEAD", "k", {}, b""), ("PUT", "k", {}, b"x"), ("DELETE", "k", {}, b""),
            ("GET", "", {}, b""), ("GET", "", {"bucketInfo": ""}, b""), ("GET", "", {"encryption": ""}, b""),
            ("DELETE", "", {}, b""), ("GET", "k", {"acl": ""}, b""), ("GET", "k", {"tagging": ""}, b""),
            ("POST", "k", {"uploads": ""}, b""), ("POST", "k", {"append": "", "position": "0"}, b"x"),
            ("HEAD", "k", {"objectMeta": ""}, b""), ("GET", "", {"uploads": ""}, b""),
        )
    },
    **{
        f"a bucket's name that cannot be, {name[:5]}": Row(
            _named(name), 400, "InvalidBucketName", E.ServerError
        )
        for name in ("ab", "a" * 64, "-abc", "abc-", "a.bc", "a_bc", "Abc", "b%C3%BCcket")
    },
}  # fmt: skip
MESSAGES: Mapping[str, str] = {
    "EntityTooSmall": "Your proposed upload smaller than the minimum allowed size.",
    "FileAlreadyExists": "The object you specified already exists and can not be overwritten.",
    "InvalidBucketName": "The specified bucket is not valid.",
    "InvalidCRC64": "The x-oss-hash-crc64ecma you specified does not match what we calculated.",
    "InvalidDigest": "The Content-MD5 you specified was invalid.",
    "InvalidObjectName": "The specified object is not valid.",
    "InvalidPart": "One or more of the specified parts could not be found or the specified entity tag might not have "
    "matched the part's entity tag.",
    "InvalidPartOrder": "The list of parts was not in ascending order.",
    "InvalidRange": "The requested range cannot be satisfied",
    "InvalidTargetType": "The symbolic's target file type is invalid.",
    "MalformedXML": "The XML you provided was not well-formed or did not validate against our published schema.",
    "MethodNotAllowed": "The specified method is not allowed against this resource.",
    "NoSuchBucket": "The specified bucket does not exist.",
    "NoSuchKey": "The specified key does not exist.",
    "NoSuchUpload": "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
    "aborted or completed.",
    "NoSuchVersion": "The specified version does not exist.",
    "NotImplemented": "A header you provided implies functionality that is not implemented.",
    "ObjectNotAppendable": "The object is not appendable.",
    "PositionNotEqualToLength": "Position is not equal to file length",
    "PreconditionFailed": "At least one of the pre-conditions you specified did not hold.",
    "SymlinkTargetNotExist": "The symlink target object does not exist.",
}
"""As the catalogue has them; of other codes the words are not documented."""
ELEMENTS: Mapping[str, set[str]] = {
    "InvalidArgument": {"ArgumentName", "ArgumentValue"},
    "InvalidBucketName": {"BucketName"},
    "MethodNotAllowed": {"Method", "ResourceType"},
    "NoSuchBucket": {"BucketName"},
    "NoSuchKey": {"Key"},
    "NoSuchUpload": {"UploadId"},
    "NotImplemented": {"Header"},
}


@pytest.fixture
def bucket(dev_or_store: Server, bucket_name: str) -> Iterator[Any]:
    with created_bucket(dev_or_store, bucket_name) as bucket:
        bucket.put_object("k", b"x")
        yield bucket


@pytest.mark.parametrize("mistake", ROWS)
def test_oss2_raises_the_documented_error(dev_or_store: Server, bucket: Any, mistake: str) -> None:
    row = ROWS[mistake]

    with pytest.raises(E.ServerError) as raised:
        row.call(bucket)

    assert (raised.value.status, raised.value.code, type(raised.value)) == (row.status, row.code, row.kind)
    assert len(raised.value.request_id) == 24
    assert raised.value.message == MESSAGES.get(row.code, raised.value.message) != ""
    assert ELEMENTS.get(row.code, set()) <= set(raised.value.details)
    assert {"Code", "Message", "RequestId", "HostId"} <= set(raised.value.details)
    if dev_or_store.seals:
        assert ("Allow" in raised.value.headers) == (row.code == "MethodNotAllowed")
    assert bucket.get_object("k").read() == b"x"
    assert not bucket.object_exists("n")


def test_the_v2_sdk_raises_the_documented_errors(dev_or_store: Server, bucket: Any) -> None:
    client, name = v2_client(dev_or_store), bucket.bucket_name
    upload = bucket.init_multipart_upload("u").upload_id
    etags = [bucket.upload_part("u", upload, number, b"x").etag for number in (1, 2)]
    parts = [oss_v2.UploadPart(part_number=number, etag=etag) for number, etag in enumerate(etags, 1)]

    def completed(*chosen: oss_v2.UploadPart, upload_id: str = upload) -> tuple[int, str]:
        wanted = oss_v2.CompleteMultipartUpload(parts=list(chosen))
        request = oss_v2.CompleteMultipartUploadRequest(
            bucket=name, key="u", upload_id=upload_id, complete_multipart_upload=wanted
        )
        return v2_refusal(client.complete_multipart_upload, request)[:2]

    assert completed(parts[1], parts[0]) == (400, "InvalidPartOrder")
    assert completed(*parts) == (400, "EntityTooSmall")
    assert completed(parts[0], upload_id="0" * 32) == (404, "NoSuchUpload")
    get = oss_v2.GetObjectRequest(bucket=name, key="k", version_id="0" * 32)
    assert v2_refusal(client.get_object, get)[:2] == (404, "NoSuchVersion")
    append = oss_v2.AppendObjectRequest(bucket=name, key="k", position=1, body=b"x")
    assert v2_refusal(client.append_object, append)[:2] == (409, "ObjectNotAppendable")
    put = oss_v2.PutObjectRequest(bucket=name, key="k", body=b"y", forbid_overwrite=True)
    assert v2_refusal(client.put_object, put)[:2] == (409, "FileAlreadyExists")
    remove = oss_v2.DeleteBucketRequest(bucket=name)
    assert v2_refusal(client.delete_bucket, remove)[:2] == (409, "BucketNotEmpty")
    status = oss_v2.VersioningConfiguration(status="Off")
    versioning = oss_v2.PutBucketVersioningRequest(bucket=name, versioning_configuration=status)
    assert v2_refusal(client.put_bucket_versioning, versioning)[:2] == (400, "MalformedXML")
