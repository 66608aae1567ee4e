"""Digests and the combination of CRCs, with the reference's vectors (S3 dossier §4.1, OSS dossier §10.5)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.store.digests import SIZES, Digested, Digests, combined, combined_crc64


def _digest(data: bytes) -> Digested:
    digests = Digests(SIZES)
    digests.update(data)
    return digests.finish()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ("AAAAAA==", "AAAAAA==", "AAAAAAAAAAA=", "2jmj7l5rSw0yVb/vlWAYkK/YBwk=")),
        (b"hello world", ("DUoRhQ==", "yZRlqg==", "jSnVw/bqjr4=", "Kq5sNclPz7QV2+lfQIuc6R7oRu0=")),
        (b"123456789", ("y/Q5Jg==", "4waSgw==", "rosUhgp5mIg=", "98O8HYCOBHMq32eZZczDTKeuNEE=")),
    ],
)
def test_checksums_are_those_of_the_reference(data: bytes, expected: tuple[str, ...]) -> None:
    got = _digest(data).checksums

    assert tuple(base64.b64encode(got[name]).decode() for name in ("crc32", "crc32c", "crc64nvme", "sha1")) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"123456789", 11051210869376104954),
        (b"hello world", 5981764153023615706),
        (b"a" * 1024, 15959859048537093769),
        (bytes(range(256)), 8232944260754389680),
    ],
)
def test_crc64_is_that_of_the_reference(data: bytes, expected: int) -> None:
    assert _digest(data).crc64 == expected


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_combined_crcs_are_those_of_the_whole(parts: list[bytes]) -> None:
    whole, digested = _digest(b"".join(parts)), [_digest(part) for part in parts]

    assert combined_crc64([(part.crc64, part.size) for part in digested]) == whole.crc64
    for name in ("crc32", "crc32c", "crc64nvme"):
        values = [(part.checksums[name], part.size) for part in digested]
        assert combined(name, values) == whole.checksums[name]
