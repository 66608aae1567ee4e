"""The admin port over HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp.test_utils import RawTestServer

from sseproxy.errors import UpstreamUnavailable
from sseproxy.server.admin import create_admin_server
from sseproxy.server.readiness import ProcessReports, Readiness


class FakeClock:
    def now(self) -> datetime:
        return datetime(2026, 11, 21, tzinfo=UTC)


class Away:
    """A probe whose outcome a test sets."""

    def __init__(self) -> None:
        self.away = False

    async def __call__(self) -> None:
        if self.away:
            raise UpstreamUnavailable("The store is away.")


@pytest.fixture
def storage() -> Away:
    return Away()


@pytest.fixture
def readiness(storage: Away) -> Readiness:
    return Readiness({"storage": storage}, FakeClock())


@pytest.fixture
async def client(readiness: Readiness) -> AsyncIterator[aiohttp.ClientSession]:
    server = create_admin_server(ProcessReports(readiness, lambda: b"metric 1\n"))
    async with (
        RawTestServer(server.request_handler) as running,
        aiohttp.ClientSession(running.make_url("/")) as session,
    ):
        yield session
    await server.shutdown()


async def test_a_living_process_is_healthy_even_when_it_is_not_ready(
    client: aiohttp.ClientSession, storage: Away
) -> None:
    storage.away = True

    async with client.get("/healthz") as answer:
        assert (answer.status, await answer.text()) == (200, "ok\n")


async def test_readiness_is_200_without_problems(client: aiohttp.ClientSession) -> None:
    async with client.get("/readyz") as answer:
        assert (answer.status, await answer.json()) == (200, {"ready": True, "problems": {}})


async def test_readiness_is_503_with_the_reasons(client: aiohttp.ClientSession, storage: Away) -> None:
    storage.away = True

    async with client.get("/readyz") as answer:
        assert answer.status == 503
        assert await answer.json() == {"ready": False, "problems": {"storage": "The store is away."}}


async def test_a_draining_process_says_so(client: aiohttp.ClientSession, readiness: Readiness) -> None:
    readiness.drain()

    async with client.get("/readyz") as answer:
        assert (answer.status, (await answer.json())["problems"]) == (503, {"process": "draining"})


async def test_metrics_are_given_with_their_content_type(client: aiohttp.ClientSession) -> None:
    async with client.get("/metrics") as answer:
        assert (answer.status, await answer.read()) == (200, b"metric 1\n")
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metricsx", "/healthz/..", "/bucket/key"])
async def test_nothing_else_is_there(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as answer:
        assert answer.status == 404


async def test_only_reading_is_allowed(client: aiohttp.ClientSession) -> None:
    async with client.post("/healthz", data=b"x") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_a_program_that_hangs_somewhere_is_not_healthy() -> None:
    class Hanging:
        async def is_healthy(self) -> bool:
            return False

        async def problems(self) -> dict[str, str]:
            return {}

        async def metrics(self) -> bytes:
            return b""

    server = create_admin_server(Hanging())
    async with (
        RawTestServer(server.request_handler) as running,
        aiohttp.ClientSession(running.make_url("/")) as session,
        session.get("/healthz") as answer,
    ):
        assert (answer.status, await answer.text()) == (503, "a worker hangs\n")
    await server.shutdown()
