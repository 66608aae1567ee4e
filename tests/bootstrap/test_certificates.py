"""Certificates and CAs that are replaced while the proxy runs come into use by themselves."""

import asyncio
import io
import json
import shutil
import signal
import socket
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sseproxy.bootstrap.certificates import Renewed, reloading, renewed, tls_context
from sseproxy.bootstrap.key_services import key_services_tls, open_key_service
from sseproxy.bootstrap.listening import listening
from sseproxy.credentials.http import trusting
from sseproxy.dialect import DIALECTS
from sseproxy.errors import KeyServiceUnavailable, UpstreamUnavailable
from sseproxy.ports import Kms
from sseproxy.settings import Listen, Settings
from sseproxy.settings_remote_kms import VaultKmsSettings
from sseproxy.settings_upstream import UpstreamSettings
from sseproxy.telemetry.logs import build_logger
from sseproxy.tls import RenewableContext
from sseproxy.upstream.client import HttpUpstream, open_upstream
from sseproxy.upstream.tls import store_tls
from tests.kms.doubles import RecordingObserver
from tests.support.certificates import make_certificates
from tests.support.fake_clock import FakeClock
from tests.upstream.peers import Counter, get_request


@dataclass
class Timer:
    """A sleep that ends when the test says so."""

    asked: list[float] = field(default_factory=list)
    asleep: asyncio.Event = field(default_factory=asyncio.Event)
    rings: asyncio.Event = field(default_factory=asyncio.Event)

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.asleep.set()
        await self.rings.wait()
        self.rings.clear()

    async def pass_once(self) -> None:
        """Let the time pass, and return when what was due has been done."""
        await self.asleep.wait()
        self.asleep.clear()
        self.rings.set()
        await self.asleep.wait()


async def _hello(_request: web.BaseRequest) -> web.Response:
    return web.Response()


async def _shown(port: int) -> bytes:
    """Return the certificate that a new connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    secured: ssl.SSLObject = writer.get_extra_info("ssl_object")
    shown = secured.getpeercert(binary_form=True)
    writer.transport.abort()
    assert shown is not None
    return shown


def _leaf(certificate: Path) -> bytes:
    end = "-----END CERTIFICATE-----\n"
    return ssl.PEM_cert_to_DER_cert(certificate.read_text().partition(end)[0] + end)


def _watched(section: str, context: RenewableContext | None) -> list[Renewed]:
    assert context is not None
    return [Renewed(section=section, context=context, period_s=7)]


def _reports(log: io.StringIO) -> list[dict[str, Any]]:
    """Return what the log has, without what it says of itself."""
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return [{name: value for name, value in line.items() if name != "timestamp"} for line in lines]


async def test_files_that_have_changed_are_loaded_and_half_a_change_is_not(tmp_path: Path) -> None:
    _, certificate, key = make_certificates(tmp_path / "used")
    _, later, later_key = make_certificates(tmp_path / "later")
    before, after = _leaf(certificate), _leaf(later)
    listen, timer, log = Listen(tls_cert=certificate, tls_key=key, tls_look_every=7), Timer(), io.StringIO()
    tls = tls_context(listen)

    async with listening(web.Server(_hello), "127.0.0.1:0", tls=tls, drain_timeout_s=1) as url:
        port = int(url.rpartition(":")[2])
        async with reloading(_watched("listen", tls), build_logger(log, "info"), sleep=timer.sleep):
            await timer.pass_once()
            nothing = log.getvalue()
            shutil.copy(later, certificate)  # its key is still the old one
            await timer.pass_once()
            half = await _shown(port)
            shutil.copy(later_key, key)
            await timer.pass_once()
            whole = await _shown(port)
            await timer.pass_once()

    assert (nothing, half == before, whole == after) == ("", True, True)
    assert log.getvalue().count("certificate_not_reloaded") == 1
    assert log.getvalue().count("certificate_reloaded") == 1
    assert set(timer.asked) == {7.0}


# ---- CAs of clients ----


@dataclass(frozen=True)
class Identity:
    """A CA, and a certificate that it has signed."""

    ca: Path
    certificate: Path
    key: Path

    def client(self, server_ca: Path) -> ssl.SSLContext:
        """What a client has who shows the certificate; sessions of TLS 1.2 can be resumed."""
        context = ssl.create_default_context(cafile=server_ca)
        context.load_cert_chain(self.certificate, self.key)
        return context


def _identity(directory: Path) -> Identity:
    return Identity(*make_certificates(directory))


async def _is_served(url: str, client: ssl.SSLContext) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(url, ssl=client) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, OSError):
        return False


async def test_clients_of_a_ca_that_was_replaced_are_let_in_no_more_and_those_of_the_new_one_are(
    tmp_path: Path,
) -> None:
    server, before, after = (_identity(tmp_path / name) for name in ("server", "before", "after"))
    clients = tmp_path / "clients.pem"
    shutil.copy(before.ca, clients)
    listen = Listen(tls_cert=server.certificate, tls_key=server.key, tls_client_ca=clients)
    tls, timer, log = tls_context(listen), Timer(), io.StringIO()
    old, new = before.client(server.ca), after.client(server.ca)

    async with listening(web.Server(_hello), "127.0.0.1:0", tls=tls, drain_timeout_s=1) as url:
        async with reloading(_watched("listen", tls), build_logger(log, "info"), sleep=timer.sleep):
            await timer.pass_once()
            at_first = (await _is_served(url, old), await _is_served(url, new))
            clients.write_text("nothing of the kind")
            await timer.pass_once()
            broken = (await _is_served(url, old), await _is_served(url, new))
            shutil.copy(after.ca, clients)
            await timer.pass_once()
            at_last = (await _is_served(url, old), await _is_served(url, new))

    assert (at_first, broken, at_last) == ((True, False), (True, False), (False, True))
    refused, taken = _reports(log)
    assert refused.pop("reason").startswith(f"cannot use listen.tls_client_ca {clients}: ")
    assert refused == {"event": "certificate_not_reloaded", "level": "error", "section": "listen"}
    files = [str(path) for path in (server.certificate, server.key, clients)]
    assert taken == {"event": "certificate_reloaded", "level": "info", "section": "listen", "files": files}


def _tickets(context: ssl.SSLContext, port: int, session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool]:
    """Connect, and return the session and whether it was resumed."""
    with socket.create_connection(("127.0.0.1", port), 20) as plain:
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as secured:
            secured.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while secured.recv(4096):
                pass
            return secured.session, bool(secured.session_reused)


async def test_a_session_that_began_under_the_old_ca_is_not_resumed_under_the_new_one(tmp_path: Path) -> None:
    server, before, after = (_identity(tmp_path / name) for name in ("server", "before", "after"))
    clients = tmp_path / "clients.pem"
    shutil.copy(before.ca, clients)
    tls = tls_context(Listen(tls_cert=server.certificate, tls_key=server.key, tls_client_ca=clients))
    old = before.client(server.ca)
    old.maximum_version = ssl.TLSVersion.TLSv1_2  # whose handshake ends with the server's yes or no
    assert tls is not None

    async with listening(web.Server(_hello), "127.0.0.1:0", tls=tls, drain_timeout_s=1) as url:
        port = int(url.rpartition(":")[2])
        session, _ = await asyncio.to_thread(_tickets, old, port, None)
        _, resumed = await asyncio.to_thread(_tickets, old, port, session)
        shutil.copy(after.ca, clients)
        tls.renew()
        with pytest.raises(OSError):  # noqa: PT011  # an alert or a closed connection
            await asyncio.to_thread(_tickets, old, port, session)

    assert resumed


# ---- towards the store ----


async def _answers(upstream: HttpUpstream) -> bool:
    try:
        async with upstream.send(get_request()) as answer:
            return answer.status == 200
    except UpstreamUnavailable:
        return False


def _store(identity: Identity, clients: Path) -> ssl.SSLContext:
    """A store that shows a certificate and wants one of `clients`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=clients)
    context.load_cert_chain(identity.certificate, identity.key)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def _closed(_request: web.BaseRequest) -> web.Response:
    answer = web.Response(text='{"data": {"ttl": 0}}')  # as a Vault says of a root token
    answer.force_close()  # every request is a connection of its own
    return answer


async def test_the_store_is_trusted_and_shown_what_the_files_say_now(tmp_path: Path) -> None:
    """First the store moves to another CA, then it wants certificates of another one."""
    first, second, shown = (_identity(tmp_path / name) for name in ("first", "second", "shown"))
    own = Identity(*(Path(shutil.copy(path, tmp_path)) for path in (first.ca, first.certificate, first.key)))
    timer, log, outcomes = Timer(), io.StringIO(), []

    async with AsyncExitStack() as stack:
        urls = [
            await stack.enter_async_context(
                listening(web.Server(_closed), "127.0.0.1:0", tls=context, drain_timeout_s=1)
            )
            for context in (_store(first, first.ca), _store(second, first.ca), _store(second, shown.ca))
        ]
        settings = [_upstream(url, own) for url in urls]
        tls = store_tls(settings[0])
        upstreams = [
            await stack.enter_async_context(open_upstream(one, DIALECTS["s3"], FakeClock(), Counter(), tls=tls))
            for one in settings
        ]

        async def try_all() -> None:
            await timer.pass_once()
            outcomes.append([await _answers(upstream) for upstream in upstreams])

        async with reloading(_watched("upstream", tls), build_logger(log, "info"), sleep=timer.sleep):
            await try_all()
            shutil.copy(second.ca, own.ca)
            await try_all()
            shutil.copy(shown.certificate, own.certificate)  # its key is still the old one
            await try_all()
            shutil.copy(shown.key, own.key)
            await try_all()

    assert outcomes == [[True, False, False], [False, True, False], [False, True, False], [False, False, True]]
    assert [report["event"] for report in _reports(log)] == [
        "certificate_reloaded",
        "certificate_not_reloaded",
        "certificate_reloaded",
    ]
    assert _reports(log)[1]["reason"].startswith(
        f"upstream.tls_cert {own.certificate} cannot be used with upstream.tls_key {own.key}: "
    )
    assert _reports(log)[1]["reason"].endswith("; give a PEM chain and the private key that belongs to it")


def _upstream(url: str, own: Identity) -> UpstreamSettings:
    return UpstreamSettings.model_validate(
        {
            "endpoint": url,
            "access_key": "ak",
            "secret_key": "sk",
            "ca_file": own.ca,
            "tls_cert": own.certificate,
            "tls_key": own.key,
        }
    )


# ---- towards key services ----


async def _is_healthy(kms: Kms) -> bool:
    try:
        await kms.healthy()
    except KeyServiceUnavailable:
        return False
    return True


async def test_a_key_service_is_trusted_by_the_ca_that_its_file_has_now(tmp_path: Path) -> None:
    first, second = (_identity(tmp_path / name) for name in ("first", "second"))
    trusted = Path(shutil.copy(first.ca, tmp_path))
    timer, log, outcomes = Timer(), io.StringIO(), []
    shared = trusting(trusted)

    async with AsyncExitStack() as stack:
        services = []
        for identity in (first, second):
            shown = tls_context(Listen(tls_cert=identity.certificate, tls_key=identity.key))
            serving = listening(web.Server(_closed), "127.0.0.1:0", tls=shown, drain_timeout_s=1)
            settings = VaultKmsSettings.model_validate(
                {"address": await stack.enter_async_context(serving), "token": "t", "ca_file": trusted, "attempts": 1}
            )
            opening = open_key_service("bao", settings, FakeClock(), RecordingObserver(), tls=shared)
            services.append(await stack.enter_async_context(opening))

        async with reloading(_watched("remote_kms.vault.bao", shared), build_logger(log, "info"), sleep=timer.sleep):
            for ca in (first.ca, second.ca):
                shutil.copy(ca, trusted)
                await timer.pass_once()
                outcomes.append([await _is_healthy(service) for service in services])
            trusted.write_text("nothing of the kind")
            await timer.pass_once()
            outcomes.append([await _is_healthy(service) for service in services])
        with pytest.raises(KeyServiceUnavailable) as untrusted:
            await services[0].healthy()

    assert untrusted.value.message == (
        "The certificate of the key service bao at 127.0.0.1 is not trusted (unable to get local issuer certificate); "
        "check the CA that signed it, and ca_file."
    )
    assert outcomes == [[True, False], [False, True], [False, True]]
    assert [report["section"] for report in _reports(log)] == ["remote_kms.vault.bao"] * len(_reports(log))
    refused = _reports(log)[-1]
    assert refused["event"] == "certificate_not_reloaded"
    assert refused["reason"].startswith(f"The CA file {trusted} of a key service cannot be used: ")


# ---- which ones ----


def test_each_section_says_how_often_its_files_are_looked_at(tmp_path: Path) -> None:
    one = _identity(tmp_path)
    document = {
        "listen": {"tls_cert": one.certificate, "tls_key": one.key, "tls_look_every": 5},
        "upstream": {**_upstream("https://store.test", one).model_dump(), "tls_look_every": 9},
        "clients": {"trust_unsigned": True},
        "remote_kms": {
            "default": "bao",
            "service_key": "service",
            "vault": {
                "bao": {"address": "https://bao.test", "token": "t", "ca_file": one.ca, "tls_look_every": 11},
                "known": {"address": "https://vault.test", "token": "t"},  # by the system's CAs
            },
        },
    }
    settings = Settings.model_validate(document)
    listen, store, keys = tls_context(settings.listen), store_tls(settings.upstream), key_services_tls(settings)

    found = [(each.section, each.context, each.period_s) for each in renewed(settings, listen, store, keys)]

    assert found == [("listen", listen, 5), ("upstream", store, 9), ("remote_kms.vault.bao", keys["bao"], 11)]
    assert renewed(settings, None, None, {}) == []


async def test_without_tls_a_hangup_has_its_usual_effect() -> None:
    async with reloading([], build_logger(io.StringIO(), "info")):
        assert asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP) is False


def test_a_plain_store_has_no_context() -> None:
    plain = UpstreamSettings.model_validate({"endpoint": "http://h", "access_key": "a", "secret_key": "s"})

    assert store_tls(plain) is None
