"""Counter mode from any byte on, against the vector of the OSS dossier's kind: one stream, cut anywhere."""

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

from sseproxy.wire.counter_mode import CounterMode

KEY = bytes(range(32))


def _whole(counter: bytes, length: int) -> bytes:
    return Cipher(AES256(KEY), CTR(counter)).encryptor().update(bytes(length))


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
