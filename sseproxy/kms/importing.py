"""Bringing one's own key: import parameters, the material itself, and taking it away again (OSS dossier §7.2).

The material travels wrapped by RSAES-OAEP under a key that was made for it and is forgotten once it was used.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from sseproxy.errors import InvalidArgument, KeyServiceError
from sseproxy.format.wrapping import WrapRejected
from sseproxy.kms.management import existing_key, state_refusal
from sseproxy.kms.material import (
    MATERIAL,
    SealingKey,
    material_hash,
    open_private_key,
    seal_material,
    seal_private_key,
)
from sseproxy.kms.rows import ImportRow, KeyRow, KeyState, Origin, Rows, VersionRow

_TOKEN = 32  # random bytes
_LIFETIME = timedelta(hours=24)  # of a wrapping key, as the services have it
_EXPONENT = 65537
_VERSION = 1  # imported material is never rotated


class WrappingAlgorithm(StrEnum):
    """How material is wrapped for its way."""

    OAEP_SHA_256 = "RSAES_OAEP_SHA_256"
    OAEP_SHA_1 = "RSAES_OAEP_SHA_1"


class WrappingKeySpec(StrEnum):
    """Which key it is wrapped under."""

    RSA_2048 = "RSA_2048"
    RSA_3072 = "RSA_3072"
    RSA_4096 = "RSA_4096"


_BITS: Mapping[WrappingKeySpec, int] = MappingProxyType(
    {WrappingKeySpec.RSA_2048: 2048, WrappingKeySpec.RSA_3072: 3072, WrappingKeySpec.RSA_4096: 4096}
)
_HASHES: Mapping[WrappingAlgorithm, type[HashAlgorithm]] = MappingProxyType(
    {WrappingAlgorithm.OAEP_SHA_256: SHA256, WrappingAlgorithm.OAEP_SHA_1: SHA1}
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ImportParameters:
    """What an owner of material needs to import it. `public_key` is DER (SubjectPublicKeyInfo)."""

    key_id: str
    algorithm: WrappingAlgorithm
    public_key: bytes
    token: bytes
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Import:
    """Material on its way into a CMK. `expires` None: it stays until it is deleted."""

    key_id: str
    token: bytes
    wrapped: bytes
    expires: datetime | None = None


def make_wrapping_key(spec: WrappingKeySpec) -> rsa.RSAPrivateKey:
    """Make a wrapping key. Takes the processor up to some seconds: outside of any transaction."""
    return rsa.generate_private_key(_EXPONENT, _BITS[spec])


def offer_import(
    rows: Rows,
    sealing_key: SealingKey,
    now: datetime,
    *,
    key_id: str,
    algorithm: WrappingAlgorithm,
    wrapping_key: rsa.RSAPrivateKey,
) -> ImportParameters:
    """Keep a wrapping key for a CMK and return what belongs to it. Raises `InvalidArgument` unless it is external."""
    row = _external(rows, key_id)
    token = secrets.token_bytes(_TOKEN)
    token_hash = sha256(token).digest()
    der = wrapping_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    expires = now + _LIFETIME
    rows.add_import(
        token_hash,
        ImportRow(
            key_id=row.key_id,
            algorithm=algorithm.value,
            private_key=seal_private_key(sealing_key, token_hash, der),
            expires=expires.isoformat(),
        ),
    )
    public_key = wrapping_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return ImportParameters(key_id=row.key_id, algorithm=algorithm, public_key=public_key, token=token, expires=expires)


def import_material(rows: Rows, sealing_key: SealingKey, now: datetime, *, wanted: Import) -> KeyRow:
    """Put material into a CMK, which can be used then; one that an operator disabled stays disabled.

    Raises `InvalidArgument` for a token or material that does not fit, and for other material than the CMK had before:
    what was wrapped under that would never open again.
    """
    row = _external(rows, wanted.key_id)
    if wanted.expires is not None and wanted.expires <= now:
        raise InvalidArgument("The material would have expired already.", ArgumentName="ValidTo")
    material = _unwrapped(rows, sealing_key, row, wanted)
    hashed = material_hash(row.key_id, material)
    sealed = seal_material(sealing_key, row.key_id, _VERSION, material)
    expires = None if wanted.expires is None else wanted.expires.isoformat()
    versions = rows.versions_of(row.key_id)
    if not versions:
        rows.add_version(
            row.key_id,
            VersionRow(version=_VERSION, sealed=sealed, created=now.isoformat(), expires=expires, material_hash=hashed),
        )
    elif hmac.compare_digest(versions[0].material_hash, hashed):
        rows.set_material(row.key_id, _VERSION, sealed, expires)
    else:
        raise InvalidArgument("The key material is not the one that was imported into this CMK before.")
    if row.state is KeyState.PENDING_IMPORT:
        rows.set_state(row.key_id, KeyState.ENABLED)
    rows.delete_imports(row.key_id)
    return existing_key(rows, row.key_id)


def delete_material(rows: Rows, key_id: str) -> KeyRow:
    """Take a CMK's material away. It can be imported again; until then nothing that the CMK wrapped opens."""
    row = _external(rows, key_id)
    if row.state is not KeyState.PENDING_IMPORT:
        rows.set_material(row.key_id, row.current_version, None, None)
        rows.set_state(row.key_id, KeyState.PENDING_IMPORT)
    return existing_key(rows, row.key_id)


def _external(rows: Rows, key_id: str) -> KeyRow:
    row = existing_key(rows, key_id)
    if row.origin is not Origin.EXTERNAL:
        raise InvalidArgument("The CMK has generated material: only one of external origin takes imported material.")
    if row.state is KeyState.PENDING_DELETION:
        raise state_refusal(row)
    return row


def _unwrapped(rows: Rows, sealing_key: SealingKey, row: KeyRow, wanted: Import) -> bytes:
    """Open the wrapped material with the key that the token stands for."""
    token_hash = sha256(wanted.token).digest()
    found = rows.find_import(token_hash)
    if found is None or found.key_id != row.key_id:
        raise InvalidArgument(
            "The import token is not valid for this CMK, has been used, or is older than 24 hours: get new import "
            "parameters.",
            ArgumentName="ImportToken",
        )
    try:
        private_key = load_der_private_key(open_private_key(sealing_key, token_hash, found.private_key), None)
    except WrapRejected as cause:
        raise KeyServiceError("The import's wrapping key is damaged in the KMS database.") from cause
    if not isinstance(private_key, rsa.RSAPrivateKey):
        raise TypeError("a wrapping key is an RSA key")
    digest = _HASHES[WrappingAlgorithm(found.algorithm)]
    try:
        material = private_key.decrypt(wanted.wrapped, padding.OAEP(padding.MGF1(digest()), digest(), None))
    except ValueError:
        raise InvalidArgument(
            f"The material does not open: wrap it with {found.algorithm} under the public key that came with it.",
            ArgumentName="EncryptedKeyMaterial",
        ) from None
    if len(material) != MATERIAL:
        raise InvalidArgument(
            f"The key material has {len(material)} bytes; a CMK's has {MATERIAL}.", ArgumentName="EncryptedKeyMaterial"
        )
    return material
