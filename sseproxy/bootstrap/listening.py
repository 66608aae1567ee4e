"""Binding servers to addresses, and letting them end."""

import asyncio
import signal
import socket
import ssl
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from types import MappingProxyType

from aiohttp import web

from sseproxy.bootstrap.binding import bind_all, cannot_listen
from sseproxy.bootstrap.failures import StartFailed
from sseproxy.settings import Listen
from sseproxy.telemetry.logs import EventLogger

_BACKLOG = 1024
_VERSIONS = MappingProxyType({"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3})
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


def tls_context(listen: Listen) -> ssl.SSLContext | None:
    """Return what the data port speaks HTTPS with, None for plain HTTP. Raises `StartFailed`."""
    if listen.tls_cert is None or listen.tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # trusts no CA for clients but the one that is configured
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(listen.tls_cert, listen.tls_key)
    except OSError as cause:  # SSLError is one
        reason = cause.strerror or str(cause)
        raise StartFailed(
            f"cannot use the certificate {listen.tls_cert} with the key {listen.tls_key}: {reason}; "
            "give a PEM chain and the private key that belongs to it"
        ) from cause
    _restrict(context, listen)
    return context


@contextmanager
def reloading(context: ssl.SSLContext | None, listen: Listen, logger: EventLogger) -> Iterator[None]:
    """Load the certificate and its key again on every SIGHUP, for the connections that come after it.

    Files that do not fit leave the present certificate in use, and are told in the log.
    """
    if context is None or listen.tls_cert is None:
        yield
        return
    certificate, key = listen.tls_cert, listen.tls_key

    def reload() -> None:
        try:
            tls_context(listen)  # a certificate whose key does not fit must not get into the context in use
            context.load_cert_chain(certificate, key)
        except (StartFailed, OSError) as error:
            logger.error("certificate_not_reloaded", reason=str(error))
        else:
            logger.info("certificate_reloaded", certificate=str(certificate))

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def _restrict(context: ssl.SSLContext, listen: Listen) -> None:
    """Allow only the versions, ciphers and clients of the configuration. Raises `StartFailed`."""
    context.minimum_version = _VERSIONS[listen.tls_minimum]
    if listen.tls_ciphers is not None:
        try:
            context.set_ciphers(listen.tls_ciphers)
        except ssl.SSLError as cause:
            raise StartFailed(
                f"listen.tls_ciphers {listen.tls_ciphers!r} names no cipher that OpenSSL knows; write a list as "
                "`openssl ciphers` takes it"
            ) from cause
    if listen.tls_client_ca is not None:
        try:
            context.load_verify_locations(listen.tls_client_ca)
        except OSError as cause:  # SSLError is one
            reason = cause.strerror or str(cause)
            raise StartFailed(
                f"cannot use listen.tls_client_ca {listen.tls_client_ca}: {reason}; give a PEM file of the CA"
            ) from cause
        context.verify_mode = ssl.CERT_REQUIRED
