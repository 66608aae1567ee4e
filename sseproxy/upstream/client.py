"""The `Upstream` port on an aiohttp client. Knows connections and their failures, no operation."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp.payload import Payload
from yarl import URL

from sseproxy.credentials.held import Credentials
from sseproxy.dialect.base import Dialect
from sseproxy.errors import UpstreamUnavailable
from sseproxy.ports import Clock, Observer, UpstreamRequest
from sseproxy.settings_upstream import UpstreamSettings
from sseproxy.tls import RenewableContext
from sseproxy.upstream.access import Access, open_access
from sseproxy.upstream.answer import TRANSPORT_ERRORS, Answer
from sseproxy.upstream.outgoing_auth import Outgoing, OutgoingAuth
from sseproxy.upstream.payloads import HeldPayload, StreamPayload
from sseproxy.upstream.pieces import READ_BUFFER
from sseproxy.upstream.refused import beginning, refused_code
from sseproxy.upstream.retrying import Sleep, Transient, retrying
from sseproxy.upstream.tls import store_tls

LONGEST_HEADER = 64 * 1024
# Shorter than the idle time-out of common storages and load balancers (S3 dossier §8.8): a request on a connection
# that the other side is closing fails, and a streamed one cannot be repeated.
IDLE_S = 4.0

_REPEATABLE = frozenset({"GET", "HEAD", "DELETE", "PUT"})
_WITH_BODY = frozenset({"PUT", "POST"})
_AUTOMATIC = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_LOST = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


class HttpUpstream:
    """The storage over HTTP. One session serves any number of these; one without `access` does not sign."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        auth: OutgoingAuth,
        access: Access | None,
        stall_s: float,
        clock: Clock,
        observer: Observer,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._session = session
        self._auth = auth
        self._access = access
        self._stall_s = stall_s
        self._clock = clock
        self._observer = observer
        self._sleep = sleep

    def unsigned(self) -> "HttpUpstream":
        """Return the same storage for what anonymous clients ask: requests go there without a signature."""
        return HttpUpstream(
            self._session, self._auth, None, self._stall_s, self._clock, self._observer, sleep=self._sleep
        )

    @asynccontextmanager
    async def send(self, request: UpstreamRequest) -> AsyncGenerator[Answer, None]:
        """Sign and send `request`; the body of the answer can be read until the context is left.

        Raises `UpstreamUnavailable` where there is no answer, and unchanged what the request's body raises. A stream
        is closed when this returns or raises, or, where the storage answered early, when the context is left.
        """
        try:
            response, stream, said = await self._exchange(request)
        except BaseException:
            if not isinstance(request.body, bytes | None):
                await request.body.aclose()
            raise
        try:
            yield Answer(response, said)
        finally:
            await _leave(response, stream)

    async def _exchange(self, request: UpstreamRequest) -> tuple[aiohttp.ClientResponse, StreamPayload | None, bytes]:
        """Return an answer, its request's body, and what of the answer was read to see whether it is about credentials.

        Where the store refuses credentials and others can be had, they are asked for before anything else is tried,
        and what can be sent again goes out with them.
        """
        if self._access is None:
            response, stream = await self._tried(request, None)
            return response, stream, b""
        credentials = await self._access.current()
        response, stream = await self._tried(request, credentials)
        try:
            said = await beginning(response)
            code = refused_code(self._auth.dialect, response, said)
            others = await self._access.instead_of(credentials, code) if code else None
        except BaseException:
            await _leave(response, stream)
            raise
        if others is None or not isinstance(request.body, bytes | None):
            return response, stream, said
        await _leave(response, stream)
        response, stream = await self._tried(request, others)
        return response, stream, b""

    async def _tried(
        self, request: UpstreamRequest, credentials: Credentials | None
    ) -> tuple[aiohttp.ClientResponse, StreamPayload | None]:
        return await retrying(lambda: self._attempt(request, credentials), sleep=self._sleep)

    async def _attempt(
        self, request: UpstreamRequest, credentials: Credentials | None
    ) -> tuple[aiohttp.ClientResponse, StreamPayload | None]:
        outgoing = self._auth.prepare(request, self._clock.now(), credentials)
        payload = self._payload(request, outgoing)
        stream = payload if isinstance(payload, StreamPayload) else None
        loop = asyncio.get_running_loop()
        began, status = loop.time(), "none"
        try:
            response = await self._session.request(
                request.method,
                URL(outgoing.url, encoded=True),
                headers=outgoing.headers,
                data=payload,
                allow_redirects=False,
            )
            status = str(response.status)
        except BaseException as error:
            if stream is not None:
                await stream.stop()
                if stream.failure is not None:
                    raise stream.failure from stream.failure.__cause__  # as it was, without aiohttp's wrapping
            if isinstance(error, TRANSPORT_ERRORS):
                self._observer.event("storage_failed", method=request.method, error=type(error).__name__)
                raise _reason(request, stream, error) from error
            raise
        finally:
            self._observer.count("upstream_requests_total", method=request.method, status=status)
            self._observer.observe("upstream_seconds", loop.time() - began, method=request.method)
        return response, stream

    def _payload(self, request: UpstreamRequest, outgoing: Outgoing) -> Payload | None:
        if outgoing.body is None:
            return HeldPayload(b"") if request.method in _WITH_BODY else None
        if isinstance(outgoing.body, bytes):
            return HeldPayload(outgoing.body)
        return StreamPayload(outgoing.body, outgoing.length, self._stall_s)


async def _leave(response: aiohttp.ClientResponse, stream: StreamPayload | None) -> None:
    """End an exchange. What was not read is not waited for: the connection is closed, unless that came to its end."""
    response.close()
    if stream is not None:
        await stream.stop()


def _reason(request: UpstreamRequest, stream: StreamPayload | None, error: Exception) -> Exception:
    """Return what is raised for an attempt that the storage did not answer."""
    unavailable = UpstreamUnavailable()
    if stream is not None and stream.consumed:
        return unavailable
    if isinstance(error, aiohttp.ClientConnectorError) or (isinstance(error, _LOST) and request.method in _REPEATABLE):
        return Transient(unavailable)
    return unavailable


@asynccontextmanager
async def open_session(
    settings: UpstreamSettings, tls: RenewableContext | None = None
) -> AsyncGenerator[aiohttp.ClientSession, None]:
    """Open the connections to a storage; `tls` None: one of their own.

    Raises `ConfigurationError` where a TLS file cannot be used.
    """
    connector = aiohttp.TCPConnector(
        limit=settings.connections,
        limit_per_host=0,
        keepalive_timeout=IDLE_S,
        ssl=tls or store_tls(settings) or True,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        max_field_size=LONGEST_HEADER,
        max_line_size=LONGEST_HEADER,
        raise_for_status=False,
        read_bufsize=READ_BUFFER,
        skip_auto_headers=_AUTOMATIC,
        timeout=aiohttp.ClientTimeout(
            total=None,
            connect=settings.connect_timeout,
            sock_connect=settings.connect_timeout,
            sock_read=settings.read_timeout,
        ),
        trust_env=False,
    ) as session:
        yield session


@asynccontextmanager
async def open_upstream(
    settings: UpstreamSettings,
    dialect: Dialect,
    clock: Clock,
    observer: Observer,
    *,
    tls: RenewableContext | None = None,
) -> AsyncGenerator[HttpUpstream, None]:
    """Open the storage in a dialect; `tls` None: it is not renewed. Nothing is connected before it is needed."""
    async with open_session(settings, tls) as session, open_access(settings, clock, observer) as access:
        auth = OutgoingAuth(settings, dialect)
        yield HttpUpstream(session, auth, access, settings.read_timeout, clock, observer)
