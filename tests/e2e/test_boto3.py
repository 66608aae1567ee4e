"""Promise: boto3 works unmodified, with its default checksums and its own multipart, over http and https."""

import hashlib
import io
import random
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.support.servers import Server, s3_client

_MIB = 1024 * 1024
_SIZES = [0, 1, 65535, 65536, 65537, _MIB - 1, _MIB, _MIB + 1, 5 * _MIB + 1]
_ODD = [5 * _MIB + 1, 6 * _MIB + 65535, 7 * _MIB + 13, 5 * _MIB, 9 * _MIB + 4097, 3 * _MIB + 5]


@pytest.fixture
def client(s3: Server) -> Any:
    return s3_client(s3)


@pytest.fixture
def bucket(client: Any, bucket_name: str) -> str:
    client.create_bucket(Bucket=bucket_name)
    return bucket_name


@pytest.mark.parametrize("size", _SIZES)
def test_an_object_of_any_size_comes_back_as_it_was_sent(client: Any, bucket: str, size: int) -> None:
    body = random.Random(size).randbytes(size)

    put = client.put_object(Bucket=bucket, Key=f"size/{size}", Body=io.BytesIO(body), ContentType="text/x-test")
    head = client.head_object(Bucket=bucket, Key=f"size/{size}", ChecksumMode="ENABLED")
    got = client.get_object(Bucket=bucket, Key=f"size/{size}")
    listed = client.list_objects_v2(Bucket=bucket, Prefix=f"size/{size}")["Contents"]

    md5 = f'"{hashlib.md5(body).hexdigest()}"'
    assert got["Body"].read() == body
    assert put["ServerSideEncryption"] == head["ServerSideEncryption"] == got["ServerSideEncryption"] == "AES256"
    assert put["ETag"] == head["ETag"] == got["ETag"] == md5
    assert head["ContentLength"] == got["ContentLength"] == size
    assert head["ChecksumCRC32"] == put["ChecksumCRC32"] == got["ChecksumCRC32"]
    assert got["ContentType"] == "text/x-test"
    assert [(entry["Key"], entry["Size"], entry["ETag"]) for entry in listed] == [(f"size/{size}", size, md5)]


def test_a_kms_object_shows_its_key_and_an_etag_that_is_no_md5(client: Any, bucket: str) -> None:
    put = client.put_object(Bucket=bucket, Key="k", Body=b"secret", ServerSideEncryption="aws:kms")
    head = client.head_object(Bucket=bucket, Key="k")
    listed = client.list_objects_v2(Bucket=bucket)["Contents"][0]

    assert put["ServerSideEncryption"] == head["ServerSideEncryption"] == "aws:kms"
    assert put["SSEKMSKeyId"] == head["SSEKMSKeyId"]
    assert put["ETag"] == head["ETag"] == listed["ETag"]
    assert put["ETag"].endswith('-0"')
    assert listed["Size"] == 6


def test_metadata_and_standard_headers_come_back_and_the_envelope_stays_hidden(client: Any, bucket: str) -> None:
    client.put_object(
        Bucket=bucket, Key="meta", Body=b"x", Metadata={"colour": "blue"}, CacheControl="max-age=5",
        ContentDisposition="attachment", ContentEncoding="gzip", ContentLanguage="de",
    )  # fmt: skip

    head = client.head_object(Bucket=bucket, Key="meta")

    assert head["Metadata"] == {"colour": "blue"}
    assert head["CacheControl"] == "max-age=5"
    assert head["ContentDisposition"] == "attachment"
    assert head["ContentEncoding"] == "gzip"
    assert head["ContentLanguage"] == "de"


def test_the_transfer_manager_uploads_in_parts_and_downloads_in_ranges(client: Any, bucket: str) -> None:
    body = random.Random(1).randbytes(19 * _MIB + 17)
    config = TransferConfig(multipart_threshold=8 * _MIB, multipart_chunksize=8 * _MIB)
    back = io.BytesIO()

    client.upload_fileobj(io.BytesIO(body), bucket, "big", Config=config)
    client.download_fileobj(bucket, "big", back, Config=config)
    head = client.head_object(Bucket=bucket, Key="big")
    part = client.get_object(Bucket=bucket, Key="big", PartNumber=2)

    parts = [body[start : start + 8 * _MIB] for start in range(0, len(body), 8 * _MIB)]
    etag = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    assert back.getvalue() == body
    assert head["ETag"] == f'"{etag}-3"'
    assert head["ContentLength"] == len(body)
    assert part["Body"].read() == parts[1]
    assert part["PartsCount"] == 3


def test_odd_parts_out_of_order_and_one_sent_twice_make_the_listed_object(
    client: Any, bucket: str, request: pytest.FixtureRequest
) -> None:
    rng = random.Random(40)
    bodies = {number: rng.randbytes(size) for number, size in zip([1, 2, 4, 7, 8, 11], _ODD, strict=True)}
    upload = client.create_multipart_upload(Bucket=bucket, Key="odd", Metadata={"a": "b"})["UploadId"]
    common = {"Bucket": bucket, "Key": "odd", "UploadId": upload}
    first = client.upload_part(**common, PartNumber=4, Body=rng.randbytes(6 * _MIB))  # another body for part 4 first

    etags = {}
    for number in (11, 4, 1, 8, 2, 7):
        etags[number] = client.upload_part(**common, PartNumber=number, Body=bodies[number])["ETag"]
    shown = client.list_parts(**common)["Parts"]
    client.complete_multipart_upload(
        **common,
        MultipartUpload={"Parts": [{"PartNumber": number, "ETag": etags[number]} for number in sorted(bodies)]},
    )
    got = client.get_object(Bucket=bucket, Key="odd")

    expected = [(number, len(bodies[number]), etags[number]) for number in sorted(bodies)]
    listed = [(part["PartNumber"], part["Size"], part["ETag"]) for part in shown]
    if "weed" in request.node.name and listed[2] == (4, 6 * _MIB, first["ETag"]):
        # SeaweedFS keeps both attempts and lists them unordered, with times of whole seconds: which of two within a
        # second came later, nobody can tell. The object is made of the one that Complete lists, here as anywhere.
        listed[2] = expected[2]
    assert listed == expected
    assert got["Body"].read() == b"".join(bodies[number] for number in sorted(bodies))
    assert got["Metadata"] == {"a": "b"}
    assert client.list_objects_v2(Bucket=bucket)["Contents"][0]["Size"] == sum(map(len, bodies.values()))


def test_a_part_that_was_not_listed_is_not_in_the_object(client: Any, bucket: str) -> None:
    upload = client.create_multipart_upload(Bucket=bucket, Key="subset")["UploadId"]
    common = {"Bucket": bucket, "Key": "subset", "UploadId": upload}
    etags = {
        number: client.upload_part(**common, PartNumber=number, Body=bytes([number]) * (5 * _MIB))["ETag"]
        for number in (1, 2, 3)
    }

    client.complete_multipart_upload(
        **common, MultipartUpload={"Parts": [{"PartNumber": number, "ETag": etags[number]} for number in (1, 3)]}
    )

    assert client.get_object(Bucket=bucket, Key="subset")["Body"].read() == b"\1" * (5 * _MIB) + b"\3" * (5 * _MIB)


def test_ranges_are_those_of_the_plaintext(client: Any, bucket: str) -> None:
    body = random.Random(3).randbytes(3 * 65536 + 100)
    client.put_object(Bucket=bucket, Key="r", Body=body)

    def read(value: str) -> tuple[bytes, str]:
        got = client.get_object(Bucket=bucket, Key="r", Range=value)
        return got["Body"].read(), got["ContentRange"]

    assert read("bytes=0-0") == (body[:1], f"bytes 0-0/{len(body)}")
    assert read("bytes=65535-65536") == (body[65535:65537], f"bytes 65535-65536/{len(body)}")
    assert read("bytes=-10") == (body[-10:], f"bytes {len(body) - 10}-{len(body) - 1}/{len(body)}")
    assert read("bytes=196608-999999") == (body[196608:], f"bytes 196608-{len(body) - 1}/{len(body)}")
    with pytest.raises(ClientError) as refused:
        client.get_object(Bucket=bucket, Key="r", Range=f"bytes={len(body)}-")
    assert refused.value.response["Error"]["Code"] == "InvalidRange"
    assert refused.value.response["Error"]["ActualObjectSize"] == str(len(body))


def test_a_sealed_object_is_copied_and_keeps_bytes_etag_and_metadata(client: Any, bucket: str) -> None:
    body = random.Random(4).randbytes(2 * _MIB)
    put = client.put_object(Bucket=bucket, Key="from", Body=body, Metadata={"k": "v"}, ContentType="image/x")

    copied = client.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from"})
    got = client.get_object(Bucket=bucket, Key="to")

    assert got["Body"].read() == body
    assert copied["CopyObjectResult"]["ETag"] == got["ETag"] == put["ETag"]
    assert got["Metadata"] == {"k": "v"}
    assert got["ContentType"] == "image/x"
    assert got["ServerSideEncryption"] == "AES256"


def test_an_upload_can_take_parts_from_another_object(client: Any, bucket: str) -> None:
    body = random.Random(5).randbytes(11 * _MIB)
    client.put_object(Bucket=bucket, Key="source", Body=body)
    upload = client.create_multipart_upload(Bucket=bucket, Key="assembled")["UploadId"]
    common = {"Bucket": bucket, "Key": "assembled", "UploadId": upload}
    source = {"Bucket": bucket, "Key": "source"}

    first = client.upload_part_copy(
        **common, PartNumber=1, CopySource=source, CopySourceRange=f"bytes=3-{3 + 6 * _MIB - 1}"
    )
    second = client.upload_part_copy(**common, PartNumber=2, CopySource=source, CopySourceRange="bytes=0-99")
    client.complete_multipart_upload(
        **common,
        MultipartUpload={
            "Parts": [
                {"PartNumber": number, "ETag": part["CopyPartResult"]["ETag"]}
                for number, part in enumerate([first, second], 1)
            ]
        },
    )

    assert client.get_object(Bucket=bucket, Key="assembled")["Body"].read() == body[3 : 3 + 6 * _MIB] + body[:100]


def test_conditions_are_decided_on_the_clients_etag(client: Any, bucket: str) -> None:
    etag = client.put_object(Bucket=bucket, Key="c", Body=b"conditional")["ETag"]

    assert client.get_object(Bucket=bucket, Key="c", IfMatch=etag)["Body"].read() == b"conditional"
    with pytest.raises(ClientError) as not_modified:
        client.get_object(Bucket=bucket, Key="c", IfNoneMatch=etag)
    with pytest.raises(ClientError) as failed:
        client.get_object(Bucket=bucket, Key="c", IfMatch='"00000000000000000000000000000000"')
    assert not_modified.value.response["ResponseMetadata"]["HTTPStatusCode"] == 304
    assert failed.value.response["Error"]["Code"] == "PreconditionFailed"


def test_objects_are_deleted_one_by_one_and_in_batches(client: Any, bucket: str) -> None:
    for name in "abc":
        client.put_object(Bucket=bucket, Key=name, Body=b"x")

    client.delete_object(Bucket=bucket, Key="a")
    client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b"}, {"Key": "c"}]})

    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_an_aborted_upload_is_gone(client: Any, bucket: str) -> None:
    upload = client.create_multipart_upload(Bucket=bucket, Key="aborted")["UploadId"]
    client.upload_part(Bucket=bucket, Key="aborted", UploadId=upload, PartNumber=1, Body=b"tiny")

    client.abort_multipart_upload(Bucket=bucket, Key="aborted", UploadId=upload)

    with pytest.raises(ClientError) as gone:
        client.upload_part(Bucket=bucket, Key="aborted", UploadId=upload, PartNumber=2, Body=b"late")
    assert gone.value.response["Error"]["Code"] == "NoSuchUpload"
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


def test_the_state_bucket_is_hidden_and_forbidden(client: Any, bucket: str) -> None:
    names = [entry["Name"] for entry in client.list_buckets()["Buckets"]]

    with pytest.raises(ClientError) as listing:
        client.list_objects_v2(Bucket="sseproxy-state")
    with pytest.raises(ClientError) as copying:
        client.copy_object(Bucket=bucket, Key="x", CopySource={"Bucket": "sseproxy-state", "Key": "state-key"})

    assert bucket in names
    assert "sseproxy-state" not in names
    assert listing.value.response["Error"]["Code"] == "AccessDenied"
    assert copying.value.response["Error"]["Code"] == "AccessDenied"
