"""What requests to the store are signed with: a file that somebody rotates, credentials that are lent, or none."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses

from sseproxy.credentials.file import FileCredentials, read_credentials
from sseproxy.credentials.held import Credentials, CredentialSource
from sseproxy.credentials.http import Http, open_session
from sseproxy.dialect import DIALECTS
from sseproxy.errors import KeyServiceUnavailable, UpstreamUnavailable
from sseproxy.settings_upstream import UpstreamSettings
from sseproxy.upstream.access import Access, build_source
from sseproxy.upstream.client import open_upstream
from tests.kms.remote import calls_of
from tests.support.fake_clock import FakeClock
from tests.upstream.peers import Connection, Counter, get_request, running_peer

_END = "2026-11-21T13:00:00Z"  # an hour from the fake clock's start
_LENT = {"AccessKeyId": "AK", "Expiration": _END}
_OF_AWS = {**_LENT, "SecretAccessKey": "s", "Token": "t"}
_OF_ALIBABA = {**_LENT, "AccessKeySecret": "s", "SecurityToken": "t", "Code": "Success"}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session(None, 1) as session:
        yield session


@pytest.fixture
def answers() -> Iterator[aioresponses]:
    with aioresponses() as answers:
        yield answers


def _settings(source: str, **fields: Any) -> UpstreamSettings:
    credentials = {"source": source, **fields}
    return UpstreamSettings.model_validate({"endpoint": "http://store.test", "credentials": credentials})


def _source(session: aiohttp.ClientSession, source: str, **fields: Any) -> CredentialSource:
    return build_source(Http(session, "the lender"), _settings(source, **fields), FakeClock(), Counter())


def _shown(credentials: Credentials) -> tuple[str, str, str | None, datetime | None]:
    return credentials.access_key, credentials.secret_key, credentials.token, credentials.ends


def _rewrite(path: Path, text: str) -> None:
    """Put a new file in the old one's place, as whoever rotates credentials should."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


def _ini(access_key: str) -> str:
    return f"[default]\naws_access_key_id = {access_key}\naws_secret_access_key = s%s\n"


# ---- files ----


@pytest.mark.parametrize(
    ("text", "profile", "found"),
    [
        (_ini("AK"), "default", ("AK", "s%s", None, None)),
        (
            "[default]\naws_access_key_id=A\naws_secret_access_key=a\n[two]\naws_access_key_id=B\n"
            "aws_secret_access_key=b\naws_session_token=t\n",
            "two",
            ("B", "b", "t", None),
        ),
        (
            "[default]\ntype = sts\naccess_key_id = A\naccess_key_secret = a\nsecurity_token = t\n",
            "default",
            ("A", "a", "t", None),
        ),
        (
            json.dumps(
                {"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "a", "SessionToken": "t", "Expiration": _END}
            ),
            "default",
            ("A", "a", "t", datetime(2026, 11, 21, 13, tzinfo=UTC)),
        ),
        (
            json.dumps({"AccessKeyId": "A", "AccessKeySecret": "a", "SecurityToken": "t"}),
            "default",
            ("A", "a", "t", None),
        ),
    ],
    ids=["aws", "aws profile", "alibaba", "credential_process", "alibaba sts"],
)
def test_a_file_is_read_in_the_formats_of_both_clouds(
    tmp_path: Path, text: str, profile: str, found: tuple[str, str, str | None, datetime | None]
) -> None:
    (tmp_path / "file").write_text(text)

    assert _shown(read_credentials(tmp_path / "file", profile)) == found


@pytest.mark.parametrize("text", ["", "secret words", "{secret", '{"AccessKeyId": "A"}', _ini("A").replace("def", "x")])
def test_a_file_without_credentials_is_told_without_its_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)

    with pytest.raises(KeyServiceUnavailable) as refused:
        read_credentials(tmp_path / "file", "default")

    assert str(tmp_path / "file") in refused.value.message
    assert "secret words" not in str(refused.value)
    assert refused.value.__cause__ is None


async def test_a_file_that_was_replaced_is_read_again_after_the_period(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "file"
    path.write_text(_ini("OLD"))
    source = FileCredentials(path, "default", clock, period_s=10)
    assert (await source.current()).access_key == "OLD"

    _rewrite(path, _ini("NEW"))
    clock.advance(9)
    assert (await source.current()).access_key == "OLD"
    clock.advance(1)
    assert (await source.current()).access_key == "NEW"


async def test_a_file_that_makes_no_sense_or_is_gone_changes_nothing(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "file"
    path.write_text(_ini("OLD"))
    source = FileCredentials(path, "default", clock, period_s=10)
    await source.current()

    _rewrite(path, "[default]\naws_acc")
    clock.advance(10)
    assert (await source.current()).access_key == "OLD"
    os.unlink(path)
    clock.advance(10)
    assert (await source.current()).access_key == "OLD"
    path.write_text(_ini("NEW"))
    clock.advance(10)
    assert (await source.current()).access_key == "NEW"


async def test_credentials_of_a_file_end_when_they_say_so(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "file"
    path.write_text(json.dumps({**_LENT, "SecretAccessKey": "s"}))
    source = FileCredentials(path, "default", clock, period_s=10)
    await source.current()

    clock.advance(3600)

    with pytest.raises(KeyServiceUnavailable, match="have ended"):
        await source.current()


async def test_refused_ones_have_the_file_looked_at_at_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(_ini("OLD"))
    source = FileCredentials(path, "default", FakeClock(), period_s=3600)
    refused = await source.current()
    _rewrite(path, _ini("NEW"))

    source.drop(refused)

    assert (await source.current()).access_key == "NEW"


# ---- lenders ----


async def test_a_ram_role_lends_them(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    base = "http://100.100.100.200/latest"
    answers.put(f"{base}/api/token", body="session")
    answers.get(f"{base}/meta-data/ram/security-credentials/", body="role")
    answers.get(f"{base}/meta-data/ram/security-credentials/role", payload=_OF_ALIBABA)

    lent = await _source(session, "ram-role").current()

    assert _shown(lent) == ("AK", "s", "t", datetime(2026, 11, 21, 13, tzinfo=UTC))
    assert [headers for _, _, headers, _ in calls_of(answers)][1:] == [
        {"X-aliyun-ecs-metadata-token": "session"},
        {"X-aliyun-ecs-metadata-token": "session"},
    ]


async def test_an_instance_lends_them(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    base = "http://imds.test/latest"
    answers.put(f"{base}/api/token", body="session")
    answers.get(f"{base}/meta-data/iam/security-credentials/", body="role")
    answers.get(f"{base}/meta-data/iam/security-credentials/role", payload=_OF_AWS)

    lent = await _source(session, "instance", metadata_endpoint="http://imds.test").current()

    assert _shown(lent) == ("AK", "s", "t", datetime(2026, 11, 21, 13, tzinfo=UTC))


async def test_a_containers_agent_lends_them_to_whoever_has_its_token(
    session: aiohttp.ClientSession, answers: aioresponses, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("bearer\n")
    answers.get("http://agent.test/v1/credentials", payload=_OF_AWS)

    lent = await _source(
        session, "container", container_url="http://agent.test/v1/credentials", container_token_file=tmp_path / "token"
    ).current()

    assert lent.access_key == "AK"
    assert calls_of(answers)[0][2] == {"Authorization": "bearer"}


async def test_sts_of_the_region_lends_them_for_a_web_identity(
    session: aiohttp.ClientSession, answers: aioresponses, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("jwt")
    answers.post("https://sts.us-east-1.amazonaws.com/", status=403)
    source = _source(session, "web-identity", role_arn="arn:role", web_identity_token_file=tmp_path / "token")

    with pytest.raises(KeyServiceUnavailable, match="STS lends the proxy no credentials"):
        await source.current()


# ---- requests ----


class Silent:
    """A source that never answers."""

    async def current(self) -> Credentials:
        await asyncio.Event().wait()
        raise AssertionError

    def drop(self, credentials: Credentials) -> None:
        """Nothing."""


async def test_who_lends_nothing_in_time_leaves_the_store_unavailable(
    session: aiohttp.ClientSession, answers: aioresponses
) -> None:
    answers.put("http://100.100.100.200/latest/api/token", status=500)
    notes = Counter()

    with pytest.raises(UpstreamUnavailable):
        await Access(Silent(), 0, notes).current()
    with pytest.raises(UpstreamUnavailable):
        await Access(_source(session, "ram-role"), 10, notes).current()

    assert notes.events == [
        ("storage_credentials_failed", {"reason": "no answer in time"}),
        ("storage_credentials_failed", {"reason": "the lender answered 500."}),
    ]


@pytest.mark.parametrize(("dialect", "header"), [("s3", "x-amz-security-token"), ("oss", "x-oss-security-token")])
async def test_every_request_is_signed_with_the_credentials_of_the_moment(
    tmp_path: Path, dialect: str, header: str
) -> None:
    clock, path = FakeClock(), tmp_path / "file"
    path.write_text(_ini("OLD"))
    heard: list[dict[str, str]] = []

    async def listen(connection: Connection) -> None:
        while True:
            heard.append((await connection.head()).headers)
            await connection.answer()

    async with running_peer(listen) as peer:
        settings = UpstreamSettings.model_validate(
            {"endpoint": peer.url, "dialect": dialect, "credentials": {"source": "file", "path": path}}
        )
        async with open_upstream(settings, DIALECTS[dialect], clock, Counter()) as upstream:
            async with upstream.send(get_request()):
                pass
            _rewrite(path, f"{_ini('NEW')}aws_session_token = lent\n")
            clock.advance(10)
            async with upstream.send(get_request()):
                pass

    old, new = heard
    assert ("Credential=OLD/" in old["authorization"], old.get(header)) == (True, None)
    assert ("Credential=NEW/" in new["authorization"], new.get(header)) == (True, "lent")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "access_key and secret_key are missing"),
        ({"access_key": "a", "secret_key": "s", "credentials": {"source": "instance"}}, "would not be used"),
        ({"credentials": {"source": "file"}}, "the source `file` needs path"),
        ({"credentials": {"source": "web-identity"}}, "needs role_arn and web_identity_token_file"),
        ({"credentials": {"source": "container"}}, "needs container_url"),
        ({"access_key": "a", "secret_key": "s", "tls_cert": "c"}, "tls_cert and upstream.tls_key go together"),
        ({"access_key": "a", "secret_key": "s", "tls_cert": "c", "tls_key": "k"}, "needs an https endpoint"),
    ],
)
def test_settings_that_are_not_whole_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UpstreamSettings.model_validate({"endpoint": "http://store.test", **fields})
