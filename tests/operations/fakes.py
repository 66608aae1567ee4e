"""What the operations' tests put in the place of ports, and a shorthand for requests."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.errors import KeyDisabled, KeyNotFound, UpstreamUnavailable, WrappedKeyRejected
from sseproxy.exchange import Body, Request, body_of
from sseproxy.model import KeyDescription, WrapContext, WrappedKey
from sseproxy.ports import Upstream, UpstreamRequest, UpstreamResponse
from sseproxy.signing.canonical import decode_path, parse_query

_START = datetime(2026, 11, 21, 12, tzinfo=UTC)


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.time = _START

    def now(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class FakeObserver:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.counts: list[str] = []
        self.events: list[str] = []

    def count(self, name: str, value: float = 1.0, /, **labels: str) -> None:
        self.counts.append(name)

    def observe(self, name: str, value: float, /, **labels: str) -> None:
        """Take a measurement; nobody asks for it here."""

    def event(self, name: str, /, **fields: str | float | bool | None) -> None:
        self.events.append(name)


class FakeKms:
    """A KMS in memory: every alias and id is a key of its own, made of its name; `versions` are the present ones."""

    def __init__(self) -> None:
        self.calls = 0
        self.unknown: set[str] = set()
        self.disabled: set[str] = set()
        self.versions: dict[str, int] = {}
        self.destroyed: set[tuple[str, int]] = set()  # versions that are gone
        self._drawn = 0

    async def generate(self, key_id: str, context: WrapContext, *, length: int = 32) -> tuple[bytes, WrappedKey]:
        self._drawn += 1
        key = self._drawn.to_bytes(length, "big")
        return key, await self.wrap(key_id, key, context)

    async def wrap(self, key_id: str, key: bytes, context: WrapContext) -> WrappedKey:
        self.calls += 1
        if key_id in self.unknown:
            raise KeyNotFound
        if key_id in self.disabled:
            raise KeyDisabled
        nonce = self.calls.to_bytes(12, "big")
        version = bytes([self.versions.get(key_id, 1)])
        sealed = self._cipher(key_id, version).encrypt(nonce, key, context.aad)
        return WrappedKey(key_id=key_id, blob=version + nonce + sealed)

    async def unwrap(self, wrapped: WrappedKey, context: WrapContext) -> bytes:
        self.calls += 1
        if wrapped.key_id in self.disabled:
            raise KeyDisabled
        version, nonce, sealed = wrapped.blob[:1], wrapped.blob[1:13], wrapped.blob[13:]
        if (wrapped.key_id, version[0]) in self.destroyed:
            raise WrappedKeyRejected
        try:
            return self._cipher(wrapped.key_id, version).decrypt(nonce, sealed, context.aad)
        except InvalidTag as cause:
            raise WrappedKeyRejected from cause

    async def describe(self, key_id: str) -> KeyDescription:
        if key_id in self.unknown:
            raise KeyNotFound
        version = self.versions.get(key_id, 1)
        return KeyDescription(key_id=key_id, state="Enabled", origin="test", current_version=version)

    def version_of(self, wrapped: WrappedKey) -> str | None:
        return str(wrapped.blob[0])

    async def healthy(self) -> None:
        """Always."""

    def _cipher(self, key_id: str, version: bytes) -> AESGCM:
        return AESGCM((version + key_id.encode()).ljust(32, b".")[:32])


@dataclass
class Sent:
    """A request that went to the storage."""

    method: str
    bucket: str | None
    raw_key: str
    raw_query: str
    headers: CIMultiDict[str]

    def __str__(self) -> str:
        path = "/".join(["", self.bucket or "", self.raw_key] if self.bucket else [""])
        return f"{self.method} {path}" + (f"?{self.raw_query}" if self.raw_query else "")


class _Breaking:
    """An answer whose body breaks off after some bytes."""

    def __init__(self, answer: UpstreamResponse, after: int) -> None:
        self._answer = answer
        self._after = after

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        return self._answer.headers

    async def stream(self) -> Body:
        left = self._after
        async for data in self._answer.stream():
            yield data[:left]
            left -= min(left, len(data))
            if not left:
                raise UpstreamUnavailable

    async def read(self, limit: int = 8 * 1024 * 1024) -> bytes:
        return await self._answer.read(limit)


@dataclass
class Journal:
    """An Upstream that writes down what is sent to the one behind it, and can be made to fail.

    `break_off` are the numbers of bytes after which the next streamed bodies of objects break off. `before` is
    awaited before a request is passed on. `open_exchanges` counts what was begun and not ended, `most_open` is the most
    of them at one time.
    """

    behind: Upstream
    sent: list[Sent] = field(default_factory=list)
    break_off: list[int] = field(default_factory=list)
    before: Callable[[Sent], Awaitable[None]] | None = None
    open_exchanges: int = 0
    most_open: int = 0

    def said(self, bucket: str = "bucket") -> list[str]:
        """Return the requests that concern a bucket, as text."""
        return [str(sent) for sent in self.sent if sent.bucket == bucket]

    @asynccontextmanager
    async def send(self, request: UpstreamRequest) -> AsyncIterator[UpstreamResponse]:
        sent = Sent(request.method, request.bucket, request.raw_key, request.raw_query, request.headers.copy())
        self.sent.append(sent)
        if self.before is not None:
            await self.before(sent)
        self.open_exchanges += 1
        self.most_open = max(self.most_open, self.open_exchanges)
        try:
            async with self._answered(request) as answer:
                yield answer
        finally:
            self.open_exchanges -= 1

    @asynccontextmanager
    async def _answered(self, request: UpstreamRequest) -> AsyncIterator[UpstreamResponse]:
        async with self.behind.send(request) as answer:
            breaks = self.break_off and request.method == "GET" and request.raw_key and answer.status in {200, 206}
            yield _Breaking(answer, self.break_off.pop(0)) if breaks else answer


def make_request(
    method: str,
    target: str,
    body: bytes | Sequence[bytes] | Body = b"",
    *,
    headers: dict[str, str] | None = None,
    length: int | None = -1,
    trailers: dict[str, str] | None = None,
    signed: bool = True,
) -> Request:
    """Return a path-style request. `length` -1: that of the body; None: not announced."""
    path, _, raw_query = target.partition("?")
    bucket, _, raw_key = path.removeprefix("/").partition("/")
    buffers = [body] if isinstance(body, bytes) else body
    given = body_of(*buffers) if isinstance(buffers, Sequence) else buffers
    if length == -1:
        length = sum(map(len, buffers)) if isinstance(buffers, Sequence) else None
    return Request(
        method=method,
        raw_path=path,
        raw_query=raw_query,
        headers=CIMultiDictProxy(CIMultiDict({"Host": "proxy.test", **(headers or {})})),
        query=CIMultiDictProxy(CIMultiDict([(name, value or "") for name, value in parse_query(raw_query)])),
        bucket=bucket or None,
        key=decode_path(raw_key) if raw_key else None,
        raw_key=raw_key,
        body=given,
        content_length=length,
        principal="tester",
        request_id="0123456789ABCDEF01234567",
        secure=False,
        signed=signed,
        trailers=lambda: trailers or {},
    )
