"""Credentials that the store does not take any more before their end: others are asked for at once."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from sseproxy.credentials.file import FileCredentials
from sseproxy.credentials.held import Credentials, CredentialSource, LentCredentials, given
from sseproxy.dialect import DIALECTS
from sseproxy.errors import KeyServiceUnavailable, UpstreamUnavailable
from sseproxy.exchange import Body
from sseproxy.ports import UpstreamRequest
from sseproxy.settings_upstream import UpstreamSettings
from sseproxy.upstream.access import Access
from sseproxy.upstream.client import HttpUpstream, open_session
from sseproxy.upstream.outgoing_auth import OutgoingAuth
from tests.support.fake_clock import FakeClock
from tests.upstream.peers import Connection, Counter, get_request, put_request, running_peer


class Lender:
    """Lends AK1, AK2, … for an hour each."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.lent = 0
        self.fails = False

    async def lend(self) -> Credentials:
        await asyncio.sleep(0)
        if self.fails:
            raise KeyServiceUnavailable("no")
        self.lent += 1
        return Credentials(access_key=f"AK{self.lent}", secret_key="s", ends=self.clock.now() + timedelta(hours=1))


class Store:
    """Refuses whoever signs with an access key in `refused`, and remembers who came with what."""

    def __init__(self, *refused: str, status: int = 403, code: str = "InvalidAccessKeyId") -> None:
        self.refused = set(refused)
        self.status = status
        self.document = f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode()
        self.headers: dict[str, str] = {}
        self.heard: list[tuple[str, bytes]] = []

    async def __call__(self, connection: Connection) -> None:
        while True:
            heard, body = await connection.request()
            access_key = heard.headers["authorization"].partition("Credential=")[2].partition("/")[0]
            self.heard.append((access_key, body))
            if access_key not in self.refused:
                await connection.answer(body=b"" if heard.line.startswith("HEAD") else b"content")
            elif heard.line.startswith("HEAD"):
                await connection.say(f"HTTP/1.1 {self.status} X\r\nContent-Length: 99\r\n{self._lines()}\r\n")
            else:
                await connection.answer(self.status, self.document)

    def _lines(self) -> str:
        return "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())


@asynccontextmanager
async def upstream_of(
    store: Store, source: CredentialSource, *, dialect: str = "s3", notes: Counter | None = None
) -> AsyncIterator[HttpUpstream]:
    noted, clock = notes or Counter(), FakeClock()
    async with running_peer(store) as peer:
        settings = UpstreamSettings.model_validate({"endpoint": peer.url, "access_key": "a", "secret_key": "s"})
        async with open_session(settings) as session:
            auth = OutgoingAuth(settings, DIALECTS[dialect])
            yield HttpUpstream(session, auth, Access(source, 10, noted), settings.read_timeout, clock, noted)


async def _ask(upstream: HttpUpstream, request: UpstreamRequest) -> tuple[int, bytes]:
    async with upstream.send(request) as answer:
        return answer.status, await answer.read()


def _lent(clock: FakeClock | None = None) -> tuple[Lender, LentCredentials]:
    clock = clock or FakeClock()
    lender = Lender(clock)
    return lender, LentCredentials(lender, clock, Counter(), service="the store")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "InvalidAccessKeyId"),
        (400, "ExpiredToken"),
        (400, "InvalidToken"),
        (400, "TokenRefreshRequired"),
        (403, "InvalidSecurityToken"),
        (403, "SecurityTokenExpired"),
        (403, "AccessKeyIdAndSecurityTokenNotMatch"),
    ],
)
async def test_the_request_goes_out_again_with_credentials_that_were_lent_anew(status: int, code: str) -> None:
    (lender, source), notes = _lent(), Counter()
    store = Store("AK1", status=status, code=code)

    async with upstream_of(store, source, notes=notes) as upstream:
        first = await _ask(upstream, put_request(b"body", 4))
        second = await _ask(upstream, get_request())

    assert (first, second) == ((200, b"content"), (200, b"content"))
    assert store.heard == [("AK1", b"body"), ("AK2", b"body"), ("AK2", b"")]
    assert lender.lent == 2
    assert notes.events == [("storage_credentials_refused", {"code": code})]


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDenied"), (403, "SignatureDoesNotMatch"), (404, "InvalidAccessKeyId")]
)
async def test_any_other_refusal_is_passed_on_as_it_is(status: int, code: str) -> None:
    lender, source = _lent()
    store = Store("AK1", status=status, code=code)

    async with upstream_of(store, source) as upstream:
        assert await _ask(upstream, get_request()) == (status, store.document)

    assert (len(store.heard), lender.lent) == (1, 1)


async def test_many_requests_that_are_refused_at_once_have_others_lent_once() -> None:
    lender, source = _lent()
    store = Store("AK1")

    async with upstream_of(store, source) as upstream, asyncio.TaskGroup() as group:
        asking = [group.create_task(_ask(upstream, get_request())) for _ in range(20)]

    assert {task.result() for task in asking} == {(200, b"content")}
    assert lender.lent == 2


async def test_a_role_that_was_taken_away_does_not_bring_every_request_to_the_lender() -> None:
    lender, source = _lent()
    store = Store("AK1", "AK2", "AK3")

    async with upstream_of(store, source) as upstream:
        answers = [await _ask(upstream, get_request()) for _ in range(5)]

    assert set(answers) == {(403, store.document)}
    assert lender.lent == 2
    assert [access_key for access_key, _ in store.heard] == ["AK1", *["AK2"] * 5]


async def test_a_stream_is_not_sent_twice_but_the_next_request_has_others() -> None:
    _, source = _lent()
    store = Store("AK1")

    async def content() -> Body:
        yield b"body"

    async with upstream_of(store, source) as upstream:
        request = put_request(content(), 4)
        assert await _ask(upstream, request) == (403, store.document)
        assert (await _ask(upstream, get_request()))[0] == 200

    assert [access_key for access_key, _ in store.heard] == ["AK1", "AK2"]


async def test_where_nobody_lends_others_the_store_is_unavailable() -> None:
    lender, source = _lent()
    store, notes = Store("AK1"), Counter()
    await source.current()
    lender.fails = True

    async with upstream_of(store, source, notes=notes) as upstream:
        with pytest.raises(UpstreamUnavailable):
            await _ask(upstream, get_request())

    assert notes.events == [("storage_credentials_failed", {"reason": "no"})]


async def test_given_ones_have_no_others() -> None:
    source = given("AK1", SecretStr("s"), None)
    store, notes = Store("AK1"), Counter()

    async with upstream_of(store, source, notes=notes) as upstream:
        assert await _ask(upstream, get_request()) == (403, store.document)

    assert (len(store.heard), notes.events) == (1, [])


async def test_a_file_is_looked_at_at_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(json.dumps({"AccessKeyId": "AK1", "SecretAccessKey": "s"}))
    source = FileCredentials(path, "default", FakeClock(), period_s=3600)
    store = Store("AK1")

    async with upstream_of(store, source) as upstream:
        await source.current()
        later = tmp_path / "later"
        later.write_text(json.dumps({"AccessKeyId": "AK2", "SecretAccessKey": "s"}))
        later.rename(path)
        assert await _ask(upstream, get_request()) == (200, b"content")


@pytest.mark.parametrize(
    ("dialect", "status", "headers"),
    [
        ("s3", 400, {}),
        ("oss", 403, {"x-oss-err": b64encode(b"<Error><Code>SecurityTokenExpired</Code></Error>").decode()}),
    ],
)
async def test_a_head_is_understood_as_far_as_the_store_says_anything(
    dialect: str, status: int, headers: dict[str, str]
) -> None:
    _, source = _lent()
    store = Store("AK1", status=status)
    store.headers = headers

    async with upstream_of(store, source, dialect=dialect) as upstream:
        assert await _ask(upstream, replace(get_request(), method="HEAD")) == (200, b"")


@pytest.mark.parametrize("headers", [{}, {"x-oss-err": "!"}])
async def test_a_head_that_is_refused_without_a_word_is_passed_on(headers: dict[str, str]) -> None:
    _, source = _lent()
    store = Store("AK1", status=403)
    store.headers = headers

    async with upstream_of(store, source, dialect="oss") as upstream:
        assert await _ask(upstream, replace(get_request(), method="HEAD")) == (403, b"")


async def test_a_long_answer_is_passed_on_whole() -> None:
    _, source = _lent()
    store = Store("AK1")
    store.document = bytes(300_000)

    async with upstream_of(store, source) as upstream:
        assert await _ask(upstream, get_request()) == (403, store.document)


async def test_an_answer_that_breaks_off_is_the_same_failure_as_ever() -> None:
    async def broken(connection: Connection) -> None:
        await connection.head()
        await connection.say("HTTP/1.1 403 X\r\nContent-Length: 100\r\n\r\n<Error>")

    _, source = _lent()
    async with running_peer(broken) as peer:
        settings = UpstreamSettings.model_validate({"endpoint": peer.url, "access_key": "a", "secret_key": "s"})
        async with open_session(settings) as session:
            auth = OutgoingAuth(settings, DIALECTS["s3"])
            upstream = HttpUpstream(session, auth, Access(source, 10, Counter()), 60, FakeClock(), Counter())
            with pytest.raises(UpstreamUnavailable, match="broke off"):
                await _ask(upstream, get_request())
