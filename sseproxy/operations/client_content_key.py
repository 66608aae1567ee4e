"""What the OSS SDKs encrypt an object's bytes with, and how its metadata says so (OSS dossier §8.1, §8.7)."""

from collections.abc import Mapping
from dataclasses import dataclass

from sseproxy.policy.client_encryption import CLIENT_ENCRYPTION
from sseproxy.wire.counter_mode import BLOCK

_CIPHER = "AES/CTR/NoPadding"
_OLD = "oss-"  # behind the dialect's metadata prefix, in older oss2: oss-crypto-key, oss-crypto-start, oss-cek-alg, …
_OLD_CIPHERS = ("AES/GCM/NoPadding", "AES/CTR/NoPadding")  # CTR it is under either name
_OLD_NAMES = ("unencrypted-content-length", "unencrypted-content-md5", "oss-cek-alg", "oss-wrap-alg", "oss-matdesc")
_OLD_PREFIX = "oss-crypto-"
_MD5 = "unencrypted-content-md5"
_KEY = 32  # bytes of a content key
_MOST_DIGITS = 18  # of an old counter, which fits into 8 bytes so


@dataclass(frozen=True, slots=True, repr=False)
class ContentKey:
    """What an object's bytes were encrypted with: the key, and the counter of its first block."""

    key: bytes
    counter: bytes


@dataclass(frozen=True, slots=True)
class WrittenKey:
    """What an object's metadata says of its content key; `old` is the form that older releases of oss2 wrote."""

    wrap: str
    key: str
    start: str
    old: bool = False

    def content_key(self, key: bytes, start: bytes) -> ContentKey | None:
        """Return what was wrapped if it can be a key and its first counter, None for anything else.

        A wrong RSA key gives an error, or, as a defence against padding oracles, random bytes of any length.
        """
        counter = _old_counter(start) if self.old else _new_counter(start)
        return ContentKey(key, counter) if len(key) == _KEY and len(counter) == BLOCK else None


def written_key(headers: Mapping[str, str], prefix: str) -> WrittenKey | None:
    """Read an object's metadata; None where it says nothing, or tells of another cipher."""
    new, old = prefix + CLIENT_ENCRYPTION, prefix + _OLD
    if new + "key" in headers:
        if headers.get(new + "cek-alg") != _CIPHER:
            return None
        wrap, start = headers.get(new + "wrap-alg", ""), headers.get(new + "start", "")
        return WrittenKey(wrap, headers[new + "key"], start)
    if old + "crypto-key" in headers and headers.get(old + "cek-alg") in _OLD_CIPHERS:
        wrap, start = headers.get(old + "wrap-alg", ""), headers.get(old + "crypto-start", "")
        return WrittenKey(wrap, headers[old + "crypto-key"], start, old=True)
    return None


def tells_of_encryption(name: str, prefix: str, written: WrittenKey) -> bool:
    """Whether a header, in lower case, is of the SDK's making: not what whoever wrote the object said of it."""
    if not name.startswith(prefix):
        return False
    own = name.removeprefix(prefix)
    return own.startswith(_OLD_PREFIX) or own in _OLD_NAMES if written.old else own.startswith(CLIENT_ENCRYPTION)


def plaintext_md5(headers: Mapping[str, str], prefix: str, written: WrittenKey) -> str | None:
    """Return what the SDK was told of the plaintext's MD5, None where it was told nothing."""
    if not written.old:
        return headers.get(f"{prefix}{CLIENT_ENCRYPTION}{_MD5}")
    return headers.get(f"{prefix}{_OLD_PREFIX}{_MD5}", headers.get(prefix + _MD5))


def _new_counter(counter: bytes) -> bytes:
    """Return the counter if it can be one: bytes 8 to 11 of every one that SDKs make are zero; nothing otherwise."""
    return b"" if any(counter[8:12]) else counter


def _old_counter(text: bytes) -> bytes:
    """Return the counter that oss2 wrote as a number in decimal digits; nothing for anything else."""
    if not (text.isdigit() and len(text) <= _MOST_DIGITS):
        return b""
    return int(text).to_bytes(BLOCK, "big")
