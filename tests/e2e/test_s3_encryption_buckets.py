"""Promise: S3's bucket encryption with bucket keys and blocked types, and what an operator can enforce."""

import hashlib
from base64 import b64encode
from typing import Any

import pytest

from tests.support.kms_swap import create_key
from tests.support.raw_http import signed
from tests.support.s3_clients import boto_refusal
from tests.support.servers import ACCESS_KEY, Launcher, Server, s3_client

_KMS: dict[str, Any] = {"ServerSideEncryption": "aws:kms"}
_CUSTOMER: dict[str, Any] = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}


def _rule(word: str = "AES256", key_id: str | None = None, **more: Any) -> dict[str, Any]:
    default = {"SSEAlgorithm": word, **({"KMSMasterKeyID": key_id} if key_id else {})}
    return {"ServerSideEncryptionConfiguration": {"Rules": [{"ApplyServerSideEncryptionByDefault": default, **more}]}}


@pytest.fixture
def client(dev: Server) -> Any:
    return s3_client(dev)


@pytest.fixture
def bucket(client: Any, bucket_name: str) -> str:
    client.create_bucket(Bucket=bucket_name)
    return bucket_name


@pytest.fixture(scope="module")
def key_id(dev: Server) -> str:
    return create_key(dev.data, alias="alias/bucket-rules")


def _shown(client: Any, bucket: str) -> dict[str, Any]:
    answer = client.get_bucket_encryption(Bucket=bucket)
    rule: dict[str, Any]
    (rule,) = answer["ServerSideEncryptionConfiguration"]["Rules"]
    return rule


def test_a_bucket_without_a_rule_shows_the_services_default(client: Any, bucket: str) -> None:
    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}

    assert _shown(client, bucket) == default
    client.put_bucket_encryption(Bucket=bucket, **_rule("aws:kms"))
    client.delete_bucket_encryption(Bucket=bucket)
    client.delete_bucket_encryption(Bucket=bucket)
    assert _shown(client, bucket) == default


@pytest.mark.parametrize("flag", [True, False])
def test_a_rule_is_shown_as_it_was_set_and_decides_what_is_written(
    client: Any,
    bucket: str,
    key_id: str,
    flag: bool,  # noqa: FBT001  # a parameter of the table
) -> None:
    client.put_bucket_encryption(Bucket=bucket, **_rule("aws:kms", "alias/bucket-rules", BucketKeyEnabled=flag))

    put = client.put_object(Bucket=bucket, Key="k", Body=b"x")
    other = client.put_object(Bucket=bucket, Key="other", Body=b"x", **_KMS, BucketKeyEnabled=not flag)
    plain = client.put_object(Bucket=bucket, Key="plain", Body=b"x", ServerSideEncryption="AES256")
    mine = client.put_object(Bucket=bucket, Key="mine", Body=b"x", **_CUSTOMER)

    assert _shown(client, bucket) == {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/bucket-rules"},
        "BucketKeyEnabled": flag,
    }
    arn = f"arn:aws:kms:::key/{key_id}"
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"]) == ("aws:kms", arn)
    assert put.get("BucketKeyEnabled", False) is flag
    assert (other["SSEKMSKeyId"], other.get("BucketKeyEnabled", False)) == (arn, not flag)
    assert plain["ServerSideEncryption"] == "AES256"
    assert "ServerSideEncryption" not in mine
    for key in ("k", "other", "plain"):
        assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == b"x"


def test_the_rule_at_the_begin_of_an_upload_governs_all_of_it(client: Any, bucket: str, key_id: str) -> None:
    client.put_bucket_encryption(Bucket=bucket, **_rule("aws:kms", key_id))
    of = {"Bucket": bucket, "Key": "k", "UploadId": client.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]}
    client.delete_bucket_encryption(Bucket=bucket)

    part = client.upload_part(**of, PartNumber=1, Body=b"x")
    done = client.complete_multipart_upload(**of, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})

    assert part["SSEKMSKeyId"] == done["SSEKMSKeyId"] == f"arn:aws:kms:::key/{key_id}"


_BLOCKED: dict[str, Any] = {"BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]}}
_OPEN: dict[str, Any] = {"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}


def test_blocked_customers_keys_are_refused_on_writes_and_serve_reads(client: Any, bucket: str) -> None:
    where: dict[str, Any] = {"Bucket": bucket, "Key": "old"}
    client.put_object(**where, Body=b"old", **_CUSTOMER)
    client.put_bucket_encryption(Bucket=bucket, **_rule(**_BLOCKED))
    new: dict[str, Any] = {"Bucket": bucket, "Key": "new"}
    source = {"CopySource": where, "CopySourceSSECustomerAlgorithm": "AES256", "CopySourceSSECustomerKey": b"k" * 32}

    expected = (
        403,
        "AccessDenied",
        f"User: arn:aws:iam:::user/{ACCESS_KEY} is not authorized to perform: s3:PutObject on resource: "
        f'"arn:aws:s3:::{bucket}/new" because this bucket has blocked upload requests that specify Server Side '
        "Encryption with Customer provided keys (SSE-C). Please specify a different server-side encryption type",
    )
    assert boto_refusal(client.put_object, **new, Body=b"x", **_CUSTOMER) == expected
    assert boto_refusal(client.create_multipart_upload, **new, **_CUSTOMER) == expected
    assert boto_refusal(client.copy_object, **new, **source, **_CUSTOMER) == expected
    bad = {**_CUSTOMER, "SSECustomerAlgorithm": "nonsense"}
    assert boto_refusal(client.put_object, **new, Body=b"x", **bad) == expected
    client.copy_object(**new, **source)
    assert client.get_object(**where, **_CUSTOMER)["Body"].read() == b"old"
    assert client.get_object(**new)["Body"].read() == b"old"


def test_a_block_stays_until_it_is_taken_back(client: Any, bucket: str) -> None:
    where: dict[str, Any] = {"Bucket": bucket, "Key": "k", "Body": b"x"}
    client.put_bucket_encryption(Bucket=bucket, **_rule(**_BLOCKED))

    client.put_bucket_encryption(Bucket=bucket, **_rule("aws:kms"))
    after_put = _shown(client, bucket)
    client.delete_bucket_encryption(Bucket=bucket)
    after_delete = _shown(client, bucket)
    refused = boto_refusal(client.put_object, **where, **_CUSTOMER)
    client.put_bucket_encryption(Bucket=bucket, **_rule(**_OPEN))
    client.put_object(**where, **_CUSTOMER)

    assert (
        after_put["BlockedEncryptionTypes"] == after_delete["BlockedEncryptionTypes"] == {"EncryptionType": ["SSE-C"]}
    )
    assert after_delete["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert refused[:2] == (403, "AccessDenied")
    assert _shown(client, bucket)["BlockedEncryptionTypes"] == {"EncryptionType": ["NONE"]}


_XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_MALFORMED = "The XML you provided was not well-formed or did not validate against our published schema"
_APPLY = "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>{}</SSEAlgorithm></ApplyServerSideEncryptionByDefault>"


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("", (400, "MalformedXML", _MALFORMED)),
        ("<Rule/>", (400, "MalformedXML", _MALFORMED)),
        (2 * f"<Rule>{_APPLY.format('AES256')}</Rule>", (400, "MalformedXML", _MALFORMED)),
        (f"<Rule>{_APPLY.format('AES128')}</Rule>", (400, "MalformedXML", _MALFORMED)),
        (
            f"<Rule>{_APPLY.format('AES256')}<BucketKeyEnabled>x</BucketKeyEnabled></Rule>",
            (400, "MalformedXML", _MALFORMED),
        ),
        (
            f"<Rule>{_APPLY.format('AES256')}<BlockedEncryptionTypes><EncryptionType>SSE-KMS</EncryptionType>"
            "</BlockedEncryptionTypes></Rule>",
            (400, "MalformedXML", _MALFORMED),
        ),
        (
            "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>k"
            "</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule>",
            (
                400,
                "InvalidArgument",
                "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
            ),
        ),
    ],
)
def test_rules_that_say_nonsense_are_refused(
    dev: Server, bucket: str, inner: str, expected: tuple[int, str, str]
) -> None:
    body = f"<ServerSideEncryptionConfiguration {_XMLNS}>{inner}</ServerSideEncryptionConfiguration>".encode()
    digest = {"Content-MD5": b64encode(hashlib.md5(body).digest()).decode()}

    assert signed(dev, "PUT", f"/{bucket}?encryption", digest, body).error == expected


def test_a_rule_needs_a_digest_and_a_bucket(dev: Server, client: Any, bucket: str) -> None:
    body = (
        f"<ServerSideEncryptionConfiguration><Rule>{_APPLY.format('AES256')}</Rule></ServerSideEncryptionConfiguration>"
    )

    assert signed(dev, "PUT", f"/{bucket}?encryption", {}, body.encode()).error == (
        400,
        "InvalidRequest",
        "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
    )
    for call in (client.get_bucket_encryption, client.delete_bucket_encryption):
        assert boto_refusal(call, Bucket="no-such-bucket-at-all")[:2] == (404, "NoSuchBucket")
    assert boto_refusal(client.put_bucket_encryption, Bucket="no-such-bucket-at-all", **_rule())[:2] == (
        404,
        "NoSuchBucket",
    )


@pytest.fixture(scope="module")
def strict(launcher: Launcher) -> Server:
    """A proxy whose operator demands KMS everywhere, under one key, and leaves one bucket open."""
    store = launcher.store()
    plain = launcher.proxy(store)
    create_key(plain.data, alias="alias/allowed")
    create_key(plain.data, alias="alias/not-allowed")
    return launcher.proxy(
        store,
        plain.data,
        extra="""
[encryption]
allowed_algorithms = ["KMS"]
allowed_keys = ["alias/allowed", "alias/sseproxy/service"]
customer_keys_over_http = true
[encryption.buckets.open]
allowed_algorithms = ["AES256", "KMS", "CUSTOMER"]
""",
    )


def test_uploads_that_ask_for_less_than_kms_are_refused(strict: Server, bucket_name: str) -> None:
    client = s3_client(strict)
    where: dict[str, Any] = {"Bucket": bucket_name, "Key": "k"}
    client.create_bucket(Bucket=bucket_name)
    allowed = {**_KMS, "SSEKMSKeyId": "alias/allowed"}

    expected = (403, "AccessDenied", "This endpoint is configured to take objects into this bucket with KMS alone.")
    asks: list[dict[str, Any]] = [{}, {"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "AES192"}, _CUSTOMER]
    for asked in asks:
        assert boto_refusal(client.put_object, **where, Body=b"x", **asked) == expected
        assert boto_refusal(client.create_multipart_upload, **where, **asked) == expected
        assert boto_refusal(client.copy_object, **where, CopySource=where, **asked)[0] in {403, 404}
    assert boto_refusal(client.put_bucket_encryption, Bucket=bucket_name, **_rule("AES256")) == expected
    client.put_object(**where, Body=b"x", **allowed)
    client.put_bucket_encryption(Bucket=bucket_name, **_rule("aws:kms", "alias/allowed"))
    client.put_object(**where, Body=b"y")
    assert client.get_object(**where)["Body"].read() == b"y"


def test_other_keys_than_the_allowed_ones_are_refused(strict: Server, bucket_name: str) -> None:
    client = s3_client(strict)
    where: dict[str, Any] = {"Bucket": bucket_name, "Key": "k"}
    client.create_bucket(Bucket=bucket_name)

    refused = boto_refusal(client.put_object, **where, Body=b"x", **_KMS, SSEKMSKeyId="alias/not-allowed")
    unnamed = boto_refusal(client.put_object, **where, Body=b"x", **_KMS)

    assert refused[:2] == unnamed[:2] == (403, "AccessDenied")


def test_a_buckets_own_list_goes_before_the_general_one(strict: Server) -> None:
    client = s3_client(strict)
    where: dict[str, Any] = {"Bucket": "open", "Key": "k", "Body": b"x"}
    client.create_bucket(Bucket="open")

    assert client.put_object(**where)["ServerSideEncryption"] == "AES256"
    assert "SSECustomerKeyMD5" in client.put_object(**where, **_CUSTOMER)
