"""The data port: aiohttp's low-level server with one handler. No router and no application touch a request's target."""

import asyncio
from contextlib import suppress
from weakref import WeakSet

from aiohttp import web

from sseproxy.errors import SseProxyError
from sseproxy.server.framing import MalformedRequest
from sseproxy.server.gateway import Backing, Gateway
from sseproxy.server.outgoing import CutOff
from sseproxy.upstream.pieces import READ_BUFFER

_MOST_HEADERS = 256  # S3 clients may send more than aiohttp's 128: one per piece of user metadata
_LINGERING_S = 5.0  # how long an unread body is read and thrown away, so that its sender sees the answer
_LAST_WAIT_S = 1.0
_FIRST_REQUEST_S = 1.0  # what a connection has to bring a request when the server is about to end
_BAD_REQUEST = 400


class _Connection(web.RequestHandler):
    """A client's connection."""

    __slots__ = ("__weakref__", "_gateway", "_server")

    def __init__(self, server: "DataServer", gateway: Gateway, **options: object) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **options)  # type: ignore[arg-type]
        self._server = server
        self._gateway = gateway

    @property
    def is_idle(self) -> bool:
        """Whether no request is in progress or waiting."""
        return not self._request_in_progress and not self._messages

    def connection_lost(self, exc: BaseException | None) -> None:
        """Take note of the connection's end."""
        self._server.has_asked(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        super().data_received(data)
        request = self._current_request
        if self._messages and request is not None and not request.content.is_eof():
            # Only a parser's error comes behind a body that has not ended. Whoever reads that body must learn of it,
            # or would wait for bytes that never come.
            request.content.set_exception(web.RequestPayloadError())

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what cannot be parsed. Nothing is logged of it: it may hold anything, also a signature."""
        if isinstance(exc, CutOff) or request.writer.output_size > 0:
            raise ConnectionError from exc
        return self._gateway.last_resort(MalformedRequest() if status == _BAD_REQUEST else SseProxyError())


class DataServer(web.Server):
    """The server of the data port. Listen with `loop.create_server(server, …)`."""

    def __init__(self, backing: Backing) -> None:
        self._gateway = Gateway(backing)
        super().__init__(self._serve)
        self._newcomers: WeakSet[_Connection] = WeakSet()  # have not asked for anything yet
        self._no_newcomers = asyncio.Event()
        self._no_newcomers.set()
        self._options: dict[str, object] = {
            "access_log": None,
            "auto_decompress": False,
            "keepalive_timeout": backing.limits.idle_timeout,
            "lingering_time": _LINGERING_S,
            "max_field_size": backing.limits.header_bytes,
            "max_headers": _MOST_HEADERS,
            "max_line_size": backing.limits.header_bytes,
            "read_bufsize": READ_BUFFER,
        }

    def __call__(self) -> web.RequestHandler:
        """Return the protocol for a new connection."""
        connection = _Connection(self, self._gateway, **self._options)
        self._newcomers.add(connection)
        return connection

    async def _serve(self, raw: web.BaseRequest) -> web.StreamResponse:
        self.has_asked(raw.protocol)
        return await self._gateway.serve(raw)

    def has_asked(self, connection: web.RequestHandler) -> None:
        """Take note that a connection has brought a request, or has ended."""
        self._newcomers.discard(connection)  # type: ignore[arg-type]  # ours are the only ones
        if not self._newcomers:
            self._no_newcomers.set()

    def pre_shutdown(self) -> None:
        """Close idle connections at once and the others after the request they serve.

        One that is new is not idle: its first request is on its way.
        """
        self._gateway.is_draining = True
        if self._newcomers:
            self._no_newcomers.clear()
        for connection in self.connections:
            if isinstance(connection, _Connection) and connection.is_idle and connection not in self._newcomers:
                connection.force_close()

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  # aiohttp's signature
        """Let requests in progress go on for `timeout` seconds (None: as long as they take), then break them off.

        aiohttp's own stops reading first, so that no upload could end.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._wait_for_newcomers()
                await self._gateway.admission.wait_until_empty()
        await super().shutdown(_LAST_WAIT_S)

    async def _wait_for_newcomers(self) -> None:
        """Return when all connections have brought a request, or were given the time for it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_REQUEST_S):
                await self._no_newcomers.wait()


def create_server(backing: Backing) -> DataServer:
    """Return the data server. Call it inside the event loop that will run it."""
    return DataServer(backing)
