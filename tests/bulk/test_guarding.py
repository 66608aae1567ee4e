"""What a storage does against lost writes is found out by trying, and the try leaves nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from sseproxy.bulk.guarding import Guard, find_guard
from sseproxy.errors import ConfigurationError
from sseproxy.ports import Upstream, UpstreamRequest, UpstreamResponse
from tests.operations.conftest import oss, s3  # noqa: F401 - fixtures
from tests.operations.world import World


@dataclass
class _Ignoring:
    """A storage that ignores If-Match on writes in silence, as many do."""

    storage: Upstream

    @asynccontextmanager
    async def send(self, request: UpstreamRequest) -> AsyncIterator[UpstreamResponse]:
        request.headers.pop("If-Match", None)
        async with self.storage.send(request) as response:
            yield response


async def test_a_storage_that_honours_if_match_is_a_guard(s3: World) -> None:  # noqa: F811
    assert await find_guard(s3.services, "bucket") == Guard(if_match=True, versions=False)
    assert [entry async for entry in s3.services.state.list("probes/")] == []


async def test_a_storage_that_ignores_if_match_is_none(s3: World) -> None:  # noqa: F811
    services = replace(s3.services, upstream=_Ignoring(s3.storage))

    assert await find_guard(services, "bucket") == Guard(if_match=False, versions=False)
    assert [entry async for entry in s3.services.state.list("probes/")] == []


async def test_a_dialect_without_the_condition_is_not_even_tried(oss: World) -> None:  # noqa: F811
    oss.journal.sent.clear()

    assert await find_guard(oss.services, "bucket") == Guard(if_match=False, versions=False)
    assert [(request.method, request.raw_query) for request in oss.journal.sent] == [("GET", "versioning")]


def test_only_a_guard_or_a_promise_lets_a_tool_write() -> None:
    Guard(if_match=True, versions=False).check(nobody_writes=False)
    Guard(if_match=False, versions=True).check(nobody_writes=False)
    Guard(if_match=False, versions=False).check(nobody_writes=True)
    with pytest.raises(ConfigurationError, match="--nobody-writes"):
        Guard(if_match=False, versions=False).check(nobody_writes=False)
