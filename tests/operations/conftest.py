"""A proxy without a server, in either dialect, over the embedded store in this process."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from sseproxy.dialect import DIALECTS
from sseproxy.settings_upstream import DialectName, UpstreamSettings
from sseproxy.store.app import serve_store
from sseproxy.upstream.client import open_upstream
from tests.operations.fakes import FakeObserver
from tests.operations.world import World, build_world

_ACCESS_KEY, _SECRET_KEY = "proxy", "proxy-secret"


class _SystemClock:
    """The true time: the store refuses signatures of another one."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@asynccontextmanager
async def _over_a_store(dialect: DialectName, directory: Path) -> AsyncIterator[World]:
    async with serve_store(directory / dialect, "127.0.0.1", 0, {_ACCESS_KEY: _SECRET_KEY}) as (host, port):
        settings = UpstreamSettings(
            endpoint=f"http://{host}:{port}",
            dialect=dialect,
            access_key=_ACCESS_KEY,
            secret_key=SecretStr(_SECRET_KEY),
        )
        opened = open_upstream(settings, DIALECTS[dialect], _SystemClock(), FakeObserver())
        with ThreadPoolExecutor(2) as pool:
            async with opened as storage:
                yield await build_world(DIALECTS[dialect], storage, pool)


@pytest.fixture
async def s3(tmp_path: Path) -> AsyncIterator[World]:
    """A proxy that speaks S3."""
    async with _over_a_store("s3", tmp_path) as world:
        yield world


@pytest.fixture
async def oss(tmp_path: Path) -> AsyncIterator[World]:
    """A proxy that speaks OSS."""
    async with _over_a_store("oss", tmp_path) as world:
        yield world


@pytest.fixture(params=["s3", "oss"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A proxy in each dialect, one after the other."""
    async with _over_a_store(request.param, tmp_path) as world:
        yield world
