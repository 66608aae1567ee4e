"""Alibaba Cloud KMS: the port's contract at a service that verifies signatures, and what its answers mean."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from aioresponses import aioresponses

from sseproxy.credentials.http import Http
from sseproxy.errors import (
    AliasNotFound,
    KeyAccessRefused,
    KeyDisabled,
    KeyNotFound,
    KeyPendingDeletion,
    KeyPendingImport,
    KeyServiceBusy,
    KeyServiceError,
    KeyServiceNotEnabled,
    KeyServiceUnavailable,
    KeyStateRefused,
    WrappedKeyRejected,
)
from sseproxy.kms.alibaba import AlibabaKms
from sseproxy.kms.cloud_credentials import build_alibaba_credentials
from sseproxy.model import WrapContext, WrappedKey
from sseproxy.settings_remote_kms import AlibabaKmsSettings
from tests.kms.doubles import RecordingObserver
from tests.kms.remote import calls_of
from tests.kms.suite import CONTEXT, Bench, KmsContract
from tests.support.alibaba_kms import ACCESS_KEY, SECRET_KEY, FakeAlibabaKms, Key
from tests.support.fake_clock import FakeClock

URL = "https://kms.cn-hangzhou.aliyuncs.com/"
PAIRS = WrapContext(aad=b"", pairs=(("sseproxy", "digest"), ("team", "größe")))
METADATA = "http://100.100.100.200/latest"


def make(session: aiohttp.ClientSession, **fields: Any) -> AlibabaKms:
    given = {"region": "cn-hangzhou", "access_key": ACCESS_KEY, "secret_key": SECRET_KEY, **fields}
    settings = AlibabaKmsSettings.model_validate(given)
    http, clock = Http(session, "the key service hangzhou"), FakeClock()
    return AlibabaKms(http, settings, build_alibaba_credentials(http, settings, clock, RecordingObserver()), clock)


@dataclass
class AlibabaBench:
    """The adapter, and the service whose keys a test changes."""

    kms: AlibabaKms
    service: FakeAlibabaKms
    versions: dict[str, int] = field(default_factory=dict)

    async def create(self) -> str:
        key_id = str(uuid4())
        self.service.keys[key_id] = Key()
        return key_id

    async def name(self, alias: str, key_id: str) -> None:
        self.service.aliases[alias] = key_id

    async def rotate(self, key_id: str) -> None:
        self.service.keys[key_id].versions.append(b"n" * 32)

    async def disable(self, key_id: str) -> None:
        self.service.keys[key_id].state = "Disabled"

    async def enable(self, key_id: str) -> None:
        self.service.keys[key_id].state = "Enabled"

    async def schedule_deletion(self, key_id: str) -> None:
        self.service.keys[key_id].state = "PendingDeletion"


class TestContract(KmsContract):
    @pytest.fixture
    async def bench(self, session: aiohttp.ClientSession) -> AsyncIterator[Bench]:
        service = FakeAlibabaKms()
        async with TestServer(service.application()) as server:
            yield AlibabaBench(make(session, endpoint=f"http://127.0.0.1:{server.port}"), service)

    async def test_after_a_rotation_old_and_new_wraps_open(self, bench: Bench) -> None:
        key_id = await bench.create()
        old_key, old = await bench.kms.generate(key_id, CONTEXT)

        await bench.rotate(key_id)

        new_key, new = await bench.kms.generate(key_id, CONTEXT)
        assert await bench.kms.unwrap(old, CONTEXT) == old_key
        assert await bench.kms.unwrap(new, CONTEXT) == new_key
        assert old.key_id == new.key_id == key_id


async def test_a_call_is_a_signed_form(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    answers.post(URL, payload={"KeyId": "k", "Plaintext": "YQ==", "CiphertextBlob": "blob"})

    with pytest.raises(KeyServiceError, match="another length"):
        await make(session, security_token="sts").generate("alias/app", PAIRS)

    [(_, _, headers, body)] = calls_of(answers)
    sent = {name: value for name, [value] in parse_qs(body.decode(), keep_blank_values=True).items()}
    assert headers == {"Content-Type": "application/x-www-form-urlencoded"}
    assert json.loads(sent.pop("EncryptionContext")) == {"sseproxy": "digest", "team": "größe"}
    assert len(sent.pop("Signature")) == 28
    assert len(sent.pop("SignatureNonce")) == 36
    assert sent == {
        "Action": "GenerateDataKey",
        "Version": "2016-01-20",
        "Format": "JSON",
        "AccessKeyId": "testid",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "Timestamp": "2026-11-21T12:00:00Z",
        "SecurityToken": "sts",
        "KeyId": "alias/app",
        "NumberOfBytes": "32",
    }


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "Forbidden.KeyNotFound", KeyNotFound),
        (404, "Forbidden.AliasNotFound", AliasNotFound),
        (403, "Forbidden.NoPermission", KeyAccessRefused),
        (403, "Forbidden.KmsServiceNotEnabled", KeyServiceNotEnabled),
        (409, "Rejected.Disabled", KeyDisabled),
        (409, "Rejected.PendingDeletion", KeyPendingDeletion),
        (409, "Rejected.PendingImport", KeyPendingImport),
        (409, "Rejected.Other", KeyStateRefused),
        (400, "Throttling.User", KeyServiceBusy),
        (429, "", KeyServiceBusy),
        (400, "InvalidParameter", WrappedKeyRejected),
        (400, "InvalidCiphertextBlob", WrappedKeyRejected),
        (400, "SignatureDoesNotMatch", KeyServiceUnavailable),
        (404, "InvalidAccessKeyId.NotFound", KeyServiceUnavailable),
        (500, "InternalFailure", KeyServiceUnavailable),
        (503, "ServiceUnavailableTemporary", KeyServiceUnavailable),
        (400, "MissingParameter", KeyServiceError),
    ],
)
async def test_what_kms_refuses_has_its_error(
    session: aiohttp.ClientSession, answers: aioresponses, status: int, code: str, error: type[KeyServiceError]
) -> None:
    answers.post(URL, status=status, payload={"Code": code, "Message": "no"})

    with pytest.raises(KeyServiceError) as caught:
        await make(session).unwrap(WrappedKey(key_id="k", blob=b"blob"), CONTEXT)

    assert type(caught.value) is error


async def test_what_another_key_opened_is_not_used(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    answers.post(URL, payload={"KeyId": "other", "Plaintext": "YQ=="})

    with pytest.raises(WrappedKeyRejected, match="belongs to another master key"):
        await make(session).unwrap(WrappedKey(key_id="k", blob=b"blob"), CONTEXT)


@pytest.mark.parametrize("code", ["Forbidden.AliasNotFound", "Forbidden.NoPermission"])
async def test_it_is_healthy_where_it_answers_at_all(
    session: aiohttp.ClientSession, answers: aioresponses, code: str
) -> None:
    answers.post(URL, status=403, payload={"Code": code})

    await make(session).healthy()


@pytest.mark.parametrize("named", [True, False])
async def test_an_instance_lends_the_credentials_of_its_role(
    session: aiohttp.ClientSession,
    answers: aioresponses,
    named: bool,  # noqa: FBT001
) -> None:
    lent = {
        "Code": "Success",
        "AccessKeyId": "STS.1",
        "AccessKeySecret": "s",
        "SecurityToken": "t",
        "Expiration": "2026-11-21T18:00:00Z",
    }
    answers.put(f"{METADATA}/api/token", body="metadata-token")
    if not named:
        answers.get(f"{METADATA}/meta-data/ram/security-credentials/", body="the-role\n")
    answers.get(f"{METADATA}/meta-data/ram/security-credentials/the-role", payload=lent)
    clock, http = FakeClock(), Http(session, "kms")
    settings = AlibabaKmsSettings.model_validate(
        {"region": "r", "credentials": "ram-role", **({"role_name": "the-role"} if named else {})}
    )

    found = await build_alibaba_credentials(http, settings, clock, RecordingObserver()).current()

    assert (found.access_key, found.secret_key, found.token) == ("STS.1", "s", "t")
    assert found.ends == datetime(2026, 11, 21, 18, tzinfo=UTC)
    assert calls_of(answers)[-1][2] == {"X-aliyun-ecs-metadata-token": "metadata-token"}


@pytest.mark.parametrize(("status", "payload"), [(404, {}), (200, {"Code": "Failed"})])
async def test_an_instance_without_a_role_lends_nothing(
    session: aiohttp.ClientSession, answers: aioresponses, status: int, payload: dict[str, str]
) -> None:
    answers.put(f"{METADATA}/api/token", body="metadata-token")
    answers.get(f"{METADATA}/meta-data/ram/security-credentials/r", status=status, payload=payload)

    with pytest.raises(KeyServiceUnavailable, match="lends the proxy no credentials"):
        await make(session, credentials="ram-role", role_name="r").describe("k")
