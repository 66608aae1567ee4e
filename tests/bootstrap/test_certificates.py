"""A certificate that is replaced while the proxy runs comes into use by itself."""

import asyncio
import io
import shutil
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from sseproxy.bootstrap.certificates import reloading, tls_context
from sseproxy.bootstrap.listening import listening
from sseproxy.settings import Listen
from sseproxy.telemetry.logs import build_logger
from tests.support.certificates import make_certificates


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


async def test_files_that_have_changed_are_loaded_and_half_a_change_is_not(tmp_path: Path) -> None:
    _, certificate, key = make_certificates(tmp_path / "used")
    _, later, later_key = make_certificates(tmp_path / "later")
    before, after = _leaf(certificate), _leaf(later)
    listen, timer, log = Listen(tls_cert=certificate, tls_key=key, tls_look_every=7), Timer(), io.StringIO()
    tls = tls_context(listen)

    async with listening(web.Server(_hello), "127.0.0.1:0", tls=tls, drain_timeout_s=1) as url:
        port = int(url.rpartition(":")[2])
        async with reloading(tls, listen, build_logger(log, "info"), sleep=timer.sleep):
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
