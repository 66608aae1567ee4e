"""Object bodies on their way out: straight from the page cache into the socket where that is possible."""

import asyncio
import os
from pathlib import Path

from aiohttp import web
from multidict import CIMultiDict

from sseproxy.store.answers import answer
from sseproxy.store.faults import Fault
from sseproxy.store.service import Call, Service

_SMALL = 64 * 1024
_BLOCK = 256 * 1024
_MOST_AT_ONCE = 4 * 1024 * 1024


async def send_file(
    service: Service, call: Call, path: Path, *, status: int, headers: CIMultiDict[str], first: int, length: int
) -> web.StreamResponse:
    """Answer with `length` bytes of the file from `first` on.

    A file that turns out to be shorter cuts the connection: a client never takes a part for the whole.
    """
    try:
        file = path.open("rb", buffering=0)
    except OSError as problem:
        raise Fault("InternalError") from problem
    with file:
        if length <= _SMALL:
            body = os.pread(file.fileno(), length, first)
            if len(body) != length:
                raise Fault("InternalError")
            return answer(call, status, headers, body)
        response = web.StreamResponse(status=status, headers=answer(call, status, headers).headers)
        response.content_length = length
        await response.prepare(call.raw)
        try:
            if not await _send_fast(service, call.raw, file.fileno(), first, length):
                await _send_blocks(response, file.fileno(), first, length)
        except BaseException:
            if call.raw.transport is not None:
                call.raw.transport.abort()
            raise
        await response.write_eof()
        return response


async def _send_blocks(response: web.StreamResponse, descriptor: int, first: int, length: int) -> None:
    end = first + length
    while first < end:
        data = os.pread(descriptor, min(_BLOCK, end - first), first)
        if not data:
            raise ConnectionAbortedError("a body is shorter than its record says")
        await response.write(data)
        first += len(data)


async def _send_fast(service: Service, raw: web.BaseRequest, descriptor: int, first: int, length: int) -> bool:
    """Send with `sendfile`; False where the connection cannot (TLS, or something still waits in its buffer).

    Neither event loop allows watching a socket that a transport owns, so a duplicate of its descriptor is watched.
    """
    transport = raw.transport
    if transport is None or transport.get_extra_info("sslcontext") is not None:
        return False
    for _ in range(4):
        if not transport.get_write_buffer_size():
            break
        await asyncio.sleep(0)  # lets the loop hand the headers to the socket
    connection = transport.get_extra_info("socket")
    if connection is None or transport.get_write_buffer_size():
        return False
    watched = os.dup(connection.fileno())
    try:
        await pour(watched, descriptor, first, length, idle_s=service.idle_s)
    finally:
        os.close(watched)
    return True


async def pour(watched: int, descriptor: int, first: int, length: int, *, idle_s: float) -> None:
    """Send part of a file into a non-blocking socket, by their descriptors.

    Raises `ConnectionError` where the reader is gone or silent for `idle_s` seconds, or the file ends early.
    """
    end = first + length
    while first < end:
        try:
            sent = os.sendfile(watched, descriptor, first, min(_MOST_AT_ONCE, end - first))
        except BlockingIOError:
            await _writable(watched, idle_s)
            continue
        if sent == 0:
            raise ConnectionAbortedError("a body is shorter than its record says")
        first += sent
        if first < end:
            await asyncio.sleep(0)


async def _writable(watched: int, idle_s: float) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(watched, wake)
    try:
        async with asyncio.timeout(idle_s):
            await ready
    except TimeoutError as problem:
        raise ConnectionAbortedError("the client stopped reading") from problem
    finally:
        loop.remove_writer(watched)
