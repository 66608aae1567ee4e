"""The load: one asyncio client that sends signed S3 requests as fast as the other side takes them.

It runs in the benchmark's own process, so its CPU time is never counted as a server's. Bodies are sent from a buffer
that exists once; signatures are made with UNSIGNED-PAYLOAD, as the targets are stated for it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from benchmarks.servers import ACCESS_KEY, REGION, SECRET_KEY
from sseproxy.signing.aws_v4 import sign_aws_v4

_BLOCK = memoryview(bytes(256 * 1024))

Pace = Callable[[int], Awaitable[None]]  # awaited with the bytes that were moved, before more are


class RequestFailed(Exception):
    """A request of the benchmark was not answered as it must be; its numbers are worth nothing."""


@dataclass(slots=True)
class Sample:
    """What one run measured on the client's side."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    plaintext_bytes: int = 0

    @property
    def requests(self) -> int:
        return len(self.latencies)

    def percentile(self, fraction: float) -> float:
        """Return a latency in seconds: nearest rank."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]


class S3Load:
    """Signed requests to one endpoint over at most `connections` connections."""

    def __init__(self, endpoint: str, connections: int) -> None:
        self._endpoint = endpoint
        self._host = urlsplit(endpoint).netloc
        self._connector = aiohttp.TCPConnector(limit=connections, force_close=False)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_read=120),
            skip_auto_headers=["User-Agent", "Accept", "Accept-Encoding", "Content-Type"],
            read_bufsize=256 * 1024,
        )

    async def close(self) -> None:
        await self._session.close()

    async def put(self, path: str, size: int, query: str = "", pace: Pace | None = None) -> str:
        """Send `size` bytes and return the ETag."""
        async with self._send("PUT", path, query, size=size, pace=pace) as response:
            await response.read()
            self._check(response, 200)
            return response.headers.get("ETag", "")

    async def get(self, path: str, size: int, byte_range: str | None = None, pace: Pace | None = None) -> None:
        """Read an object or a range and check that every byte came."""
        extra = CIMultiDict({"Range": byte_range}) if byte_range else CIMultiDict[str]()
        async with self._send("GET", path, "", extra) as response:
            received = 0
            async for chunk in response.content.iter_any():
                received += len(chunk)
                if pace is not None:
                    await pace(received)
            self._check(response, 206 if byte_range else 200)
            if received != size:
                raise RequestFailed(f"{path}: {received} bytes instead of {size}")

    async def list_objects(self, bucket: str, count: int) -> None:
        """List a bucket and check that `count` keys are shown."""
        async with self._send("GET", f"/{bucket}", "list-type=2&max-keys=1000") as response:
            text = await response.read()
            self._check(response, 200)
            if text.count(b"<Contents>") != count:
                raise RequestFailed(f"{bucket}: {text.count(b'<Contents>')} keys instead of {count}")

    async def post(self, path: str, query: str, body: bytes = b"") -> bytes:
        """Send a document and return the answer's."""
        async with self._send("POST", path, query, body=body) as response:
            text = await response.read()
            self._check(response, 200)
            return text

    async def create_bucket(self, bucket: str) -> None:
        """Create a bucket, or find that it is there."""
        async with self._send("PUT", f"/{bucket}", "", size=0) as response:
            await response.read()
            if response.status not in {200, 409}:
                raise RequestFailed(f"bucket {bucket}: {response.status}")

    def _send(
        self,
        method: str,
        path: str,
        query: str,
        headers: CIMultiDict[str] | None = None,
        *,
        size: int | None = None,
        body: bytes | None = None,
        pace: Pace | None = None,
    ) -> "aiohttp.client._RequestContextManager":
        headers = headers if headers is not None else CIMultiDict()
        length = size if size is not None else (len(body) if body is not None else None)
        signed = sign_aws_v4(
            method=method,
            host=self._host,
            raw_path=path,
            raw_query=query,
            headers=headers,
            access_key=ACCESS_KEY,
            secret=SECRET_KEY,
            token=None,
            region=REGION,
            now=datetime.now(UTC),
            payload_hash="UNSIGNED-PAYLOAD",
        )
        all_headers = CIMultiDict([*headers.items(), *signed.items()])
        if length is not None:
            all_headers["Content-Length"] = str(length)
        url = URL(f"{self._endpoint}{path}{'?' + query if query else ''}", encoded=True)
        data = _blocks(size, pace) if size else body
        return self._session.request(method, url, headers=all_headers, data=data, allow_redirects=False)

    @staticmethod
    def _check(response: aiohttp.ClientResponse, expected: int) -> None:
        if response.status != expected:
            raise RequestFailed(f"{response.method} {response.url.path}: {response.status} instead of {expected}")


async def _blocks(size: int, pace: Pace | None) -> AsyncIterator[memoryview]:
    sent = 0
    while sent < size:
        if pace is not None:
            await pace(sent)
        block = _BLOCK[: min(len(_BLOCK), size - sent)]
        sent += len(block)
        yield block


async def run(work: Callable[[int], Awaitable[int]], *, requests: int, concurrency: int) -> Sample:
    """Do `work(0)` … `work(requests - 1)`, `concurrency` at a time; `work` returns the plaintext bytes it moved."""
    pending = iter(range(requests))
    sample = Sample(seconds=0.0)

    async def worker() -> None:
        for index in pending:
            begun = time.perf_counter()
            moved = await work(index)  # a += with an await in it would lose what others added meanwhile
            sample.plaintext_bytes += moved
            sample.latencies.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as workers:
        for _ in range(concurrency):
            workers.create_task(worker())
    sample.seconds = time.perf_counter() - begun
    return sample
