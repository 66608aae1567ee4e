"""HKDF-SHA256 of RFC 5869: the one function that every derived key of the product comes from."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def hkdf(key: bytes, salt: bytes | None, info: bytes, length: int) -> bytes:
    """Return `length` bytes derived from a key; no salt is as good as 32 zero bytes.

    Raises `ValueError` above 8,160 bytes, which is as much as there is to derive.
    """
    return HKDF(SHA256(), length, salt, info).derive(key)
