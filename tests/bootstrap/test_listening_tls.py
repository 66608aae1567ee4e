"""Which versions, ciphers and clients the data port's HTTPS takes, by real handshakes."""

import ssl
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from sseproxy.bootstrap.certificates import tls_context
from sseproxy.bootstrap.failures import StartFailed
from sseproxy.bootstrap.listening import listening
from sseproxy.settings import Listen
from tests.support.certificates import make_certificates


async def _hello(_request: web.BaseRequest) -> web.Response:
    return web.Response(text="hello")


async def _get(listen: Listen, client: ssl.SSLContext) -> str:
    server = web.Server(_hello)
    async with listening(server, "127.0.0.1:0", tls=tls_context(listen), drain_timeout_s=1) as url:
        async with aiohttp.ClientSession() as session, session.get(url, ssl=client) as answer:
            return await answer.text()


async def test_a_client_below_the_least_version_is_not_served(tmp_path: Path) -> None:
    ca, certificate, key = make_certificates(tmp_path)
    old = ssl.create_default_context(cafile=ca)
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    assert await _get(Listen(tls_cert=certificate, tls_key=key), old) == "hello"
    with pytest.raises(aiohttp.ClientConnectorError):
        await _get(Listen(tls_cert=certificate, tls_key=key, tls_minimum="1.3"), old)


async def test_only_clients_with_a_certificate_of_the_ca_are_served(tmp_path: Path) -> None:
    ca, certificate, key = make_certificates(tmp_path / "own")
    _, other, other_key = make_certificates(tmp_path / "other")
    listen = Listen(tls_cert=certificate, tls_key=key, tls_client_ca=ca)
    known, stranger, nameless = (ssl.create_default_context(cafile=ca) for _ in range(3))
    known.load_cert_chain(certificate, key)
    stranger.load_cert_chain(other, other_key)

    assert await _get(listen, known) == "hello"
    for refused in (stranger, nameless):
        with pytest.raises((aiohttp.ClientError, OSError)):
            await _get(listen, refused)


def test_the_ciphers_are_those_that_are_listed(tmp_path: Path) -> None:
    _, certificate, key = make_certificates(tmp_path)
    name = "ECDHE-RSA-AES256-GCM-SHA384"

    context = tls_context(Listen(tls_cert=certificate, tls_key=key, tls_ciphers=name))

    assert context is not None
    assert [one["name"] for one in context.current.get_ciphers() if one["protocol"] == "TLSv1.2"] == [name]
    with pytest.raises(StartFailed, match="names no cipher"):
        tls_context(Listen(tls_cert=certificate, tls_key=key, tls_ciphers="nothing"))


def test_a_clients_ca_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    _, certificate, key = make_certificates(tmp_path)

    with pytest.raises(StartFailed, match=r"cannot use listen\.tls_client_ca .*/none\.pem: No such file"):
        tls_context(Listen(tls_cert=certificate, tls_key=key, tls_client_ca=tmp_path / "none.pem"))


def test_restrictions_without_tls_are_refused() -> None:
    with pytest.raises(ValueError, match=r"need listen\.tls_cert"):
        Listen(tls_client_ca=Path("ca.pem"))
