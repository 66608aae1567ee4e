"""Counter mode from any byte on: the dossier's vector (§10.6), and one stream cut anywhere."""

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

from sseproxy.wire.counter_mode import CounterMode

KEY = bytes(range(32))


def _whole(counter: bytes, length: int) -> bytes:
    return Cipher(AES256(KEY), CTR(counter)).encryptor().update(bytes(length))


def test_the_dossiers_vector_from_any_block_on() -> None:
    counter = bytes.fromhex("000102030405060700000000fffffffe")
    sealed = bytes.fromhex(
        "9e79ecf3e1a1cae929a0fceb550c8a25896d06d0eb81f8432721c8a394b57803e32e2427fce6e35f97c13d511e494e769dd75344d4a00de7812d"
        "8547be9f5786"
    )
    plain = b"0123456789abcdef" * 4

    for offset in range(0, 64, 16):
        assert b"".join(CounterMode(KEY, counter, offset).feed(sealed[offset:])) == plain[offset:]
    third = CounterMode(KEY, bytes.fromhex("00010203040506070000000100000000"), 0)
    assert b"".join(third.feed(sealed[32:])) == plain[32:]


@pytest.mark.parametrize("counter", [bytes(16), bytes(range(16)), b"\xff" * 16, bytes(8) + b"\xff" * 8])
@pytest.mark.parametrize("offset", [0, 1, 15, 16, 17, 31, 4096, 65537])
def test_decryption_may_begin_at_any_byte(counter: bytes, offset: int) -> None:
    stage = CounterMode(KEY, counter, offset)

    assert (
        b"".join([*stage.feed(bytes(40)), *stage.feed(bytes(7)), *stage.finish()])
        == _whole(counter, offset + 47)[offset:]
    )


def test_a_counter_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        CounterMode(KEY, bytes(15), 0)
