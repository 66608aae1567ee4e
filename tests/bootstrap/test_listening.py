"""Binding, naming what was bound, and letting requests end."""

import asyncio
import socket
import ssl
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from sseproxy.bootstrap.binding import bind_all, require_free
from sseproxy.bootstrap.certificates import tls_context
from sseproxy.bootstrap.failures import StartFailed
from sseproxy.bootstrap.listening import listening
from sseproxy.settings import Listen
from tests.support.certificates import make_certificates


def _server() -> web.Server:
    async def handle(_request: web.BaseRequest) -> web.Response:
        return web.Response(text="hello")

    return web.Server(handle)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "0.0.0.0:0", "localhost:0"])
async def test_the_url_is_one_that_can_be_used(address: str) -> None:
    async with listening(_server(), address, drain_timeout_s=1) as url, aiohttp.ClientSession() as session:
        async with session.get(url) as answer:
            assert (answer.status, await answer.text()) == (200, "hello")
        assert url.startswith(("http://127.0.0.1:", "http://[::1]:"))
        assert not url.endswith(":0")


async def test_an_address_that_is_taken_is_a_failure_that_names_it() -> None:
    async with listening(_server(), "127.0.0.1:0", drain_timeout_s=1) as url:
        address = url.removeprefix("http://")

        with pytest.raises(StartFailed, match=rf"cannot listen on {address}: .*; choose another address"):
            async with listening(_server(), address, drain_timeout_s=1):
                pytest.fail("listens twice")


async def test_an_address_of_no_host_is_a_failure_that_names_it() -> None:
    with pytest.raises(StartFailed, match=r"cannot listen on no-such-host\.invalid:1: "):
        async with listening(_server(), "no-such-host.invalid:1", drain_timeout_s=1):
            pytest.fail("listens nowhere")


async def test_a_request_in_progress_ends_before_the_server_has_ended() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handle(_request: web.BaseRequest) -> web.Response:
        begun.set()
        await go_on.wait()
        return web.Response(text="done")

    async def serve(address: asyncio.Future[str], stop: asyncio.Event) -> None:
        async with listening(web.Server(handle), "127.0.0.1:0", drain_timeout_s=30) as url:
            address.set_result(url)
            await stop.wait()

    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group, aiohttp.ClientSession() as session:
        serving = group.create_task(serve(address, stop))
        url = await address

        async def get() -> str:
            async with session.get(url) as answer:
                return await answer.text()

        getting = group.create_task(get())
        await begun.wait()
        stop.set()
        go_on.set()
        text = await getting
        await serving

    assert text == "done"


async def test_a_request_that_goes_on_for_too_long_is_cut_off() -> None:
    begun = asyncio.Event()

    async def handle(_request: web.BaseRequest) -> web.Response:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        async with listening(web.Server(handle), "127.0.0.1:0", drain_timeout_s=0.05) as url:

            async def get() -> None:
                with pytest.raises(aiohttp.ClientError):
                    async with session.get(url) as answer:
                        await answer.read()

            group.create_task(get())
            await begun.wait()


def test_without_a_certificate_there_is_no_tls() -> None:
    assert tls_context(Listen()) is None


def test_a_certificate_gives_a_server_context_for_http_1_1(tmp_path: Path) -> None:
    _, certificate, key = make_certificates(tmp_path)

    context = tls_context(Listen(tls_cert=certificate, tls_key=key))

    assert context is not None
    assert context.current.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_key_of_another_certificate_is_told(tmp_path: Path) -> None:
    _, certificate, _ = make_certificates(tmp_path / "one")
    _, _, other_key = make_certificates(tmp_path / "two")

    with pytest.raises(StartFailed, match=r"cannot use the certificate .*one/cert\.pem with the key .*two/key\.pem"):
        tls_context(Listen(tls_cert=certificate, tls_key=other_key))


async def test_connections_that_nobody_has_accepted_yet_are_served_at_the_end() -> None:
    async def handle(_request: web.BaseRequest) -> web.Response:
        return web.Response(text="done", headers={"Connection": "close"})

    class Patient(web.Server):
        """Ends when the last connection has."""

        async def shutdown(self, timeout: float | None = None) -> None:  # aiohttp's signature
            del timeout
            while self.connections:
                await asyncio.sleep(0)

    with socket.socket() as client:
        async with listening(Patient(handle), "127.0.0.1:0", drain_timeout_s=0) as url:
            client.connect(("127.0.0.1", int(url.rpartition(":")[2])))  # the loop has not turned since
            client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        answer = client.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"done")


async def test_an_address_that_is_shared_is_listened_on_twice() -> None:
    async with listening(_server(), "127.0.0.1:0", drain_timeout_s=1, shared=True) as url:
        async with listening(_server(), url.removeprefix("http://"), drain_timeout_s=1, shared=True) as again:
            assert again == url


def test_all_addresses_of_a_name_get_the_same_port() -> None:
    sockets = bind_all("localhost:0")
    ports = {one.getsockname()[1] for one in sockets}
    for one in sockets:
        one.close()

    assert len(ports) == 1


def test_an_address_is_free_when_it_is_merely_held_and_not_when_somebody_listens_there() -> None:
    (held,) = bind_all("127.0.0.1:0", shared=True)
    with held:
        address = f"127.0.0.1:{held.getsockname()[1]}"
        require_free(address)
        held.listen()

        with pytest.raises(StartFailed, match=f"^cannot listen on {address}: Address already in use; choose another"):
            require_free(address)
