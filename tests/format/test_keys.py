"""Key derivation: RFC 5869 by another road, separation, and what a key shows of itself."""

import hmac
from itertools import pairwise

import pytest

from sseproxy.errors import CipherUnavailable, CommitmentMismatch
from sseproxy.format import DataKey
from sseproxy.format.suites import aead_of
from sseproxy.model import Suite
from tests.support.ciphers import without_sm4

RAW = bytes(range(32))
SALT = bytes(range(100, 132))


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    extracted = hmac.digest(salt or bytes(32), key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def test_every_key_is_the_hkdf_that_the_specification_says() -> None:
    key = DataKey(RAW)

    assert key.commitment == hkdf(RAW, b"", b"sseproxy/v1/commit")
    assert key.footer_key == hkdf(RAW, b"", b"sseproxy/v1/footer")
    assert key.footer_nonce_key == hkdf(RAW, b"", b"sseproxy/v1/footer-nonce")
    assert key.segment_key(SALT, 7) == hkdf(RAW, SALT, b"sseproxy/v1/segment\x00\x00\x00\x07")
    assert key.part_etag(SALT) == hkdf(RAW, SALT, b"sseproxy/v1/part-etag")[:16].hex()
    assert key.record_key(SALT) == hkdf(hkdf(RAW, b"", b"sseproxy/v1/records"), SALT, b"sseproxy/v1/record")


def test_no_two_purposes_share_a_key() -> None:
    key = DataKey(RAW)

    derived = [
        RAW,
        key.commitment,
        key.footer_key,
        key.footer_nonce_key,
        key.record_key(SALT),
        key.segment_key(SALT, 1),
        key.segment_key(SALT, 2),
        key.segment_key(RAW, 1),
        DataKey(SALT).segment_key(SALT, 1),
    ]

    assert len(set(derived)) == len(derived)
    assert key.suite is Suite.AES_256_GCM


def test_the_commitment_accepts_its_own_key_alone() -> None:
    key = DataKey(RAW)

    key.check_commitment(DataKey(RAW).commitment)

    for wrong in (DataKey(SALT).commitment, b"", bytes(32), key.commitment[:31], key.commitment + b"\0"):
        with pytest.raises(CommitmentMismatch):
            key.check_commitment(wrong)


def test_drawn_keys_differ() -> None:
    keys = sorted(DataKey.draw().raw for _ in range(100))

    assert all(a != b for a, b in pairwise(keys))
    assert all(len(raw) == 32 for raw in keys)


def test_a_key_shows_nothing_of_itself_in_text() -> None:
    key = DataKey(b"k" * 32)

    shown = f"{key!r} {key} {[key]}"

    assert "kkk" not in shown
    assert "redacted" in shown


def test_a_key_of_another_length_is_refused() -> None:
    for length in (0, 16, 31, 33):
        with pytest.raises(ValueError, match="32 bytes"):
            DataKey(bytes(length))


def test_keys_of_suite_two_are_16_bytes_long_where_an_aead_takes_them() -> None:
    raw = RAW[:16]
    key = DataKey(raw, Suite.SM4_GCM)

    assert key.segment_key(SALT, 7) == hkdf(raw, SALT, b"sseproxy/v1/segment\x00\x00\x00\x07")[:16]
    assert key.footer_key == hkdf(raw, b"", b"sseproxy/v1/footer")[:16]
    assert key.record_key(SALT) == hkdf(hkdf(raw, b"", b"sseproxy/v1/records"), SALT, b"sseproxy/v1/record")[:16]
    assert key.footer_nonce_key == hkdf(raw, b"", b"sseproxy/v1/footer-nonce")
    assert key.commitment == hkdf(raw, b"", b"sseproxy/v1/commit")
    assert len(DataKey.draw(Suite.SM4_GCM).raw) == 16


def test_a_key_of_suite_two_has_16_bytes() -> None:
    with pytest.raises(ValueError, match="suite 2 has 16 bytes"):
        DataKey(bytes(32), Suite.SM4_GCM)


def test_a_host_without_the_cipher_says_so_and_takes_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    without_sm4(monkeypatch)

    with pytest.raises(CipherUnavailable, match="SM4 is not applicable"):
        DataKey.draw(Suite.SM4_GCM)
    with pytest.raises(CipherUnavailable):
        aead_of(Suite.SM4_GCM, bytes(16))
    DataKey.draw(Suite.AES_256_GCM)


def test_a_salt_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="salt"):
        DataKey(RAW).segment_key(b"short", 1)
