"""Wrapping under a long-lived key, without its ever seeing a random nonce (docs/format.md, "Wrap context").

Every wrap derives a key of its own, HKDF-SHA256(key, salt = 32 random bytes, info), and uses it for one AES-256-GCM
encryption. The nonce is zero because that key is used once; what the wrap is bound to is in `info`.
"""

import secrets

from cryptography.exceptions import InvalidTag

from sseproxy.format.derivation import hkdf
from sseproxy.format.suites import Aead, aead_of
from sseproxy.model import Suite

_SALT, _TAG, _KEY = 32, 16, 32
_NONCE = bytes(12)

OVERHEAD = _SALT + _TAG  # bytes that a wrap is longer than what it wraps


class WrapRejected(Exception):
    """A wrap does not open: another key, another context, or damage."""


def framed(*fields: bytes) -> bytes:
    """Join byte strings so that no two different lists give the same result."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def wrap(key: bytes, plain: bytes, info: bytes, *, _salt: bytes | None = None) -> bytes:
    """Return `plain` sealed under `key`, bound to `info`: salt, ciphertext, tag. Only vectors give a salt."""
    salt = secrets.token_bytes(_SALT) if _salt is None else _salt
    return salt + _aead(key, salt, info).encrypt(_NONCE, plain, None)


def unwrap(key: bytes, wrapped: bytes, info: bytes) -> bytes:
    """Open a wrap. Raises `WrapRejected`."""
    if len(wrapped) <= OVERHEAD:
        raise WrapRejected
    salt = wrapped[:_SALT]
    try:
        return _aead(key, salt, info).decrypt(_NONCE, wrapped[_SALT:], None)
    except InvalidTag as cause:
        raise WrapRejected from cause


def _aead(key: bytes, salt: bytes, info: bytes) -> Aead:
    return aead_of(Suite.AES_256_GCM, hkdf(key, salt, info, _KEY))
