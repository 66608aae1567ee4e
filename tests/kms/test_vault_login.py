"""The proxy's token at Vault: got once for all, renewed in time, got anew when it must be."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses

from sseproxy.credentials.http import Http
from sseproxy.errors import KeyServiceUnavailable
from sseproxy.kms.vault_login import VaultLogin
from sseproxy.settings_remote_kms import VaultKmsSettings
from tests.support.fake_clock import FakeClock

ADDRESS = "https://vault.test:8200"
LOGIN = f"{ADDRESS}/v1/auth/approle/login"
RENEW = f"{ADDRESS}/v1/auth/token/renew-self"
LOOKUP = f"{ADDRESS}/v1/auth/token/lookup-self"


class Bench:
    def __init__(self, session: aiohttp.ClientSession, answers: aioresponses, **fields: Any) -> None:
        self.answers, self.clock = answers, FakeClock()
        given = fields or {"login": "approle", "role_id": "role", "secret_id": "secret"}
        settings = VaultKmsSettings.model_validate({"address": ADDRESS, **given})
        self.login = VaultLogin(Http(session, "vault"), settings, self.clock)

    def grants(self, url: str, token: str, lease: int = 60, *, renewable: bool = True) -> None:
        auth = {"client_token": token, "lease_duration": lease, "renewable": renewable}
        self.answers.post(url, payload={"auth": auth})

    def knows(self, ttl: int, *, renewable: bool) -> None:
        self.answers.get(LOOKUP, payload={"data": {"ttl": ttl, "renewable": renewable}})

    @property
    def asked(self) -> list[str]:
        calls = [(call, str(url)) for (_, url), found in (self.answers.requests or {}).items() for call in found]
        return sorted(url.removeprefix(f"{ADDRESS}/v1/auth/") for _, url in calls)

    def sent(self, url: str) -> list[tuple[dict[str, str], Any]]:
        found = [
            call for (_, asked), calls in (self.answers.requests or {}).items() if str(asked) == url for call in calls
        ]
        return [(c.kwargs["headers"], c.kwargs["data"] and json.loads(c.kwargs["data"])) for c in found]


async def test_a_thousand_requests_at_once_log_in_once(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    bench = Bench(session, answers)
    bench.grants(LOGIN, "t1")

    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(bench.login.token()) for _ in range(1000)]

    assert {task.result() for task in asking} == {"t1"}
    assert bench.sent(LOGIN) == [
        (
            {"Content-Type": "application/json", "X-Vault-Request": "true"},
            {"role_id": "role", "secret_id": "secret"},
        )
    ]


async def test_a_token_is_renewed_when_two_thirds_of_its_time_are_over(
    session: aiohttp.ClientSession, answers: aioresponses
) -> None:
    bench = Bench(session, answers)
    bench.grants(LOGIN, "t1")
    bench.grants(RENEW, "t1")
    await bench.login.token()

    bench.clock.advance(39)
    await bench.login.token()
    assert bench.asked == ["approle/login"]
    bench.clock.advance(1)
    assert await bench.login.token() == "t1"

    assert bench.asked == ["approle/login", "token/renew-self"]
    assert bench.sent(RENEW)[0][0]["X-Vault-Token"] == "t1"
    bench.clock.advance(39)
    assert await bench.login.token() == "t1"
    assert bench.asked == ["approle/login", "token/renew-self"]


@pytest.mark.parametrize("why", ["refused", "shorter", "not renewable"])
async def test_where_it_cannot_be_renewed_the_proxy_logs_in_again(
    session: aiohttp.ClientSession, answers: aioresponses, why: str
) -> None:
    bench = Bench(session, answers)
    bench.grants(LOGIN, "t1", renewable=why != "not renewable")
    bench.grants(LOGIN, "t2")
    if why == "refused":
        answers.post(RENEW, status=400, payload={"errors": ["lease is not renewable"]})
    if why == "shorter":  # its longest time comes near
        bench.grants(RENEW, "t1", lease=20)
    await bench.login.token()

    bench.clock.advance(40)

    assert await bench.login.token() == "t2"


async def test_a_renewal_that_fails_is_put_off_while_the_token_is_good(
    session: aiohttp.ClientSession, answers: aioresponses
) -> None:
    bench = Bench(session, answers)
    bench.grants(LOGIN, "t1")
    answers.post(RENEW, status=503)
    bench.grants(RENEW, "t1")
    await bench.login.token()

    bench.clock.advance(40)
    assert await bench.login.token() == "t1"
    bench.clock.advance(9)
    assert await bench.login.token() == "t1"
    assert bench.asked == ["approle/login", "token/renew-self"]
    bench.clock.advance(1)
    assert await bench.login.token() == "t1"
    assert bench.asked == ["approle/login", "token/renew-self", "token/renew-self"]


async def test_a_token_that_has_ended_is_not_used(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    bench = Bench(session, answers)
    bench.grants(LOGIN, "t1")
    await bench.login.token()
    answers.post(LOGIN, status=503)

    bench.clock.advance(60)

    with pytest.raises(KeyServiceUnavailable, match="vault answered 503"):
        await bench.login.token()


async def test_a_login_that_is_refused_says_so_without_the_secret(
    session: aiohttp.ClientSession, answers: aioresponses
) -> None:
    bench = Bench(session, answers)
    answers.post(LOGIN, status=400, payload={"errors": ["invalid role or secret ID"]})

    with pytest.raises(KeyServiceUnavailable) as caught:
        await bench.login.token()
    assert caught.value.message == "vault refuses the proxy's login (400); check its login in remote_kms."


async def test_kubernetes_sends_the_service_accounts_token_of_the_moment(
    session: aiohttp.ClientSession, answers: aioresponses, tmp_path: Path
) -> None:
    jwt = tmp_path / "token"
    bench = Bench(session, answers, login="kubernetes", role="proxy", jwt_file=jwt, namespace="team", login_mount="k8s")
    url = f"{ADDRESS}/v1/auth/k8s/login"
    bench.grants(url, "t1", renewable=False)
    bench.grants(url, "t2", renewable=False)

    jwt.write_text("first")
    assert await bench.login.token() == "t1"
    jwt.write_text("second\n")
    bench.clock.advance(40)
    assert await bench.login.token() == "t2"

    assert [fields for _, fields in bench.sent(url)] == [
        {"role": "proxy", "jwt": "first"},
        {"role": "proxy", "jwt": "second"},
    ]
    assert bench.sent(url)[0][0]["X-Vault-Namespace"] == "team"


async def test_a_missing_file_is_told(session: aiohttp.ClientSession, answers: aioresponses, tmp_path: Path) -> None:
    bench = Bench(session, answers, login="kubernetes", role="proxy", jwt_file=tmp_path / "none")

    with pytest.raises(KeyServiceUnavailable, match="none with the proxy's login cannot be read"):
        await bench.login.token()


async def test_a_configured_token_is_renewed_as_well(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    bench = Bench(session, answers, token="t0")
    bench.knows(60, renewable=True)
    bench.grants(RENEW, "t0")

    assert await bench.login.token() == "t0"
    bench.clock.advance(40)
    assert await bench.login.token() == "t0"

    assert bench.asked == ["token/lookup-self", "token/renew-self"]


@pytest.mark.parametrize(("ttl", "renewable"), [(0, False), (3600, False)])
async def test_a_token_that_has_no_end_or_no_renewal_is_left_as_it_is(
    session: aiohttp.ClientSession,
    answers: aioresponses,
    ttl: int,
    renewable: bool,  # noqa: FBT001
) -> None:
    bench = Bench(session, answers, token="t0")
    bench.knows(ttl, renewable=renewable)
    await bench.login.token()

    bench.clock.advance(3599)

    assert await bench.login.token() == "t0"
    assert bench.asked == ["token/lookup-self"]


async def test_a_token_in_a_file_is_looked_at_again_every_half_minute(
    session: aiohttp.ClientSession, answers: aioresponses, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("t1")
    bench = Bench(session, answers, token_file=file)
    bench.knows(3600, renewable=True)
    bench.knows(3600, renewable=True)
    assert await bench.login.token() == "t1"
    file.write_text("t2")

    bench.clock.advance(29)
    assert await bench.login.token() == "t1"
    bench.clock.advance(1)
    assert await bench.login.token() == "t2"


async def test_a_refusal_is_the_tokens_fault_only_where_it_cannot_look_itself_up(
    session: aiohttp.ClientSession, answers: aioresponses
) -> None:
    bench = Bench(session, answers)
    bench.grants(LOGIN, "t1")
    bench.grants(LOGIN, "t2")
    await bench.login.token()
    bench.knows(30, renewable=True)
    answers.get(LOOKUP, status=403, payload={"errors": ["permission denied"]})

    assert not await bench.login.is_dead("t1")
    assert await bench.login.is_dead("t1")
    assert await bench.login.token() == "t2"
    assert await bench.login.is_dead("t1")  # another one is there already
    assert bench.asked.count("token/lookup-self") == 2


async def test_no_token_shows_in_a_repr(session: aiohttp.ClientSession, answers: aioresponses) -> None:
    bench = Bench(session, answers)
    bench.grants(LOGIN, "t-secret")
    await bench.login.token()

    assert "t-secret" not in repr(vars(bench.login))
