"""Promise: OSS's encryption headers are rejected where, and as, the service does it (OSS dossier §1.2, §1.3, §1.5)."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest

from tests.support.kms_swap import create_key, set_state
from tests.support.oss_clients import oss2_bucket, oss2_refusal, v2_client, v2_refusal
from tests.support.raw_http import signed
from tests.support.servers import Server

SSE = "x-oss-server-side-encryption"
KEY_ID = f"{SSE}-key-id"
DATA = "x-oss-server-side-data-encryption"
PART = random.Random(1).randbytes(100 * 1024)
NOT_HERE = (400, "InvalidArgument", f"{SSE} header is not supported for this operation.")


@pytest.fixture
def bucket(dev: Server, bucket_name: str) -> Any:
    bucket = oss2_bucket(dev, bucket_name)
    bucket.create_bucket()
    return bucket


@pytest.fixture
def v2(dev: Server) -> Any:
    return v2_client(dev)


Call = Callable[[Any, str, dict[str, str]], Any]
ELSEWHERE: Mapping[str, Call] = {
    "UploadPart": lambda b, upload, h: b.upload_part("u", upload, 1, b"x", headers=h),
    "UploadPartCopy": lambda b, upload, h: b.upload_part_copy(
        b.bucket_name, "k", None, "u", upload, 1, headers=h
    ),
    "CompleteMultipartUpload": lambda b, upload, h: b.complete_multipart_upload(
        "u", upload, [oss2.models.PartInfo(1, "0" * 32)], headers=h
    ),
    "AbortMultipartUpload": lambda b, upload, h: b.abort_multipart_upload("u", upload, headers=h),
    "ListParts": lambda b, upload, h: b.list_parts("u", upload, headers=h),
    "GetObject": lambda b, _, h: b.get_object("k", headers=h),
    "HeadObject": lambda b, _, h: b.head_object("k", headers=h),
    "GetObjectMeta": lambda b, _, h: b.get_object_meta("k", headers=h),
    "DeleteObject": lambda b, _, h: b.delete_object("k", headers=h),
    "DeleteMultipleObjects": lambda b, _, h: b.batch_delete_objects(["k"], headers=h),
    "ListObjects": lambda b, _, h: b.list_objects(headers=h),
    "ListObjectsV2": lambda b, _, h: b.list_objects_v2(headers=h),
    "ListMultipartUploads": lambda b, _, h: b.list_multipart_uploads(headers=h),
    "PutObjectACL": lambda b, _, h: b.put_object_acl("k", "private", headers=h),
    "GetObjectACL": lambda b, _, h: b.get_object_acl("k", headers=h),
    "PutSymlink": lambda b, _, h: b.put_symlink("k", "link", headers=h),
    "PutObjectTagging": lambda b, _, h: b.put_object_tagging(
        "k", oss2.models.Tagging(oss2.models.TaggingRule()), headers=h
    ),
    "GetObjectTagging": lambda b, _, h: b.get_object_tagging("k", headers=h),
    "RestoreObject": lambda b, _, h: b.restore_object("k", headers=h),
    "ListObjectVersions": lambda b, _, h: b.list_object_versions(headers=h),
    "DeleteObjectTagging": lambda b, _, h: b.delete_object_tagging("k", headers=h),
    "GetBucketInfo": lambda b, _, h: b._do("GET", b.bucket_name, "", params={"bucketInfo": ""}, headers=h),
    "GetBucketACL": lambda b, _, h: b._do("GET", b.bucket_name, "", params={"acl": ""}, headers=h),
    "GetBucketVersioning": lambda b, _, h: b._do("GET", b.bucket_name, "", params={"versioning": ""}, headers=h),
    "PutBucketVersioning": lambda b, _, h: b.put_bucket_versioning(
        oss2.models.BucketVersioningConfig("Suspended"), headers=h
    ),
}  # fmt: skip


@pytest.mark.parametrize("operation", ELSEWHERE)
@pytest.mark.parametrize("value", ["AES256", "KMS"])
def test_any_other_operation_rejects_the_header(bucket: Any, operation: str, value: str) -> None:
    bucket.put_object("k", b"x")
    upload = bucket.init_multipart_upload("u").upload_id

    assert oss2_refusal(ELSEWHERE[operation], bucket, upload, {SSE: value}) == NOT_HERE
    assert bucket.get_object("k").read() == b"x"


@pytest.mark.parametrize("operation", ELSEWHERE)
def test_the_misspelled_header_is_rejected_nowhere(bucket: Any, operation: str) -> None:
    bucket.put_object("k", PART)
    upload = bucket.init_multipart_upload("u").upload_id
    headers = {"X-OSS-server-side-encrpytion": "AES256", "X-oss-server-side-encrpytion-key-id": "k"}

    refused_for_another_reason = {"CompleteMultipartUpload": "InvalidPart", "RestoreObject": "OperationNotSupported"}
    if operation in refused_for_another_reason:
        code = oss2_refusal(ELSEWHERE[operation], bucket, upload, headers)[1]
        assert code == refused_for_another_reason[operation]
    else:
        ELSEWHERE[operation](bucket, upload, headers)


def test_the_v2_sdk_understands_the_rejection_too(v2: Any, bucket: Any) -> None:
    bucket.put_object("k", b"x")
    place = {"bucket": bucket.bucket_name, "key": "k", "headers": {SSE: "AES256"}}

    assert v2_refusal(v2.get_object, oss_v2.GetObjectRequest(**place)) == NOT_HERE
    assert v2_refusal(v2.head_object, oss_v2.HeadObjectRequest(**place)) == NOT_HERE
    assert v2_refusal(v2.delete_object, oss_v2.DeleteObjectRequest(**place)) == NOT_HERE


def test_the_rejection_names_header_and_value(dev: Server, bucket: Any) -> None:
    answer = signed(dev, "GET", f"/{bucket.bucket_name}/k", {SSE: "AES256"}, dialect="oss")

    assert (answer.text("ArgumentName"), answer.text("ArgumentValue")) == (SSE, "AES256")
    assert answer.headers["content-type"] == "application/xml"
    assert len(answer.headers["x-oss-request-id"]) == 24
    assert "date" in answer.headers


@pytest.mark.parametrize("name", [KEY_ID, DATA])
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_what_goes_with_the_header_is_rejected_alone_as_well(dev: Server, bucket: Any, name: str, method: str) -> None:
    answer = signed(dev, method, f"/{bucket.bucket_name}/k", {name: "SM4"}, dialect="oss")

    assert answer.error == NOT_HERE
    assert (answer.text("ArgumentName"), answer.text("ArgumentValue")) == (name, "SM4")


_UNKNOWN_ALGORITHM = (
    400,
    "InvalidEncryptionAlgorithmError",
    "The Encryption request you specified is not valid. Supported value: AES256/SM4/KMS.",
)
_UNKNOWN_DATA = (
    400,
    "InvalidDataEncryptionAlgorithmError",
    "The KMS Data Encryption request you specified is not valid. Supported value:SM4",
)
_NEEDS_KMS = (400, "InvalidArgument", f"{KEY_ID} is not applicable if the sse algorithm is not KMS")
_NO_KEY = (404, "KeyNotFound", "The specified parameter KMS keyId is not found.")
NONSENSE: Mapping[str, tuple[dict[str, str], tuple[int, str, str]]] = {
    "an unknown algorithm": ({SSE: "AES-256"}, _UNKNOWN_ALGORITHM),
    "an algorithm in the wrong case": ({SSE: "aes256"}, _UNKNOWN_ALGORITHM),
    "an empty algorithm": ({SSE: ""}, _UNKNOWN_ALGORITHM),
    "S3's word": ({SSE: "aws:kms"}, _UNKNOWN_ALGORITHM),
    "an unknown data cipher": ({SSE: "KMS", DATA: "AES256"}, _UNKNOWN_DATA),
    "an empty key id": ({SSE: "KMS", KEY_ID: ""}, (400, "InvalidArgument", "Invalid Argument")),
    "a key id with AES256": ({SSE: "AES256", KEY_ID: "k"}, _NEEDS_KMS),
    "a key id with SM4": ({SSE: "SM4", KEY_ID: "k"}, _NEEDS_KMS),
    "a key id alone": ({KEY_ID: "k"}, _NEEDS_KMS),
    "an unknown key id": ({SSE: "KMS", KEY_ID: "00000000-0000-4000-8000-000000000000"}, _NO_KEY),
}
WRITES: Mapping[str, Callable[[Any, dict[str, str]], Any]] = {
    "PutObject": lambda bucket, h: bucket.put_object("new", b"x", headers=h),
    "CopyObject": lambda bucket, h: bucket.copy_object(bucket.bucket_name, "k", "new", headers=h),
    "InitiateMultipartUpload": lambda bucket, h: bucket.init_multipart_upload("new", headers=h),
    "AppendObject": lambda bucket, h: bucket.append_object("new", 0, b"x", headers=h),
}


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("write", WRITES)
def test_nonsense_is_rejected_and_nothing_is_stored(bucket: Any, nonsense: str, write: str) -> None:
    said, refusal = NONSENSE[nonsense]
    bucket.put_object("k", b"x")

    assert oss2_refusal(WRITES[write], bucket, said) == refusal
    assert not bucket.object_exists("new")
    assert bucket.list_multipart_uploads().upload_list == []


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_the_v2_sdk_is_told_the_same(v2: Any, bucket: Any, nonsense: str) -> None:
    said, refusal = NONSENSE[nonsense]
    request = oss_v2.PutObjectRequest(bucket=bucket.bucket_name, key="new", body=b"x", headers=said)

    assert v2_refusal(v2.put_object, request) == refusal


@pytest.mark.parametrize(
    "name",
    [
        *(f"{SSE}-{part}" for part in ("customer-algorithm", "customer-key", "customer-key-md5", "context")),
        *(f"x-oss-copy-source-server-side-encryption-customer-{part}" for part in ("algorithm", "key", "key-md5")),
    ],
)
def test_what_the_service_documents_nowhere_is_refused_openly(dev: Server, bucket: Any, name: str) -> None:
    answer = signed(dev, "PUT", f"/{bucket.bucket_name}/k", {name: "AES256"}, b"x", dialect="oss")

    assert answer.error == (
        400,
        "NotImplemented",
        "A header you provided implies functionality that is not implemented.",
    )
    assert answer.text("Header") == name


@pytest.mark.parametrize(
    ("state", "refusal"),
    [
        ("Disabled", (409, "KeyDisabled", "The request was rejected because the key state is Disabled.")),
        (
            "PendingDeletion",
            (409, "KeyPendingDeletion", "The request was rejected because the key state is PendingDeletion."),
        ),
        (
            "PendingImport",
            (409, "KeyPendingImport", "The request was rejected because the key state is PendingImport."),
        ),
    ],
)
def test_a_key_that_cannot_be_used_is_refused_by_its_state(
    dev: Server, bucket: Any, v2: Any, state: str, refusal: tuple[int, str, str]
) -> None:
    key = create_key(dev.data, alias=f"alias/oss-{state}")
    set_state(dev.data, key, state)
    said = {SSE: "KMS", KEY_ID: key}

    assert oss2_refusal(bucket.put_object, "k", b"x", headers=said) == refusal
    request = oss_v2.PutObjectRequest(bucket=bucket.bucket_name, key="k", body=b"x", headers=said)
    assert v2_refusal(v2.put_object, request) == refusal
