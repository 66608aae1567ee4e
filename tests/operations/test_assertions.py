"""What a client asserts about its bytes."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import md5, sha256

import pytest
from multidict import CIMultiDict

from sseproxy.dialect import DIALECTS
from sseproxy.errors import (
    ChecksumMismatch,
    CrcMismatch,
    DigestMismatch,
    IncompleteBody,
    InvalidArgument,
    InvalidDigest,
    InvalidRequest,
    MalformedTrailer,
    UnsupportedFeature,
)
from sseproxy.model import Checksum, ChecksumAlgorithm, ChecksumType
from sseproxy.operations.assertions import Assertions, BodyFacts, check, read_assertions

_S3, _OSS = DIALECTS["s3"], DIALECTS["oss"]
_BODY = b"hello world"
_CRC32 = "DUoRhQ=="  # S3 dossier §4.1
_FACTS = BodyFacts(
    plaintext_size=len(_BODY),
    crc64=5981764153023615706,
    md5=md5(_BODY).digest(),
    checksum=None,
    checksums={
        ChecksumAlgorithm.CRC32: bytes.fromhex("0d4a1185"),
        ChecksumAlgorithm.SHA256: sha256(_BODY).digest(),
    },
)


def _read(headers: Mapping[str, str], length: int | None = None) -> Assertions:
    return read_assertions(_S3, CIMultiDict(headers), length)


def _crc32(value: str = "0d4a1185") -> Checksum:
    return Checksum(algorithm=ChecksumAlgorithm.CRC32, type=ChecksumType.FULL_OBJECT, value=bytes.fromhex(value))


def test_nothing_is_asserted_where_nothing_is_said() -> None:
    assert _read({}) == Assertions()
    assert not _read({}).has_digest


def test_headers_are_understood() -> None:
    found = _read({"content-md5": b64encode(_FACTS.md5 or b"").decode(), "X-Amz-Checksum-CRC32": _CRC32}, 11)

    assert found == Assertions(length=11, content_md5=_FACTS.md5, checksum=_crc32())
    assert found.algorithm is ChecksumAlgorithm.CRC32
    assert found.has_digest


def test_a_checksum_may_be_promised_for_the_trailer() -> None:
    found = _read({"x-amz-trailer": "x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm": "CRC32"})

    assert found == Assertions(trailing=ChecksumAlgorithm.CRC32)
    assert check(found, _FACTS, {"x-amz-checksum-crc32": _CRC32}) == _crc32()


@pytest.mark.parametrize("text", ["", "xyz", "AAAA", "%%%%"])
def test_a_content_md5_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidDigest):
        _read({"Content-MD5": text})


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-checksum-crc32": _CRC32, "x-amz-checksum-sha1": "x"},
        {"x-amz-checksum-crc32": _CRC32, "x-amz-trailer": "x-amz-checksum-crc32c"},
    ],
)
def test_two_checksums_are_refused(headers: Mapping[str, str]) -> None:
    with pytest.raises(InvalidRequest, match="Expecting a single x-amz-checksum- header"):
        _read(headers)


def test_an_announced_algorithm_without_a_checksum_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no corresponding x-amz-checksum-\\* or x-amz-trailer headers were found"):
        _read({"x-amz-sdk-checksum-algorithm": "CRC32"})


def test_an_announced_algorithm_must_be_the_one_that_is_sent() -> None:
    with pytest.raises(InvalidRequest, match="x-amz-sdk-checksum-algorithm"):
        _read({"x-amz-sdk-checksum-algorithm": "SHA256", "x-amz-checksum-crc32": _CRC32})


def test_a_malformed_checksum_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="Value for x-amz-checksum-crc32 header is invalid"):
        _read({"x-amz-checksum-crc32": "bad"})


def test_a_checksum_of_an_unknown_kind_is_refused_openly() -> None:
    with pytest.raises(UnsupportedFeature) as refused:
        _read({"x-amz-checksum-crc16": "AAAA"})
    assert refused.value.details == {"Header": "x-amz-checksum-crc16"}


@pytest.mark.parametrize("name", ["x-amz-checksum-mode", "x-amz-checksum-type", "x-amz-checksum-algorithm"])
def test_headers_about_checksums_are_none(name: str) -> None:
    assert _read({name: "CRC32"}) == Assertions()


def test_oss_sends_the_crc_of_the_object_as_a_number() -> None:
    assert read_assertions(_OSS, CIMultiDict({"x-oss-hash-crc64ecma": "42"}), None) == Assertions(crc64=42)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "abc", str(2**64), "٣", "1" * 5000])
def test_a_crc_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        read_assertions(_OSS, CIMultiDict({"x-oss-hash-crc64ecma": text}), None)


def test_the_other_dialects_checksum_headers_mean_nothing() -> None:
    assert read_assertions(_OSS, CIMultiDict({"x-amz-checksum-crc32": "bad"}), None) == Assertions()
    assert read_assertions(_S3, CIMultiDict({"x-oss-hash-crc64ecma": "bad"}), None) == Assertions()


def test_what_holds_passes() -> None:
    everything = Assertions(length=11, content_md5=_FACTS.md5, crc64=_FACTS.crc64, checksum=_crc32())

    assert check(everything, _FACTS, {}) == _crc32()
    assert check(Assertions(), _FACTS, {}) is None


@pytest.mark.parametrize(
    ("assertions", "error"),
    [
        (Assertions(length=10), IncompleteBody),
        (Assertions(content_md5=bytes(16)), DigestMismatch),
        (Assertions(crc64=1), CrcMismatch),
        (Assertions(checksum=_crc32("00000000")), ChecksumMismatch),
    ],
)
def test_what_does_not_hold_is_told(assertions: Assertions, error: type[Exception]) -> None:
    with pytest.raises(error):
        check(assertions, _FACTS, {})


def test_a_mismatch_names_the_algorithm() -> None:
    with pytest.raises(ChecksumMismatch, match=r"The CRC32 you specified did not match the calculated checksum\."):
        check(Assertions(checksum=_crc32("00000000")), _FACTS, {})


def test_a_promised_trailer_must_come() -> None:
    with pytest.raises(MalformedTrailer):
        check(Assertions(trailing=ChecksumAlgorithm.CRC32), _FACTS, {})


def test_a_malformed_trailer_is_told_as_one() -> None:
    with pytest.raises(InvalidRequest, match=r"Value for x-amz-checksum-crc32 trailing header is invalid\."):
        check(Assertions(trailing=ChecksumAlgorithm.CRC32), _FACTS, {"x-amz-checksum-crc32": "bad"})


def test_a_wrong_trailer_is_told() -> None:
    with pytest.raises(ChecksumMismatch):
        check(Assertions(trailing=ChecksumAlgorithm.CRC32), _FACTS, {"x-amz-checksum-crc32": "AAAAAA=="})
