"""A data port with handlers that tests decide, and a client that sends bytes as it is told."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from multidict import CIMultiDict

from sseproxy.exchange import Request, Response
from sseproxy.server.app import DataServer, create_server
from sseproxy.server.gateway import Backing, Handler
from sseproxy.settings import ClientsSettings, LimitsSettings, Listen
from sseproxy.signing import UNSIGNED_PAYLOAD, sign_aws_v4, sign_oss_v4
from sseproxy.telemetry.access import AccessLog
from tests.support.fake_clock import FakeClock


class Notes:
    """An observer that remembers everything."""

    def __init__(self) -> None:
        self.counts: list[tuple[str, float, Mapping[str, str]]] = []
        self.observed: list[str] = []
        self.events: list[tuple[str, Mapping[str, Any]]] = []

    def count(self, name: str, value: float = 1.0, /, **labels: str) -> None:
        self.counts.append((name, value, labels))

    def observe(self, name: str, value: float, /, **labels: str) -> None:
        self.observed.append(name)

    def event(self, name: str, /, **fields: str | float | bool | None) -> None:
        self.events.append((name, fields))

    def total(self, name: str, **labels: str) -> float:
        return sum(value for given, value, said in self.counts if given == name and labels.items() <= said.items())


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def __getitem__(self, name: str) -> str:
        return self.headers[name]

    def element(self, name: str) -> str:
        text = self.body.decode()
        return text.partition(f"<{name}>")[2].partition(f"</{name}>")[0]

    @property
    def code(self) -> str:
        return self.element("Code")


class Wire:
    """One connection to the data port."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, data: str | bytes) -> None:
        self.writer.write(data.encode("latin-1") if isinstance(data, str) else data)
        await self.writer.drain()

    async def status_line(self) -> bytes:
        async with asyncio.timeout(10):
            return await self.reader.readline()

    async def head(self) -> tuple[int, dict[str, str]]:
        async with asyncio.timeout(10):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("utf-8").split("\r\n")
        pairs = (line.partition(": ") for line in lines[1:] if line)
        return int(lines[0].split(" ")[1]), {name.lower(): value for name, _, value in pairs}

    async def answer(self, method: str = "GET") -> Answer:
        status, headers = await self.head()
        bodyless = method == "HEAD" or status in {204, 304}
        async with asyncio.timeout(10):
            length = 0 if bodyless else int(headers.get("content-length", "0"))
            return Answer(status, headers, await self.reader.readexactly(length))

    async def rest(self) -> bytes:
        """Read until the other side ends the connection."""
        async with asyncio.timeout(10):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    def close(self) -> None:
        self.writer.transport.abort()


@dataclass
class Port:
    """A running data port."""

    server: DataServer
    port: int
    notes: Notes
    log: io.StringIO
    clock: FakeClock
    requests: list[Request] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Wire]:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", self.port))
        try:
            yield wire
        finally:
            wire.close()

    def signed(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        *,
        payload: str = UNSIGNED_PAYLOAD,
        access_key: str = "ak",
        secret: str = "sk",
    ) -> str:
        """Return the head of a request signed for S3."""
        path, _, query = target.partition("?")
        own = dict(headers or {})
        covered = {name: value for name, value in own.items() if name.lower().startswith("x-amz-")}
        added = sign_aws_v4(
            method=method,
            host=self.host,
            raw_path=path,
            raw_query=query,
            headers=covered,
            access_key=access_key,
            secret=secret,
            token=None,
            region="us-east-1",
            now=self.clock.now(),
            payload_hash=payload,
        )
        return self.plain(method, target, own | added)

    def signed_for_oss(self, method: str, target: str, headers: Mapping[str, str] | None = None) -> str:
        """Return the head of a request signed for OSS."""
        path, _, query = target.partition("?")
        bucket, _, raw_key = path[1:].partition("/")
        added = sign_oss_v4(
            method=method,
            bucket=bucket or None,
            raw_key=raw_key,
            raw_query=query,
            headers=headers or {},
            access_key="ak",
            secret="sk",
            token=None,
            region="us-east-1",
            now=self.clock.now(),
        )
        return self.plain(method, target, dict(headers or {}) | added)

    def plain(self, method: str, target: str, headers: Mapping[str, str] | None = None) -> str:
        """Return the head of a request as it is told."""
        lines = [f"{name}: {value}" for name, value in ({"Host": self.host} | dict(headers or {})).items()]
        return "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""])

    async def ask(self, head: str, body: bytes = b"") -> Answer:
        """Send one request on a connection of its own and return the answer."""
        async with self.connect() as wire:
            await wire.say(head.encode("latin-1") + body)
            return await wire.answer(head.split(" ", 1)[0])


async def echo(request: Request) -> Response:
    """Read the body and send it back."""
    body = b"".join([bytes(data) async for data in request.body])
    return Response(status=200, body=body)


async def ok(_request: Request) -> Response:
    """Answer without reading the body."""
    return Response(status=200, headers=CIMultiDict({"ETag": '"e"'}))


def failing(error: Exception) -> Handler:
    """Return a handler that raises `error`."""

    async def handler(_request: Request) -> Response:
        raise error

    return handler


@asynccontextmanager
async def data_port(
    handler: Handler = echo, *, dialects: tuple[str, ...] = ("s3", "oss"), **settings: Mapping[str, Any]
) -> AsyncIterator[Port]:
    """Run a data port. `settings` override parts of the sections `listen`, `clients` and `limits`."""
    clients = {"credentials": [{"access_key": "ak", "secret_key": "sk"}], **settings.get("clients", {})}
    notes, log, clock = Notes(), io.StringIO(), FakeClock()
    port: Port

    async def noted(request: Request) -> Response:
        port.requests.append(request)
        return await handler(request)

    with ThreadPoolExecutor(1) as pool:
        server = create_server(
            Backing(
                handlers=dict.fromkeys(dialects, noted),
                listen=Listen.model_validate(settings.get("listen", {})),
                clients=ClientsSettings.model_validate(clients),
                limits=LimitsSettings.model_validate(settings.get("limits", {})),
                clock=clock,
                observer=notes,
                access_log=AccessLog(log),
                digest_pool=pool,
            )
        )
        listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
        port = Port(server, listener.sockets[0].getsockname()[1], notes, log, clock)
        try:
            yield port
        finally:
            listener.close()
            server.pre_shutdown()
            await server.shutdown(0.2)
            await listener.wait_closed()
