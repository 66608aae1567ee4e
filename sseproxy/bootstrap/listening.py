"""Binding servers to addresses, and letting them end."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from sseproxy.bootstrap.binding import bind_all, cannot_listen
from sseproxy.bootstrap.turning_away import turn_away

_BACKLOG = 1024
_HANDSHAKE_S = 0.05  # what clients that are connecting have to finish that, on a cluster's network
_FLUSH_S = 2.0  # what clients have for a last handshake, and to take the last bytes of their answers


@asynccontextmanager
async def listening(
    server: web.Server,
    address: str,
    *,
    tls: ssl.SSLContext | None = None,
    drain_timeout_s: float,
    shared: bool = False,
) -> AsyncGenerator[str, None]:
    """Serve on `address` and yield the URL; at the end stop accepting and let requests go on for the given time.

    `shared`: other processes of this user listen there as well. Raises `StartFailed` where the address cannot be had.
    """
    sockets = bind_all(address, shared=shared)
    url = _url(sockets[0].getsockname(), secure=tls is not None)
    loop = asyncio.get_running_loop()
    try:
        listeners = [await loop.create_server(server, sock=one, ssl=tls, backlog=_BACKLOG) for one in sockets]
    except OSError as cause:
        raise cannot_listen(address, cause) from cause
    try:
        yield url
    finally:
        turn_away(sockets)
        await asyncio.sleep(min(_HANDSHAKE_S, drain_timeout_s))
        waiting = _accepted(sockets)
        for listener in listeners:
            listener.close()
        async with asyncio.TaskGroup() as group:
            for connection in waiting:
                group.create_task(_take(server, connection, tls))
        server.pre_shutdown()
        await server.shutdown(drain_timeout_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_S):
                for listener in listeners:
                    await listener.wait_closed()


def _accepted(sockets: Sequence[socket.socket]) -> list[socket.socket]:
    """Return the connections that wait to be accepted: closing their listener would break them off."""
    waiting = []
    for listener in sockets:
        with suppress(OSError):  # BlockingIOError: there are no more
            while True:
                waiting.append(listener.accept()[0])
    return waiting


async def _take(server: web.Server, connection: socket.socket, tls: ssl.SSLContext | None) -> None:
    with suppress(OSError):  # it has gone away, or speaks no TLS
        patience_s = None if tls is None else _FLUSH_S
        await asyncio.get_running_loop().connect_accepted_socket(
            server, connection, ssl=tls, ssl_handshake_timeout=patience_s
        )


def _url(name: tuple[str, int], *, secure: bool) -> str:
    """Return the URL of a bound socket; one bound to every address is named by its loopback address."""
    host, port = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(name[0], name[0]), name[1]  # noqa: S104  # compared, not bound
    return f"{'https' if secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
