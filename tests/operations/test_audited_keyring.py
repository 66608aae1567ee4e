"""What the audit is told of the keys that requests use."""

from dataclasses import dataclass, field

import pytest

from sseproxy.errors import KeyDisabled, WrappedKeyRejected
from sseproxy.model import Algorithm, Binding, EtagMode, Layout, ObjectRef
from sseproxy.operations.audited_keyring import AuditedKeyring
from sseproxy.operations.kek_records import StateKekRecords
from sseproxy.operations.keks import KekLimits, Keks
from sseproxy.operations.keyring import Keyring
from sseproxy.policy.encryption import EncryptionDecision, EncryptionRule
from sseproxy.ports import KeyAccess
from sseproxy.settings import CacheSettings
from tests.operations.world import World

_REF = ObjectRef("bucket", "folder/key")


@dataclass
class _Book:
    told: list[KeyAccess] = field(default_factory=list)

    def key_used(self, access: KeyAccess) -> None:
        self.told.append(access)


def _keyring(world: World, book: _Book) -> AuditedKeyring:
    cache = CacheSettings()
    records = StateKekRecords(world.services.state)
    keks = Keks(world.kms, records, KekLimits(86400, 1000), cache, clock=world.clock, observer=world.observer)
    keyring = Keyring(
        world.kms, cache, lambda _bucket: EncryptionRule(), keks=keks, clock=world.clock, observer=world.observer
    )
    return AuditedKeyring(keyring, book)


def _decision(key_id: str = "cmk-1", *, under_kek: bool = False) -> EncryptionDecision:
    return EncryptionDecision(
        algorithm=Algorithm.KMS,
        key_id=key_id,
        etag_mode=EtagMode.MD5,
        binding=Binding.BUCKET_KEY,
        under_kek=under_kek,
    )


def _access(use: str, cmk: str = "cmk-1", version: str | None = "1", result: str = "ok") -> KeyAccess:
    return KeyAccess(use=use, bucket="bucket", key="folder/key", cmk=cmk, cmk_version=version, result=result)


@pytest.mark.parametrize("under_kek", [False, True])
async def test_every_use_is_told_with_the_cmk_and_its_version(s3: World, *, under_kek: bool) -> None:
    book = _Book()
    keyring = _keyring(s3, book)

    key, envelope = await keyring.draw(_decision(under_kek=under_kek), _REF, Layout.SINGLE)
    await keyring.open(envelope, _REF)
    await keyring.open(envelope, _REF)  # a kept key is a use like any other
    s3.kms.versions["cmk-2"] = 7
    await keyring.rewrap(key, envelope, _decision("cmk-2", under_kek=under_kek), _REF)

    assert book.told == [
        _access("encrypt"),
        _access("decrypt"),
        _access("decrypt"),
        _access("rewrap", "cmk-2", "7"),
    ]


async def test_a_use_that_is_refused_is_told_with_the_reason(s3: World) -> None:
    book = _Book()
    keyring = _keyring(s3, book)
    _, envelope = await keyring.draw(_decision(), _REF, Layout.SINGLE)
    cold = _keyring(s3, book)
    book.told.clear()

    s3.kms.disabled.add("cmk-1")
    with pytest.raises(KeyDisabled):
        await cold.open(envelope, _REF)
    with pytest.raises(KeyDisabled):
        await cold.draw(_decision(), _REF, Layout.SINGLE)
    s3.kms.disabled.clear()
    s3.kms.destroyed.add(("cmk-1", 1))
    with pytest.raises(WrappedKeyRejected):
        await cold.open(envelope, _REF)

    assert book.told == [
        _access("decrypt", result="KeyDisabled"),
        _access("encrypt", version=None, result="KeyDisabled"),  # no version was chosen
        _access("decrypt", result="WrappedKeyRejected"),
    ]
