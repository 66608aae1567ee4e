"""The frozen vocabulary that every layer shares. No I/O, no dialect, no HTTP."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum
from hashlib import md5
from types import MappingProxyType


class Algorithm(Enum):
    """How a client asked for its object to be encrypted, told without a dialect's words."""

    AES256 = "AES256"
    KMS = "KMS"
    SM4 = "SM4"
    CUSTOMER = "CUSTOMER"  # the client sends the key with every request (SSE-C)


class Suite(IntEnum):
    """The AEAD that seals an object (docs/format.md, "Keys")."""

    AES_256_GCM = 1
    SM4_GCM = 2


class Layout(Enum):
    """How the segments of an object came to be (docs/format.md, "Envelope")."""

    SINGLE = "single"
    MULTIPART = "multipart"
    APPEND = "append"


class Binding(Enum):
    """Which names a wrapped key is bound to (docs/format.md, "Keys")."""

    BUCKET_KEY = "bucket-key"
    KEY = "key"
    NONE = "none"


class EtagMode(Enum):
    """Where the ETag of a new object comes from (docs/format.md, "ETag")."""

    MD5 = "md5"
    OPAQUE = "opaque"


class WriteCondition(Enum):
    """A condition on a write that a store may keep, or overlook in silence (S3 dossier §5.5)."""

    PUT_IF_NONE_MATCH = "put-if-none-match"
    PUT_IF_MATCH = "put-if-match"
    COPY_IF_NONE_MATCH = "copy-if-none-match"
    COPY_IF_MATCH = "copy-if-match"
    COPY_SOURCE_IF_MATCH = "copy-source-if-match"
    COMPLETE_IF_NONE_MATCH = "complete-if-none-match"
    COMPLETE_IF_MATCH = "complete-if-match"
    DELETE_IF_MATCH = "delete-if-match"


class ChecksumAlgorithm(Enum):
    """A checksum that S3 clients can send and ask for (S3 dossier §4.1)."""

    CRC32 = "CRC32"
    CRC32C = "CRC32C"
    CRC64NVME = "CRC64NVME"
    SHA1 = "SHA1"
    SHA256 = "SHA256"
    SHA512 = "SHA512"
    MD5 = "MD5"
    XXHASH64 = "XXHASH64"
    XXHASH3 = "XXHASH3"
    XXHASH128 = "XXHASH128"


CHECKSUM_WIDTHS: Mapping[ChecksumAlgorithm, int] = MappingProxyType(
    {  # bytes
        ChecksumAlgorithm.CRC32: 4,
        ChecksumAlgorithm.CRC32C: 4,
        ChecksumAlgorithm.CRC64NVME: 8,
        ChecksumAlgorithm.SHA1: 20,
        ChecksumAlgorithm.SHA256: 32,
        ChecksumAlgorithm.SHA512: 64,
        ChecksumAlgorithm.MD5: 16,
        ChecksumAlgorithm.XXHASH64: 8,
        ChecksumAlgorithm.XXHASH3: 8,
        ChecksumAlgorithm.XXHASH128: 16,
    }
)


class ChecksumType(Enum):
    """Whether a checksum covers the object's bytes or its parts' checksums."""

    FULL_OBJECT = "FULL_OBJECT"
    COMPOSITE = "COMPOSITE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checksum:
    """A plaintext checksum as raw bytes, CRCs big-endian."""

    algorithm: ChecksumAlgorithm
    type: ChecksumType
    value: bytes


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """An object's full name.

    `key` is the text after exactly one percent-decoding as UTF-8 with `surrogateescape`, so that
    `name_bytes` gives the very bytes of the request back, whatever they were.
    """

    bucket: str
    key: str
    version_id: str | None = None


def name_bytes(name: str) -> bytes:
    """Return the bytes of a bucket name or object key after exactly one percent-decoding."""
    return name.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A closed range of bytes: `first` and `last` are both included, 0 <= first <= last."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """How many bytes the range spans; never zero."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class WrapContext:
    """What a wrapped key is authenticated with (docs/format.md, "Keys").

    Providers with byte AAD take `aad`; providers with string maps take `pairs`.
    """

    aad: bytes
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class WrappedKey:
    """A data key under a CMK. `blob` is opaque; it names the CMK's version by itself."""

    key_id: str
    blob: bytes


@dataclass(frozen=True, slots=True, repr=False)
class CustomerKey:
    """The key that a client sends with a request (SSE-C). Never stored, logged or sent on; its `repr` shows nothing.

    `raw` may have any length in a read, where another length than 32 bytes is just a wrong key.
    """

    raw: bytes

    @property
    def md5_text(self) -> str:
        """The base64 of the key's MD5: how requests and answers name the key."""
        return b64encode(md5(self.raw, usedforsecurity=False).digest()).decode()


class KeyUse(StrEnum):
    """What a client may be granted to do with a CMK."""

    ENCRYPT = "encrypt"
    DECRYPT = "decrypt"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDescription:
    """What a KMS says of a CMK: its canonical id and where it stands."""

    key_id: str
    state: str
    origin: str
    current_version: int
