"""KEKs: what a CMK wraps, how data keys lie under them, and what they refuse."""

import hmac
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sseproxy.errors import WrappedKeyRejected
from sseproxy.format import DataKey
from sseproxy.format.kek import Kek
from sseproxy.model import Suite, WrapContext

_NOW = datetime(2026, 11, 21, 12, 0, 0, 987654, tzinfo=UTC)
_CONTEXT = WrapContext(aad=b"one object", pairs=())


def _hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 of RFC 5869, written again, for one block."""
    return hmac.digest(hmac.digest(salt or bytes(32), key, "sha256"), info + b"\x01", "sha256")


def test_what_the_cmk_wraps_is_the_moment_and_the_key() -> None:
    kek = Kek.draw(_NOW)
    packed = kek.pack()

    assert len(packed) == 40
    assert int.from_bytes(packed[:8], "big") == int(_NOW.timestamp())
    assert kek.created == _NOW.replace(microsecond=0)
    assert kek.id == _hkdf(packed[8:], b"", b"id")[:16]
    assert Kek.unpack(packed, kek.id).pack() == packed


def test_no_kek_comes_twice() -> None:
    assert len({Kek.draw(_NOW).id for _ in range(100)}) == 100


@pytest.mark.parametrize("suite", list(Suite))
def test_a_data_key_is_wrapped_under_a_key_that_is_used_once(suite: Suite) -> None:
    kek, key = Kek.draw(_NOW), DataKey.draw(suite)

    wrapped = kek.wrap(key, _CONTEXT)

    once = _hkdf(kek.pack()[8:], wrapped[:32], _CONTEXT.aad)
    assert AESGCM(once).decrypt(bytes(12), wrapped[32:], None) == key.raw
    assert kek.open(wrapped, _CONTEXT, suite).raw == key.raw
    assert wrapped[:32] != kek.wrap(key, _CONTEXT)[:32]


def test_another_kek_another_context_or_a_changed_byte_does_not_open() -> None:
    kek, key = Kek.draw(_NOW), DataKey.draw()
    wrapped = kek.wrap(key, _CONTEXT)

    for other, blob, context in (
        (Kek.draw(_NOW), wrapped, _CONTEXT),
        (kek, wrapped, replace(_CONTEXT, aad=b"another object")),
        *((kek, bytes([*wrapped[:at], wrapped[at] ^ 1, *wrapped[at + 1 :]]), _CONTEXT) for at in range(len(wrapped))),
        (kek, wrapped[:-1], _CONTEXT),
        (kek, b"", _CONTEXT),
    ):
        with pytest.raises(WrappedKeyRejected):
            other.open(blob, context, Suite.AES_256_GCM)


def test_a_data_key_of_another_length_than_its_suites_does_not_open() -> None:
    kek = Kek.draw(_NOW)

    with pytest.raises(WrappedKeyRejected):
        kek.open(kek.wrap(DataKey.draw(), _CONTEXT), _CONTEXT, Suite.SM4_GCM)


@pytest.mark.parametrize("packed", [b"", b"k" * 39, b"k" * 41, b"\xff" * 8 + b"k" * 32])
def test_what_is_no_kek_is_refused(packed: bytes) -> None:
    with pytest.raises(WrappedKeyRejected):
        Kek.unpack(packed, Kek(packed[8:], 0).id)


def test_a_kek_is_only_taken_under_its_own_id() -> None:
    with pytest.raises(WrappedKeyRejected):
        Kek.unpack(Kek.draw(_NOW).pack(), Kek.draw(_NOW).id)


def test_its_repr_shows_its_id_and_no_key() -> None:
    kek = Kek.draw(_NOW)

    assert repr(kek) == f"Kek(<redacted>, id={kek.id.hex()})"
    assert kek.pack()[8:].hex() not in repr(kek)
