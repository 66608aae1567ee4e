"""Key material at rest and blobs of wrapped keys: what they are bound to."""

import pytest

from sseproxy.format.wrapping import WrapRejected
from sseproxy.kms.material import (
    SealingKey,
    material_hash,
    open_data_key,
    open_material,
    parse_blob,
    seal_material,
    wrap_data_key,
)
from sseproxy.model import WrapContext

_ROOT = SealingKey(bytes.fromhex("8f1d2e6b90a4c75342fe0b68d9137ca5e2476809bd31f5ac5e80971c62db04f3"))
_ID, _OTHER_ID = "5f0c0b9e-9a39-4c54-8a8b-2b7d5a5d0c11", "5f0c0b9e-9a39-4c54-8a8b-2b7d5a5d0c12"
_MATERIAL = b"m" * 32
_CONTEXT = WrapContext(aad=b"context", pairs=())


def test_material_opens_for_its_key_and_version_alone() -> None:
    sealed = seal_material(_ROOT, _ID, 1, _MATERIAL)

    assert open_material(_ROOT, _ID, 1, sealed) == _MATERIAL
    assert _MATERIAL not in sealed
    for key_id, version in ((_OTHER_ID, 1), (_ID, 2)):
        with pytest.raises(WrapRejected):
            open_material(_ROOT, key_id, version, sealed)


def test_a_blob_names_its_key_and_version() -> None:
    blob = wrap_data_key(_MATERIAL, _ID, 7, b"k" * 32, _CONTEXT)

    parsed = parse_blob(blob)

    assert (parsed.key_id, parsed.version) == (_ID, 7)
    assert blob[:1] == b"\x01"
    assert blob[1:17].hex() == _ID.replace("-", "")
    assert blob[17:21] == b"\0\0\0\x07"
    assert len(blob) == 21 + 32 + 32 + 16
    assert open_data_key(_MATERIAL, parsed, _CONTEXT) == b"k" * 32


@pytest.mark.parametrize("place", [1, 16, 17, 20], ids=["id", "id-end", "version", "version-end"])
def test_key_and_version_in_a_blob_are_authenticated(place: int) -> None:
    blob = bytearray(wrap_data_key(_MATERIAL, _ID, 7, b"k" * 32, _CONTEXT))
    blob[place] ^= 1

    with pytest.raises(WrapRejected):
        open_data_key(_MATERIAL, parse_blob(bytes(blob)), _CONTEXT)


@pytest.mark.parametrize("blob", [b"", b"\x01", bytes(21), b"\x02" + bytes(100), b"\x00" + bytes(100)])
def test_what_is_no_blob_is_rejected(blob: bytes) -> None:
    with pytest.raises(WrapRejected):
        parse_blob(blob)


def test_the_hash_of_material_tells_whether_it_is_the_same_for_the_same_key() -> None:
    assert material_hash(_ID, _MATERIAL) == material_hash(_ID, _MATERIAL)
    assert material_hash(_ID, _MATERIAL) != material_hash(_OTHER_ID, _MATERIAL)
    assert material_hash(_ID, _MATERIAL) != material_hash(_ID, b"n" * 32)
