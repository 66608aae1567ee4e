"""The `Upstream` port on an aiohttp client. The one place that knows aiohttp's exceptions on this side."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import replace

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from sseproxy.errors import ConfigurationError, UpstreamUnavailable
from sseproxy.exchange import Body
from sseproxy.ports import Clock, Observer, UpstreamRequest, UpstreamResponse
from sseproxy.settings import UpstreamSettings
from sseproxy.stage import Buffer
from sseproxy.upstream.outgoing_auth import OutgoingAuth, Signed
from sseproxy.upstream.trailing import TRAILER, framed, framed_length

READ_BUFFER = 256 * 1024  # bytes of an answer that aiohttp collects before it stops reading
_TRIES = 3
_FIRST_PAUSE_S = 0.1
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_NOT_AUTOMATIC = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class _Watched:
    """A body whose own errors are remembered, because aiohttp wraps them."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.error: BaseException | None = None

    async def stream(self) -> Body:
        """Yield the body."""
        try:
            async for data in self._body:
                yield data
        except BaseException as error:
            self.error = error
            raise

    async def close(self) -> None:
        """Close the body, read to its end or not."""
        # Where the storage answered early, aiohttp still waits for the next buffer: the body ends with its source.
        with suppress(RuntimeError):
            await self._body.aclose()


class HttpUpstream:
    """Sends requests to one storage, in one dialect, over a shared session.

    What has no streamed body and may safely be sent twice is sent up to three times where the connection fails.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        auth: OutgoingAuth,
        clock: Clock,
        observer: Observer,
        *,
        trailing_checksum: bool = False,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._session = session
        self._auth = auth
        self._clock = clock
        self._observer = observer
        self._trailing_checksum = trailing_checksum
        self._pause = pause

    def send(self, request: UpstreamRequest) -> AbstractAsyncContextManager[UpstreamResponse]:
        """Sign and send a request; see the port."""
        return self._send(request)

    @asynccontextmanager
    async def _send(self, request: UpstreamRequest) -> AsyncIterator[UpstreamResponse]:
        if request.body is None or isinstance(request.body, bytes):
            async with self._counted(request, await self._answer_to_repeatable(request)) as answer:
                yield answer
            return
        source = _Watched(request.body)
        try:
            async with self._counted(request, await self._answer_to_stream(request, source)) as answer:
                yield answer
        finally:
            await source.close()

    @asynccontextmanager
    async def _counted(
        self, request: UpstreamRequest, response: aiohttp.ClientResponse
    ) -> AsyncIterator[UpstreamResponse]:
        self._observer.count("upstream_requests_total", method=request.method, status=str(response.status))
        try:
            yield _Answer(response)
        finally:
            # An answer that was read to its end gives its connection back; any other one is cut off.
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    async def _answer_to_repeatable(self, request: UpstreamRequest) -> aiohttp.ClientResponse:
        tries = _TRIES if request.method in _REPEATABLE else 1
        for attempt in range(tries - 1):
            try:
                return await self._request(request, request.body)
            except UpstreamUnavailable:
                self._observer.count("upstream_retries_total", method=request.method)
                # Jitter, so that many requests that failed together do not come back together.
                await self._pause(_FIRST_PAUSE_S * 2**attempt * (0.5 + random.random()))  # noqa: S311
        return await self._request(request, request.body)

    async def _answer_to_stream(self, request: UpstreamRequest, source: _Watched) -> aiohttp.ClientResponse:
        """Send a streamed body. What the body itself raises is raised unchanged, the connection broken off."""
        length, body = request.content_length, source.stream()
        trailing = self._trailing_checksum and length is not None
        if trailing and length is not None:
            headers = request.headers.copy()
            headers["Content-Encoding"] = _with_aws_chunked(headers.get("Content-Encoding"))
            headers["x-amz-decoded-content-length"] = str(length)
            headers["x-amz-trailer"] = TRAILER
            request = replace(request, headers=headers, content_length=framed_length(length))
            body = framed(body)
        try:
            return await self._request(request, body, trailing=trailing)
        except UpstreamUnavailable:
            if source.error is not None:
                raise source.error from None
            raise

    async def _request(
        self, request: UpstreamRequest, data: bytes | Body | None, *, trailing: bool = False
    ) -> aiohttp.ClientResponse:
        signed = self._auth.sign(request, self._clock.now(), trailing=trailing)
        _frame(signed, request, data)
        with as_upstream_errors():
            return await self._session.request(
                request.method,
                URL(signed.url, encoded=True),
                headers=signed.headers,
                data=data,
                allow_redirects=False,
            )


class _Answer:
    """An answer whose body has not been read yet."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers as received."""
        return self._response.headers

    async def stream(self) -> Body:
        """Yield the body as it arrives."""
        with as_upstream_errors():
            async for data, _ in self._response.content.iter_chunks():
                if data:
                    yield data

    async def read(self, limit: int = 8 * 1024 * 1024) -> bytes:
        """Return the whole body; raises `UpstreamUnavailable` where it is longer than `limit`."""
        buffers: list[Buffer] = []
        size = 0
        async with aclosing(self.stream()) as stream:
            async for data in stream:
                size += len(data)
                if size > limit:
                    raise UpstreamUnavailable("The storage's answer is longer than it may be.")
                buffers.append(data)
        return b"".join(buffers)


@contextmanager
def as_upstream_errors() -> Iterator[None]:
    """Turn aiohttp's exceptions into ours."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as cause:
        raise UpstreamUnavailable from cause


def _frame(signed: Signed, request: UpstreamRequest, data: bytes | Body | None) -> None:
    """Announce the body's length. A stream of unknown length goes out chunked, which aiohttp does by itself."""
    if isinstance(data, bytes):
        signed.headers["Content-Length"] = str(len(data))
    elif data is not None and request.content_length is not None:
        signed.headers["Content-Length"] = str(request.content_length)
    elif data is None and request.method in {"PUT", "POST"}:
        signed.headers["Content-Length"] = "0"
    signed.headers["Accept-Encoding"] = "identity"


def _with_aws_chunked(encoding: str | None) -> str:
    return f"{encoding},aws-chunked" if encoding else "aws-chunked"


@asynccontextmanager
async def open_session(settings: UpstreamSettings) -> AsyncIterator[aiohttp.ClientSession]:
    """Open the session that all requests to the storage share. Raises `ConfigurationError` for a bad CA file."""
    connector = aiohttp.TCPConnector(
        limit=settings.connections, limit_per_host=settings.connections, ssl=_tls(settings), ttl_dns_cache=30
    )
    timeout = aiohttp.ClientTimeout(
        total=None, connect=None, sock_connect=settings.connect_timeout, sock_read=settings.read_timeout
    )
    session = aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_NOT_AUTOMATIC,
        trust_env=False,
        read_bufsize=READ_BUFFER,
        max_line_size=64 * 1024,
        max_field_size=64 * 1024,
    )
    async with session:
        yield session


def _tls(settings: UpstreamSettings) -> ssl.SSLContext | bool:
    if settings.ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(settings.ca_file))
    except OSError as cause:
        raise ConfigurationError(f"upstream.ca_file {settings.ca_file} cannot be used: {cause}.") from cause
