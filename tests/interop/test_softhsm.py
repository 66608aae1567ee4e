"""The PKCS#11 adapter on SoftHSM: the port's contract. Skipped, and said so, where `install-softhsm.sh` was not run."""

import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from sseproxy.bootstrap.adapters import SystemClock
from sseproxy.bootstrap.key_services import open_key_service
from sseproxy.errors import KeyNotApplicable, KeyNotFound, KeyServiceUnavailable, WrappedKeyRejected
from sseproxy.kms.resilience import ResilientKms
from sseproxy.model import WrappedKey
from sseproxy.settings_remote_kms import Pkcs11KmsSettings
from tests.kms.doubles import RecordingObserver
from tests.kms.suite import CONTEXT, Bench, KmsContract

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "5678"

if shutil.which("softhsm2-util") is None or not MODULE.exists():
    pytest.skip("SoftHSM is not installed: tests/interop/install-softhsm.sh", allow_module_level=True)
pkcs11 = pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed: pip install 'sseproxy[pkcs11]'")


def settings_for(token: str, pin: str = PIN) -> Pkcs11KmsSettings:
    return Pkcs11KmsSettings.model_validate({"module": MODULE, "token": token, "pin": pin, "timeout": 30})


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Two tokens of this module's own: one that tests work on, one that is only logged in to."""
    directory = tmp_path_factory.mktemp("softhsm")
    (directory / "tokens").mkdir()
    configuration = directory / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {directory / 'tokens'}\nobjectstore.backend = file\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(configuration))
        for label in ("work", "login"):
            subprocess.run(
                ["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "1234", "--pin", PIN],
                check=True,
                capture_output=True,
            )
        yield


@pytest.fixture(scope="module")
def operator(tokens: None) -> Iterator[Any]:
    """A session of somebody who makes keys."""
    with pkcs11.lib(str(MODULE)).get_token(token_label="work").open(user_pin=PIN, rw=True) as session:
        yield session


@pytest.fixture
async def hsm(operator: Any) -> AsyncIterator[ResilientKms]:
    async with open_key_service("hsm", settings_for("work"), SystemClock(), RecordingObserver()) as kms:
        yield kms


@dataclass
class HsmBench:
    """Keys on the token, whose versions are numbered by CKA_ID."""

    kms: ResilientKms
    operator: Any
    versions: dict[str, int] = field(default_factory=dict)

    async def create(self) -> str:
        label = f"key-{uuid4()}"
        self._add(label)
        return label

    async def name(self, alias: str, key_id: str) -> None:
        raise NotImplementedError("a token has no aliases")

    async def rotate(self, key_id: str) -> None:
        self._add(key_id)

    async def disable(self, key_id: str) -> None:
        raise NotImplementedError("keys on a token have no state")

    async def enable(self, key_id: str) -> None:
        raise NotImplementedError("keys on a token have no state")

    async def schedule_deletion(self, key_id: str) -> None:
        raise NotImplementedError("keys on a token have no state")

    def _add(self, label: str) -> None:
        kind = pkcs11.Attribute
        self.versions[label] = self.versions.get(label, 0) + 1
        template = {kind.WRAP: True, kind.UNWRAP: True, kind.EXTRACTABLE: False, kind.SENSITIVE: True}
        identity = bytes([self.versions[label]])
        self.operator.generate_key(pkcs11.KeyType.AES, 256, store=True, label=label, id=identity, template=template)


class TestContract(KmsContract):
    @pytest.fixture
    def bench(self, hsm: ResilientKms, operator: Any) -> Bench:
        return HsmBench(hsm, operator)

    async def test_a_disabled_key_neither_wraps_nor_opens_until_it_is_enabled(self, bench: Bench) -> None:
        """Keys on a token have no state; a key that was taken away is told below."""

    async def test_a_key_that_waits_for_its_deletion_neither_wraps_nor_opens(self, bench: Bench) -> None:
        """Nor this one."""

    async def test_an_alias_stands_for_the_key_that_it_names(self, bench: Bench) -> None:
        """There are no aliases."""

    async def test_a_description_says_where_a_key_stands(self, bench: Bench) -> None:
        described = await bench.kms.describe(await bench.create())

        assert (described.state, described.origin, described.current_version) == ("Enabled", "generated", 1)


async def test_a_wrap_names_its_version_and_a_version_that_is_gone_does_not_open(
    hsm: ResilientKms, operator: Any
) -> None:
    bench = HsmBench(hsm, operator)
    label = await bench.create()
    _, first = await hsm.generate(label, CONTEXT)
    await bench.rotate(label)
    key, second = await hsm.generate(label, CONTEXT)

    kind = pkcs11.Attribute
    [old] = operator.get_objects({kind.CLASS: pkcs11.ObjectClass.SECRET_KEY, kind.LABEL: label, kind.ID: b"\1"})
    old.destroy()

    assert (hsm.version_of(first), hsm.version_of(second)) == ("1", "2")
    assert hsm.version_of(WrappedKey(key_id=label, blob=b"V\1")) is None
    assert await hsm.unwrap(second, CONTEXT) == key
    with pytest.raises(WrappedKeyRejected, match="has no version 1"):
        await hsm.unwrap(first, CONTEXT)


async def test_a_key_that_may_not_wrap_is_not_applicable(hsm: ResilientKms, operator: Any) -> None:
    template = {pkcs11.Attribute.WRAP: False, pkcs11.Attribute.UNWRAP: False}
    operator.generate_key(pkcs11.KeyType.AES, 256, store=True, label="encrypts", id=b"\1", template=template)

    with pytest.raises(KeyNotApplicable):
        await hsm.generate("encrypts", CONTEXT)


async def test_a_wrong_pin_is_tried_once(tokens: None, operator: Any) -> None:
    async with open_key_service("hsm", settings_for("login", "0000"), SystemClock(), RecordingObserver()) as kms:
        with pytest.raises(KeyServiceUnavailable, match=r"the key service hsm failed \(PinIncorrect\)"):
            await kms.healthy()
        with pytest.raises(KeyServiceUnavailable, match="the key service hsm refuses the PIN"):
            await kms.generate("k", CONTEXT)


async def test_the_adapter_logs_in_by_itself(tokens: None) -> None:
    async with open_key_service("hsm", settings_for("login"), SystemClock(), RecordingObserver()) as kms:
        await kms.healthy()
        with pytest.raises(KeyNotFound, match="The key nobody does not exist"):
            await kms.describe("nobody")


async def test_a_token_that_is_not_there_is_an_outage(tokens: None) -> None:
    async with open_key_service("hsm", settings_for("none"), SystemClock(), RecordingObserver()) as kms:
        with pytest.raises(KeyServiceUnavailable, match=r"failed \(NoSuchToken\)"):
            await kms.healthy()
