"""Credentials that are lent: by whom, for how long, and what if not."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import pytest
from aioresponses import aioresponses
from pydantic import ValidationError

from sseproxy.credentials.held import Credentials, CredentialSource, LentCredentials
from sseproxy.credentials.http import Http
from sseproxy.errors import KeyServiceError, KeyServiceUnavailable
from sseproxy.kms.cloud_credentials import build_aws_credentials
from sseproxy.settings_remote_kms import AwsKmsSettings
from tests.kms.doubles import RecordingObserver
from tests.kms.remote import calls_of
from tests.support.fake_clock import FakeClock

END = datetime(2026, 11, 21, 13, tzinfo=UTC)  # an hour from the fake clock's start
LENT = {"AccessKeyId": "AK", "SecretAccessKey": "s", "Token": "t", "Expiration": "2026-11-21T13:00:00Z"}
STS = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AK</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
<SessionToken>t</SessionToken><Expiration>2026-11-21T13:00:00Z</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""


class Lender:
    """Lends credentials for an hour, unless it is told to fail."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.lent = 0
        self.failure: KeyServiceError | None = None

    async def lend(self) -> Credentials:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        self.lent += 1
        return Credentials(access_key=f"AK{self.lent}", secret_key="s", ends=self.clock.now() + timedelta(hours=1))


async def test_they_are_lent_once_for_all_and_anew_five_minutes_before_their_end() -> None:
    clock = FakeClock()
    lender = Lender(clock)
    source = LentCredentials(lender, clock, RecordingObserver(), service="s", spread=lambda: 0.0)

    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(source.current()) for _ in range(1000)]
    assert {task.result().access_key for task in asking} == {"AK1"}
    clock.advance(55 * 60 - 1)
    assert (await source.current()).access_key == "AK1"
    clock.advance(1)
    assert (await source.current()).access_key == "AK2"


@pytest.mark.parametrize("failure", [KeyServiceUnavailable("no"), KeyServiceError("no")])
async def test_old_ones_serve_to_their_end_where_no_new_ones_come(failure: KeyServiceError) -> None:
    clock = FakeClock()
    lender, notes = Lender(clock), RecordingObserver()
    source = LentCredentials(lender, clock, notes, service="the store")
    await source.current()
    lender.failure = failure

    clock.advance(55 * 60)
    assert (await source.current()).access_key == "AK1"
    clock.advance(29)
    assert (await source.current()).access_key == "AK1"
    told = list(notes.events)
    clock.advance(5 * 60 - 30)
    assert (await source.current()).access_key == "AK1"
    clock.advance(1)
    with pytest.raises(KeyServiceError, match="no"):
        await source.current()

    assert told == [("credentials_not_renewed", {"service": "the store", "reason": "no"})]
    assert notes.events == told * 2


async def test_refused_ones_are_dropped_unless_others_are_there_already() -> None:
    clock = FakeClock()
    source = LentCredentials(Lender(clock), clock, RecordingObserver(), service="s")
    first = await source.current()

    source.drop(first)
    second = await source.current()
    source.drop(first)

    assert (second.access_key, (await source.current()).access_key) == ("AK2", "AK2")


def aws(session: aiohttp.ClientSession, **fields: Any) -> CredentialSource:
    settings = AwsKmsSettings.model_validate({"region": "eu-central-1", **fields})
    return build_aws_credentials(Http(session, "aws"), settings, FakeClock(), RecordingObserver())


def shown(credentials: Credentials) -> tuple[str, str, str | None, datetime | None]:
    return credentials.access_key, credentials.secret_key, credentials.token, credentials.ends


async def test_static_ones_are_those_of_the_configuration(session: aiohttp.ClientSession) -> None:
    source = aws(session, access_key="AK", secret_key="s", security_token="t")

    source.drop(await source.current())

    assert shown(await source.current()) == ("AK", "s", "t", None)


async def test_sts_lends_them_for_the_token_of_the_moment(
    session: aiohttp.ClientSession, answers: aioresponses, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("jwt&1\n")
    answers.post("https://sts.eu-central-1.amazonaws.com/", body=STS)
    role = "arn:aws:iam::111122223333:role/sseproxy"
    source = aws(session, credentials="web-identity", role_arn=role, web_identity_token_file=tmp_path / "token")

    assert shown(await source.current()) == ("AK", "s", "t", END)

    [(_, _, _, body)] = calls_of(answers)
    assert parse_qs(body.decode()) == {
        "Action": ["AssumeRoleWithWebIdentity"],
        "Version": ["2011-06-15"],
        "RoleArn": [role],
        "RoleSessionName": ["sseproxy"],
        "WebIdentityToken": ["jwt&1"],
    }


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (403, "<ErrorResponse/>", r"STS lends the proxy no credentials \(403\)"),
        (200, "nonsense", "STS answered with something else than XML"),
        (200, "<a/>", "STS answered without credentials"),
        (200, STS.replace("2026-11-21T13:00:00Z", "soon"), "an end that is no time"),
        (200, STS.replace("2026-11-21T13:00:00Z", "2026-11-21T13:00:00"), "in no time zone"),
        (200, STS.replace("<SessionToken>t</SessionToken>", ""), "STS answered without credentials"),
    ],
)
async def test_what_sts_does_not_lend_is_an_outage(
    session: aiohttp.ClientSession, answers: aioresponses, tmp_path: Path, status: int, body: str, message: str
) -> None:
    (tmp_path / "token").write_text("jwt")
    answers.post("https://sts.example/", status=status, body=body)
    source = aws(
        session,
        credentials="web-identity",
        role_arn="r",
        web_identity_token_file=tmp_path / "token",
        sts_endpoint="https://sts.example",
    )

    with pytest.raises(KeyServiceUnavailable, match=message):
        await source.current()


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("AccessDenied", "the role does not trust the web identity; check the provider, `aud` and `sub`"),
        ("ExpiredTokenException", "the token in web_identity_token_file has ended; mount it as a projected"),
        ("InvalidIdentityToken", "no provider in IAM vouches for the token; create the OIDC provider of its issuer"),
        ("RegionDisabledException", "STS is switched off in the region; switch it on, or name another"),
        ("Unheard", "check role_arn, web_identity_token_file and sts_endpoint."),
    ],
)
async def test_what_sts_refuses_is_told_with_what_to_do_and_without_its_words(
    session: aiohttp.ClientSession, answers: aioresponses, tmp_path: Path, code: str, remedy: str
) -> None:
    (tmp_path / "token").write_text("jwt.of.mine")
    document = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>no jwt.of.mine</Message></Error>"
    body = f'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">{document}</ErrorResponse>'
    answers.post("https://sts.eu-central-1.amazonaws.com/", status=400, body=body)
    source = aws(session, credentials="web-identity", role_arn="r", web_identity_token_file=tmp_path / "token")

    with pytest.raises(KeyServiceUnavailable) as refused:
        await source.current()

    assert refused.value.message.startswith(f"STS lends the proxy no credentials (400 {code}): {remedy}")
    assert "jwt.of.mine" not in refused.value.message


async def test_an_instance_asks_its_metadata_service(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    base = "http://169.254.169.254/latest"
    answers.put(f"{base}/api/token", body="session-token")
    answers.get(f"{base}/meta-data/iam/security-credentials/", body="the-role\n")
    answers.get(f"{base}/meta-data/iam/security-credentials/the-role", payload=LENT)

    assert shown(await aws(session, credentials="instance").current()) == ("AK", "s", "t", END)

    headers = [given for _, _, given, _ in calls_of(answers)]
    assert headers == [
        {"X-aws-ec2-metadata-token-ttl-seconds": "21600"},
        {"X-aws-ec2-metadata-token": "session-token"},
        {"X-aws-ec2-metadata-token": "session-token"},
    ]


async def test_a_container_asks_its_agent(
    session: aiohttp.ClientSession, answers: aioresponses, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("agent-token")
    answers.get("http://169.254.170.23/v1/credentials", payload=LENT)
    source = aws(
        session,
        credentials="container",
        container_url="http://169.254.170.23/v1/credentials",
        container_token_file=tmp_path / "token",
    )

    assert shown(await source.current()) == ("AK", "s", "t", END)

    [(_, _, headers, _)] = calls_of(answers)
    assert headers == {"Authorization": "agent-token"}


@pytest.mark.parametrize(
    ("credentials", "message"),
    [
        ("static", "the credentials `static` need access_key and secret_key"),
        ("web-identity", "the credentials `web-identity` need role_arn and web_identity_token_file"),
        ("container", "the credentials `container` need container_url"),
    ],
)
def test_credentials_that_lack_something_are_refused_at_start(credentials: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AwsKmsSettings.model_validate({"region": "r", "credentials": credentials})
