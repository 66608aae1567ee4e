"""The store may demand a certificate of the proxy."""

import ssl
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sseproxy.bootstrap.listening import listening
from sseproxy.dialect import DIALECTS
from sseproxy.errors import ConfigurationError, UpstreamUnavailable
from sseproxy.settings_upstream import UpstreamSettings
from sseproxy.upstream.client import open_upstream
from tests.support.certificates import make_certificates
from tests.support.fake_clock import FakeClock
from tests.upstream.peers import Counter, get_request


async def _hello(_request: web.BaseRequest) -> web.Response:
    return web.Response(text="hello")


async def _ask(url: str, **tls: Path) -> int:
    values: dict[str, Any] = {"endpoint": url, "access_key": "ak", "secret_key": "sk", **tls}
    settings = UpstreamSettings.model_validate(values)
    async with open_upstream(settings, DIALECTS["s3"], FakeClock(), Counter()) as upstream:
        async with upstream.send(get_request()) as answer:
            return answer.status


async def test_a_store_that_demands_a_certificate_gets_the_proxys(tmp_path: Path) -> None:
    ca, certificate, key = make_certificates(tmp_path / "own")
    _, other, other_key = make_certificates(tmp_path / "other")
    store = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
    store.load_cert_chain(certificate, key)
    store.verify_mode = ssl.CERT_REQUIRED

    async with listening(web.Server(_hello), "127.0.0.1:0", tls=store, drain_timeout_s=1) as url:
        assert await _ask(url, ca_file=ca, tls_cert=certificate, tls_key=key) == 200
        with pytest.raises(UpstreamUnavailable):
            await _ask(url, ca_file=ca)
        with pytest.raises(UpstreamUnavailable):
            await _ask(url, ca_file=ca, tls_cert=other, tls_key=other_key)


async def test_a_certificate_and_a_key_that_do_not_fit_are_told_at_start(tmp_path: Path) -> None:
    _, certificate, _ = make_certificates(tmp_path / "own")
    _, _, other_key = make_certificates(tmp_path / "other")

    with pytest.raises(ConfigurationError, match=r"upstream\.tls_cert .* cannot be used with upstream\.tls_key"):
        await _ask("https://127.0.0.1:1", tls_cert=certificate, tls_key=other_key)
