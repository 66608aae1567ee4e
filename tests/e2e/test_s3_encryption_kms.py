"""Promise: SSE-KMS with S3's own words: keys by id, alias and ARN, contexts, bucket keys, and another key in place."""

import hashlib
import json
import random
import uuid
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.command_line import Tool
from tests.support.kms_swap import create_key, set_state
from tests.support.raw_http import signed
from tests.support.s3_clients import boto_refusal
from tests.support.servers import Launcher, Server, s3_client

_MIB = 1024 * 1024
_KMS: dict[str, Any] = {"ServerSideEncryption": "aws:kms"}
_SSE = "x-amz-server-side-encryption"


def _arn(key_id: str) -> str:
    return f"arn:aws:kms:::key/{key_id}"


@pytest.fixture
def client(dev: Server) -> Any:
    return s3_client(dev)


@pytest.fixture
def bucket(client: Any, bucket_name: str) -> str:
    client.create_bucket(Bucket=bucket_name)
    return bucket_name


@pytest.fixture(scope="module")
def key_id(dev: Server) -> str:
    """A CMK with the alias `alias/photos`."""
    return create_key(dev.data, alias="alias/photos")


def test_a_key_is_named_by_id_alias_or_arn_and_shown_by_its_arn(client: Any, bucket: str, key_id: str) -> None:
    names = [
        key_id,
        "alias/photos",
        _arn(key_id),
        f"arn:aws:kms:eu-west-1:111122223333:key/{key_id}",
        "arn:aws:kms:eu-west-1:111122223333:alias/photos",
        "arn:aws:kms:::alias/photos",
    ]

    shown = []
    for name in names:
        put = client.put_object(Bucket=bucket, Key="k", Body=b"x", **_KMS, SSEKMSKeyId=name)
        shown += [put["SSEKMSKeyId"], client.head_object(Bucket=bucket, Key="k")["SSEKMSKeyId"]]

    assert shown == [_arn(key_id)] * 12
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_the_default_key_is_made_on_first_use_by_whatever_name(client: Any, bucket: str) -> None:
    named = client.put_object(
        Bucket=bucket, Key="k", Body=b"x", **_KMS, SSEKMSKeyId="arn:aws:kms:us-east-1:1:alias/aws/s3"
    )
    unnamed = client.put_object(Bucket=bucket, Key="k", Body=b"x", **_KMS)

    assert named["SSEKMSKeyId"] == unnamed["SSEKMSKeyId"]


def test_equal_bytes_get_another_etag_each_time(client: Any, bucket: str) -> None:
    etags = {client.put_object(Bucket=bucket, Key="k", Body=b"same", **_KMS)["ETag"] for _ in range(3)}

    assert len(etags) == 3
    assert hashlib.md5(b"same").hexdigest() not in str(etags)


@pytest.mark.parametrize("name", ["fake-key-id", "alias/nobody", str(uuid.UUID(int=7)), _arn(str(uuid.UUID(int=7)))])
def test_a_key_that_does_not_exist_is_refused(client: Any, bucket: str, name: str) -> None:
    refused = boto_refusal(client.put_object, Bucket=bucket, Key="k", Body=b"x", **_KMS, SSEKMSKeyId=name)

    assert refused[:2] == (400, "KMS.NotFoundException")


def test_a_disabled_key_neither_writes_nor_reads(launcher: Launcher, bucket_name: str) -> None:
    server = launcher.proxy(launcher.store(), extra="[cache]\nunwrapped_keys = 0\n")
    client = s3_client(server)
    key_id = create_key(server.data, alias="alias/off")
    where: dict[str, Any] = {"Bucket": bucket_name, "Key": "k"}
    client.create_bucket(Bucket=bucket_name)
    client.put_object(**where, Body=b"x", **_KMS, SSEKMSKeyId=key_id)
    set_state(server.data, key_id, "Disabled")

    assert boto_refusal(client.put_object, **where, Body=b"x", **_KMS, SSEKMSKeyId=key_id)[:2] == (
        400,
        "KMS.DisabledException",
    )
    assert boto_refusal(client.get_object, **where)[:2] == (400, "KMS.DisabledException")


def test_a_context_is_bound_and_shown_to_its_writer_alone(client: Any, bucket: str) -> None:
    context = b64encode(json.dumps({"department": "10", "Stra\u00dfe": "x"}, ensure_ascii=False).encode()).decode()
    given = {**_KMS, "SSEKMSEncryptionContext": context}
    source = {"Bucket": bucket, "Key": "k"}

    put = client.put_object(**source, Body=b"x", **given)
    created = client.create_multipart_upload(Bucket=bucket, Key="m", **given)
    copied = client.copy_object(Bucket=bucket, Key="c", CopySource=source, **given)
    plain = client.copy_object(Bucket=bucket, Key="d", CopySource=source, **_KMS)
    head = client.head_object(Bucket=bucket, Key="k")

    assert [answer["SSEKMSEncryptionContext"] for answer in (put, created, copied)] == [context] * 3
    assert "SSEKMSEncryptionContext" not in plain
    assert "SSEKMSEncryptionContext" not in head
    for key in "kcd":
        assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == b"x"


def test_the_bucket_key_flag_is_told_where_it_is_true_alone(client: Any, bucket: str) -> None:
    on = client.put_object(Bucket=bucket, Key="on", Body=b"x", **_KMS, BucketKeyEnabled=True)
    off = client.put_object(Bucket=bucket, Key="off", Body=b"x", **_KMS, BucketKeyEnabled=False)

    assert on["BucketKeyEnabled"] is client.head_object(Bucket=bucket, Key="on")["BucketKeyEnabled"] is True
    assert "BucketKeyEnabled" not in off
    assert "BucketKeyEnabled" not in client.head_object(Bucket=bucket, Key="off")
    assert client.get_object(Bucket=bucket, Key="on")["Body"].read() == b"x"


def test_two_layers_are_refused_rather_than_faked(client: Any, bucket: str) -> None:
    refused = boto_refusal(client.put_object, Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms:dsse")

    assert refused == (501, "NotImplemented", "A header you provided implies functionality that is not implemented")
    assert boto_refusal(client.head_object, Bucket=bucket, Key="k")[0] == 404


def _update(client: Any, **arguments: Any) -> Any:
    encryption = {"SSEKMS": {"KMSKeyArn": arguments.pop("arn"), "BucketKeyEnabled": arguments.pop("bucket_key", False)}}
    return client.update_object_encryption(ObjectEncryption=encryption, **arguments)


@pytest.mark.parametrize("before", ["AES256", "aws:kms"])
@pytest.mark.parametrize("size", [7, 2 * _MIB])
def test_an_object_is_put_under_another_key_without_moving_its_bytes(
    client: Any, bucket: str, key_id: str, before: str, size: int
) -> None:
    body = random.Random(size).randbytes(size)
    where: dict[str, Any] = {"Bucket": bucket, "Key": "k"}
    client.put_object(
        **where, Body=body, ServerSideEncryption=before, Metadata={"a": "b"}, ContentType="text/x", Tagging="t=1"
    )
    old = client.head_object(**where, ChecksumMode="ENABLED")

    answer = _update(client, **where, arn=_arn(key_id), bucket_key=True)

    new = client.head_object(**where, ChecksumMode="ENABLED")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert (new["ServerSideEncryption"], new["SSEKMSKeyId"]) == ("aws:kms", _arn(key_id))
    assert new["BucketKeyEnabled"] is True
    for name in ("ETag", "ContentLength", "Metadata", "ContentType", "ChecksumCRC32"):
        assert new[name] == old[name]
    assert client.get_object(**where)["Body"].read() == body
    assert client.get_object_tagging(**where)["TagSet"] == [{"Key": "t", "Value": "1"}]


def test_what_cannot_be_put_under_another_key_is_refused(
    client: Any, bucket: str, key_id: str, bucket_name: str
) -> None:
    where: dict[str, Any] = {"Bucket": bucket, "Key": "k"}
    client.put_object(**where, Body=b"x", SSECustomerAlgorithm="AES256", SSECustomerKey=b"k" * 32)
    unseen = {"Bucket": bucket, "Key": "nothing"}

    assert boto_refusal(_update, client=client, **where, arn=_arn(key_id))[:2] == (400, "InvalidRequest")
    assert boto_refusal(_update, client=client, **unseen, arn=_arn(key_id))[:2] == (404, "NoSuchKey")
    client.put_object(**where, Body=b"x")
    assert boto_refusal(_update, client=client, **where, arn=key_id)[:2] == (400, "InvalidRequest")
    assert boto_refusal(_update, client=client, **where, arn="arn:aws:kms:::alias/photos")[:2] == (
        400,
        "InvalidRequest",
    )
    assert boto_refusal(_update, client=client, **where, arn=_arn(str(uuid.UUID(int=8))))[:2] == (
        400,
        "KMS.NotFoundException",
    )


@pytest.mark.parametrize(
    "document",
    [
        "<ObjectEncryption/>",
        "<ObjectEncryption><SSE-S3/></ObjectEncryption>",
        "<ObjectEncryption><SSE-KMS/></ObjectEncryption>",
        "<Other><SSE-KMS><KMSKeyArn>arn:aws:kms:::key/k</KMSKeyArn></SSE-KMS></Other>",
        "no xml",
    ],
)
def test_a_document_that_asks_for_nothing_possible_is_malformed(
    dev: Server, client: Any, bucket: str, document: str
) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    body = document.encode()
    digest = {"Content-MD5": b64encode(hashlib.md5(body).digest()).decode()}

    assert signed(dev, "PUT", f"/{bucket}/k?encryption", digest, body).error[:2] == (400, "MalformedXML")
    assert signed(dev, "PUT", f"/{bucket}/k?encryption", {}, body).error == (
        400,
        "InvalidRequest",
        "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
    )


def test_only_the_current_version_is_put_under_another_key(on_weed: Server, bucket_name: str) -> None:
    client, bucket, key_id = s3_client(on_weed), bucket_name, create_key(on_weed.data, alias="alias/versions")
    client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = client.put_object(Bucket=bucket, Key="k", Body=b"old")["VersionId"]
    new = client.put_object(Bucket=bucket, Key="k", Body=b"new")["VersionId"]

    refused = boto_refusal(_update, client=client, Bucket=bucket, Key="k", VersionId=old, arn=_arn(key_id))
    _update(client, Bucket=bucket, Key="k", VersionId=new, arn=_arn(key_id))

    assert refused[:2] == (501, "NotImplemented")
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"new"
    assert client.head_object(Bucket=bucket, Key="k")["SSEKMSKeyId"] == _arn(key_id)
    assert client.get_object(Bucket=bucket, Key="k", VersionId=old)["Body"].read() == b"old"


def test_the_aws_cli_names_a_key_and_a_context(
    dev: Server, client: Any, tool: Callable[[str, Server], Tool], bucket: str, key_id: str, tmp_path: Any
) -> None:
    aws = tool("aws", dev)
    (tmp_path / "up").write_bytes(b"from the command line")

    aws("s3", "cp", str(tmp_path / "up"), f"s3://{bucket}/k", "--sse", "aws:kms", "--sse-kms-key-id", "alias/photos")
    shown = json.loads(aws("s3api", "head-object", "--bucket", bucket, "--key", "k", "--output", "json"))

    assert (shown["ServerSideEncryption"], shown["SSEKMSKeyId"]) == ("aws:kms", _arn(key_id))
