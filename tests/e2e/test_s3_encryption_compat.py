"""Promise: where S3's authorities disagree, one setting says whose answers are given (docs/dialects.md)."""

from typing import Any

import pytest

from tests.support.kms_swap import create_key
from tests.support.s3_clients import boto_refusal_code
from tests.support.servers import Launcher, Server, s3_client

_CUSTOMER: dict[str, Any] = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}
_OTHER: dict[str, Any] = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"o" * 32}
_KMS: dict[str, Any] = {"ServerSideEncryption": "aws:kms"}


@pytest.fixture(scope="module")
def places(launcher: Launcher) -> dict[str, Server]:
    """One store and one set of keys, answered for in two ways."""
    store = launcher.store()
    common = "[encryption]\ncustomer_keys_over_http = true\n"
    aws = launcher.proxy(store, extra=common)
    return {"aws": aws, "ceph": launcher.proxy(store, aws.data, extra=common + 'compat = "ceph"\n')}


@pytest.fixture(params=["aws", "ceph"])
def compat(request: pytest.FixtureRequest) -> str:
    word: str = request.param
    return word


@pytest.fixture
def client(places: dict[str, Server], compat: str) -> Any:
    return s3_client(places[compat])


@pytest.fixture
def bucket(client: Any, bucket_name: str) -> str:
    client.create_bucket(Bucket=bucket_name)
    return bucket_name


def test_a_bucket_without_a_rule(client: Any, compat: str, bucket: str) -> None:
    if compat == "aws":
        (rule,) = client.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    else:
        refused = boto_refusal_code(client.get_bucket_encryption, Bucket=bucket)
        assert refused == (404, "ServerSideEncryptionConfigurationNotFoundError")


def test_a_wrong_customers_key(client: Any, compat: str, bucket: str) -> None:
    where: dict[str, Any] = {"Bucket": bucket, "Key": "k"}
    client.put_object(**where, Body=b"x", **_CUSTOMER)

    expected = {"aws": (403, "AccessDenied"), "ceph": (400, "InvalidRequest")}
    assert boto_refusal_code(client.get_object, **where, **_OTHER) == expected[compat]
    assert boto_refusal_code(client.head_object, **where, **_OTHER)[0] == expected[compat][0]


def test_kms_without_a_key_id(client: Any, places: dict[str, Server], compat: str, bucket: str) -> None:
    where: dict[str, Any] = {"Bucket": bucket, "Key": "k", "Body": b"x"}
    key_id = create_key(places["aws"].data, alias=f"alias/{compat}")

    named = client.put_object(**where, **_KMS, SSEKMSKeyId=key_id)

    assert named["SSEKMSKeyId"] == {"aws": f"arn:aws:kms:::key/{key_id}", "ceph": key_id}[compat]
    if compat == "aws":
        assert client.put_object(**where, **_KMS)["ServerSideEncryption"] == "aws:kms"
    else:
        assert boto_refusal_code(client.put_object, **where, **_KMS) == (400, "InvalidArgument")


def test_a_part_number_beyond_the_last(client: Any, compat: str, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=b"x")

    refused = boto_refusal_code(client.get_object, Bucket=bucket, Key="k", PartNumber=2)

    assert refused == {"aws": (416, "InvalidPartNumber"), "ceph": (400, "InvalidPart")}[compat]


def test_a_malformed_checksum(client: Any, compat: str, bucket: str) -> None:
    refused = boto_refusal_code(client.put_object, Bucket=bucket, Key="k", Body=b"x", ChecksumSHA256="bad")

    assert refused == {"aws": (400, "InvalidRequest"), "ceph": (400, "BadDigest")}[compat]


def test_a_complete_without_parts(client: Any, compat: str, bucket: str) -> None:
    upload = client.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]

    refused = boto_refusal_code(
        client.complete_multipart_upload, Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": []}
    )

    assert refused == {"aws": (400, "InvalidRequest"), "ceph": (400, "MalformedXML")}[compat]


def test_a_complete_under_a_customers_key(client: Any, compat: str, bucket: str) -> None:
    upload = client.create_multipart_upload(Bucket=bucket, Key="k", **_CUSTOMER)["UploadId"]
    of = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    part = client.upload_part(**of, PartNumber=1, Body=b"x", **_CUSTOMER)
    complete = {**of, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}}

    if compat == "ceph":
        assert boto_refusal_code(client.complete_multipart_upload, **complete) == (400, "InvalidRequest")
    done = client.complete_multipart_upload(**complete, **(_CUSTOMER if compat == "ceph" else {}))

    headers = done["ResponseMetadata"]["HTTPHeaders"]
    told = headers.get("x-amz-server-side-encryption-customer-key-md5")
    assert told == {"aws": None, "ceph": part["SSECustomerKeyMD5"]}[compat]
