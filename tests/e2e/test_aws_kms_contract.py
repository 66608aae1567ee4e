"""The adapter of AWS KMS against moto's KMS: the port's contract as far as moto keeps states, and lent credentials.

moto opens with keys in any state: what the states of a CMK do is in tests/kms/test_aws.py.
"""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sseproxy.bootstrap.adapters import SystemClock
from sseproxy.bootstrap.key_services import open_key_service
from sseproxy.errors import KeyNotFound
from sseproxy.kms.resilience import ResilientKms
from sseproxy.model import WrapContext, WrappedKey
from sseproxy.settings_remote_kms import AwsKmsSettings
from tests.kms.doubles import RecordingObserver
from tests.kms.suite import CONTEXT, Bench, KmsContract, opens
from tests.support.moto_kms import MotoKms
from tests.support.servers import REGION


def settings_for(server: MotoKms, **fields: Any) -> AwsKmsSettings:
    given = fields or {"access_key": "proxy", "secret_key": "proxy-secret"}
    return AwsKmsSettings.model_validate({"region": REGION, "endpoint": server.address, **given})


@pytest.fixture
async def aws(moto_kms: MotoKms) -> AsyncIterator[ResilientKms]:
    async with open_key_service("aws", settings_for(moto_kms), SystemClock(), RecordingObserver()) as kms:
        yield kms


@dataclass
class MotoBench:
    """CMKs of moto, by their ARNs."""

    kms: ResilientKms
    server: MotoKms

    async def create(self) -> str:
        return str(self.server.client().create_key()["KeyMetadata"]["Arn"])

    async def name(self, alias: str, key_id: str) -> None:
        client = self.server.client()
        known = {entry["AliasName"] for entry in client.list_aliases()["Aliases"]}
        set_alias = client.update_alias if alias in known else client.create_alias
        set_alias(AliasName=alias, TargetKeyId=key_id)

    async def rotate(self, key_id: str) -> None:
        self.server.client().rotate_key_on_demand(KeyId=key_id)

    async def disable(self, key_id: str) -> None:
        self.server.client().disable_key(KeyId=_bare(key_id))

    async def enable(self, key_id: str) -> None:
        self.server.client().enable_key(KeyId=_bare(key_id))

    async def schedule_deletion(self, key_id: str) -> None:
        self.server.client().schedule_key_deletion(KeyId=key_id)


def _bare(arn: str) -> str:
    return arn.rpartition("/")[2]  # moto's DisableKey knows no ARNs


class TestContract(KmsContract):
    @pytest.fixture
    def bench(self, aws: ResilientKms, moto_kms: MotoKms) -> Bench:
        return MotoBench(aws, moto_kms)

    async def test_another_master_key_does_not_open(self, bench: Bench) -> None:
        """AWS says IncorrectKeyException here (tests/kms/test_aws.py), moto AccessDeniedException."""
        key_id, other_id = await bench.create(), await bench.create()
        _, wrapped = await bench.kms.generate(key_id, CONTEXT)
        assert await opens(bench.kms, wrapped, CONTEXT)

        assert not await opens(bench.kms, WrappedKey(key_id=other_id, blob=wrapped.blob), CONTEXT)

    async def test_a_disabled_key_neither_wraps_nor_opens_until_it_is_enabled(self, bench: Bench) -> None:
        """moto has no such refusal."""

    async def test_a_key_that_waits_for_its_deletion_neither_wraps_nor_opens(self, bench: Bench) -> None:
        """Nor this one."""

    async def test_after_a_rotation_old_and_new_wraps_open(self, bench: Bench) -> None:
        key_id = await bench.create()
        old_key, old = await bench.kms.generate(key_id, CONTEXT)

        await bench.rotate(key_id)

        new_key, new = await bench.kms.generate(key_id, CONTEXT)
        assert await bench.kms.unwrap(old, CONTEXT) == old_key
        assert await bench.kms.unwrap(new, CONTEXT) == new_key
        assert old.key_id == new.key_id == key_id


async def test_a_bare_id_becomes_the_arn(aws: ResilientKms, moto_kms: MotoKms) -> None:
    metadata = moto_kms.client().create_key()["KeyMetadata"]

    _, wrapped = await aws.generate(metadata["KeyId"], CONTEXT)

    assert wrapped.key_id == (await aws.describe(metadata["KeyId"])).key_id == metadata["Arn"]


async def test_a_key_with_imported_material_is_external(aws: ResilientKms, moto_kms: MotoKms) -> None:
    arn = moto_kms.client().create_key(Origin="EXTERNAL")["KeyMetadata"]["Arn"]

    assert (await aws.describe(arn)).origin == "external"


async def test_every_pair_of_the_context_reaches_kms(aws: ResilientKms, moto_kms: MotoKms) -> None:
    """What was wrapped here opens with boto3 and the same pairs: an audit by KMS's own means sees bucket and caller."""
    key_id = moto_kms.client().create_key()["KeyMetadata"]["Arn"]
    context = WrapContext(aad=b"", pairs=(("sseproxy", "digest"), ("bucket", "b"), ("team", "größe")))

    key, wrapped = await aws.generate(key_id, context)

    opened = moto_kms.client().decrypt(
        CiphertextBlob=wrapped.blob, EncryptionContext={"sseproxy": "digest", "bucket": "b", "team": "größe"}
    )
    assert opened["Plaintext"] == key


async def test_a_web_identity_is_exchanged_for_credentials(moto_kms: MotoKms, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a-web-identity-token-of-some-length")
    settings = settings_for(
        moto_kms,
        credentials="web-identity",
        role_arn="arn:aws:iam::123456789012:role/sseproxy",
        web_identity_token_file=token,
        sts_endpoint=moto_kms.address,
    )

    async with open_key_service("aws", settings, SystemClock(), RecordingObserver()) as kms:
        await kms.healthy()
        with pytest.raises(KeyNotFound):
            await kms.describe(f"alias/{os.urandom(8).hex()}")
