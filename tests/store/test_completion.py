"""CompleteMultipartUpload: what it checks, what it makes, and doing it twice."""

import base64
import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.store.test_multipart import part
from tests.store.wire import Answer, Wire

_MIB = 1024 * 1024
_FIVE = 5 * _MIB


def _document(parts: list[tuple[int | str, str]], extra: str = "") -> bytes:
    entries = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag>{extra}</Part>" for n, etag in parts)
    return f"<CompleteMultipartUpload>{entries}</CompleteMultipartUpload>".encode()


class Upload:
    """An upload through raw requests."""

    def __init__(self, wire: Wire, bucket: str, **headers: str) -> None:
        self._wire = wire
        made = wire.s3("POST", f"/{bucket}/k?uploads", b"", headers)
        self.path = f"/{bucket}/k"
        self.target = f"{self.path}?uploadId={made.text('UploadId')}"
        self.etags: dict[int, str] = {}

    def send(self, number: int, body: bytes) -> Answer:
        answer = self._wire.s3("PUT", part(self.target, number), body)
        self.etags[number] = answer.headers["etag"]
        return answer

    def complete(
        self, *numbers: int, oss: bool = False, extra: str = "", headers: dict[str, str] | None = None
    ) -> Answer:
        send = self._wire.oss if oss else self._wire.s3
        body = _document([(n, self.etags[n]) for n in numbers], extra)
        return send("POST", self.target, body, headers)


@pytest.fixture
def upload(wire: Wire, bucket: str) -> Upload:
    return Upload(wire, bucket)


def test_parts_with_gaps_join_in_the_order_of_their_numbers(wire: Wire, upload: Upload) -> None:
    rng = random.Random(1)
    bodies = {n: rng.randbytes(size) for n, size in ((7, 10), (2, _FIVE + 1), (9999, 0), (5, _FIVE))}
    for number, body in bodies.items():
        upload.send(number, body)
    upload.send(3, b"never named")

    answer = upload.complete(2, 5, 7)

    whole = bodies[2] + bodies[5] + bodies[7]
    digest = hashlib.md5(b"".join(hashlib.md5(bodies[n]).digest() for n in (2, 5, 7))).hexdigest()
    assert (answer.status, answer.text("ETag")) == (200, f"&quot;{digest}-3&quot;")
    got = wire.s3("GET", upload.path, headers={"x-amz-checksum-mode": "ENABLED"})
    assert (got.body, got.headers["etag"]) == (whole, f'"{digest}-3"')
    assert got.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    second = wire.s3("GET", f"{upload.path}?partNumber=2")
    assert (second.body, second.headers["x-amz-mp-parts-count"]) == (bodies[5], "3")


@pytest.mark.parametrize(
    ("document", "outcome"),
    [
        (b"", (400, "MalformedXML")),
        (b"<CompleteMultipartUpload>", (400, "MalformedXML")),
        (b"<Other/>", (400, "MalformedXML")),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><CompleteMultipartUpload/>", (400, "MalformedXML")),
        (b"<CompleteMultipartUpload/>", (400, "InvalidRequest")),
        (
            b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>",
            (400, "MalformedXML"),
        ),
        (_document([("x", "a")]), (400, "MalformedXML")),
        (_document([(0, "a")]), (400, "InvalidArgument")),
        (_document([(1, "0" * 32)]), (400, "InvalidPart")),
        (_document([(2, "0" * 32)]), (400, "InvalidPart")),
        (_document([(2, "a"), (1, "b")]), (400, "InvalidPartOrder")),
        (_document([(1, "a"), (1, "a")]), (400, "InvalidPartOrder")),
    ],
)
def test_a_wrong_document_is_refused(wire: Wire, upload: Upload, document: bytes, outcome: tuple[int, str]) -> None:
    upload.send(1, b"x")

    assert wire.s3("POST", upload.target, document).outcome == outcome
    assert wire.s3("HEAD", upload.path).status == 404


def test_the_smallest_part_is_5_mib_on_s3_and_100_kib_on_oss(wire: Wire, upload: Upload) -> None:
    upload.send(1, bytes(100 * 1024 - 1))
    upload.send(2, bytes(100 * 1024))
    upload.send(3, b"")

    refused = upload.complete(2, 3)
    assert (refused.outcome, refused.text("MinSizeAllowed"), refused.text("PartNumber")) == (
        (400, "EntityTooSmall"), str(_FIVE), "2",
    )  # fmt: skip
    assert upload.complete(1, 3, oss=True).outcome == (400, "EntityTooSmall")
    assert upload.complete(2, 3, oss=True).status == 200


def test_one_empty_part_is_an_object(wire: Wire, upload: Upload) -> None:
    upload.send(1, b"")

    assert upload.complete(1).status == 200
    assert wire.s3("GET", upload.path).outcome == (200, "")


def test_the_same_completion_again_answers_the_same_and_another_does_not(wire: Wire, upload: Upload) -> None:
    upload.send(1, bytes(_FIVE))
    upload.send(2, b"x")

    first, again = upload.complete(1, 2), upload.complete(1, 2)

    assert (first.status, again.body) == (200, first.body)
    assert upload.complete(1).outcome == (404, "NoSuchUpload")
    assert wire.s3("GET", upload.target).outcome == (404, "NoSuchUpload")


def test_completions_at_the_same_time_all_succeed_with_one_answer(wire: Wire, upload: Upload) -> None:
    upload.send(1, bytes(_FIVE))
    upload.send(2, b"x")

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: upload.complete(1, 2), range(4)))

    assert {answer.status for answer in answers} == {200}
    assert len({answer.text("ETag") for answer in answers}) == 1


def test_conditions_are_checked_before_an_object_is_replaced(wire: Wire, upload: Upload) -> None:
    upload.send(1, b"new")
    wire.s3("PUT", upload.path, b"old")

    assert upload.complete(1, headers={"If-None-Match": "*"}).outcome == (412, "PreconditionFailed")
    assert upload.complete(1, headers={"If-Match": '"x"'}).outcome == (412, "PreconditionFailed")
    assert upload.complete(1, oss=True, headers={"x-oss-forbid-overwrite": "true"}).outcome == (
        409,
        "FileAlreadyExists",
    )
    assert wire.s3("GET", upload.path).body == b"old"
    assert upload.complete(1, headers={"If-Match": f'"{hashlib.md5(b"old").hexdigest()}"'}).status == 200
    assert wire.s3("GET", upload.path).body == b"new"


def test_oss_can_complete_with_all_parts_unnamed(wire: Wire, upload: Upload) -> None:
    upload.send(1, bytes(100 * 1024))
    upload.send(2, b"x")
    everything = {"x-oss-complete-all": "yes"}

    assert wire.oss("POST", upload.target, b"<a/>", everything).outcome == (400, "InvalidArgument")
    assert wire.oss("POST", upload.target, b"", everything).status == 200
    assert wire.oss("HEAD", upload.path).headers["content-length"] == "102401"


def test_the_announced_size_must_be_right(upload: Upload) -> None:
    upload.send(1, b"four")

    assert upload.complete(1, headers={"x-amz-mp-object-size": "5"}).outcome == (400, "InvalidRequest")
    assert upload.complete(1, headers={"x-amz-mp-object-size": "4"}).status == 200


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("CRC32", "dYPmEQ==-2"),
        ("SHA256", "tfmzeY9XeH2OXmxrtS4iDWlNIKUTAFv0/csHs2lsoD8=-2"),
        ("SHA1", "6tQrb5UfMOI7nbrrtGcqdpRvM6M=-2"),
    ],
)
def test_composite_checksums_are_those_of_the_reference(wire: Wire, bucket: str, algorithm: str, expected: str) -> None:
    upload = Upload(wire, bucket, **{"x-amz-checksum-algorithm": algorithm})
    sums = [
        upload.send(n, body).headers[f"x-amz-checksum-{algorithm.lower()}"]
        for n, body in ((1, b"a" * _FIVE), (2, b"b"))
    ]
    entries = [(n, f"{upload.etags[n]}</ETag><Checksum{algorithm}>{value}</Checksum{algorithm}><ETag>") for n, value in
               enumerate(sums, 1)]  # fmt: skip
    document = _document([(n, text) for n, text in entries]).replace(b"<ETag></ETag>", b"")

    missing = upload.complete(1, 2)
    answer = wire.s3("POST", upload.target, document)

    assert missing.outcome == (400, "InvalidRequest")
    assert (answer.status, answer.text(f"Checksum{algorithm}"), answer.text("ChecksumType")) == (
        200,
        expected,
        "COMPOSITE",
    )
    got = wire.s3("HEAD", upload.path, headers={"x-amz-checksum-mode": "ENABLED"}).headers
    assert got[f"x-amz-checksum-{algorithm.lower()}"] == expected


def test_full_object_checksums_are_those_of_the_whole(wire: Wire, bucket: str) -> None:
    upload = Upload(wire, bucket, **{"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT"})
    upload.send(1, b"a" * _FIVE)
    upload.send(2, b"b")

    assert upload.complete(1, 2, headers={"x-amz-checksum-crc32": "AAAAAA=="}).outcome == (400, "BadDigest")
    assert upload.complete(1, 2, headers={"x-amz-checksum-type": "COMPOSITE"}).outcome == (400, "InvalidRequest")
    answer = upload.complete(1, 2, headers={"x-amz-checksum-crc32": "rBxv8Q=="})
    assert (answer.text("ChecksumCRC32"), answer.text("ChecksumType")) == ("rBxv8Q==", "FULL_OBJECT")


def test_a_wrong_part_checksum_is_refused(upload: Upload) -> None:
    upload.send(1, b"x")
    wrong = base64.b64encode(bytes(4)).decode()

    assert upload.complete(1, extra=f"<ChecksumCRC32>{wrong}</ChecksumCRC32>").outcome == (400, "InvalidPart")


def test_everything_said_at_create_is_on_the_object(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(
        Bucket=bucket, Key="k", Metadata={"a": "1"}, ContentType="text/x", Tagging="t=1", StorageClass="STANDARD_IA"
    )["UploadId"]
    etag = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    s3.complete_multipart_upload(
        Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}
    )

    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["Metadata"], head["ContentType"], head["StorageClass"]) == ({"a": "1"}, "text/x", "STANDARD_IA")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "t", "Value": "1"}]
