"""Promise: every checksum of S3, in header and trailer, whole and composite: verified, stored, told again."""

import hashlib
import io
import random
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import xxhash
from boto3.s3.transfer import TransferConfig

from tests.support.command_line import Tool
from tests.support.raw_http import signed
from tests.support.s3_clients import boto_refusal
from tests.support.servers import Server, s3_client

_MIB = 1024 * 1024
_CRCS = ["CRC32", "CRC32C", "CRC64NVME"]
_COMPOSITE_ONLY = ["SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"]
_ALL = [*_CRCS, *_COMPOSITE_ONLY]
_BOTO = [name for name in _ALL if name != "MD5"]  # boto3 computes no MD5 as a checksum by itself
_WORLD = {
    "CRC32": "DUoRhQ==",
    "CRC32C": "yZRlqg==",
    "CRC64NVME": "jSnVw/bqjr4=",
    "SHA1": "Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
    "SHA256": "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=",
    "SHA512": "MJ7MSJwS1utMxA9QyQLytNDtd+5RGnx6m808qG1M2G+YndNbxf9JlnDaNCVbRbDP2DDoH2Bdz33FVC6TrpzXbw==",
    "MD5": "XrY7u+Ae7tCTyyK7j1rNww==",
    "XXHASH64": "RatnNLIeaWg=",
    "XXHASH3": "1Eex6kDmmIs=",
    "XXHASH128": "340J6T+HSQCpm4d1zBW2xw==",
}  # of "hello world" (S3 dossier §4.1; the newer ones computed with aws-crt)
_HASHES: Mapping[str, Callable[[bytes], Any]] = {
    "SHA1": hashlib.sha1,
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
    "MD5": hashlib.md5,
    "XXHASH64": xxhash.xxh64,
    "XXHASH3": xxhash.xxh3_64,
    "XXHASH128": xxhash.xxh3_128,
}


def _checksum(algorithm: str, data: bytes) -> bytes:
    digest: bytes = _HASHES[algorithm](data).digest()
    return digest


both_ways = pytest.mark.parametrize("place", ["dev", "dev_https"], indirect=True)  # in headers over http, else behind
only_behind = pytest.mark.parametrize("place", ["dev_https"], indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Server:
    """Where boto3 sends checksums in headers, unless a test says otherwise."""
    server: Server = request.getfixturevalue(getattr(request, "param", "dev"))
    return server


@pytest.fixture
def client(place: Server) -> Any:
    return s3_client(place)


@pytest.fixture
def bucket(client: Any, bucket_name: str) -> str:
    client.create_bucket(Bucket=bucket_name)
    return bucket_name


@both_ways
@pytest.mark.parametrize("algorithm", _BOTO)
def test_a_put_is_verified_and_its_checksum_told_again(client: Any, bucket: str, algorithm: str) -> None:
    where: dict[str, Any] = {"Bucket": bucket, "Key": "k"}

    put = client.put_object(**where, Body=io.BytesIO(b"hello world"), ChecksumAlgorithm=algorithm)
    head = client.head_object(**where, ChecksumMode="ENABLED")
    got = client.get_object(**where)
    part_of_it = client.get_object(**where, Range="bytes=0-3")
    all_of_it = client.get_object(**where, Range="bytes=0-100")
    told = client.get_object_attributes(**where, ObjectAttributes=["Checksum", "ObjectParts", "ObjectSize"])

    name = f"Checksum{algorithm}"
    assert put[name] == head[name] == got[name] == told["Checksum"][name] == all_of_it[name] == _WORLD[algorithm]
    assert put["ChecksumType"] == head["ChecksumType"] == told["Checksum"]["ChecksumType"] == "FULL_OBJECT"
    assert got["Body"].read() == b"hello world"
    assert name not in part_of_it
    assert told["ObjectSize"] == 11
    assert "ObjectParts" not in told
    assert name not in client.head_object(**where)


@both_ways
@pytest.mark.parametrize("algorithm", _ALL)
def test_a_wrong_checksum_stores_nothing(client: Any, bucket: str, algorithm: str) -> None:
    where: dict[str, Any] = {"Bucket": bucket, "Key": "k"}
    given = {f"Checksum{algorithm}": _WORLD[algorithm]}

    right = client.put_object(**where, Body=b"hello world", **given)
    wrong = boto_refusal(client.put_object, **where, Body=b"hello World", **given)
    malformed = boto_refusal(client.put_object, **where, Body=b"x", **{f"Checksum{algorithm}": "bad"})

    assert right[f"Checksum{algorithm}"] == _WORLD[algorithm]
    assert wrong == (400, "BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")
    message = f"Value for x-amz-checksum-{algorithm.lower()} header is invalid."
    assert malformed == (400, "InvalidRequest", message)
    assert client.get_object(**where)["Body"].read() == b"hello world"


@only_behind
@pytest.mark.parametrize("algorithm", _BOTO)
def test_the_transfer_manager_uses_any_algorithm(client: Any, bucket: str, algorithm: str) -> None:
    body = random.Random(5).randbytes(5 * _MIB + 5)
    config = TransferConfig(multipart_threshold=5 * _MIB, multipart_chunksize=5 * _MIB)
    back = io.BytesIO()

    client.upload_fileobj(io.BytesIO(body), bucket, "k", ExtraArgs={"ChecksumAlgorithm": algorithm}, Config=config)
    client.download_fileobj(bucket, "k", back)
    head = client.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")

    assert back.getvalue() == body
    value = head[f"Checksum{algorithm}"]
    if algorithm in _COMPOSITE_ONLY:
        parts = [body[at : at + 5 * _MIB] for at in range(0, len(body), 5 * _MIB)]
        expected = _checksum(algorithm, b"".join(_checksum(algorithm, part) for part in parts))
        assert value == f"{b64encode(expected).decode()}-{len(parts)}"
        assert head["ChecksumType"] == "COMPOSITE"


def _parts(
    client: Any, bucket: str, bodies: list[bytes], **created: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Create an upload and send its parts; return what names it, and the lines of a Complete with all checksums."""
    answer = client.create_multipart_upload(Bucket=bucket, Key="k", **created)
    of = {"Bucket": bucket, "Key": "k", "UploadId": answer["UploadId"]}
    lines = []
    for number, body in enumerate(bodies, 1):
        extra = {"ChecksumAlgorithm": created["ChecksumAlgorithm"]} if "ChecksumAlgorithm" in created else {}
        part = client.upload_part(**of, PartNumber=number, Body=body, **extra)
        sums = {name: value for name, value in part.items() if name.startswith("Checksum")}
        lines.append({"PartNumber": number, "ETag": part["ETag"], **sums})
    return of, lines


_BODIES = [b"a" * (5 * _MIB), b"b"]


@pytest.mark.parametrize(
    ("algorithm", "kind", "expected"),
    [
        ("CRC32", "COMPOSITE", "dYPmEQ==-2"),
        ("CRC32", "FULL_OBJECT", "rBxv8Q=="),
        ("SHA256", "COMPOSITE", "tfmzeY9XeH2OXmxrtS4iDWlNIKUTAFv0/csHs2lsoD8=-2"),
        ("SHA1", "COMPOSITE", "6tQrb5UfMOI7nbrrtGcqdpRvM6M=-2"),
        ("SHA512", "COMPOSITE", None),
        ("XXHASH3", "COMPOSITE", None),
    ],
)
def test_completed_uploads_have_the_published_checksums_and_tell_their_parts(
    client: Any, bucket: str, algorithm: str, kind: str, expected: str | None
) -> None:
    of, lines = _parts(client, bucket, _BODIES, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    where = {"Bucket": bucket, "Key": "k"}
    name = f"Checksum{algorithm}"

    listed = client.list_parts(**of)
    done = client.complete_multipart_upload(**of, MultipartUpload={"Parts": lines})
    head = client.head_object(**where, ChecksumMode="ENABLED")
    second = client.get_object(**where, PartNumber=2, ChecksumMode="ENABLED")
    told = client.get_object_attributes(**where, ObjectAttributes=["ETag", "Checksum", "ObjectParts", "StorageClass"])
    page = client.get_object_attributes(**where, ObjectAttributes=["ObjectParts"], MaxParts=1)
    rest = client.get_object_attributes(**where, ObjectAttributes=["ObjectParts"], PartNumberMarker=1)

    if expected is None:
        whole = _checksum(algorithm, b"".join(_checksum(algorithm, body) for body in _BODIES))
        expected = f"{b64encode(whole).decode()}-2"
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == (algorithm, kind)
    assert [part[name] for part in listed["Parts"]] == [line[name] for line in lines]
    assert done[name] == head[name] == expected
    assert done["ChecksumType"] == head["ChecksumType"] == told["Checksum"]["ChecksumType"] == kind
    assert second[name] == lines[1][name]
    assert second["Body"].read() == b"b"
    assert told["Checksum"][name] == expected.partition("-")[0]
    assert (told["ETag"], told["StorageClass"]) == (done["ETag"].strip('"'), "STANDARD")
    assert told["ObjectParts"]["TotalPartsCount"] == 2
    assert told["ObjectParts"]["Parts"] == [
        {"PartNumber": number, "Size": len(body), name: lines[number - 1][name]}
        for number, body in enumerate(_BODIES, 1)
    ]
    assert (page["ObjectParts"]["IsTruncated"], page["ObjectParts"]["NextPartNumberMarker"]) == (True, 1)
    assert [part["PartNumber"] for part in page["ObjectParts"]["Parts"]] == [1]
    assert [part["PartNumber"] for part in rest["ObjectParts"]["Parts"]] == [2]
    assert rest["ObjectParts"]["IsTruncated"] is False


def test_an_upload_without_an_algorithm_gets_a_crc64nvme_and_tells_the_number_of_its_parts(
    client: Any, bucket: str
) -> None:
    of, lines = _parts(client, bucket, _BODIES)
    lines = [{"PartNumber": line["PartNumber"], "ETag": line["ETag"]} for line in lines]

    client.complete_multipart_upload(**of, MultipartUpload={"Parts": lines})
    told = client.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ObjectParts"])

    single = client.put_object(Bucket=bucket, Key="one", Body=b"".join(_BODIES), ChecksumAlgorithm="CRC64NVME")
    assert told["Checksum"] == {"ChecksumCRC64NVME": single["ChecksumCRC64NVME"], "ChecksumType": "FULL_OBJECT"}
    assert told["ObjectParts"] == {"TotalPartsCount": 2}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"},
            "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.",
        ),
        (
            {"ChecksumAlgorithm": "SHA512", "ChecksumType": "FULL_OBJECT"},
            "The FULL_OBJECT checksum type cannot be used with the sha512 checksum algorithm.",
        ),
        (
            {"ChecksumType": "COMPOSITE"},
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
        ),
        (
            {"ChecksumAlgorithm": "CRC16"},
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            "[CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3, XXHASH128]",
        ),
    ],
)
def test_impossible_checksums_of_an_upload_are_refused(
    client: Any, bucket: str, asked: dict[str, str], message: str
) -> None:
    refused = boto_refusal(client.create_multipart_upload, Bucket=bucket, Key="k", **asked)

    assert refused == (400, "InvalidRequest", message)


def test_complete_checks_what_it_says_of_checksums(client: Any, bucket: str) -> None:
    of, lines = _parts(client, bucket, _BODIES, ChecksumAlgorithm="SHA256")
    bare = [{"PartNumber": line["PartNumber"], "ETag": line["ETag"]} for line in lines]
    other = [{**line, "ChecksumSHA256": lines[0]["ChecksumSHA256"]} for line in lines]
    complete = client.complete_multipart_upload

    assert boto_refusal(complete, **of, MultipartUpload={"Parts": bare}) == (
        400,
        "InvalidRequest",
        "The upload was created using a sha256 checksum. The complete request must include the checksum for each part. "
        "It was missing for part 1 in the request.",
    )
    assert boto_refusal(complete, **of, MultipartUpload={"Parts": other})[:2] == (400, "InvalidPart")
    assert boto_refusal(complete, **of, MultipartUpload={"Parts": lines}, ChecksumType="FULL_OBJECT") == (
        400,
        "InvalidRequest",
        "The upload was created using the COMPOSITE checksum mode. The complete request must use the same checksum mode.",
    )
    assert boto_refusal(complete, **of, MultipartUpload={"Parts": lines}, MpuObjectSize=5) == (
        400,
        "InvalidRequest",
        f"The provided 'x-amz-mp-object-size' header value 5 does not match what was computed: {5 * _MIB + 1}",
    )
    assert boto_refusal(complete, **of, MultipartUpload={"Parts": lines}, ChecksumSHA256=_WORLD["SHA256"]) == (
        400,
        "BadDigest",
        "The SHA256 you specified did not match the calculated checksum.",
    )
    assert boto_refusal(complete, **of, MultipartUpload={"Parts": lines}, ChecksumCRC32=_WORLD["CRC32"]) == (
        400,
        "InvalidRequest",
        "Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: crc32",
    )
    whole = "tfmzeY9XeH2OXmxrtS4iDWlNIKUTAFv0/csHs2lsoD8=-2"
    done = complete(**of, MultipartUpload={"Parts": lines}, ChecksumSHA256=whole, MpuObjectSize=5 * _MIB + 1)
    assert done["ChecksumSHA256"] == whole


def test_a_part_with_another_algorithm_is_refused(client: Any, bucket: str) -> None:
    created = client.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")
    of = {"Bucket": bucket, "Key": "k", "UploadId": created["UploadId"]}

    refused = boto_refusal(client.upload_part, **of, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA1")

    message = "Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: sha1"
    assert refused == (400, "InvalidRequest", message)


@pytest.mark.parametrize("place", ["dev", "on_weed_https"], indirect=True)
def test_an_object_gets_another_checksum_in_place(client: Any, bucket: str) -> None:
    where: dict[str, Any] = {"Bucket": bucket, "Key": "k"}
    body = random.Random(6).randbytes(3 * _MIB + 3)
    client.put_object(**where, Body=body, Metadata={"a": "b"})

    client.copy_object(**where, CopySource=where, ChecksumAlgorithm="SHA256")

    got = client.get_object(**where)
    assert got["ChecksumSHA256"] == b64encode(hashlib.sha256(body).digest()).decode()
    assert (got["Body"].read(), got["Metadata"]) == (body, {"a": "b"})


@pytest.mark.parametrize("algorithm", _BOTO)
def test_a_copy_keeps_its_checksum_or_gets_the_one_that_is_asked_for(client: Any, bucket: str, algorithm: str) -> None:
    source = {"Bucket": bucket, "Key": "source"}
    client.put_object(**source, Body=b"hello world", ChecksumAlgorithm="SHA1")

    kept = client.copy_object(Bucket=bucket, Key="kept", CopySource=source)["CopyObjectResult"]
    new = client.copy_object(Bucket=bucket, Key="new", CopySource=source, ChecksumAlgorithm=algorithm)
    head = client.head_object(Bucket=bucket, Key="new", ChecksumMode="ENABLED")

    name = f"Checksum{algorithm}"
    assert (kept["ChecksumSHA1"], kept["ChecksumType"]) == (_WORLD["SHA1"], "FULL_OBJECT")
    assert new["CopyObjectResult"][name] == head[name] == _WORLD[algorithm]
    assert head["ChecksumType"] == "FULL_OBJECT"
    assert client.get_object(Bucket=bucket, Key="new")["Body"].read() == b"hello world"


@pytest.mark.parametrize("algorithm", ["CRC64NVME"])
def test_the_aws_cli_names_an_algorithm(
    dev: Server, tool: Callable[[str, Server], Tool], tmp_path: Path, bucket_name: str, algorithm: str
) -> None:
    aws, client = tool("aws", dev), s3_client(dev)
    client.create_bucket(Bucket=bucket_name)
    (tmp_path / "small").write_bytes(b"hello world")
    (tmp_path / "large").write_bytes(random.Random(8).randbytes(9 * _MIB))

    for name in ("small", "large"):
        aws("s3", "cp", str(tmp_path / name), f"s3://{bucket_name}/{name}", "--checksum-algorithm", algorithm)
        aws("s3", "cp", f"s3://{bucket_name}/{name}", str(tmp_path / "back"), "--checksum-mode", "ENABLED")
        assert (tmp_path / "back").read_bytes() == (tmp_path / name).read_bytes()

    head = client.head_object(Bucket=bucket_name, Key="small", ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"] == _WORLD[algorithm]
    assert f"Checksum{algorithm}" in client.head_object(Bucket=bucket_name, Key="large", ChecksumMode="ENABLED")


def test_attributes_of_nothing_or_by_no_name_are_refused(dev: Server, bucket_name: str) -> None:
    client = s3_client(dev)
    client.create_bucket(Bucket=bucket_name)
    client.put_object(Bucket=bucket_name, Key="k", Body=b"x")
    target = f"/{bucket_name}/k?attributes"
    name = "x-amz-object-attributes"

    assert signed(dev, "GET", target).error == (400, "InvalidArgument", "Invalid attribute name specified.")
    assert signed(dev, "GET", target, {name: "ETag,Nonsense"}).error[:2] == (400, "InvalidArgument")
    assert signed(dev, "GET", target, {name: "ETag", "x-amz-max-parts": "x"}).error == (
        400,
        "InvalidArgument",
        "Provided max-parts not an integer or within integer range",
    )
    missing = signed(dev, "GET", f"/{bucket_name}/none?attributes", {name: "ETag"})
    assert missing.error[:2] == (404, "NoSuchKey")
    refused = signed(dev, "GET", target, {name: "ETag", "x-amz-server-side-encryption": "AES256"})
    assert refused.error[:2] == (400, "InvalidArgument")


def test_attributes_of_an_object_under_a_customers_key_need_that_key(dev: Server, bucket_name: str) -> None:
    client = s3_client(dev)
    client.create_bucket(Bucket=bucket_name)
    where: dict[str, Any] = {"Bucket": bucket_name, "Key": "k"}
    put = client.put_object(**where, Body=b"x", SSECustomerAlgorithm="AES256", SSECustomerKey=b"k" * 32)
    digest = b64encode(hashlib.md5(b"k" * 32).digest()).decode()
    trio = {
        "SSECustomerAlgorithm": "AES256",
        "SSECustomerKey": b64encode(b"k" * 32).decode(),
        "SSECustomerKeyMD5": digest,
    }

    told = client.get_object_attributes(**where, ObjectAttributes=["ETag", "ObjectSize"], **trio)

    assert (told["ETag"], told["ObjectSize"]) == (put["ETag"].strip('"'), 1)
    assert boto_refusal(client.get_object_attributes, **where, ObjectAttributes=["ETag"])[:2] == (400, "InvalidRequest")


def test_attributes_of_an_object_that_is_not_sealed_are_the_storages(
    on_weed: Server, weed: Server, bucket_name: str
) -> None:
    past, client = s3_client(weed), s3_client(on_weed)
    past.create_bucket(Bucket=bucket_name)
    past.put_object(Bucket=bucket_name, Key="k", Body=b"not sealed")

    told = client.get_object_attributes(Bucket=bucket_name, Key="k", ObjectAttributes=["ETag", "ObjectSize"])

    assert (told["ETag"], told["ObjectSize"]) == (hashlib.md5(b"not sealed").hexdigest(), 10)
