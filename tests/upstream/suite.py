"""The contract of the `Upstream` port, as a test class: whoever implements it inherits this (see `ports.Upstream`)."""

from contextlib import aclosing
from datetime import datetime

import pytest
from multidict import CIMultiDict

from sseproxy.dialect.base import Dialect
from sseproxy.errors import DigestMismatch, UpstreamUnavailable
from sseproxy.exchange import Body, body_of
from sseproxy.ports import Upstream, UpstreamRequest

BUCKET = "contract"


async def ask(
    upstream: Upstream,
    method: str,
    raw_key: str = "",
    body: bytes | Body | None = None,
    *,
    query: str = "",
    length: int | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Send a request; return status, headers by lower-case name, and the whole body."""
    request = UpstreamRequest(
        method=method,
        bucket=BUCKET,
        raw_key=raw_key,
        raw_query=query,
        headers=CIMultiDict(headers or {}),
        body=body,
        content_length=length,
    )
    async with upstream.send(request) as answer:
        received = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status, received, await answer.read()


class UpstreamContract:
    """Tests of whatever the fixture `upstream` is; `dialect` is what it speaks, and the bucket is there."""

    async def test_what_is_put_can_be_got(self, upstream: Upstream) -> None:
        put, _, _ = await ask(upstream, "PUT", "k", b"some bytes")
        got, headers, body = await ask(upstream, "GET", "k")

        assert (put, got, body) == (200, 200, b"some bytes")
        assert headers["content-length"] == "10"

    async def test_a_body_in_pieces_is_stored_whole(self, upstream: Upstream) -> None:
        pieces = body_of(b"one, ", bytearray(b"two, "), memoryview(b"three"))

        status, _, _ = await ask(upstream, "PUT", "k", pieces, length=15)

        assert status == 200
        assert (await ask(upstream, "GET", "k"))[2] == b"one, two, three"

    async def test_an_empty_body_is_an_object(self, upstream: Upstream) -> None:
        await ask(upstream, "PUT", "k", b"")

        assert (await ask(upstream, "GET", "k"))[::2] == (200, b"")

    async def test_metadata_comes_back(self, upstream: Upstream, dialect: Dialect) -> None:
        name = f"{dialect.meta_prefix}colour"

        await ask(upstream, "PUT", "k", b"x", headers={name: "red", "Content-Type": "text/plain"})
        _, headers, body = await ask(upstream, "HEAD", "k")

        assert (headers[name], headers["content-type"], body) == ("red", "text/plain", b"")

    @pytest.mark.parametrize("raw_key", ["a%20b", "caf%C3%A9", "a+b", "a//b", "a/../b", "%2Bx", "dir/"])
    async def test_a_key_is_what_its_bytes_say(self, upstream: Upstream, raw_key: str) -> None:
        await ask(upstream, "PUT", raw_key, raw_key.encode())

        assert (await ask(upstream, "GET", raw_key))[2] == raw_key.encode()

    async def test_an_error_is_an_answer(self, upstream: Upstream, dialect: Dialect) -> None:
        status, _, document = await ask(upstream, "GET", "missing")

        assert status == 404
        assert dialect.xml.parse_error(document)[0] == "NoSuchKey"

    async def test_a_range_is_an_answer_of_its_own(self, upstream: Upstream) -> None:
        await ask(upstream, "PUT", "k", b"0123456789")

        status, headers, body = await ask(upstream, "GET", "k", headers={"Range": "bytes=2-4"})

        assert (status, headers["content-range"], body) == (206, "bytes 2-4/10", b"234")

    async def test_a_condition_on_the_etag_holds_or_not(self, upstream: Upstream) -> None:
        await ask(upstream, "PUT", "k", b"x")
        etag = (await ask(upstream, "HEAD", "k"))[1]["etag"]

        assert (await ask(upstream, "GET", "k", headers={"If-Match": etag}))[0] == 200
        assert (await ask(upstream, "GET", "k", headers={"If-Match": '"other"'}))[0] == 412

    async def test_a_deleted_object_is_gone(self, upstream: Upstream) -> None:
        await ask(upstream, "PUT", "k", b"x")

        assert (await ask(upstream, "DELETE", "k"))[0] == 204
        assert (await ask(upstream, "GET", "k"))[0] == 404

    async def test_a_body_that_fails_is_not_stored_and_its_error_raised_unchanged(self, upstream: Upstream) -> None:
        failure = DigestMismatch("so be it")

        async def body() -> Body:
            yield b"half"
            raise failure

        with pytest.raises(DigestMismatch) as raised:
            await ask(upstream, "PUT", "failed", body(), length=8)

        assert raised.value is failure
        assert (await ask(upstream, "GET", "failed"))[0] == 404

    async def test_a_body_is_closed_whatever_happens(self, upstream: Upstream) -> None:
        closed = []

        async def body() -> Body:
            try:
                yield b"half"
                raise DigestMismatch
            finally:
                closed.append(True)

        with pytest.raises(DigestMismatch):
            await ask(upstream, "PUT", "failed", body(), length=8)

        assert closed == [True]

    async def test_an_answer_longer_than_the_limit_is_not_collected(self, upstream: Upstream) -> None:
        await ask(upstream, "PUT", "k", b"0123456789")

        async with upstream.send(UpstreamRequest(method="GET", bucket=BUCKET, raw_key="k")) as answer:
            with pytest.raises(UpstreamUnavailable):
                await answer.read(9)

    async def test_an_answer_may_be_left_unread(self, upstream: Upstream) -> None:
        await ask(upstream, "PUT", "k", bytes(1_000_000))

        async with upstream.send(UpstreamRequest(method="GET", bucket=BUCKET, raw_key="k")) as answer:
            async with aclosing(answer.stream()) as body:
                await anext(body)

        assert (await ask(upstream, "HEAD", "k"))[0] == 200

    async def test_a_listing_names_what_is_there(self, upstream: Upstream, dialect: Dialect) -> None:
        for name in ("b", "a"):
            await ask(upstream, "PUT", name, b"xyz")

        status, _, document = await ask(upstream, "GET", query="list-type=2")
        keys, more = dialect.xml.parse_keys(document)

        assert (status, [(key, size) for key, size, _ in keys], more) == (200, [("a", 3), ("b", 3)], None)
        assert all(isinstance(modified, datetime) for _, _, modified in keys)
