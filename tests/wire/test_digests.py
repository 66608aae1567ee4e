import hashlib
from base64 import b64encode

import pytest
from awscrt import checksums as crt
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.errors import InvalidRequest
from sseproxy.model import ChecksumAlgorithm
from sseproxy.wire.digests import CRC64_XZ, Digests, composite, crc_combine, digest_of, parse_checksum

_VECTORS = {
    b"": ("AAAAAA==", "AAAAAA==", "AAAAAAAAAAA=", "2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
    b"hello world": ("DUoRhQ==", "yZRlqg==", "jSnVw/bqjr4=", "Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="),
    b"123456789": ("y/Q5Jg==", "4waSgw==", "rosUhgp5mIg=", "98O8HYCOBHMq32eZZczDTKeuNEE=", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
}  # fmt: skip
_NEWER = {  # SHA-512, MD5, XXH64, XXH3 with 64 and 128 bits, seed 0: of another implementation (aws-crt)
    b"": ("z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==", "1B2M2Y8AsgTpgAmY7PhCfg==", "70bbN1HY6Zk=", "LQaABTjTlMI=", "maoG0wFHmNhgAcMkRo1Jfw=="),
    b"hello world": ("MJ7MSJwS1utMxA9QyQLytNDtd+5RGnx6m808qG1M2G+YndNbxf9JlnDaNCVbRbDP2DDoH2Bdz33FVC6TrpzXbw==", "XrY7u+Ae7tCTyyK7j1rNww==", "RatnNLIeaWg=", "1Eex6kDmmIs=", "340J6T+HSQCpm4d1zBW2xw=="),
    b"123456789": ("2eZ2LdHI6vbWGzxhkvxAjU1tXxF20MKRabwk5xw/J0rSf81YEbMT1oH35V7ALXPUmclUVba1u1A6z1dPuo/+hQ==", "JfnnlDI7RTiF9RgfG2JNCw==", "jLhB20DmroM=", "ctyxi2ehff8=", "MxGUd+3l3NXpcWQnaB1YYA=="),
}  # fmt: skip
_CRCS = [ChecksumAlgorithm.CRC32, ChecksumAlgorithm.CRC32C, ChecksumAlgorithm.CRC64NVME]


@pytest.mark.parametrize("data", _VECTORS)
def test_checksums_are_the_published_ones(data: bytes) -> None:
    values = tuple(b64encode(digest_of(algorithm, data)).decode() for algorithm in ChecksumAlgorithm)

    assert values == _VECTORS[data] + _NEWER[data]


@pytest.mark.parametrize(
    ("data", "crc64", "md5"),
    [
        (b"", 0, "1B2M2Y8AsgTpgAmY7PhCfg=="),
        (b"123456789", 11051210869376104954, "JfnnlDI7RTiF9RgfG2JNCw=="),
        (b"hello world", 5981764153023615706, "XrY7u+Ae7tCTyyK7j1rNww=="),
        (b"a" * 1024, 15959859048537093769, "yaNM/IXZgmmMasifdgcavQ=="),
        (bytes(range(256)), 8232944260754389680, "4shl20Fivtljv6qe9qwY8A=="),
    ],
)
def test_crc64_and_md5_are_those_of_the_oss_vectors(data: bytes, crc64: int, md5: str) -> None:
    digests = Digests(md5=True, crc64=True)
    digests.update(memoryview(data)[:3])
    digests.update(bytearray(data[3:]))

    assert (digests.crc64, b64encode(digests.md5).decode()) == (crc64, md5)


@given(st.binary(max_size=3000), st.binary(max_size=3000))
def test_combined_crcs_are_those_of_the_joined_bytes(first: bytes, second: bytes) -> None:
    for algorithm in _CRCS:
        one, two, both = (int.from_bytes(digest_of(algorithm, data), "big") for data in (first, second, first + second))
        assert crc_combine(algorithm, one, two, len(second)) == both
    pair = [Digests(md5=False, crc64=True) for _ in range(3)]
    for digests, data in zip(pair, (first, second, first + second), strict=True):
        digests.update(data)
    assert crc_combine(CRC64_XZ, pair[0].crc64, pair[1].crc64, len(second)) == pair[2].crc64


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(1, 5 * 2**30))
def test_combination_agrees_with_another_implementation(one: int, two: int, length: int) -> None:
    assert crc_combine(ChecksumAlgorithm.CRC32, one, two, length) == crt.combine_crc32(one, two, length)
    assert crc_combine(ChecksumAlgorithm.CRC32C, one, two, length) == crt.combine_crc32c(one, two, length)
    assert crc_combine(ChecksumAlgorithm.CRC64NVME, one, two, length) == crt.combine_crc64nvme(one, two, length)


def test_composite_checksums_are_the_published_ones() -> None:
    parts = [b"a" * (5 * 1024 * 1024), b"b"]

    def of(algorithm: ChecksumAlgorithm) -> str:
        return b64encode(composite(algorithm, [digest_of(algorithm, part) for part in parts])).decode()

    assert of(ChecksumAlgorithm.CRC32) == "dYPmEQ=="
    assert of(ChecksumAlgorithm.SHA256) == "tfmzeY9XeH2OXmxrtS4iDWlNIKUTAFv0/csHs2lsoD8="
    assert of(ChecksumAlgorithm.SHA1) == "6tQrb5UfMOI7nbrrtGcqdpRvM6M="


@pytest.mark.parametrize("text", ["", "bad", "AAAAAAA=", "AAAAAA==\n", "AAAA AA=="])
def test_a_checksum_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^Value for x-amz-checksum-crc32 header is invalid\.$"):
        parse_checksum(ChecksumAlgorithm.CRC32, text)
    with pytest.raises(InvalidRequest, match=r"^Value for x-amz-checksum-crc32 trailing header is invalid\.$"):
        parse_checksum(ChecksumAlgorithm.CRC32, text, trailing=True)


@pytest.mark.parametrize("data", _VECTORS)
def test_checksums_are_read_as_they_are_sent(data: bytes) -> None:
    for algorithm, text in zip(ChecksumAlgorithm, _VECTORS[data] + _NEWER[data], strict=True):
        assert parse_checksum(algorithm, text) == digest_of(algorithm, data)


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_digests_do_not_depend_on_how_the_bytes_arrive(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    every = Digests(md5=True, crc64=True, algorithms=frozenset(ChecksumAlgorithm))
    for number, piece in enumerate(pieces):
        every.update((bytes, bytearray, memoryview)[number % 3](piece))
    at_once = Digests(md5=True, crc64=True, algorithms=frozenset(ChecksumAlgorithm))
    at_once.update(whole)

    assert every.md5 == at_once.md5 == hashlib.md5(whole).digest()
    assert every.crc64 == at_once.crc64
    for algorithm in ChecksumAlgorithm:
        assert every.checksum(algorithm) == at_once.checksum(algorithm) == digest_of(algorithm, whole)


def test_a_digest_that_was_not_asked_for_is_not_there() -> None:
    digests = Digests(md5=False, crc64=False)

    with pytest.raises(LookupError):
        _ = digests.md5
    with pytest.raises(LookupError):
        _ = digests.crc64
    with pytest.raises(LookupError):
        digests.checksum(ChecksumAlgorithm.SHA256)


def test_the_combination_of_the_oss_reference() -> None:
    hello, world = Digests(md5=False, crc64=True), Digests(md5=False, crc64=True)
    hello.update(b"hello ")
    world.update(b"world")

    assert crc_combine(CRC64_XZ, hello.crc64, world.crc64, 5) == 5981764153023615706


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 5 * 2**40), st.integers(0, 5 * 2**40))
def test_combination_is_associative(one: int, two: int, length: int, more: int) -> None:
    three = one ^ two
    left = crc_combine(CRC64_XZ, crc_combine(CRC64_XZ, one, two, length), three, more)
    right = crc_combine(CRC64_XZ, one, crc_combine(CRC64_XZ, two, three, more), length + more)

    assert left == right
