"""The data key of an object and every key that is derived from it (docs/format.md, "Keys")."""

import hmac
import secrets
from typing import Self

from sseproxy.errors import CommitmentMismatch
from sseproxy.format.derivation import hkdf
from sseproxy.format.layout import SALT
from sseproxy.format.suites import KEY_LENGTHS, check_available
from sseproxy.model import Suite

KEY_LENGTH = 32  # of suite 1 and of what is no AEAD's key, docs/format.md, "Keys"
COMMITMENT = 32  # length of a key commitment, docs/format.md, "Keys"

_LABEL = b"sseproxy/v1/"  # begins every HKDF info, docs/format.md, "Keys"


class ClosingKeys:
    """What ends an upload without its data key: the keys of its records and footer, nothing that opens a segment.

    An upload under a customer's key is completed and listed by requests that have no key (docs/format.md,
    "Multipart"). Suite 1 alone: no client brings a key for another. Its `repr` shows no key.
    """

    __slots__ = ("_raw",)

    suite = Suite.AES_256_GCM

    def __init__(self, raw: bytes) -> None:
        if len(raw) != 3 * KEY_LENGTH:
            raise ValueError("The closing keys are three keys.")
        self._raw = bytes(raw)

    def __repr__(self) -> str:
        return "ClosingKeys(<redacted>)"

    @property
    def raw(self) -> bytes:
        """All of them: for wrapping, nothing else."""
        return self._raw

    @property
    def footer_key(self) -> bytes:
        """As of `DataKey`."""
        return self._raw[KEY_LENGTH : 2 * KEY_LENGTH]

    @property
    def footer_nonce_key(self) -> bytes:
        """As of `DataKey`."""
        return self._raw[2 * KEY_LENGTH :]

    def record_key(self, salt: bytes) -> bytes:
        """As of `DataKey`."""
        return _hkdf(self._raw[:KEY_LENGTH], _checked(salt), _LABEL + b"record", KEY_LENGTH)


class DataKey:
    """The key that one object, or one upload, is sealed under. Only ever used as HKDF input.

    Raises `CipherUnavailable` for a suite that this host cannot do, and `ValueError` where the length is not the
    suite's. Its `repr` shows no key.
    """

    __slots__ = ("_raw", "_suite")

    def __init__(self, raw: bytes, suite: Suite = Suite.AES_256_GCM) -> None:
        check_available(suite)
        if len(raw) != KEY_LENGTHS[suite]:
            raise ValueError(f"A key of suite {suite.value} has {KEY_LENGTHS[suite]} bytes.")
        self._raw = bytes(raw)
        self._suite = suite

    @classmethod
    def draw(cls, suite: Suite = Suite.AES_256_GCM, *, _raw: bytes | None = None) -> Self:
        """Return a fresh random key."""
        return cls(secrets.token_bytes(KEY_LENGTHS[suite]) if _raw is None else _raw, suite)

    def __repr__(self) -> str:
        return f"DataKey(<redacted>, suite={self._suite.value})"

    @property
    def raw(self) -> bytes:
        """The key itself: for wrapping it, nothing else."""
        return self._raw

    @property
    def suite(self) -> Suite:
        """The AEAD that this key is for."""
        return self._suite

    @property
    def commitment(self) -> bytes:
        """What the envelope says of this key without revealing it; 32 bytes."""
        return self._derive(b"commit", length=COMMITMENT)

    def check_commitment(self, expected: bytes) -> None:
        """Return if `expected` is this key's commitment, else raise `CommitmentMismatch`. Takes constant time.

        AES-GCM does not commit to its key, so this comes before anything is decrypted.
        """
        if not hmac.compare_digest(self.commitment, expected):
            raise CommitmentMismatch

    def segment_key(self, salt: bytes, number: int) -> bytes:
        """Return the key of the frames of one segment attempt."""
        return self._derive(b"segment" + number.to_bytes(4, "big"), salt=_checked(salt), length=self._length)

    @property
    def footer_key(self) -> bytes:
        """The key that seals the footer."""
        return self._derive(b"footer", length=self._length)

    @property
    def footer_nonce_key(self) -> bytes:
        """The HMAC key that the footer's nonce is made with."""
        return self._derive(b"footer-nonce")

    def record_key(self, salt: bytes) -> bytes:
        """Return the key of one upload record, to be used once.

        It goes through a key of all records, so that whoever completes an upload can be given that and the footer
        keys without the data key.
        """
        return _hkdf(self._derive(b"records"), _checked(salt), _LABEL + b"record", self._length)

    @property
    def closing_keys(self) -> ClosingKeys:
        """What whoever completes or lists an upload is given instead of this key; only of suite 1."""
        return ClosingKeys(self._derive(b"records") + self.footer_key + self.footer_nonce_key)

    def part_etag(self, salt: bytes) -> str:
        """Return the ETag (32 hex digits) that names one attempt of a part where no MD5 is made."""
        return self._derive(b"part-etag", salt=_checked(salt), length=16).hex()

    @property
    def _length(self) -> int:
        return KEY_LENGTHS[self._suite]

    def _derive(self, label: bytes, *, salt: bytes | None = None, length: int = KEY_LENGTH) -> bytes:
        return _hkdf(self._raw, salt, _LABEL + label, length)


def _hkdf(key: bytes, salt: bytes | None, info: bytes, length: int) -> bytes:
    return hkdf(key, salt, info, length)


def _checked(salt: bytes) -> bytes:
    if len(salt) != SALT:
        raise ValueError(f"A salt has {SALT} bytes.")
    return salt
