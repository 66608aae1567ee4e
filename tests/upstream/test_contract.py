"""The contract of `Upstream`, kept by the client against a real server and by the storage in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sseproxy.dialect import DIALECTS
from sseproxy.dialect.base import Dialect
from sseproxy.ports import Upstream
from sseproxy.settings_upstream import UpstreamSettings
from sseproxy.store.app import serve_store
from sseproxy.upstream.client import open_upstream
from tests.support.memory_upstream import MemoryUpstream
from tests.upstream.peers import Counter, Today
from tests.upstream.suite import UpstreamContract, ask


@pytest.fixture(params=list(DIALECTS))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return DIALECTS[request.param]


class TestMemory(UpstreamContract):
    @pytest.fixture
    async def upstream(self, dialect: Dialect) -> Upstream:
        storage = MemoryUpstream(dialect)
        await ask(storage, "PUT")
        return storage


class TestHttp(UpstreamContract):
    @pytest.fixture(params=[{}, {"trailing_checksum": True}], ids=["plain", "trailing checksum"])
    async def upstream(
        self, request: pytest.FixtureRequest, dialect: Dialect, tmp_path: Path
    ) -> AsyncIterator[Upstream]:
        async with serve_store(tmp_path, "127.0.0.1", 0, {"ak": "sk"}) as (host, port):
            settings = UpstreamSettings.model_validate(
                {
                    "endpoint": f"http://{host}:{port}",
                    "dialect": dialect.name,
                    "access_key": "ak",
                    "secret_key": "sk",
                    **request.param,
                }
            )
            async with open_upstream(settings, dialect, Today(), Counter()) as upstream:
                assert (await ask(upstream, "PUT"))[0] == 200
                yield upstream
