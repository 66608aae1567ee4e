"""`python -m benchmarks.memory`: what one proxy process holds for 200 uploads and 200 downloads by slow clients.

Every client moves a few MiB, stands still until all others got as far, and goes on. Run for two object sizes: what is
held must depend on the number of connections and not on what they carry.
"""

import argparse
import asyncio
import json
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from benchmarks.driver import Pace, S3Load
from benchmarks.scenarios import MIB
from benchmarks.servers import Measured, running_proxy, running_store

_LIMIT_MIB = 600.0
_STALL_AT = 4 * MIB  # bytes after which every client stands still
_STANDSTILL_S = 5.0
_BUCKET = "memory"


@dataclass(frozen=True, slots=True)
class Held:
    """The proxy's resident memory in MiB: before, the most of all phases, and per connection that was open."""

    object_mib: int
    uploads: int
    downloads: int
    idle_rss_mib: float
    peak_rss_mib: float
    per_connection_mib: float


def main() -> None:
    """Measure, write `memory.md` and `memory.json`, and fail where the limit is broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--clients", type=int, default=200, help="uploads, and as many downloads, at once")
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 64], help="object sizes in MiB")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="where the report goes")
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="sseproxy-bench-"))
    try:
        results = [_measured(directory / str(size), arguments.clients, size) for size in arguments.sizes]
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    text = _table(results)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "memory.md").write_text(text)
    (arguments.out / "memory.json").write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
    print(text)
    if any(result.peak_rss_mib > _LIMIT_MIB for result in results):
        raise SystemExit(f"more than {_LIMIT_MIB:.0f} MiB")


def _measured(directory: Path, clients: int, size_mib: int) -> Held:
    directory.mkdir()
    with ExitStack() as running:
        backend = running.enter_context(running_store(directory))
        proxy = running.enter_context(running_proxy(directory, backend, etag="md5"))
        held = uvloop.run(_load(proxy, clients, size_mib))
    shutil.rmtree(directory)
    return held


async def _load(proxy: Measured, clients: int, size_mib: int) -> Held:
    load = S3Load(proxy.endpoint, 2 * clients)
    try:
        await load.create_bucket(_BUCKET)
        await load.put(f"/{_BUCKET}/read", size_mib * MIB)
        idle = proxy.peak_rss_bytes()
        proxy.reset_peak()
        standstill = asyncio.Barrier(2 * clients)
        async with asyncio.TaskGroup() as everybody:
            for number in range(clients):
                up, down = _slow_client(standstill), _slow_client(standstill)
                everybody.create_task(load.put(f"/{_BUCKET}/write-{number}", size_mib * MIB, pace=up))
                everybody.create_task(load.get(f"/{_BUCKET}/read", size_mib * MIB, pace=down))
        peak = proxy.peak_rss_bytes()
    finally:
        await load.close()
    return Held(
        object_mib=size_mib,
        uploads=clients,
        downloads=clients,
        idle_rss_mib=idle / MIB,
        peak_rss_mib=peak / MIB,
        per_connection_mib=(peak - idle) / MIB / (2 * clients),
    )


def _slow_client(standstill: asyncio.Barrier) -> Pace:
    """Return the pace of a client that stands still once, together with all others."""
    waited = False

    async def pace(moved: int) -> None:
        nonlocal waited
        if moved >= _STALL_AT and not waited:
            waited = True
            await standstill.wait()
            await asyncio.sleep(_STANDSTILL_S)

    return pace


def _table(results: Sequence[Held]) -> str:
    rows = [
        "# Memory",
        "",
        "`python -m benchmarks.memory`: one proxy process, md5 ETags, slow clients (see `benchmarks/memory.py`).",
        "",
        "| objects of | uploads | downloads | RSS before, MiB | most RSS, MiB | per connection, MiB |",
        "|---|---|---|---|---|---|",
    ]
    rows += [
        f"| {held.object_mib} MiB | {held.uploads} | {held.downloads} | {held.idle_rss_mib:.0f} | "
        f"{held.peak_rss_mib:.0f} | {held.per_connection_mib:.2f} |"
        for held in results
    ]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
