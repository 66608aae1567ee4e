"""Promise: boto3 works unmodified, with its default checksums and its own multipart, over http and https.

The same tests run directly against the embedded store, where they are not about what only a proxy does: a store
that differed from the service could hide the proxy's mistakes.
"""

import hashlib
import io
import random
import urllib.request
from datetime import UTC, datetime, timedelta
from ssl import create_default_context
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.places import sealed_s3
from tests.support.servers import Server, s3_client

_MIB = 1024 * 1024
_SIZES = [0, 1, 65535, 65536, 65537, _MIB - 1, _MIB, _MIB + 1, 5 * _MIB + 1]
_ODD = [5 * _MIB + 1, 6 * _MIB + 65535, 7 * _MIB + 13, 5 * _MIB, 9 * _MIB + 4097, 8 * _MIB + 5]  # 40 MiB and a bit
_THREE = [5 * _MIB + 1, 5 * _MIB + 65535, 200_003]
_NO_ETAG = '"00000000000000000000000000000000"'


@pytest.fixture
def client(s3: Server) -> Any:
    return s3_client(s3)


@pytest.fixture
def bucket(client: Any, bucket_name: str) -> str:
    client.create_bucket(Bucket=bucket_name)
    return bucket_name


@pytest.mark.parametrize("size", _SIZES)
def test_an_object_of_any_size_comes_back_as_it_was_sent(s3: Server, client: Any, bucket: str, size: int) -> None:
    body = random.Random(size).randbytes(size)

    put = client.put_object(Bucket=bucket, Key=f"size/{size}", Body=io.BytesIO(body), ContentType="text/x-test")
    head = client.head_object(Bucket=bucket, Key=f"size/{size}", ChecksumMode="ENABLED")
    got = client.get_object(Bucket=bucket, Key=f"size/{size}")
    listed = client.list_objects_v2(Bucket=bucket, Prefix=f"size/{size}")["Contents"]

    md5 = f'"{hashlib.md5(body).hexdigest()}"'
    assert got["Body"].read() == body
    assert {answer.get("ServerSideEncryption") for answer in (put, head, got)} == {"AES256" if s3.seals else None}
    assert put["ETag"] == head["ETag"] == got["ETag"] == md5
    assert head["ContentLength"] == got["ContentLength"] == size
    assert head["ChecksumCRC32"] == put["ChecksumCRC32"] == got["ChecksumCRC32"]
    assert got["ContentType"] == "text/x-test"
    assert [(entry["Key"], entry["Size"], entry["ETag"]) for entry in listed] == [(f"size/{size}", size, md5)]


@sealed_s3
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
    client.copy({"Bucket": bucket, "Key": "big"}, bucket, "copied in parts", Config=config)
    head = client.head_object(Bucket=bucket, Key="big")
    part = client.get_object(Bucket=bucket, Key="big", PartNumber=2)

    parts = [body[start : start + 8 * _MIB] for start in range(0, len(body), 8 * _MIB)]
    etag = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    assert back.getvalue() == body
    assert head["ETag"] == f'"{etag}-3"'
    assert head["ContentLength"] == len(body)
    assert part["Body"].read() == parts[1]
    assert part["PartsCount"] == 3
    assert client.get_object(Bucket=bucket, Key="copied in parts")["Body"].read() == body


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


def _upload(client: Any, bucket: str, key: str, bodies: list[bytes]) -> None:
    common = {
        "Bucket": bucket,
        "Key": key,
        "UploadId": client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"],
    }
    parts = [
        {"PartNumber": number, "ETag": client.upload_part(**common, PartNumber=number, Body=body)["ETag"]}
        for number, body in enumerate(bodies, 1)
    ]
    client.complete_multipart_upload(**common, MultipartUpload={"Parts": parts})


def test_any_range_of_three_parts_is_that_of_the_plaintext(client: Any, bucket: str) -> None:
    bodies = [random.Random(size).randbytes(size) for size in _THREE]
    body = b"".join(bodies)
    _upload(client, bucket, "three", bodies)
    borders = [0, _THREE[0], _THREE[0] + _THREE[1], len(body)]
    # Where segments and frames meet, a few bytes to either side; and anywhere.
    near = st.builds(
        lambda border, frames, by: border + frames * 65536 + by, st.sampled_from(borders), st.integers(-2, 2),
        st.integers(-18, 18),
    )  # fmt: skip
    positions = st.one_of(near, st.integers(0, len(body) - 1)).filter(lambda position: 0 <= position < len(body))
    lengths = st.one_of(st.integers(1, 40), st.integers(1, 300_000))

    @settings(max_examples=60, deadline=None, database=None, derandomize=True)
    @given(first=positions, length=lengths)
    def check(first: int, length: int) -> None:
        got = client.get_object(Bucket=bucket, Key="three", Range=f"bytes={first}-{first + length - 1}")
        expected = body[first : first + length]
        assert got["Body"].read() == expected
        assert got["ContentRange"] == f"bytes {first}-{first + len(expected) - 1}/{len(body)}"
        assert got["ContentLength"] == len(expected)

    check()


def test_a_copy_keeps_bytes_etag_and_metadata(s3: Server, client: Any, bucket: str) -> None:
    body = random.Random(4).randbytes(2 * _MIB)
    put = client.put_object(Bucket=bucket, Key="from", Body=body, Metadata={"k": "v"}, ContentType="image/x")

    source = {"Bucket": bucket, "Key": "from"}
    copied = client.copy_object(Bucket=bucket, Key="to", CopySource=source)
    client.copy_object(
        Bucket=bucket, Key="replaced", CopySource=source, MetadataDirective="REPLACE", Metadata={"new": "1"}
    )
    replaced = client.get_object(Bucket=bucket, Key="replaced")
    got = client.get_object(Bucket=bucket, Key="to")

    assert got["Body"].read() == body
    assert copied["CopyObjectResult"]["ETag"] == got["ETag"] == put["ETag"]
    assert got["Metadata"] == {"k": "v"}
    assert got["ContentType"] == "image/x"
    assert got.get("ServerSideEncryption") == ("AES256" if s3.seals else None)
    assert replaced["Body"].read() == body
    assert replaced["Metadata"] == {"new": "1"}


@sealed_s3
def test_a_copy_onto_itself_changes_the_key_and_nothing_else(client: Any, bucket: str) -> None:
    body = random.Random(6).randbytes(100_001)
    put = client.put_object(Bucket=bucket, Key="k", Body=body, Metadata={"k": "v"})

    client.copy_object(
        Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k"}, ServerSideEncryption="aws:kms"
    )
    got = client.get_object(Bucket=bucket, Key="k")

    assert got["Body"].read() == body
    assert got["Metadata"] == {"k": "v"}
    assert got["ServerSideEncryption"] == "aws:kms"
    assert got["ChecksumCRC32"] == put["ChecksumCRC32"]


def test_an_object_from_before_the_proxy_is_served_and_then_sealed_in_place(
    weed: Server, on_weed: Server, bucket_name: str
) -> None:
    body = random.Random(7).randbytes(70_000)
    direct, client = s3_client(weed), s3_client(on_weed)
    direct.create_bucket(Bucket=bucket_name)
    common = {"Bucket": bucket_name, "Key": "old"}
    direct.put_object(**common, Body=body, Metadata={"k": "v"})

    before = client.get_object(**common)
    client.copy_object(**common, CopySource=common, ServerSideEncryption="AES256")
    after = client.get_object(**common)

    assert before["Body"].read() == after["Body"].read() == body
    assert "ServerSideEncryption" not in before
    assert after["ServerSideEncryption"] == "AES256"
    assert before["ETag"] == after["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert before["Metadata"] == after["Metadata"] == {"k": "v"}
    assert body[:32] not in direct.get_object(**common)["Body"].read()


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


def _outcome(call: Any, **arguments: Any) -> int:
    """The status of the answer, good or bad."""
    try:
        answer = call(**arguments)
    except ClientError as refused:
        answer = refused.response
    return int(answer["ResponseMetadata"]["HTTPStatusCode"])


def test_conditions_on_reading_are_decided_on_what_the_client_knows(client: Any, bucket: str) -> None:
    common = {"Bucket": bucket, "Key": "c"}
    etag = client.put_object(**common, Body=b"conditional")["ETag"]
    hour = timedelta(hours=1)
    now = datetime.now(UTC)

    for read in (client.get_object, client.head_object):
        assert _outcome(read, **common, IfMatch=etag) == 200
        assert _outcome(read, **common, IfMatch=_NO_ETAG) == 412
        assert _outcome(read, **common, IfNoneMatch=etag) == 304
        assert _outcome(read, **common, IfNoneMatch=_NO_ETAG) == 200
        assert _outcome(read, **common, IfModifiedSince=now - hour) == 200
        assert _outcome(read, **common, IfUnmodifiedSince=now + hour) == 200
        assert _outcome(read, **common, IfUnmodifiedSince=now - hour) == 412
        assert _outcome(read, **common, IfMatch=etag, IfUnmodifiedSince=now - hour) == 200
    with pytest.raises(ClientError) as failed:
        client.get_object(**common, IfMatch=_NO_ETAG)
    assert failed.value.response["Error"]["Code"] == "PreconditionFailed"


def test_conditions_on_writing_keep_what_is_there(client: Any, bucket: str) -> None:
    common = {"Bucket": bucket, "Key": "c"}

    created = client.put_object(**common, Body=b"first", IfNoneMatch="*")
    assert _outcome(client.put_object, **common, Body=b"second", IfNoneMatch="*") == 412
    assert _outcome(client.put_object, **common, Body=b"third", IfMatch=_NO_ETAG) == 412
    assert client.get_object(**common)["Body"].read() == b"first"
    assert _outcome(client.put_object, **common, Body=b"fourth", IfMatch=created["ETag"]) == 200
    assert client.get_object(**common)["Body"].read() == b"fourth"


def test_conditions_on_the_source_of_a_copy_are_decided_on_what_the_client_knows(client: Any, bucket: str) -> None:
    etag = client.put_object(Bucket=bucket, Key="c", Body=b"source")["ETag"]
    copy = {"Bucket": bucket, "Key": "copy", "CopySource": {"Bucket": bucket, "Key": "c"}}
    hour = timedelta(hours=1)
    now = datetime.now(UTC)

    assert _outcome(client.copy_object, **copy, CopySourceIfMatch=_NO_ETAG) == 412
    assert _outcome(client.copy_object, **copy, CopySourceIfNoneMatch=etag) == 412
    assert _outcome(client.copy_object, **copy, CopySourceIfUnmodifiedSince=now - hour) == 412
    assert _outcome(client.head_object, Bucket=bucket, Key="copy") == 404
    assert _outcome(client.copy_object, **copy, CopySourceIfMatch=etag, CopySourceIfModifiedSince=now - hour) == 200
    assert client.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"source"


@pytest.mark.parametrize("signature", ["s3", "s3v4"])  # boto3's own default is the old one
def test_presigned_urls_work_for_whoever_has_them(s3: Server, bucket: str, signature: str) -> None:
    client = s3_client(s3, signature_version=signature)
    trust = create_default_context(cafile=str(s3.tls_ca)) if s3.tls_ca else None
    common = {"Bucket": bucket, "Key": "signed/a b+ü"}

    put = urllib.request.Request(client.generate_presigned_url("put_object", common), data=b"by url", method="PUT")
    put.add_unredirected_header("Content-Type", "")
    with urllib.request.urlopen(put, context=trust, timeout=20) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(client.generate_presigned_url("get_object", common), context=trust, timeout=20) as got:
        assert got.read() == b"by url"


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


@sealed_s3
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
