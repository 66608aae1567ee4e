"""SM4-GCM behind the interface of AES-GCM: the published vector, and nothing released before the tag verified."""

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.format.suites import Aead, aead_of
from sseproxy.model import Suite

# RFC 8998, appendix A.1.
KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
NONCE = bytes.fromhex("00001234567800000000ABCD")
AAD = bytes.fromhex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2")
PLAIN = b"".join(bytes([byte]) * 8 for byte in (0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0xEE, 0xAA))
SEALED = bytes.fromhex(
    "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735"
    "D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D"
    "83DE3541E4C2B58177E065A9BF7B62EC"
)


@pytest.fixture
def sm4() -> Aead:
    return aead_of(Suite.SM4_GCM, KEY)


def test_the_published_vector_of_sm4_gcm_comes_out(sm4: Aead) -> None:
    assert sm4.encrypt(NONCE, PLAIN, AAD) == SEALED
    assert sm4.decrypt(NONCE, SEALED, AAD) == PLAIN


@given(st.binary(max_size=300), st.none() | st.binary(max_size=40))
def test_whatever_is_sealed_opens(plain: bytes, aad: bytes | None) -> None:
    sm4 = aead_of(Suite.SM4_GCM, KEY)
    sealed, opened = bytearray(len(plain) + 16), bytearray(len(plain))

    assert sm4.encrypt_into(NONCE, plain, aad, memoryview(sealed)) == len(sealed)
    assert sm4.decrypt_into(NONCE, memoryview(sealed), aad, memoryview(opened)) == len(plain)

    assert opened == plain
    assert sm4.encrypt(NONCE, memoryview(plain), aad) == sealed


@pytest.mark.parametrize("at", range(len(SEALED)))
def test_a_changed_byte_is_refused_and_nothing_of_the_plaintext_has_left(sm4: Aead, at: int) -> None:
    damaged = bytearray(SEALED)
    damaged[at] ^= 1
    out = bytearray(len(PLAIN))

    with pytest.raises(InvalidTag):
        sm4.decrypt_into(NONCE, damaged, AAD, memoryview(out))

    assert out == bytes(len(PLAIN))


@pytest.mark.parametrize("aad", [None, b"", AAD[:-1], AAD + b"\0"])
def test_other_associated_data_is_refused(sm4: Aead, aad: bytes | None) -> None:
    with pytest.raises(InvalidTag):
        sm4.decrypt(NONCE, SEALED, aad)


def test_a_buffer_of_another_length_is_refused(sm4: Aead) -> None:
    with pytest.raises(ValueError, match="not as long"):
        sm4.encrypt_into(NONCE, PLAIN, AAD, memoryview(bytearray(len(PLAIN) + 15)))


def test_the_key_is_not_shown(sm4: Aead) -> None:
    assert repr(sm4) == "Sm4Gcm(<redacted>)"
