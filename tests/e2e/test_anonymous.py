"""Promise: what anybody may do is the store's decision, and what anybody uploads is sealed like everything else."""

from typing import Any

import boto3
import pytest
import requests
from botocore import UNSIGNED
from botocore.client import Config

from tests.support.s3_clients import boto_refusal_code
from tests.support.servers import REGION, Launcher, Server, s3_client

PUBLIC = "open-to-everybody"
_SECRET = b"what the store must not read"


@pytest.fixture(scope="module")
def weed(launcher: Launcher) -> Server:
    return launcher.weed(public=PUBLIC)


@pytest.fixture(scope="module")
def proxy(launcher: Launcher, weed: Server) -> Server:
    return launcher.proxy(weed, extra='[clients]\nanonymous = "store"\n')


@pytest.fixture(scope="module")
def owner(proxy: Server) -> Any:
    client = s3_client(proxy)
    for bucket in (PUBLIC, "closed-to-others"):
        client.create_bucket(Bucket=bucket)
    return client


@pytest.fixture(scope="module")
def anybody(proxy: Server, owner: Any) -> Any:
    assert owner
    settings = Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}, retries={"max_attempts": 1})
    return boto3.client("s3", endpoint_url=proxy.url, region_name=REGION, config=settings)


def test_anybody_uploads_reads_lists_and_deletes_where_the_store_lets_them(
    owner: Any, anybody: Any, weed: Server
) -> None:
    put = anybody.put_object(Bucket=PUBLIC, Key="a/b", Body=_SECRET)

    got = anybody.get_object(Bucket=PUBLIC, Key="a/b", Range="bytes=5-13")
    (entry,) = anybody.list_objects_v2(Bucket=PUBLIC)["Contents"]
    assert (got["Body"].read(), got["ContentRange"]) == (_SECRET[5:14], f"bytes 5-13/{len(_SECRET)}")
    assert (entry["Key"], entry["Size"], entry["ETag"]) == ("a/b", len(_SECRET), put["ETag"])
    assert anybody.head_object(Bucket=PUBLIC, Key="a/b")["ServerSideEncryption"] == "AES256"
    assert _SECRET not in s3_client(weed).get_object(Bucket=PUBLIC, Key="a/b")["Body"].read()
    assert owner.get_object(Bucket=PUBLIC, Key="a/b")["Body"].read() == _SECRET
    anybody.delete_object(Bucket=PUBLIC, Key="a/b")
    assert boto_refusal_code(owner.head_object, Bucket=PUBLIC, Key="a/b")[0] == 404


def test_a_large_upload_of_anybodys_is_streamed(anybody: Any, owner: Any) -> None:
    body = bytes(range(256)) * 12_345
    anybody.put_object(Bucket=PUBLIC, Key="large", Body=body)

    assert owner.get_object(Bucket=PUBLIC, Key="large")["Body"].read() == body
    owner.delete_object(Bucket=PUBLIC, Key="large")


def test_elsewhere_the_store_refuses(owner: Any, anybody: Any) -> None:
    where = {"Bucket": "closed-to-others", "Key": "k"}
    owner.put_object(**where, Body=_SECRET)

    assert [
        boto_refusal_code(anybody.put_object, **where, Body=b"x"),
        boto_refusal_code(anybody.get_object, **where),
        boto_refusal_code(anybody.delete_object, **where),
        boto_refusal_code(anybody.list_objects_v2, Bucket="closed-to-others"),
    ] == [(403, "AccessDenied")] * 4
    assert owner.get_object(**where)["Body"].read() == _SECRET


def test_what_rests_on_the_proxys_records_is_for_named_clients(owner: Any, anybody: Any) -> None:
    where = {"Bucket": PUBLIC, "Key": "k"}
    upload = owner.create_multipart_upload(**where)["UploadId"]
    rule = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}

    assert [
        boto_refusal_code(anybody.create_multipart_upload, **where),
        boto_refusal_code(anybody.list_parts, **where, UploadId=upload),
        boto_refusal_code(anybody.upload_part, **where, UploadId=upload, PartNumber=1, Body=b"x"),
        boto_refusal_code(anybody.abort_multipart_upload, **where, UploadId=upload),
        boto_refusal_code(anybody.copy_object, **where, CopySource={"Bucket": "closed-to-others", "Key": "k"}),
        boto_refusal_code(anybody.put_bucket_encryption, Bucket=PUBLIC, ServerSideEncryptionConfiguration=rule),
        boto_refusal_code(anybody.get_object, Bucket="sseproxy-state", Key="x"),
    ] == [(403, "AccessDenied")] * 7
    owner.abort_multipart_upload(**where, UploadId=upload)


def test_a_cmk_needs_a_name(owner: Any, anybody: Any) -> None:
    owner.put_object(Bucket=PUBLIC, Key="kms", Body=_SECRET, ServerSideEncryption="aws:kms")

    assert boto_refusal_code(anybody.get_object, Bucket=PUBLIC, Key="kms") == (403, "AccessDenied")
    refused = boto_refusal_code(
        anybody.put_object, Bucket=PUBLIC, Key="mine", Body=b"x", ServerSideEncryption="aws:kms"
    )
    assert refused == (403, "AccessDenied")
    assert owner.get_object(Bucket=PUBLIC, Key="kms")["Body"].read() == _SECRET


def test_a_form_without_a_policy_is_the_stores_decision(proxy: Server, owner: Any) -> None:
    codes = [
        requests.post(f"{proxy.url}/{bucket}", data={"key": "form"}, files={"file": _SECRET}, timeout=60).status_code
        for bucket in (PUBLIC, "closed-to-others")
    ]

    assert codes == [204, 403]
    assert owner.get_object(Bucket=PUBLIC, Key="form")["Body"].read() == _SECRET
