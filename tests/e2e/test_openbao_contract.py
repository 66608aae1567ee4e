"""The adapter of Vault and OpenBao against a real OpenBao server: the port's contract, and what is particular to it."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sseproxy.bootstrap.adapters import SystemClock
from sseproxy.bootstrap.key_services import open_key_service
from sseproxy.errors import (
    KeyAccessRefused,
    KeyDisabled,
    KeyNotApplicable,
    KeyNotFound,
    KeyServiceError,
    KeyServiceUnavailable,
    KeyStateRefused,
    WrappedKeyRejected,
)
from sseproxy.kms.resilience import ResilientKms
from sseproxy.model import WrappedKey
from sseproxy.settings_remote_kms import VaultKmsSettings
from tests.kms.doubles import RecordingObserver
from tests.kms.suite import CONTEXT, OTHER_CONTEXT, Bench, KmsContract, opens
from tests.support.openbao import ROOT_TOKEN, OpenBao

POLICY = """
path "transit/datakey/plaintext/allowed" { capabilities = ["update"] }
path "transit/decrypt/allowed" { capabilities = ["update"] }
"""


def settings_for(server: OpenBao, **fields: Any) -> VaultKmsSettings:
    login: dict[str, Any] = {"token": ROOT_TOKEN} if not {"login", "token", "token_file"} & set(fields) else {}
    return VaultKmsSettings.model_validate({"address": server.address, **login, **fields})


@pytest.fixture
async def vault(openbao: OpenBao) -> AsyncIterator[ResilientKms]:
    async with open_key_service("bao", settings_for(openbao), SystemClock(), RecordingObserver()) as kms:
        yield kms


@dataclass
class VaultBench:
    """Transit keys; a soft-deleted one is what a disabled one is elsewhere."""

    kms: ResilientKms
    server: OpenBao
    derived: bool

    async def create(self) -> str:
        name = f"key-{os.urandom(6).hex()}"
        self.server.create_key(name, derived=self.derived)
        return name

    async def name(self, alias: str, key_id: str) -> None:
        raise NotImplementedError("transit keys have no aliases")

    async def rotate(self, key_id: str) -> None:
        self.server.ask("POST", f"transit/keys/{key_id}/rotate", {})

    async def disable(self, key_id: str) -> None:
        self.server.ask("DELETE", f"transit/keys/{key_id}/soft-delete")

    async def enable(self, key_id: str) -> None:
        self.server.ask("POST", f"transit/keys/{key_id}/soft-delete-restore")

    async def schedule_deletion(self, key_id: str) -> None:
        await self.disable(key_id)


@pytest.mark.parametrize("derived", [True, False], ids=["derived", "not derived"])
class TestContract(KmsContract):
    """Keys that are derived by the context, and others: what a wrap is bound to is the same."""

    @pytest.fixture
    def bench(self, vault: ResilientKms, openbao: OpenBao, derived: bool) -> Bench:  # noqa: FBT001
        return VaultBench(vault, openbao, derived)

    async def test_a_key_that_waits_for_its_deletion_neither_wraps_nor_opens(self, bench: Bench) -> None:
        key_id = await bench.create()
        key, wrapped = await bench.kms.generate(key_id, CONTEXT)

        await bench.schedule_deletion(key_id)

        with pytest.raises(KeyDisabled):
            await bench.kms.unwrap(wrapped, CONTEXT)
        with pytest.raises(KeyDisabled):
            await bench.kms.wrap(key_id, key, CONTEXT)

    async def test_an_alias_stands_for_the_key_that_it_names(self, bench: Bench) -> None:
        """There are no aliases; a name that could be one is no key."""
        with pytest.raises(KeyNotFound):
            await bench.kms.generate("alias/contract", CONTEXT)


async def test_a_wrap_names_its_version(vault: ResilientKms, openbao: OpenBao) -> None:
    openbao.create_key("versions")
    _, first = await vault.generate("versions", CONTEXT)
    openbao.ask("POST", "transit/keys/versions/rotate", {})
    _, second = await vault.generate("versions", CONTEXT)

    assert (vault.version_of(first), vault.version_of(second)) == ("1", "2")
    assert vault.version_of(WrappedKey(key_id="versions", blob=b"\1" * 40)) is None


async def test_a_version_that_was_withdrawn_does_not_open(vault: ResilientKms, openbao: OpenBao) -> None:
    openbao.create_key("withdrawn")
    _, wrapped = await vault.generate("withdrawn", CONTEXT)
    openbao.ask("POST", "transit/keys/withdrawn/rotate", {})
    openbao.ask("POST", "transit/keys/withdrawn/config", {"min_decryption_version": 2})

    with pytest.raises(KeyStateRefused) as caught:
        await vault.unwrap(wrapped, CONTEXT)
    assert type(caught.value) is KeyStateRefused


async def test_a_key_that_cannot_encrypt_is_not_applicable(vault: ResilientKms, openbao: OpenBao) -> None:
    openbao.ask("POST", "transit/keys/signs", {"type": "ed25519"})

    with pytest.raises(KeyNotApplicable):
        await vault.generate("signs", CONTEXT)


async def test_the_server_itself_refuses_another_context_of_a_derived_key(
    openbao: OpenBao, vault: ResilientKms
) -> None:
    openbao.create_key("derived")
    _, wrapped = await vault.generate("derived", CONTEXT)
    assert await opens(vault, wrapped, CONTEXT)

    with pytest.raises(WrappedKeyRejected) as caught:
        await vault.unwrap(wrapped, OTHER_CONTEXT)
    assert caught.value.__cause__ is None  # not the wrap in here


async def test_a_role_needs_no_other_right_than_to_draw_and_to_open(openbao: OpenBao) -> None:
    for name in ("allowed", "forbidden"):
        openbao.create_key(name)
    openbao.ask("PUT", "sys/policies/acl/sseproxy", {"policy": POLICY})
    openbao.ask("POST", "sys/auth/approle", {"type": "approle"})
    openbao.ask("POST", "auth/approle/role/sseproxy", {"token_policies": ["sseproxy"], "token_ttl": "20m"})
    role_id = openbao.ask("GET", "auth/approle/role/sseproxy/role-id")["data"]["role_id"]
    secret_id = openbao.ask("POST", "auth/approle/role/sseproxy/secret-id", {})["data"]["secret_id"]
    settings = settings_for(openbao, login="approle", role_id=role_id, secret_id=secret_id)

    async with open_key_service("bao", settings, SystemClock(), RecordingObserver()) as kms:
        key, wrapped = await kms.generate("allowed", CONTEXT)
        assert await kms.unwrap(wrapped, CONTEXT) == key
        await kms.healthy()
        with pytest.raises(KeyAccessRefused):
            await kms.generate("forbidden", CONTEXT)
        with pytest.raises(KeyAccessRefused):
            await kms.describe("allowed")


async def test_a_token_that_was_revoked_is_replaced_by_the_next_login(openbao: OpenBao) -> None:
    openbao.create_key("allowed-2")
    openbao.ask("POST", "sys/auth/second", {"type": "approle"})
    openbao.ask("POST", "auth/second/role/r", {"token_policies": ["root-like"], "token_ttl": "20m"})
    openbao.ask(
        "PUT", "sys/policies/acl/root-like", {"policy": 'path "transit/*" { capabilities = ["read", "update"] }'}
    )
    role_id = openbao.ask("GET", "auth/second/role/r/role-id")["data"]["role_id"]
    secret_id = openbao.ask("POST", "auth/second/role/r/secret-id", {})["data"]["secret_id"]
    settings = settings_for(openbao, login="approle", login_mount="second", role_id=role_id, secret_id=secret_id)

    async with open_key_service("bao", settings, SystemClock(), RecordingObserver()) as kms:
        key, wrapped = await kms.generate("allowed-2", CONTEXT)
        openbao.ask("PUT", "sys/leases/revoke-prefix/auth/second", {})
        assert await kms.unwrap(wrapped, CONTEXT) == key


async def test_a_token_in_a_file_is_read_again_when_it_is_refused(openbao: OpenBao, tmp_path: Path) -> None:
    openbao.create_key("filed")
    openbao.ask("PUT", "sys/policies/acl/filed", {"policy": 'path "transit/*" { capabilities = ["read", "update"] }'})

    def token() -> str:
        made = openbao.ask("POST", "auth/token/create", {"policies": ["filed"], "ttl": "20m"})
        return str(made["auth"]["client_token"])

    first, file = token(), tmp_path / "token"
    file.write_text(first + "\n")

    async with open_key_service(
        "bao", settings_for(openbao, token_file=file), SystemClock(), RecordingObserver()
    ) as kms:
        key, wrapped = await kms.generate("filed", CONTEXT)
        openbao.ask("POST", "auth/token/revoke", {"token": first})
        with pytest.raises(KeyServiceUnavailable, match="refuses the proxy's token"):
            await kms.unwrap(wrapped, CONTEXT)
        file.write_text(token())
        assert await kms.unwrap(wrapped, CONTEXT) == key


async def test_keys_of_another_namespace_are_not_found(openbao: OpenBao) -> None:
    openbao.ask("PUT", "sys/namespaces/team", {})
    openbao.ask("POST", "sys/mounts/transit", {"type": "transit"}, namespace="team")
    openbao.ask("POST", "transit/keys/inside", {"derived": True}, namespace="team")
    openbao.create_key("outside")

    async with open_key_service(
        "bao", settings_for(openbao, namespace="team"), SystemClock(), RecordingObserver()
    ) as kms:
        assert (await kms.describe("inside")).current_version == 1
        with pytest.raises(KeyNotFound, match="The key outside does not exist"):
            await kms.describe("outside")


async def test_a_mount_that_is_not_there_is_told_in_the_servers_words(openbao: OpenBao) -> None:
    async with open_key_service(
        "bao", settings_for(openbao, mount="nowhere"), SystemClock(), RecordingObserver()
    ) as kms:
        with pytest.raises(
            KeyServiceError, match=r"the key service bao refused the request \(404\): no handler for route"
        ):
            await kms.generate("k", CONTEXT)
