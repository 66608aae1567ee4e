"""What is measured: sizes, operations, concurrency, and how many requests make one number."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from benchmarks.driver import RequestFailed, S3Load, Sample, run
from benchmarks.servers import Measured

KIB, MIB, GIB = 1024, 1024**2, 1024**3
LISTED_KEYS = 1000
RANGE_OBJECT = 256 * MIB
MULTIPART_OBJECT = 256 * MIB
MULTIPART_PART = 8 * MIB


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row: an operation, a size and a concurrency, repeated `requests` times."""

    operation: str
    size: int
    concurrency: int
    requests: int

    @property
    def label(self) -> str:
        return f"{self.operation} {f'{self.size} keys' if self.operation == 'LIST' else show_size(self.size)}"


@dataclass(frozen=True, slots=True)
class Result:
    """A scenario on a server. CPU is the server's own, not the driver's nor the backend's."""

    scenario: Scenario
    server: str
    throughput_mib_s: float
    requests_s: float
    p50_ms: float
    p99_ms: float
    cpu_s_per_gib: float | None
    cpu_s_per_1000_requests: float | None
    peak_rss_mib: float | None
    upstream_per_request: float | None
    kms_per_request: float | None


def scenarios(*, quick: bool) -> list[Scenario]:
    """Return the matrix; `quick` keeps the rows that the targets are stated for, with fewer requests."""
    if quick:
        return [Scenario("PUT", 64 * MIB, 16, 16), Scenario("GET", 64 * MIB, 16, 16), Scenario("GET", KIB, 16, 200)]
    matrix = []
    for concurrency in (1, 16, 64):
        for size, count in ((KIB, 1000), (64 * KIB, 800), (MIB, 300), (64 * MIB, 16)):
            requests = max(count // (3 if concurrency == 1 else 1), concurrency if size < 64 * MIB else 16)
            requests = max(requests, concurrency) if size == 64 * MIB else requests
            matrix += [Scenario("PUT", size, concurrency, requests), Scenario("GET", size, concurrency, requests)]
        matrix.append(Scenario("RANGE", 64 * KIB, concurrency, 300 if concurrency == 1 else 600))
        matrix.append(Scenario("LIST", LISTED_KEYS, concurrency, {1: 3, 16: 16, 64: 64}[concurrency]))
        matrix.append(Scenario("MULTIPART", MULTIPART_OBJECT, concurrency, {1: 1, 16: 1, 64: 1}[concurrency]))
    return matrix


def show_size(size: int) -> str:
    """Return a size as people write it."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size >= unit:
            return f"{size // unit} {name}"
    return f"{size} B"


async def prepare(load: S3Load, bucket: str, *, quick: bool) -> None:
    """Put what the reading scenarios read."""
    await load.create_bucket(bucket)
    await load.create_bucket(f"{bucket}-list")
    for size in (KIB, 64 * KIB, MIB, 64 * MIB):
        await load.put(f"/{bucket}/read-{size}", size)
    if quick:
        return
    await load.put(f"/{bucket}/range", RANGE_OBJECT)

    async def fill(index: int) -> int:
        await load.put(f"/{bucket}-list/key-{index:05d}", KIB)
        return 0

    await run(fill, requests=LISTED_KEYS, concurrency=16)


async def measure(server: Measured, load: S3Load, bucket: str, scenario: Scenario, *, is_direct: bool) -> Result:
    """Run a scenario and read the server's own counters before and after."""
    work = _work(load, bucket, scenario)
    await work(0)  # warms connections and, in the proxy, the caches that a running one has
    server.reset_peak()
    cpu, upstream, kms = server.cpu_seconds(), *await _counters(server)
    if scenario.operation == "MULTIPART":
        sample = await _multipart(load, bucket, scenario)
    else:
        sample = await run(work, requests=scenario.requests, concurrency=scenario.concurrency)
    cpu = server.cpu_seconds() - cpu
    upstream_after, kms_after = await _counters(server)
    requests = sample.requests
    return Result(
        scenario=scenario,
        server=server.name,
        throughput_mib_s=sample.plaintext_bytes / MIB / sample.seconds,
        requests_s=requests / sample.seconds,
        p50_ms=sample.percentile(0.50) * 1000,
        p99_ms=sample.percentile(0.99) * 1000,
        cpu_s_per_gib=None if is_direct or not sample.plaintext_bytes else cpu / (sample.plaintext_bytes / GIB),
        cpu_s_per_1000_requests=None if is_direct else cpu / requests * 1000,
        peak_rss_mib=None if is_direct else server.peak_rss_bytes() / MIB,
        upstream_per_request=(upstream_after - upstream) / requests if server.metrics else None,
        kms_per_request=(kms_after - kms) / requests if server.metrics else None,
    )


async def _counters(server: Measured) -> tuple[float, float]:
    upstream = await asyncio.to_thread(server.counter, "upstream_requests_total")
    return upstream, await asyncio.to_thread(server.counter, "kms_calls_total")


def _work(load: S3Load, bucket: str, scenario: Scenario) -> Callable[[int], Awaitable[int]]:
    size = scenario.size

    async def put(index: int) -> int:
        await load.put(f"/{bucket}/write-{size}-{index % 64}", size)
        return size

    async def get(_: int) -> int:
        await load.get(f"/{bucket}/read-{size}", size)
        return size

    async def read_range(index: int) -> int:
        first = (index * 7_919 * 4_099) % (RANGE_OBJECT - size)
        await load.get(f"/{bucket}/range", size, f"bytes={first}-{first + size - 1}")
        return size

    async def list_objects(_: int) -> int:
        await load.list_objects(f"{bucket}-list", LISTED_KEYS)
        return 0

    async def nothing(_: int) -> int:
        return 0

    return {"PUT": put, "GET": get, "RANGE": read_range, "LIST": list_objects, "MULTIPART": nothing}[scenario.operation]


async def _multipart(load: S3Load, bucket: str, scenario: Scenario) -> Sample:
    """Upload one object in parts, `concurrency` of them at a time; a request is a part."""
    path = f"/{bucket}/multipart"
    created = (await load.post(path, "uploads=")).decode()
    found = re.search(r"<UploadId>([^<]+)</UploadId>", created)
    if found is None:
        raise RequestFailed(f"no upload id in {created!r}")
    etags: dict[int, str] = {}

    async def part(index: int) -> int:
        query = f"partNumber={index + 1}&uploadId={found[1]}"
        etags[index + 1] = await load.put(path, MULTIPART_PART, query)
        return MULTIPART_PART

    sample = await run(part, requests=MULTIPART_OBJECT // MULTIPART_PART, concurrency=scenario.concurrency)
    listed = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in sorted(etags.items())
    )
    document = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    answer = await load.post(path, f"uploadId={found[1]}", document)
    if b"<Error>" in answer:
        raise RequestFailed(answer.decode(errors="replace"))
    return sample
