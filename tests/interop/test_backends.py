"""Promise: the proxy works in front of real S3 stores, each with its own habits, as it does in front of the embedded one."""

import hashlib
import io
import os
import random
import urllib.error
import urllib.request
from pathlib import Path
from ssl import create_default_context
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.objects_tool import ObjectsTool
from tests.support.servers import Server, s3_client

if "SSEPROXY_INTEROP" not in os.environ:
    pytest.skip("real stores run by tests/interop/run.sh alone", allow_module_level=True)

_MIB = 1024 * 1024
_SIZES = [0, 1, 65536, 65537, 5 * _MIB + 1]
_KEY = b"customer-key-0123456789-abcdefgh"
_CUSTOMER = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": _KEY}
_MARKER = b"what nobody may find in the store " * 4


def _bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def _md5(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'


def _refusal(raised: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    answer: Any = raised.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


@pytest.mark.parametrize("size", _SIZES)
def test_an_object_of_any_size_comes_back_as_it_was_sent(client: Any, bucket: str, size: int) -> None:
    body = _bytes(size)

    put = client.put_object(Bucket=bucket, Key="a/k", Body=body, ContentType="text/x-test", Metadata={"colour": "blue"})
    head = client.head_object(Bucket=bucket, Key="a/k", ChecksumMode="ENABLED")
    got = client.get_object(Bucket=bucket, Key="a/k")
    listed = client.list_objects_v2(Bucket=bucket)["Contents"]

    assert got["Body"].read() == body
    assert {answer["ServerSideEncryption"] for answer in (put, head, got)} == {"AES256"}
    assert {answer["ETag"] for answer in (put, head, got)} == {_md5(body)}
    assert head["ContentLength"] == got["ContentLength"] == size
    assert head["ChecksumCRC32"] == put["ChecksumCRC32"]
    assert (got["ContentType"], got["Metadata"]) == ("text/x-test", {"colour": "blue"})
    assert [(entry["Key"], entry["Size"], entry["ETag"]) for entry in listed] == [("a/k", size, _md5(body))]


@pytest.mark.parametrize("size", _SIZES)
def test_over_https_bodies_come_in_chunks_with_trailers(https_proxy: Server, bucket: str, size: int) -> None:
    body = _bytes(size)
    client = s3_client(https_proxy)

    put = client.put_object(Bucket=bucket, Key="k", Body=io.BytesIO(body))
    got = client.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")

    assert got["Body"].read() == body
    assert (put["ETag"], got["ETag"]) == (_md5(body), _md5(body))
    assert put["ChecksumCRC32"] == got["ChecksumCRC32"]


@pytest.mark.parametrize("size", [2000, 5 * _MIB + 1])
def test_nothing_readable_lies_in_the_store(client: Any, past: Any, bucket: str, size: int) -> None:
    body = (_MARKER * (size // len(_MARKER) + 1))[:size]
    client.put_object(Bucket=bucket, Key="k", Body=body)

    stored = past.get_object(Bucket=bucket, Key="k")

    data = stored["Body"].read()
    assert len(data) > size
    assert _MARKER[:16] not in data
    assert _MARKER[:16].decode() not in str(stored["ResponseMetadata"])


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=65535-65536", 65535, 65536),
        ("bytes=-7", 200_000 - 7, 199_999),
        ("bytes=199999-", 199_999, 199_999),
        ("bytes=1000-999999", 1000, 199_999),
    ],
)
def test_ranges_are_those_of_the_plaintext(client: Any, bucket: str, wanted: str, first: int, last: int) -> None:
    body = _bytes(200_000)
    client.put_object(Bucket=bucket, Key="k", Body=body)

    got = client.get_object(Bucket=bucket, Key="k", Range=wanted)

    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["ContentRange"] == f"bytes {first}-{last}/200000"
    assert got["Body"].read() == body[first : last + 1]


def test_a_range_beyond_the_end_is_not_satisfiable(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=b"abc")

    with pytest.raises(ClientError) as raised:
        client.get_object(Bucket=bucket, Key="k", Range="bytes=3-")

    assert _refusal(raised) == (416, "InvalidRange")


def test_the_transfer_manager_uploads_downloads_and_copies_in_parts(client: Any, bucket: str) -> None:
    body = _bytes(17 * _MIB + 17)
    back = io.BytesIO()

    client.upload_fileobj(io.BytesIO(body), bucket, "big")
    client.download_fileobj(bucket, "big", back)
    client.copy({"Bucket": bucket, "Key": "big"}, bucket, "copy")
    head = client.head_object(Bucket=bucket, Key="big")
    second = client.get_object(Bucket=bucket, Key="big", PartNumber=2)

    parts = [body[start : start + 8 * _MIB] for start in range(0, len(body), 8 * _MIB)]
    etag = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    assert back.getvalue() == body
    assert (head["ETag"], head["ContentLength"]) == (f'"{etag}-3"', len(body))
    assert (second["Body"].read(), second["PartsCount"]) == (parts[1], 3)
    assert client.get_object(Bucket=bucket, Key="copy")["Body"].read() == body
    assert {(entry["Key"], entry["Size"]) for entry in client.list_objects_v2(Bucket=bucket)["Contents"]} == {
        ("big", len(body)),
        ("copy", len(body)),
    }


def test_parts_out_of_order_and_one_sent_twice_make_the_listed_object(client: Any, bucket: str) -> None:
    bodies = {2: _bytes(5 * _MIB + 1), 3: _bytes(6 * _MIB), 9: _bytes(70_003)}
    upload = client.create_multipart_upload(Bucket=bucket, Key="k", Metadata={"a": "b"})["UploadId"]
    common = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    client.upload_part(**common, PartNumber=3, Body=_bytes(5 * _MIB))

    etags = {n: client.upload_part(**common, PartNumber=n, Body=bodies[n])["ETag"] for n in (9, 3, 2)}
    uploads = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    done = client.complete_multipart_upload(
        **common, MultipartUpload={"Parts": [{"PartNumber": n, "ETag": etags[n]} for n in sorted(bodies)]}
    )
    got = client.get_object(Bucket=bucket, Key="k")

    digests = b"".join(hashlib.md5(bodies[n]).digest() for n in sorted(bodies))
    assert [found["UploadId"] for found in uploads] == [upload]
    assert done["ETag"] == got["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'
    assert got["Body"].read() == b"".join(bodies[n] for n in sorted(bodies))
    assert got["Metadata"] == {"a": "b"}


def test_an_aborted_upload_is_gone(client: Any, bucket: str) -> None:
    upload = client.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    common = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    client.upload_part(**common, PartNumber=1, Body=b"x")

    client.abort_multipart_upload(**common)

    with pytest.raises(ClientError) as raised:
        client.upload_part(**common, PartNumber=2, Body=b"x")
    assert _refusal(raised) == (404, "NoSuchUpload")
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize("size", [10, 2 * _MIB])
def test_a_copy_keeps_bytes_metadata_and_etag(client: Any, bucket: str, size: int) -> None:
    body = _bytes(size)
    client.put_object(Bucket=bucket, Key="k", Body=body, Metadata={"colour": "blue"}, ContentType="a/b")

    copied = client.copy_object(Bucket=bucket, Key="k2", CopySource={"Bucket": bucket, "Key": "k"})
    got = client.get_object(Bucket=bucket, Key="k2")

    assert copied["CopyObjectResult"]["ETag"] == got["ETag"] == _md5(body)
    assert got["Body"].read() == body
    assert (got["Metadata"], got["ContentType"]) == ({"colour": "blue"}, "a/b")


def test_a_copy_onto_itself_replaces_the_metadata(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=b"body", Metadata={"colour": "blue"})
    source = {"Bucket": bucket, "Key": "k"}

    client.copy_object(Bucket=bucket, Key="k", CopySource=source, MetadataDirective="REPLACE", Metadata={"size": "xl"})
    got = client.get_object(Bucket=bucket, Key="k")

    assert (got["Body"].read(), got["Metadata"], got["ETag"]) == (b"body", {"size": "xl"}, _md5(b"body"))


def test_a_copy_whose_source_is_another_is_refused(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=b"body")
    source = {"Bucket": bucket, "Key": "k"}

    with pytest.raises(ClientError) as raised:
        client.copy_object(Bucket=bucket, Key="k2", CopySource=source, CopySourceIfMatch=_md5(b"other"))

    assert _refusal(raised) == (412, "PreconditionFailed")


@pytest.mark.parametrize("size", [6, 2 * _MIB])
def test_a_kms_object_shows_its_key_and_can_get_another(client: Any, bucket: str, size: int) -> None:
    body = _bytes(size)
    put = client.put_object(Bucket=bucket, Key="k", Body=body, ServerSideEncryption="aws:kms")
    head = client.head_object(Bucket=bucket, Key="k")
    client.copy_object(Bucket=bucket, Key="plainer", CopySource=f"{bucket}/k", ServerSideEncryption="AES256")
    plainer = client.get_object(Bucket=bucket, Key="plainer")

    assert put["ServerSideEncryption"] == head["ServerSideEncryption"] == "aws:kms"
    assert put["SSEKMSKeyId"] == head["SSEKMSKeyId"]
    assert put["ETag"] == head["ETag"] != _md5(body)
    assert (plainer["ServerSideEncryption"], plainer["Body"].read()) == ("AES256", body)


def test_a_customers_key_is_needed_again_for_reading(https_proxy: Server, bucket: str) -> None:
    client = s3_client(https_proxy)
    client.put_object(Bucket=bucket, Key="k", Body=_MARKER, **_CUSTOMER)

    with pytest.raises(ClientError) as raised:
        client.get_object(Bucket=bucket, Key="k")

    assert _refusal(raised) == (400, "InvalidRequest")
    assert client.get_object(Bucket=bucket, Key="k", **_CUSTOMER)["Body"].read() == _MARKER


def test_the_buckets_default_is_the_proxys(client: Any, bucket: str) -> None:
    rule = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}
    client.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rule)

    client.put_object(Bucket=bucket, Key="k", Body=b"x")

    assert client.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "aws:kms"


def test_versions_are_read_listed_and_removed_by_their_ids(client: Any, bucket: str) -> None:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    bodies = [b"first", b"and second"]
    ids = [client.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"] for body in bodies]

    marker = client.delete_object(Bucket=bucket, Key="k")
    listed = client.list_object_versions(Bucket=bucket)

    assert marker["DeleteMarker"] is True
    assert [client.get_object(Bucket=bucket, Key="k", VersionId=version)["Body"].read() for version in ids] == bodies
    assert {(entry["VersionId"], entry["Size"], entry["ETag"]) for entry in listed["Versions"]} == {
        (version, len(body), _md5(body)) for version, body in zip(ids, bodies, strict=True)
    }
    client.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == bodies[1]
    client.copy_object(Bucket=bucket, Key="k2", CopySource={"Bucket": bucket, "Key": "k", "VersionId": ids[0]})
    assert client.get_object(Bucket=bucket, Key="k2")["Body"].read() == bodies[0]


@pytest.mark.parametrize("place", ["proxy", "https_proxy"])
def test_presigned_urls_put_and_get(place: str, bucket: str, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(place)
    client = s3_client(server, signature_version="s3v4")
    tls = create_default_context(cafile=server.tls_ca) if server.tls_ca else None
    target = {"Bucket": bucket, "Key": "pre signed/ä"}
    put = client.generate_presigned_url("put_object", Params=target)
    get = client.generate_presigned_url("get_object", Params=target)

    sent = urllib.request.Request(put, data=_MARKER, method="PUT", headers={"Content-Type": "text/plain"})
    with urllib.request.urlopen(sent, context=tls, timeout=30) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(get, context=tls, timeout=30) as answer:
        assert answer.read() == _MARKER


@pytest.mark.parametrize("key", ["ä ö/ü", "a+b&c=d%25", "dots/…/x", "trailing space ", "quote'\"<>"])
def test_keys_of_all_kinds_are_themselves(client: Any, bucket: str, key: str) -> None:
    client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    client.copy_object(Bucket=bucket, Key=f"copy of {key}", CopySource={"Bucket": bucket, "Key": key})
    upload = client.create_multipart_upload(Bucket=bucket, Key=f"part of {key}")["UploadId"]
    common = {"Bucket": bucket, "Key": f"part of {key}", "UploadId": upload}
    part = client.upload_part_copy(**common, PartNumber=1, CopySource={"Bucket": bucket, "Key": key})
    etag = part["CopyPartResult"]["ETag"]
    client.complete_multipart_upload(**common, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})

    names = [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket)["Contents"]]

    assert sorted(names) == sorted([key, f"copy of {key}", f"part of {key}"])
    assert {client.get_object(Bucket=bucket, Key=name)["Body"].read() for name in names} == {key.encode()}


def test_a_listing_has_pages_prefixes_and_plaintext_sizes(client: Any, bucket: str) -> None:
    for number in range(7):
        client.put_object(Bucket=bucket, Key=f"d/{number}", Body=bytes(number))
    client.put_object(Bucket=bucket, Key="e/x/y", Body=b"1")

    pages = list(client.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 3}))
    folders = client.list_objects_v2(Bucket=bucket, Delimiter="/")["CommonPrefixes"]
    old = client.list_objects(Bucket=bucket, Prefix="d/")["Contents"]

    assert [(e["Key"], e["Size"]) for page in pages for e in page["Contents"]] == [
        *((f"d/{number}", number) for number in range(7)),
        ("e/x/y", 1),
    ]
    assert [folder["Prefix"] for folder in folders] == ["d/", "e/"]
    assert [entry["Size"] for entry in old] == list(range(7))


def test_many_objects_are_deleted_at_once(client: Any, bucket: str) -> None:
    for number in range(3):
        client.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x")

    done = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": f"k{number}"} for number in range(4)]})
    client.delete_object(Bucket=bucket, Key="k0")

    assert {entry["Key"] for entry in done["Deleted"]} == {"k0", "k1", "k2", "k3"}
    assert "Contents" not in client.list_objects_v2(Bucket=bucket)
    with pytest.raises(ClientError) as raised:
        client.get_object(Bucket=bucket, Key="k1")
    assert _refusal(raised) == (404, "NoSuchKey")


def test_tags_stay_with_their_object(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=b")

    client.copy_object(Bucket=bucket, Key="k2", CopySource={"Bucket": bucket, "Key": "k"})

    tags = [{"Key": "a", "Value": "b"}]
    assert client.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags
    assert client.get_object_tagging(Bucket=bucket, Key="k2")["TagSet"] == tags


@pytest.mark.parametrize("size", [5, 200_000])
def test_a_plain_object_is_served_as_it_is_until_it_is_migrated(
    client: Any, past: Any, backend: Server, objects: ObjectsTool, bucket: str, tmp_path: Path, size: int
) -> None:
    bucket = f"{bucket}-plain"
    body = _bytes(size)
    past.create_bucket(Bucket=bucket)
    past.put_object(Bucket=bucket, Key="k", Body=body, Metadata={"colour": "blue"}, ContentType="a/b")

    before = client.get_object(Bucket=bucket, Key="k")
    part = client.get_object(Bucket=bucket, Key="k", Range="bytes=1-3")
    assert (before["Body"].read(), part["Body"].read(), before["ETag"]) == (body, body[1:4], _md5(body))
    assert "ServerSideEncryption" not in before

    done = objects.run("migrate", "--bucket", bucket, report=tmp_path / "report")
    after = client.get_object(Bucket=bucket, Key="k")

    assert (done.code, done.outcomes) == (0, {"k": "sealed"}), done.err
    assert past.get_object(Bucket=bucket, Key="k")["Body"].read() != body
    assert (after["Body"].read(), after["ETag"], after["ServerSideEncryption"]) == (body, _md5(body), "AES256")
    assert (after["Metadata"], after["ContentType"]) == ({"colour": "blue"}, "a/b")


def test_verify_reads_everything_and_tells_of_damage(
    client: Any, past: Any, objects: ObjectsTool, bucket: str, tmp_path: Path
) -> None:
    client.put_object(Bucket=bucket, Key="damaged", Body=b"x" * 70_000)
    client.put_object(Bucket=bucket, Key="good", Body=b"y" * 70_000)
    stored = past.get_object(Bucket=bucket, Key="damaged")
    data = bytearray(stored["Body"].read())
    data[100] ^= 1
    past.put_object(Bucket=bucket, Key="damaged", Body=bytes(data), Metadata=stored["Metadata"])

    done = objects.run("verify", "--bucket", bucket, report=tmp_path / "report")

    assert done.code == 1
    assert done.outcomes["good"] == "verified"
    assert done.outcomes["damaged"] != "verified"
    with pytest.raises(ClientError) as raised:
        client.get_object(Bucket=bucket, Key="damaged")
    assert _refusal(raised) == (500, "InternalError")
