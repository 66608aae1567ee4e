"""Bringing one's own key: from a CMK without material to one that wraps, and back."""

import os
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from sseproxy.errors import InvalidArgument, KeyDisabled, KeyPendingDeletion, KeyPendingImport
from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.kms.importing import Import, ImportParameters, WrappingAlgorithm, WrappingKeySpec
from tests.kms.suite import CONTEXT
from tests.support.fake_clock import FakeClock

_MATERIAL = os.urandom(32)
_SHA_256, _RSA_2048 = WrappingAlgorithm.OAEP_SHA_256, WrappingKeySpec.RSA_2048


def _wrapped(parameters: ImportParameters, material: bytes, digest: type[HashAlgorithm] = SHA256) -> bytes:
    """What the owner of the material does, with nothing but the public key."""
    public_key = load_der_public_key(parameters.public_key)
    assert isinstance(public_key, rsa.RSAPublicKey)
    return public_key.encrypt(material, padding.OAEP(padding.MGF1(digest()), digest(), None))


async def _import(kms: EmbeddedKms, key_id: str, material: bytes = _MATERIAL, expires: datetime | None = None) -> None:
    parameters = await kms.import_parameters(key_id, _SHA_256, _RSA_2048)
    wanted = Import(key_id=key_id, token=parameters.token, wrapped=_wrapped(parameters, material), expires=expires)
    await kms.import_material(wanted)


async def test_an_external_key_waits_for_its_material(kms: EmbeddedKms) -> None:
    described = await kms.create_external_key(alias="alias/mine")

    assert (described.state, described.origin, described.current_version) == ("PendingImport", "external", 0)
    assert await kms.describe("alias/mine") == described
    with pytest.raises(KeyPendingImport):
        await kms.generate(described.key_id, CONTEXT)
    with pytest.raises(KeyPendingImport):
        await kms.enable(described.key_id)


@pytest.mark.parametrize("spec", list(WrappingKeySpec))
@pytest.mark.parametrize(("algorithm", "digest"), [(_SHA_256, SHA256), (WrappingAlgorithm.OAEP_SHA_1, SHA1)])
async def test_imported_material_wraps_and_opens(
    kms: EmbeddedKms, algorithm: WrappingAlgorithm, digest: type[HashAlgorithm], spec: WrappingKeySpec
) -> None:
    key_id = (await kms.create_external_key()).key_id
    parameters = await kms.import_parameters(key_id, algorithm, spec)
    public_key = load_der_public_key(parameters.public_key)
    assert isinstance(public_key, rsa.RSAPublicKey)

    wrapped = _wrapped(parameters, _MATERIAL, digest)
    described = await kms.import_material(Import(key_id=key_id, token=parameters.token, wrapped=wrapped))

    assert (described.state, described.origin, described.current_version) == ("Enabled", "external", 1)
    assert f"RSA_{public_key.key_size}" == spec
    key, sealed = await kms.generate(key_id, CONTEXT)
    assert await kms.unwrap(sealed, CONTEXT) == key


async def test_material_that_was_deleted_is_imported_again_and_opens_what_it_wrapped(kms: EmbeddedKms) -> None:
    key_id = (await kms.create_external_key()).key_id
    await _import(kms, key_id)
    key, sealed = await kms.generate(key_id, CONTEXT)

    await kms.delete_material(key_id)
    with pytest.raises(KeyPendingImport):
        await kms.unwrap(sealed, CONTEXT)
    await _import(kms, key_id)

    assert await kms.unwrap(sealed, CONTEXT) == key


async def test_other_material_is_refused_for_ever(kms: EmbeddedKms) -> None:
    key_id = (await kms.create_external_key()).key_id
    await _import(kms, key_id)

    with pytest.raises(InvalidArgument, match="is not the one that was imported into this CMK before"):
        await _import(kms, key_id, os.urandom(32))
    await kms.delete_material(key_id)
    with pytest.raises(InvalidArgument, match="is not the one that was imported into this CMK before"):
        await _import(kms, key_id, os.urandom(32))

    assert (await kms.describe(key_id)).state == "PendingImport"


async def test_material_that_expires_is_gone_at_that_moment(kms: EmbeddedKms, clock: FakeClock) -> None:
    key_id = (await kms.create_external_key()).key_id
    await _import(kms, key_id, expires=clock.now() + timedelta(hours=1))
    key, sealed = await kms.generate(key_id, CONTEXT)

    clock.advance(3599)
    assert await kms.unwrap(sealed, CONTEXT) == key
    clock.advance(1)
    with pytest.raises(KeyPendingImport):
        await kms.unwrap(sealed, CONTEXT)
    assert (await kms.describe(key_id)).state == "PendingImport"
    assert [one.state for one in await kms.list_keys()] == ["PendingImport"]

    await _import(kms, key_id, expires=clock.now() + timedelta(hours=1))
    assert await kms.unwrap(sealed, CONTEXT) == key


async def test_expired_material_is_deleted_from_the_database_with_the_next_change(
    kms: EmbeddedKms, clock: FakeClock
) -> None:
    key_id = (await kms.create_external_key()).key_id
    await _import(kms, key_id, expires=clock.now() + timedelta(hours=1))
    clock.advance(3600)

    await kms.create_key()

    with kms._database.reading() as rows:
        assert rows.sealed_material(key_id, 1) is None


async def test_a_token_serves_once_and_for_a_day_and_its_own_key(kms: EmbeddedKms, clock: FakeClock) -> None:
    key_id, other_id = [(await kms.create_external_key()).key_id for _ in range(2)]
    used, late, foreign = [await kms.import_parameters(key_id, _SHA_256, _RSA_2048) for _ in range(3)]

    wrapped = _wrapped(foreign, _MATERIAL)
    with pytest.raises(InvalidArgument, match="import token is not valid for this CMK"):
        await kms.import_material(Import(key_id=other_id, token=foreign.token, wrapped=wrapped))
    clock.advance(24 * 3600)
    with pytest.raises(InvalidArgument, match="older than 24 hours"):
        await kms.import_material(Import(key_id=key_id, token=late.token, wrapped=_wrapped(late, _MATERIAL)))
    used = await kms.import_parameters(key_id, _SHA_256, _RSA_2048)
    assert used.expires == clock.now() + timedelta(hours=24)
    await kms.import_material(Import(key_id=key_id, token=used.token, wrapped=_wrapped(used, _MATERIAL)))
    with pytest.raises(InvalidArgument, match="has been used"):
        await kms.import_material(Import(key_id=key_id, token=used.token, wrapped=_wrapped(used, _MATERIAL)))


@pytest.mark.parametrize("material", [b"", b"k" * 16, b"k" * 31, b"k" * 33], ids=len)
async def test_material_of_another_length_is_refused(kms: EmbeddedKms, material: bytes) -> None:
    key_id = (await kms.create_external_key()).key_id

    with pytest.raises(InvalidArgument, match=f"has {len(material)} bytes; a CMK's has 32"):
        await _import(kms, key_id, material)


async def test_material_wrapped_otherwise_is_refused_and_the_token_stays_good(kms: EmbeddedKms) -> None:
    key_id = (await kms.create_external_key()).key_id
    parameters = await kms.import_parameters(key_id, _SHA_256, _RSA_2048)

    for wrapped in (_wrapped(parameters, _MATERIAL, SHA1), b"", os.urandom(256), os.urandom(255)):
        with pytest.raises(InvalidArgument, match="does not open: wrap it with RSAES_OAEP_SHA_256"):
            await kms.import_material(Import(key_id=key_id, token=parameters.token, wrapped=wrapped))

    wrapped = _wrapped(parameters, _MATERIAL)
    assert (
        await kms.import_material(Import(key_id=key_id, token=parameters.token, wrapped=wrapped))
    ).state == "Enabled"


async def test_material_that_would_have_expired_is_refused(kms: EmbeddedKms, clock: FakeClock) -> None:
    key_id = (await kms.create_external_key()).key_id

    with pytest.raises(InvalidArgument, match="would have expired already"):
        await _import(kms, key_id, expires=clock.now())


async def test_a_generated_key_takes_no_material_and_loses_none(kms: EmbeddedKms) -> None:
    key_id = (await kms.create_key()).key_id

    with pytest.raises(InvalidArgument, match="has generated material"):
        await kms.import_parameters(key_id, _SHA_256, _RSA_2048)
    with pytest.raises(InvalidArgument, match="has generated material"):
        await kms.delete_material(key_id)


async def test_an_external_key_is_not_rotated(kms: EmbeddedKms) -> None:
    key_id = (await kms.create_external_key()).key_id
    await _import(kms, key_id)

    with pytest.raises(InvalidArgument, match="cannot be rotated"):
        await kms.rotate(key_id)


async def test_a_disabled_key_stays_disabled_when_its_material_is_imported_again(kms: EmbeddedKms) -> None:
    key_id = (await kms.create_external_key()).key_id
    await _import(kms, key_id)
    await kms.disable(key_id)

    await _import(kms, key_id)

    with pytest.raises(KeyDisabled):
        await kms.generate(key_id, CONTEXT)


async def test_a_key_that_waits_for_its_deletion_takes_no_material(kms: EmbeddedKms) -> None:
    key_id = (await kms.create_external_key()).key_id
    await kms.schedule_deletion(key_id, days=7)

    with pytest.raises(KeyPendingDeletion):
        await kms.import_parameters(key_id, _SHA_256, _RSA_2048)


async def test_wrapping_keys_lie_sealed_and_only_until_they_were_used(kms: EmbeddedKms) -> None:
    key_id = (await kms.create_external_key()).key_id
    parameters = await kms.import_parameters(key_id, _SHA_256, _RSA_2048)
    count = "SELECT count(*) FROM imports"
    with kms._database.reading() as rows:
        ((sealed,),) = rows._connection.execute("SELECT private_key FROM imports").fetchall()
        assert parameters.public_key[40:80] not in sealed

    await kms.import_material(Import(key_id=key_id, token=parameters.token, wrapped=_wrapped(parameters, _MATERIAL)))

    with kms._database.reading() as rows:
        assert rows._connection.execute(count).fetchone() == (0,)


async def test_the_one_version_of_imported_material_is_not_deleted_as_a_version(kms: EmbeddedKms) -> None:
    key_id = (await kms.create_external_key()).key_id
    await _import(kms, key_id)

    with pytest.raises(InvalidArgument, match="has one version: delete its material"):
        await kms.delete_version(key_id, 1)
