import pytest

from sseproxy.errors import SignatureMismatch
from sseproxy.signing import EMPTY_SHA256, ChunkSigner
from sseproxy.signing.aws_v4 import derive_key

_OTHER_SHA256 = "0" * 64


def _signer(seed: str = "f" * 64) -> ChunkSigner:
    return ChunkSigner(
        signing_key=derive_key("secret", "20130524", "us-east-1"),
        timestamp="20130524T000000Z",
        scope="20130524/us-east-1/s3/aws4_request",
        seed_signature=seed,
    )


def test_what_one_side_signs_the_other_verifies_in_order() -> None:
    signs, verifies = _signer(), _signer()

    for digest in (EMPTY_SHA256, _OTHER_SHA256, EMPTY_SHA256):
        verifies.verify_chunk(digest, signs.sign_chunk(digest))
    trailers = {"x-amz-checksum-crc32": "AAAAAA=="}
    verifies.verify_trailers(trailers, signs.sign_trailers(trailers))


def test_chunks_in_another_order_do_not_verify() -> None:
    signs, verifies = _signer(), _signer()
    signs.sign_chunk(EMPTY_SHA256)

    with pytest.raises(SignatureMismatch):
        verifies.verify_chunk(_OTHER_SHA256, signs.sign_chunk(_OTHER_SHA256))


def test_chunks_of_another_request_do_not_verify() -> None:
    with pytest.raises(SignatureMismatch):
        _signer("e" * 64).verify_chunk(EMPTY_SHA256, _signer().sign_chunk(EMPTY_SHA256))


@pytest.mark.parametrize("signature", ["", "0" * 64, "\u00e9", "\udcff"])
def test_a_signature_that_is_none_is_a_wrong_one(signature: str) -> None:
    with pytest.raises(SignatureMismatch):
        _signer().verify_chunk(EMPTY_SHA256, signature)


def test_trailers_are_signed_sorted() -> None:
    one, other = {"b": "1", "a": "2"}, {"a": "2", "b": "1"}

    assert _signer().sign_trailers(one) == _signer().sign_trailers(other)
    assert _signer().sign_trailers(one) != _signer().sign_trailers({"a": "1", "b": "2"})
