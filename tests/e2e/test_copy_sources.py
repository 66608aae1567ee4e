"""Promise: a copy whose source is missing says what of it is missing (S3 dossier §5.6, §11; OSS dossier §1.6, §3.4)."""

from collections.abc import Mapping

import oss2
import pytest

from tests.support.oss_clients import Refusal, created_bucket, oss2_refusal
from tests.support.places import STORE
from tests.support.s3_clients import boto_refusal
from tests.support.servers import Server, s3_client

_GONE = "0" * 32
_NO_KEY = (404, "NoSuchKey", "The specified key does not exist.")
_NO_VERSION = (404, "NoSuchVersion", "The specified version does not exist.")
_NO_BUCKET = "The specified bucket does not exist"
_EMPTY = (400, "InvalidArgument", "Version id cannot be the empty string")
_MARKER = "The source of a copy request may not specifically refer to a delete marker by version id."

S3_MISSING: Mapping[str, tuple[str, Refusal]] = {
    "bucket": ("no-such-bucket-at-all/k", (404, "NoSuchBucket", _NO_BUCKET)),
    "key": ("{bucket}/none", _NO_KEY),
}
OSS_MISSING: Mapping[str, tuple[str, Refusal]] = {
    "bucket": ("/no-such-bucket-at-all/k", (404, "NoSuchBucket", f"{_NO_BUCKET}.")),
    "key": ("/{bucket}/none", _NO_KEY),
    "version": (f"/{{bucket}}/k?versionId={_GONE}", _NO_VERSION),
    "empty version": ("/{bucket}/k?versionId=", _EMPTY),
}


@pytest.mark.parametrize("s3", ["dev", STORE, "on_weed"], indirect=True)
@pytest.mark.parametrize("missing", S3_MISSING)
def test_boto3_is_told_what_is_missing(s3: Server, bucket_name: str, missing: str) -> None:
    client = s3_client(s3)
    client.create_bucket(Bucket=bucket_name)
    client.put_object(Bucket=bucket_name, Key="k", Body=b"x")
    source, refusal = S3_MISSING[missing]
    copied = {"Bucket": bucket_name, "Key": "copy", "CopySource": source.format(bucket=bucket_name)}
    part = {
        **copied,
        "PartNumber": 1,
        "UploadId": client.create_multipart_upload(Bucket=bucket_name, Key="copy")["UploadId"],
    }

    assert boto_refusal(client.copy_object, **copied) == refusal
    assert boto_refusal(client.upload_part_copy, **part) == refusal
    assert [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket_name)["Contents"]] == ["k"]


@pytest.mark.parametrize("s3", ["dev", STORE], indirect=True)
def test_boto3_is_told_of_versions_that_are_missing_or_markers(s3: Server, bucket_name: str) -> None:
    client = s3_client(s3)
    client.create_bucket(Bucket=bucket_name)
    client.put_bucket_versioning(Bucket=bucket_name, VersioningConfiguration={"Status": "Enabled"})
    client.put_object(Bucket=bucket_name, Key="k", Body=b"x")
    marker = client.delete_object(Bucket=bucket_name, Key="k")["VersionId"]

    def refused(version: str) -> Refusal:
        source = f"{bucket_name}/k" + (f"?versionId={version}" if version else "")
        return boto_refusal(client.copy_object, Bucket=bucket_name, Key="copy", CopySource=source)

    assert refused(_GONE) == _NO_VERSION
    assert refused("") == _NO_KEY
    assert refused(marker) == (400, "InvalidRequest", _MARKER)


@pytest.mark.parametrize("oss", ["dev", STORE], indirect=True)
@pytest.mark.parametrize("missing", OSS_MISSING)
def test_oss2_is_told_what_is_missing(oss: Server, bucket_name: str, missing: str) -> None:
    source, refusal = OSS_MISSING[missing]
    header = {"x-oss-copy-source": source.format(bucket=bucket_name)}
    with created_bucket(oss, bucket_name) as bucket:
        bucket.put_object("k", b"x")
        part = {"partNumber": "1", "uploadId": bucket.init_multipart_upload("copy").upload_id}

        assert oss2_refusal(bucket._do, "PUT", bucket_name, "copy", headers=header) == refusal
        assert oss2_refusal(bucket._do, "PUT", bucket_name, "copy", headers=header, params=part) == refusal
        assert not bucket.object_exists("copy")


@pytest.mark.parametrize("oss", ["dev", STORE], indirect=True)
@pytest.mark.parametrize("source", ["only-a-bucket", "/only-a-bucket", "/only-a-bucket/", "//k", "/"])
def test_a_source_that_names_no_object_is_refused(oss: Server, bucket_name: str, source: str) -> None:
    no_source = "Copy Source must mention the source bucket and key: /sourcebucket/sourcekey."
    header = {"x-oss-copy-source": source}
    with created_bucket(oss, bucket_name) as bucket:
        part = {"partNumber": "1", "uploadId": bucket.init_multipart_upload("copy").upload_id}
        for params in ({}, part):
            with pytest.raises(oss2.exceptions.InvalidArgument) as refused:
                bucket._do("PUT", bucket_name, "copy", headers=header, params=params)

            error, details = refused.value, refused.value.details
            assert (error.status, error.message) == (400, no_source)
            assert (details["ArgumentName"], details["ArgumentValue"]) == ("x-oss-copy-source", source)
        assert not bucket.object_exists("copy")


@pytest.mark.parametrize("oss", ["dev", STORE], indirect=True)
def test_oss2_is_told_of_delete_markers(oss: Server, bucket_name: str) -> None:
    with created_bucket(oss, bucket_name) as bucket:
        bucket.put_bucket_versioning(oss2.models.BucketVersioningConfig("Enabled"))
        bucket.put_object("k", b"x")
        marker = bucket.delete_object("k").versionid

        assert oss2_refusal(bucket.copy_object, bucket_name, "k", "copy") == _NO_KEY
        named = {"versionId": marker}
        assert oss2_refusal(bucket.copy_object, bucket_name, "k", "copy", params=named)[:2] == (400, "InvalidRequest")
