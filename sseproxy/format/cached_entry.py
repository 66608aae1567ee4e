"""What a listing shows of an object, sealed for a cache that may lie on a disk or on another host.

No part of the stored format: a cache can be dropped at any time. An entry's name is a keyed hash, its value is sealed
with AES-SIV (RFC 5297) under that name. Whoever reads the cache learns neither names nor digests of plaintexts, and
whoever writes into it can make an entry disappear, but not make a listing say anything.
"""

import hmac
from dataclasses import dataclass

import msgpack
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from sseproxy.format.derivation import hkdf
from sseproxy.format.framing import lp
from sseproxy.model import ChecksumAlgorithm, ChecksumType, name_bytes

CACHE_SECRET = 32  # bytes
_NAME_KEY, _VALUE_KEY = 32, 64  # bytes; AES-256-SIV takes two keys in one
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryIdentity:
    """The stored bytes that an entry speaks of (docs/format.md, "Reading"): they never change under one identity.

    `last_modified`, as the listing gives it, is set only for objects without an envelope: an envelope that is added
    later leaves the bytes as they are and changes the date.
    """

    bucket: str
    key: str
    version_id: str | None
    backend_etag: str
    stored_size: int
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class ShownEntry:
    """Size in bytes, ETag without quotes, and algorithm and type of the checksum, as clients are shown them."""

    size: int
    etag: str
    checksum: tuple[ChecksumAlgorithm, ChecksumType] | None = None


class EntrySealer:
    """Names and values of entries, under keys derived from a secret that all replicas share."""

    def __init__(self, secret: bytes) -> None:
        keys = hkdf(secret, None, b"sseproxy/cache/v1", _NAME_KEY + _VALUE_KEY)
        self._name_key = keys[:_NAME_KEY]
        self._values = AESSIV(keys[_NAME_KEY:])

    def name(self, identity: EntryIdentity) -> bytes:
        """Return the 32 bytes that an identity's entry is kept under."""
        texts = (
            identity.bucket,
            identity.key,
            identity.version_id or "",
            identity.backend_etag,
            identity.last_modified,
        )
        fields = [name_bytes(text) for text in texts]
        message = b"".join(map(lp, fields)) + identity.stored_size.to_bytes(8, "big")
        return hmac.digest(self._name_key, message, "sha256")

    def seal(self, name: bytes, shown: ShownEntry) -> bytes:
        """Return the value to keep under a name."""
        kind = [] if shown.checksum is None else [part.value for part in shown.checksum]
        plain: bytes = msgpack.packb([_VERSION, shown.size, shown.etag, *kind])
        return self._values.encrypt(plain, [name])

    def open(self, name: bytes, value: bytes) -> ShownEntry | None:
        """Return what was kept under a name; None where the value is damaged, of another name or of another release."""
        try:
            fields = msgpack.unpackb(self._values.decrypt(value, [name]))
            match fields:
                case [1, int(size), str(etag)]:
                    return ShownEntry(size, etag)
                case [1, int(size), str(etag), str(algorithm), str(kind)]:
                    return ShownEntry(size, etag, (ChecksumAlgorithm(algorithm), ChecksumType(kind)))
                case _:
                    return None
        except (InvalidTag, ValueError, msgpack.UnpackException):
            return None
