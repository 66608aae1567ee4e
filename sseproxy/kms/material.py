"""What a CMK's material does: how it lies in the database, and how a data key is wrapped under it.

    sealed material := wrap(sealing key, material, label, key id, version)
    wrapped key     := u8 1, key id[16], u32 version, wrap(material, data key, label, key id, version, context)

`wrap` is that of `wrapping`; everything it names after the wrapped bytes is authenticated.
"""

from dataclasses import dataclass
from hashlib import sha256
from struct import Struct
from uuid import UUID

from sseproxy.format.wrapping import WrapRejected, framed, unwrap, wrap
from sseproxy.model import WrapContext

MATERIAL = 32  # bytes of a CMK's material

_HEAD = Struct(">B16sI")  # blob version, key id, key version; the wrap follows
_BLOB_VERSION = 1
_IMPORT = b"sseproxy/kms/v1/import"


class SealingKey:
    """What a KMS database holds is sealed under this key, and this key under the root key. Its `repr` shows no key."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def __repr__(self) -> str:
        return "SealingKey(<redacted>)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A wrapped key taken apart: which CMK, which version of it, and the wrap itself."""

    key_id: str
    version: int
    wrapped: bytes


def seal_material(sealing_key: SealingKey, key_id: str, version: int, material: bytes) -> bytes:
    """Return a CMK version's material as the database keeps it."""
    return wrap(sealing_key.raw, material, _material_info(key_id, version))


def open_material(sealing_key: SealingKey, key_id: str, version: int, sealed: bytes) -> bytes:
    """Open what `seal_material` returned. Raises `WrapRejected`."""
    return unwrap(sealing_key.raw, sealed, _material_info(key_id, version))


def seal_private_key(sealing_key: SealingKey, token_hash: bytes, der: bytes) -> bytes:
    """Return the private half of an import's wrapping key as the database keeps it."""
    return wrap(sealing_key.raw, der, framed(_IMPORT, token_hash))


def open_private_key(sealing_key: SealingKey, token_hash: bytes, sealed: bytes) -> bytes:
    """Open what `seal_private_key` returned. Raises `WrapRejected`."""
    return unwrap(sealing_key.raw, sealed, framed(_IMPORT, token_hash))


def material_hash(key_id: str, material: bytes) -> bytes:
    """Return what tells whether material that is imported again is the same; says nothing about it otherwise."""
    return sha256(framed(b"sseproxy/kms/v1/material-hash", key_id.encode(), material)).digest()


def wrap_data_key(material: bytes, key_id: str, version: int, key: bytes, context: WrapContext) -> bytes:
    """Return the blob of a data key under a version of a CMK."""
    head = _HEAD.pack(_BLOB_VERSION, UUID(key_id).bytes, version)
    return head + wrap(material, key, _wrap_info(key_id, version, context))


def parse_blob(blob: bytes) -> Blob:
    """Take a wrapped key apart. Raises `WrapRejected`."""
    if len(blob) <= _HEAD.size:
        raise WrapRejected
    blob_version, key_id, version = _HEAD.unpack_from(blob)
    if blob_version != _BLOB_VERSION:
        raise WrapRejected
    return Blob(key_id=str(UUID(bytes=key_id)), version=version, wrapped=blob[_HEAD.size :])


def open_data_key(material: bytes, blob: Blob, context: WrapContext) -> bytes:
    """Open a data key with the material of the version that the blob names. Raises `WrapRejected`."""
    return unwrap(material, blob.wrapped, _wrap_info(blob.key_id, blob.version, context))


def _material_info(key_id: str, version: int) -> bytes:
    return framed(b"sseproxy/kms/v1/material", key_id.encode(), version.to_bytes(4, "big"))


def _wrap_info(key_id: str, version: int, context: WrapContext) -> bytes:
    return framed(b"sseproxy/kms/v1/wrap", key_id.encode(), version.to_bytes(4, "big"), context.aad)
