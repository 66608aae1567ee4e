"""What the storage in memory has in common with the real ones."""

import pytest
from multidict import CIMultiDict

from sseproxy.dialect import DIALECTS
from sseproxy.dialect.base import Dialect
from sseproxy.errors import UpstreamUnavailable
from sseproxy.exchange import Body, body_of
from sseproxy.ports import UpstreamRequest
from tests.support.memory_upstream import MemoryUpstream

both = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS.keys())


async def _ask(
    upstream: MemoryUpstream, method: str, key: str = "", body: bytes | Body | None = None, **headers: str
) -> tuple[int, bytes]:
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    request = UpstreamRequest(method=method, bucket="b", raw_key=key, headers=named, body=body)
    async with upstream.send(request) as answer:
        return answer.status, await answer.read()


async def _filled(dialect: Dialect) -> MemoryUpstream:
    upstream = MemoryUpstream(dialect)
    await _ask(upstream, "PUT")
    await _ask(upstream, "PUT", "k", b"0123456789")
    return upstream


@both
@pytest.mark.parametrize(
    ("wanted", "status", "body"),
    [
        ("bytes=2-4", 206, b"234"),
        ("bytes=8-99", 206, b"89"),
        ("bytes=-3", 206, b"789"),
        ("lines=1", 200, b"0123456789"),
    ],
)
async def test_a_range_of_an_object_is_sent(dialect: Dialect, wanted: str, status: int, body: bytes) -> None:
    upstream = await _filled(dialect)

    assert await _ask(upstream, "GET", "k", Range=wanted) == (status, body)


async def test_a_range_outside_is_refused_by_s3_and_ignored_by_oss() -> None:
    s3, oss = await _filled(DIALECTS["s3"]), await _filled(DIALECTS["oss"])

    assert (await _ask(s3, "GET", "k", Range="bytes=10-"))[0] == 416
    assert (await _ask(oss, "GET", "k", Range="bytes=10-")) == (200, b"0123456789")
    assert (await _ask(oss, "GET", "k", Range="bytes=10-", x_oss_range_behavior="standard"))[0] == 416


@both
async def test_conditions_name_the_stored_bytes(dialect: Dialect) -> None:
    upstream = await _filled(dialect)
    etag = upstream.buckets["b"]["k"].etag

    assert (await _ask(upstream, "GET", "k", If_Match=etag))[0] == 200
    assert (await _ask(upstream, "GET", "k", If_Match='"other"'))[0] == 412


@both
async def test_a_body_of_another_length_than_announced_is_not_stored(dialect: Dialect) -> None:
    upstream = await _filled(dialect)
    request = UpstreamRequest(method="PUT", bucket="b", raw_key="n", body=body_of(b"abc"), content_length=4)

    with pytest.raises(UpstreamUnavailable):
        async with upstream.send(request):
            pass
    assert "n" not in upstream.buckets["b"]


@both
async def test_what_it_does_not_know_it_refuses(dialect: Dialect) -> None:
    upstream = await _filled(dialect)
    request = UpstreamRequest(method="POST", bucket="b", raw_key="k", raw_query="uploads", body=b"")

    async with upstream.send(request) as answer:
        assert answer.status == 501
