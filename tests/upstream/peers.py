"""Storages that behave badly: raw servers whose every byte a test decides."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from multidict import CIMultiDict

from sseproxy.dialect import DIALECTS
from sseproxy.exchange import Body
from sseproxy.ports import UpstreamRequest
from sseproxy.settings_upstream import UpstreamSettings
from sseproxy.upstream.access import open_access
from sseproxy.upstream.client import HttpUpstream, open_session
from sseproxy.upstream.outgoing_auth import OutgoingAuth
from tests.support.fake_clock import FakeClock


@dataclass
class Heard:
    """What a connection heard: the head of a request."""

    line: str
    headers: dict[str, str]

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]


class Connection:
    """One connection to the peer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def head(self) -> Heard:
        """Read a request's head; raises `IncompleteReadError` where the client is gone."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in lines[1:] if line)
        return Heard(lines[0], {name.lower(): value for name, _, value in pairs})

    async def request(self) -> tuple[Heard, bytes]:
        """Read a request with its body."""
        heard = await self.head()
        return heard, await self.reader.readexactly(int(heard.headers.get("content-length", "0")))

    async def say(self, text: str | bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(text.encode("latin-1") if isinstance(text, str) else text)
        await self.writer.drain()

    async def answer(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        """Send a whole answer."""
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        head = "\r\n".join([f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *lines, "", ""])
        await self.say(head.encode() + body)

    def cut(self) -> None:
        """End the connection at once."""
        transport: asyncio.WriteTransport = self.writer.transport
        transport.abort()

    async def rest(self) -> bytes:
        """Read until the client ends the connection."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""


Script = Callable[[Connection], Awaitable[None]]


@dataclass
class Peer:
    """A raw server. Connections are numbered in the order in which they come; `scripts` say what each does."""

    port: int = 0
    connections: int = 0
    scripts: list[Script] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def running_peer(*scripts: Script) -> AsyncIterator[Peer]:
    """Run a server whose n-th connection follows the n-th script, the later ones the last.

    Close the client first: what a script still reads then ends.
    """
    peer = Peer(scripts=list(scripts))
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        script = peer.scripts[min(peer.connections, len(peer.scripts) - 1)]
        peer.connections += 1
        try:
            await script(Connection(reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        except Exception as failure:  # noqa: BLE001  # told at the end
            peer.failures.append(failure)
        finally:
            writer.close()
            running.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        if running:
            _, stuck = await asyncio.wait(running, timeout=1)
            for task in stuck:
                task.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)
        await server.wait_closed()
    assert peer.failures == []


class Counter:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.counts: list[tuple[str, Mapping[str, str]]] = []
        self.observed: list[str] = []
        self.events: list[tuple[str, Mapping[str, object]]] = []

    def count(self, name: str, value: float = 1.0, /, **labels: str) -> None:
        self.counts.append((name, labels))

    def observe(self, name: str, value: float, /, **labels: str) -> None:
        self.observed.append(name)

    def event(self, name: str, /, **fields: str | float | bool | None) -> None:
        self.events.append((name, fields))


@asynccontextmanager
async def client_of(
    url: str,
    *,
    dialect: str = "s3",
    observer: Counter | None = None,
    pauses: list[float] | None = None,
    **settings: object,
) -> AsyncIterator[HttpUpstream]:
    """Open the real client towards a server; `pauses` takes down the waits between tries, which take no time here."""
    values = {"endpoint": url, "dialect": dialect, "access_key": "ak", "secret_key": "sk", **settings}
    configured = UpstreamSettings.model_validate(values)

    async def sleep(seconds: float) -> None:
        if pauses is not None:
            pauses.append(seconds)

    async with open_session(configured) as session:
        auth = OutgoingAuth(configured, DIALECTS[dialect])
        noted = observer or Counter()
        async with open_access(configured, FakeClock(), noted) as access:
            yield HttpUpstream(session, auth, access, configured.read_timeout, FakeClock(), noted, sleep=sleep)


class Today:
    """The real time, for servers that compare signatures with theirs."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def get_request(key: str = "k", query: str = "", **headers: str) -> UpstreamRequest:
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return UpstreamRequest(method="GET", bucket="b", raw_key=key, raw_query=query, headers=named)


def put_request(body: bytes | Body, length: int | None = None) -> UpstreamRequest:
    return UpstreamRequest(method="PUT", bucket="b", raw_key="k", body=body, content_length=length)


class Tracked:
    """A body that tells whether it was closed, and that can fail."""

    def __init__(self, *pieces: bytes, failure: Exception | None = None, endless: bool = False) -> None:
        self._pieces = pieces
        self._failure = failure
        self._endless = endless
        self.pulled = 0
        self.ended = asyncio.Event()

    async def body(self) -> Body:
        try:
            for piece in self._pieces:
                self.pulled += 1
                yield piece
            while self._endless:
                self.pulled += 1
                yield bytes(64 * 1024)
                await asyncio.sleep(0)
            if self._failure is not None:
                raise self._failure
        finally:
            self.ended.set()


async def answer_ok(connection: Connection) -> None:
    while True:
        await connection.request()
        await connection.answer(200, b"ok")
