"""Reads through a link whose date is later than its target's: what is shown is what conditions are about (OSS dossier §6.8)."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.errors import PreconditionFailed
from sseproxy.exchange import Body
from sseproxy.ports import Upstream, UpstreamRequest, UpstreamResponse
from tests.operations.world import World

_LATER = "Fri, 20 Nov 2099 12:00:00 GMT"
_BETWEEN = "Thu, 19 Nov 2099 12:00:00 GMT"
_BEFORE = "Mon, 01 Jan 2001 00:00:00 GMT"


@dataclass
class _Dated:
    """An answer with another date."""

    answer: UpstreamResponse

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        return CIMultiDictProxy(CIMultiDict({**self.answer.headers, "Last-Modified": _LATER}))

    def stream(self) -> Body:
        return self.answer.stream()

    async def read(self, limit: int = 8 * 1024 * 1024) -> bytes:
        return await self.answer.read(limit)


@dataclass
class _LaterLink:
    """A storage whose link was made long after its target."""

    storage: Upstream

    @asynccontextmanager
    async def send(self, request: UpstreamRequest) -> AsyncIterator[UpstreamResponse]:
        async with self.storage.send(request) as response:
            yield _Dated(response) if request.raw_key == "link" else response


@pytest.fixture
async def linked(oss: World) -> World:
    await oss.put("target", b"x" * 10)
    await oss.do("PUT", "/bucket/link?symlink", headers={"own_symlink_target": "target"})
    oss.clock.advance(200 * 365 * 86_400)  # dates in the future would not count
    return replace(oss, services=replace(oss.services, upstream=_LaterLink(oss.services.upstream)))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("part", [{}, {"Range": "bytes=0-3"}], ids=["whole", "range"])
@pytest.mark.parametrize(
    ("conditions", "verdict"),
    [
        ({"If-Modified-Since": _BEFORE}, "sent"),
        ({"If-Modified-Since": _BETWEEN}, "sent"),
        ({"If-Modified-Since": _LATER}, "not modified"),
        ({"If-Unmodified-Since": _BEFORE}, "failed"),
        ({"If-Unmodified-Since": _BETWEEN}, "failed"),
        ({"If-Unmodified-Since": _LATER}, "sent"),
        ({"If-None-Match": '"0"', "If-Modified-Since": _LATER}, "sent"),
        ({"If-Match": "*", "If-Unmodified-Since": _BETWEEN}, "sent"),
        ({"If-None-Match": "*", "If-Unmodified-Since": _BETWEEN}, "failed"),
        ({"If-Modified-Since": "yesterday"}, "sent"),
    ],
    ids=str,
)
async def test_conditions_are_about_the_date_that_a_link_shows(
    linked: World, method: str, part: Mapping[str, str], conditions: Mapping[str, str], verdict: str
) -> None:
    reading = linked.do(method, "/bucket/link", headers={**part, **conditions})
    if verdict == "failed":
        with pytest.raises(PreconditionFailed) as failed:
            await reading
        assert failed.value.details["Condition"] == "If-Unmodified-Since"
        return
    answer = await reading

    assert answer["Last-Modified"] == _LATER
    assert (answer.status == 304) == (verdict == "not modified")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_is_not_modified_is_told_with_the_headers_of_the_link(linked: World, method: str) -> None:
    headers = {"own_symlink_target": "target", "Cache-Control": "no-store"}
    await linked.do("PUT", "/bucket/link?symlink", headers=headers)
    etag = (await linked.head("target"))["ETag"]

    answer = await linked.do(method, "/bucket/link", headers={"If-None-Match": etag})

    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers == {"Last-Modified": _LATER, "Cache-Control": "no-store", "ETag": etag}
