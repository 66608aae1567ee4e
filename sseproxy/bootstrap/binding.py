"""Sockets bound to an address, before anybody listens on them."""

import socket
from contextlib import ExitStack

from sseproxy.bootstrap.failures import StartFailed
from sseproxy.settings import split_address


def bind_all(address: str, *, shared: bool = False) -> list[socket.socket]:
    """Return sockets bound to all addresses of a HOST:PORT, with one port for all of them where 0 asks for any.

    `shared`: several processes of this user may bind it, and the kernel spreads connections over those that listen
    (SO_REUSEPORT). Raises `StartFailed` where the address cannot be had.
    """
    host, port = split_address(address)
    with ExitStack() as unless_all:
        sockets: list[socket.socket] = []
        try:
            for family, where in _resolve(host, port):
                sockets.append(unless_all.enter_context(socket.socket(family, socket.SOCK_STREAM)))
                _bind(sockets[-1], (where[0], port, *where[2:]), shared=shared)
                port = sockets[-1].getsockname()[1]
        except OSError as cause:
            raise cannot_listen(address, cause) from cause
        unless_all.pop_all()
    return sockets


def cannot_listen(address: str, cause: OSError) -> StartFailed:
    """Return what an operator is told where an address cannot be had."""
    reason = cause.strerror or str(cause)
    return StartFailed(f"cannot listen on {address}: {reason}; choose another address or free this one")


def require_free(address: str) -> None:
    """Raise `StartFailed` where somebody listens on an address already, shared or not, or where it cannot be had."""
    for probe in bind_all(address):
        probe.close()


def _resolve(host: str, port: int) -> list[tuple[int, tuple[str, int] | tuple[str, int, int, int]]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, where) for family, _, _, _, where in found))  # type: ignore[misc]  # of sockets


def _bind(one: socket.socket, where: tuple[object, ...], *, shared: bool) -> None:
    one.settimeout(0)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of an earlier process may linger
    if shared:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if one.family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    one.bind(where)
