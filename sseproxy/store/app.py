"""The HTTP shell of the store: one handler for everything, below it the operations."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from sseproxy import errors
from sseproxy.store.answers import fault_answer
from sseproxy.store.authenticate import authenticate, effective_headers, guess_wire, payload_form, translate
from sseproxy.store.faults import Fault
from sseproxy.store.files import Files
from sseproxy.store.index import Index
from sseproxy.store.routes import route
from sseproxy.store.service import Call, Service, has_unread
from sseproxy.store.target import parse_target
from sseproxy.store.traits import refuse_encryption

_log = logging.getLogger(__name__)
_LONGEST_LINE = 32 * 1024
_READ_BUFFER = 512 * 1024


async def _serve(service: Service, raw: web.BaseRequest) -> web.StreamResponse:
    call: Call | None = None
    wire = guess_wire(raw.headers, None)
    try:
        host = raw.headers.get("Host", "")
        target = parse_target(raw.raw_path, host, service.domains)
        wire = guess_wire(raw.headers, target)
        wire, verified = authenticate(service, raw, target)
        headers = effective_headers(raw, target, wire)
        payload = payload_form(verified.claim, headers)
        call = Call(raw=raw, wire=wire, target=target, headers=headers, verified=verified, payload=payload, host=host)
        refuse_encryption(call)
        _check_nothing(call)
        response = await route(call)(service, call)
        if has_unread(raw):
            response.force_close()
        return response
    except Fault as fault:
        return fault_answer(raw, wire, fault, call)
    except errors.SseProxyError as error:
        return fault_answer(raw, wire, translate(error), call)
    except ConnectionError:
        # The client is gone, or must learn from a cut connection that what it got is not all. Whatever is returned now
        # finds the connection closed; raising instead would only have it logged as a mistake.
        if raw.transport is not None:
            raw.transport.abort()
        return web.Response()
    except Exception:  # noqa: BLE001 - whatever went wrong, the client gets an answer and the log the reason
        _log.exception("request failed: %s %s", raw.method, raw.raw_path)
        return fault_answer(raw, wire, Fault("InternalError"), call)


def _check_nothing(call: Call) -> None:
    """Check the digest of a body that there is none of: operations without a body do not read it."""
    if call.payload.sha256 is None or not call.raw.content.is_eof():
        return
    nothing = hashlib.sha256().digest()
    if call.payload.sha256 != nothing and call.raw.headers.get("Content-Length", "0") == "0":
        details = {"ClientComputedContentSHA256": call.payload.sha256.hex(), "S3ComputedContentSHA256": nothing.hex()}
        raise Fault("XAmzContentSHA256Mismatch", details=details)


@asynccontextmanager
async def open_service(
    data: Path, credentials: Mapping[str, str], *, region: str = "us-east-1", durable: bool = False
) -> AsyncGenerator[Service, None]:
    """Open the directory, after removing what a killed process left; raises `files.StoreInUse`."""
    files = Files(data, durable=durable)
    try:
        index = Index(data / "index.sqlite3", durable=durable)
        try:
            files.sweep(index.files())
            with ThreadPoolExecutor(max_workers=4, thread_name_prefix="store") as pool:
                yield Service(index=index, files=files, pool=pool, credentials=credentials, region=region)
        finally:
            index.close()
    finally:
        files.close()


@asynccontextmanager
async def serve_store(
    data_dir: Path,
    host: str,
    port: int,
    credentials: Mapping[str, str],
    *,
    region: str = "us-east-1",
    durable: bool = False,
) -> AsyncGenerator[tuple[str, int], None]:
    """Serve the store while the context is open; yields the address it listens on (`port` 0: any free one).

    `credentials` maps access keys to secrets. `durable` syncs every write, so that it survives a loss of power;
    without it a write survives the death of the process only.
    """
    async with open_service(Path(data_dir), credentials, region=region, durable=durable) as service:

        async def handle(raw: web.BaseRequest) -> web.StreamResponse:
            return await _serve(service, raw)

        server = web.Server(
            handle,
            auto_decompress=False,
            access_log=None,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
            read_bufsize=_READ_BUFFER,
            lingering_time=5.0,
            keepalive_timeout=75.0,
        )
        listener = await asyncio.get_running_loop().create_server(server, host, port, backlog=1024)
        try:
            yield listener.sockets[0].getsockname()[:2]
        finally:
            listener.close()
            server.pre_shutdown()  # closes the connections that only wait
            await server.shutdown(2.0)
            await listener.wait_closed()
