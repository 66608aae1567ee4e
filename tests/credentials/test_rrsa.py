"""RAM Roles for Service Accounts: what STS is asked, when again, and what an operator is told when it refuses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aioresponses import aioresponses

from sseproxy.credentials.held import Credentials, CredentialSource
from sseproxy.credentials.http import Http
from sseproxy.dialect import DIALECTS
from sseproxy.errors import KeyServiceError, KeyServiceUnavailable
from sseproxy.kms.alibaba import AlibabaKms
from sseproxy.kms.cloud_credentials import build_alibaba_credentials
from sseproxy.settings_remote_kms import AlibabaKmsSettings
from sseproxy.settings_upstream import UpstreamSettings
from sseproxy.upstream.access import build_source
from sseproxy.upstream.client import open_upstream
from tests.kms.remote import calls_of
from tests.support.fake_clock import FakeClock
from tests.upstream.peers import Connection, Counter, get_request, running_peer

ROLE = "acs:ram::1234567890123456:role/sseproxy"
PROVIDER = "acs:ram::1234567890123456:oidc-provider/ack-rrsa-c0"
CALL = "Action=AssumeRoleWithOIDC&Format=JSON&Timestamp=2026-11-21T12%3A00%3A00Z&Version=2015-04-01"
URL = f"https://sts.cn-hangzhou.aliyuncs.com/?{CALL}"


def answer(access_key: str = "STS.1", expiration: str = "2026-11-21T13:00:00Z") -> dict[str, Any]:
    """What STS answers, with the fields that the proxy has no use for."""
    return {
        "RequestId": "3D57EAD2-8723-1F26-B69C-F8707D8B565D",
        "OIDCTokenInfo": {"Subject": "system:serviceaccount:default:sseproxy", "Issuer": "https://oidc-ack.test"},
        "AssumedRoleUser": {"Arn": f"{ROLE}/sseproxy", "AssumedRoleId": "33157794895460****"},
        "Credentials": {
            "AccessKeyId": access_key,
            "AccessKeySecret": "s",
            "SecurityToken": "t+/=",
            "Expiration": expiration,
        },
    }


@pytest.fixture
def fields(tmp_path: Path) -> dict[str, Any]:
    """The settings of the lender; the file has a line break at its end, which is not the token's."""
    (tmp_path / "token").write_text("eyJ.a+b/c=\n")
    return {"role_arn": ROLE, "oidc_provider_arn": PROVIDER, "oidc_token_file": tmp_path / "token"}


def of_store(session: aiohttp.ClientSession, clock: FakeClock, fields: dict[str, Any]) -> CredentialSource:
    credentials = {"source": "rrsa", **fields}
    settings = {"endpoint": "http://store.test", "region": "cn-hangzhou", "credentials": credentials}
    return build_source(Http(session, "the lender"), UpstreamSettings.model_validate(settings), clock, Counter())


def kms_settings(fields: dict[str, Any]) -> AlibabaKmsSettings:
    return AlibabaKmsSettings.model_validate({"region": "cn-hangzhou", "credentials": "rrsa", **fields})


def of_kms(session: aiohttp.ClientSession, clock: FakeClock, fields: dict[str, Any]) -> CredentialSource:
    return build_alibaba_credentials(Http(session, "the key service hangzhou"), kms_settings(fields), clock, Counter())


def shown(credentials: Credentials) -> tuple[str, str, str | None, datetime | None]:
    return credentials.access_key, credentials.secret_key, credentials.token, credentials.ends


@pytest.mark.parametrize("build", [of_store, of_kms])
async def test_sts_of_the_region_is_asked_for_the_role_without_a_signature(
    session: aiohttp.ClientSession, answers: aioresponses, fields: dict[str, Any], build: Any
) -> None:
    answers.post(URL, payload=answer())

    lent = await build(session, FakeClock(), fields).current()

    assert shown(lent) == ("STS.1", "s", "t+/=", datetime(2026, 11, 21, 13, tzinfo=UTC))
    [(method, url, headers, body)] = calls_of(answers)
    decoded = URL.replace("%3A", ":")  # as the double shows it
    assert (method, url, headers) == ("POST", decoded, {"Content-Type": "application/x-www-form-urlencoded"})
    assert body == (
        b"DurationSeconds=3600&OIDCProviderArn=acs%3Aram%3A%3A1234567890123456%3Aoidc-provider%2Fack-rrsa-c0"
        b"&OIDCToken=eyJ.a%2Bb%2Fc%3D&RoleArn=acs%3Aram%3A%3A1234567890123456%3Arole%2Fsseproxy"
        b"&RoleSessionName=sseproxy"
    )


async def test_another_sts_and_another_name_in_the_audit_log_are_settings(
    session: aiohttp.ClientSession, answers: aioresponses, fields: dict[str, Any]
) -> None:
    answers.post(f"https://sts-vpc.cn-beijing.aliyuncs.com/?{CALL}", payload=answer())
    fields |= {"sts_endpoint": "https://sts-vpc.cn-beijing.aliyuncs.com", "role_session_name": "photos"}

    await of_store(session, FakeClock(), fields).current()

    [(_, _, _, body)] = calls_of(answers)
    assert parse_qs(body.decode())["RoleSessionName"] == ["photos"]


async def test_they_are_lent_anew_before_their_end_for_the_token_of_that_moment(
    session: aiohttp.ClientSession, answers: aioresponses, fields: dict[str, Any]
) -> None:
    clock = FakeClock()
    answers.post(URL, payload=answer())
    later = URL.replace("12%3A00%3A00Z", "12%3A55%3A00Z")
    answers.post(later, payload=answer("STS.2", "2026-11-21T13:55:00Z"))
    source = of_store(session, clock, fields)

    assert (await source.current()).access_key == "STS.1"
    fields["oidc_token_file"].write_text("eyJ.later")
    clock.advance(53 * 60)
    assert (await source.current()).access_key == "STS.1"  # a minute before it could be asked anew at the earliest
    clock.advance(2 * 60)
    assert (await source.current()).access_key == "STS.2"

    tokens = [parse_qs(body.decode())["OIDCToken"] for _, _, _, body in calls_of(answers)]
    assert tokens == [["eyJ.a+b/c="], ["eyJ.later"]]


async def test_old_ones_serve_while_sts_refuses_and_the_refusal_is_told_at_their_end(
    session: aiohttp.ClientSession, answers: aioresponses, fields: dict[str, Any]
) -> None:
    clock = FakeClock()
    answers.post(URL, payload=answer())
    source = of_store(session, clock, fields)
    await source.current()
    for minute in ("12%3A55%3A00Z", "13%3A00%3A00Z"):
        url = URL.replace("12%3A00%3A00Z", minute)
        answers.post(url, status=400, payload={"Code": "Throttling.User", "Message": "flow control"})

    clock.advance(55 * 60)
    assert (await source.current()).access_key == "STS.1"
    clock.advance(5 * 60)
    with pytest.raises(KeyServiceUnavailable, match=r"\(400 Throttling.User\): it is asked too often"):
        await source.current()


TRUST = (
    "the role does not trust the service account, or there is no such provider; check oidc:iss, oidc:aud and oidc:sub "
    "in the role's trust policy, and oidc_provider_arn"
)
OTHER_PROVIDER = (
    "the token is not one of oidc_provider_arn; enable RRSA for the cluster, create the pod anew, and check "
    "oidc_provider_arn and oidc_token_file"
)


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (
            400,
            "AuthenticationFail.OIDCToken.Expired",
            "the token in oidc_token_file has ended; mount it as a projected service account token, which is renewed",
        ),
        (
            400,
            "AuthenticationFail.OIDCToken.AudienceNotMatch",
            "the token is for somebody else; set the audience of the projected token to sts.aliyuncs.com",
        ),
        (400, "AuthenticationFail.OIDCToken.IssuerNotMatch", OTHER_PROVIDER),
        (400, "AuthenticationFail.OIDCToken.Invalid", OTHER_PROVIDER),
        (403, "AuthenticationFail.NoPermission", TRUST),
        (
            404,
            "EntityNotExist.Role",
            "the role or the provider does not exist; check role_arn and oidc_provider_arn",
        ),
        (400, "InvalidParameter.RoleSessionName", "check role_arn, oidc_provider_arn and role_session_name"),
        (400, "Unheard", "check role_arn, oidc_provider_arn, oidc_token_file and sts_endpoint"),
    ],
)
async def test_what_sts_refuses_is_told_with_what_to_do_and_without_its_words(
    session: aiohttp.ClientSession,
    answers: aioresponses,
    fields: dict[str, Any],
    status: int,
    code: str,
    remedy: str,
) -> None:
    answers.post(URL, status=status, payload={"Code": code, "Message": "the token eyJ.a+b/c= is not good"})

    with pytest.raises(KeyServiceUnavailable) as refused:
        await of_store(session, FakeClock(), fields).current()

    assert refused.value.message == f"STS lends the proxy no credentials ({status} {code}): {remedy}."


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (503, "busy", "the lender answered 503."),
        (403, "<html>", "What the lender answered (403) is no JSON object."),
        (200, "{}", "the lender answered without Credentials."),
        (200, '{"Credentials": {"AccessKeyId": "a"}}', "the lender answered without AccessKeySecret."),
    ],
)
async def test_an_answer_of_somebody_else_is_told(
    session: aiohttp.ClientSession, answers: aioresponses, fields: dict[str, Any], status: int, body: str, message: str
) -> None:
    answers.post(URL, status=status, body=body)

    with pytest.raises(KeyServiceError) as refused:
        await of_store(session, FakeClock(), fields).current()

    assert str(refused.value) == message


async def test_a_token_file_that_is_missing_is_told_with_its_name(
    session: aiohttp.ClientSession, fields: dict[str, Any]
) -> None:
    fields["oidc_token_file"].unlink()

    with pytest.raises(KeyServiceUnavailable) as refused:
        await of_store(session, FakeClock(), fields).current()

    assert refused.value.message == (
        f"The file {fields['oidc_token_file']} with the proxy's login cannot be read; see that it is there and "
        "readable."
    )


async def test_the_key_service_is_asked_with_the_token_that_was_lent(
    session: aiohttp.ClientSession, answers: aioresponses, fields: dict[str, Any]
) -> None:
    answers.post(URL, payload=answer())
    metadata = {"KeyId": "k", "KeyState": "Enabled"}
    answers.post("https://kms.cn-hangzhou.aliyuncs.com/", payload={"KeyMetadata": metadata})
    clock, http, settings = FakeClock(), Http(session, "kms"), kms_settings(fields)
    kms = AlibabaKms(http, settings, build_alibaba_credentials(http, settings, clock, Counter()), clock)

    await kms.describe("k")

    asked = parse_qs(calls_of(answers)[1][3].decode())
    assert (asked["AccessKeyId"], asked["SecurityToken"]) == (["STS.1"], ["t+/="])


@asynccontextmanager
async def running_sts(heard: list[dict[str, str]]) -> AsyncIterator[str]:
    """A service on loopback that lends to whoever asks, and yields its URL."""

    async def lend(request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        heard.append({**request.query, **form})
        return web.json_response(answer())

    app = web.Application()
    app.router.add_post("/", lend)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_the_store_gets_requests_that_are_signed_with_what_was_lent(fields: dict[str, Any]) -> None:
    asked: list[dict[str, str]] = []
    heard: list[dict[str, str]] = []

    async def listen(connection: Connection) -> None:
        while True:
            heard.append((await connection.head()).headers)
            await connection.answer()

    async with running_sts(asked) as sts, running_peer(listen) as peer:
        settings = UpstreamSettings.model_validate(
            {"endpoint": peer.url, "dialect": "oss", "credentials": {"source": "rrsa", **fields, "sts_endpoint": sts}}
        )
        async with open_upstream(settings, DIALECTS["oss"], FakeClock(), Counter()) as upstream:
            for _ in range(2):
                async with upstream.send(get_request()):
                    pass

    assert asked == [
        {
            "Action": "AssumeRoleWithOIDC",
            "DurationSeconds": "3600",
            "Format": "JSON",
            "OIDCProviderArn": PROVIDER,
            "OIDCToken": "eyJ.a+b/c=",
            "RoleArn": ROLE,
            "RoleSessionName": "sseproxy",
            "Timestamp": "2026-11-21T12:00:00Z",
            "Version": "2015-04-01",
        }
    ]
    assert [headers["x-oss-security-token"] for headers in heard] == ["t+/=", "t+/="]
    assert all("Credential=STS.1/" in headers["authorization"] for headers in heard)


async def test_an_sts_that_cannot_be_reached_is_told_with_its_host(
    session: aiohttp.ClientSession, answers: aioresponses, fields: dict[str, Any]
) -> None:
    answers.post(URL, exception=aiohttp.ServerDisconnectedError())

    with pytest.raises(KeyServiceUnavailable) as refused:
        await of_store(session, FakeClock(), fields).current()

    assert refused.value.message == (
        "the lender cannot be reached (ServerDisconnectedError); see whether sts.cn-hangzhou.aliyuncs.com answers from "
        "here."
    )
