"""AES-256 in counter mode from any byte on, as the OSS SDKs encrypt at the client (OSS dossier §8.2).

Nothing in it is authenticated: it turns other people's ciphertext back into their plaintext, and seals nothing.
"""

from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

from sseproxy.stage import Buffer

BLOCK: Final = 16


class CounterMode:
    """A stage that decrypts bytes which begin `offset` bytes behind the one that `counter` belongs to.

    `counter` are 16 bytes, a big-endian number that counts blocks of 16 bytes. Raises `ValueError` for other lengths.
    """

    def __init__(self, key: bytes, counter: bytes, offset: int) -> None:
        if len(counter) != BLOCK:
            raise ValueError("A counter has 16 bytes.")
        blocks, rest = divmod(offset, BLOCK)
        value = (int.from_bytes(counter, "big") + blocks) % 2 ** (8 * BLOCK)
        self._decryptor = Cipher(AES256(key), CTR(value.to_bytes(BLOCK, "big"))).decryptor()
        self._decryptor.update(bytes(rest))

    def feed(self, data: Buffer) -> Sequence[Buffer]:
        """Return the same number of bytes, decrypted."""
        return [self._decryptor.update(data)]

    def finish(self) -> Sequence[Buffer]:
        """Return nothing: every byte has its own."""
        return ()
