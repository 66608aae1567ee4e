"""The AEADs that the suites name, behind one interface (docs/format.md, "Versions").

`cryptography` has AES-GCM as one call. SM4-GCM it has only as a streaming cipher, which hands plaintext out before the
tag is known; here nothing leaves before `finalize()` has verified it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import GCM

from sseproxy.errors import CipherUnavailable
from sseproxy.model import Suite
from sseproxy.stage import Buffer

KEY_LENGTHS: Final[Mapping[Suite, int]] = MappingProxyType({Suite.AES_256_GCM: 32, Suite.SM4_GCM: 16})
"""Bytes of a suite's data keys and derived AEAD keys, docs/format.md, "Keys"."""

_TAG = 16
_NONCE = 12


class Aead(Protocol):
    """An AEAD with a 12-byte nonce and a 16-byte tag behind the ciphertext. Opening raises `InvalidTag`."""

    def encrypt(self, nonce: bytes, data: Buffer, associated_data: bytes | None) -> bytes:
        """Return ciphertext and tag."""
        ...

    def decrypt(self, nonce: bytes, data: Buffer, associated_data: bytes | None) -> bytes:
        """Return the plaintext, once it is verified."""
        ...

    def encrypt_into(self, nonce: bytes, data: Buffer, associated_data: bytes | None, buf: Buffer) -> int:
        """Write ciphertext and tag into `buf`, which is exactly as long; returns the length."""
        ...

    def decrypt_into(self, nonce: bytes, data: Buffer, associated_data: bytes | None, buf: Buffer) -> int:
        """Write the plaintext into `buf`, which is exactly as long; returns the length."""
        ...


def aead_of(suite: Suite, key: bytes) -> Aead:
    """Return a suite's AEAD under a key. Raises `CipherUnavailable` where this host cannot do it."""
    if suite is Suite.AES_256_GCM:
        return AESGCM(key)
    check_available(suite)
    return Sm4Gcm(key)


def check_available(suite: Suite) -> None:
    """Raise `CipherUnavailable` where the host's cryptography library has no such cipher: it is never replaced."""
    if not is_available(suite):
        raise CipherUnavailable


def is_available(suite: Suite) -> bool:
    """Whether this host can seal with a suite. AES-GCM there is always, SM4 depends on how OpenSSL was built."""
    if suite is not Suite.SM4_GCM:
        return True
    try:
        Cipher(SM4(bytes(KEY_LENGTHS[suite])), GCM(bytes(_NONCE))).encryptor()
    except UnsupportedAlgorithm:
        return False
    return True


class Sm4Gcm:
    """SM4-GCM with the methods of `AESGCM`. Its `repr` shows no key."""

    __slots__ = ("_algorithm",)

    def __init__(self, key: bytes) -> None:
        self._algorithm = SM4(key)

    def __repr__(self) -> str:
        return "Sm4Gcm(<redacted>)"

    def encrypt(self, nonce: bytes, data: Buffer, associated_data: bytes | None) -> bytes:
        """Return ciphertext and tag."""
        sealed = bytearray(memoryview(data).nbytes + _TAG)
        self.encrypt_into(nonce, data, associated_data, sealed)
        return bytes(sealed)

    def decrypt(self, nonce: bytes, data: Buffer, associated_data: bytes | None) -> bytes:
        """Return the plaintext, once it is verified. Raises `InvalidTag`."""
        view = memoryview(data)
        decryptor = Cipher(self._algorithm, GCM(nonce, bytes(view[-_TAG:]))).decryptor()
        decryptor.authenticate_additional_data(associated_data or b"")
        plain = decryptor.update(view[:-_TAG])
        decryptor.finalize()  # raises before `plain` is given to anybody
        return plain

    def encrypt_into(self, nonce: bytes, data: Buffer, associated_data: bytes | None, buf: Buffer) -> int:
        """Write ciphertext and tag into `buf`, which is exactly as long; returns the length."""
        out = memoryview(buf)
        if len(out) != memoryview(data).nbytes + _TAG:
            raise ValueError("The buffer is not as long as the sealed message.")
        encryptor = Cipher(self._algorithm, GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(associated_data or b"")
        encryptor.update_into(data, out)
        encryptor.finalize()
        out[-_TAG:] = encryptor.tag
        return len(out)

    def decrypt_into(self, nonce: bytes, data: Buffer, associated_data: bytes | None, buf: Buffer) -> int:
        """Write the plaintext into `buf`, which is exactly as long; returns the length. Raises `InvalidTag`."""
        plain = self.decrypt(nonce, data, associated_data)
        memoryview(buf)[:] = plain
        return len(plain)
