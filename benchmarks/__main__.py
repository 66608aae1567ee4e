"""`python -m benchmarks`: direct to the backend, nginx as pass-through, and sseproxy, side by side in one run."""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import uvloop

from benchmarks import report
from benchmarks.driver import S3Load
from benchmarks.scenarios import Result, Scenario, measure, prepare, scenarios
from benchmarks.servers import Measured, running_nginx, running_proxy, running_store


def main() -> None:
    """Run the matrix and write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only the rows that the targets are stated for")
    parser.add_argument("--only", default="", help="only scenarios whose label contains this, e.g. 'GET 64 MiB'")
    parser.add_argument("--workers", type=int, default=1, help="processes of each sseproxy (nginx has one)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="where the report goes")
    arguments = parser.parse_args()
    chosen = [row for row in scenarios(quick=arguments.quick) if arguments.only in row.label]
    if not chosen:
        parser.error(f"no scenario has {arguments.only!r} in its label")
    directory = Path(tempfile.mkdtemp(prefix="sseproxy-bench-"))
    try:
        results = _run_all(directory, chosen, quick=arguments.quick, workers=arguments.workers)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    command = " ".join(["python -m benchmarks", *sys.argv[1:]])
    print(report.write(results, arguments.out, commit=_commit(), command=command))


def _run_all(directory: Path, chosen: list[Scenario], *, quick: bool, workers: int) -> list[Result]:
    with ExitStack() as running:
        backend = running.enter_context(running_store(directory))
        servers = [
            Measured("direct", backend, os.getpid()),
            running.enter_context(running_nginx(directory, backend)),
            running.enter_context(running_proxy(directory, backend, etag="opaque", workers=workers)),
            running.enter_context(running_proxy(directory, backend, etag="md5", workers=workers)),
        ]
        return uvloop.run(_measure_all(servers, chosen, quick=quick))


async def _measure_all(servers: list[Measured], chosen: list[Scenario], *, quick: bool) -> list[Result]:
    loads = {server.name: S3Load(server.endpoint, 128) for server in servers}
    # nginx reads what was written directly: both serve plain objects of the same store.
    buckets = {server.name: f"bench-{server.name.replace(' ', '-')}" for server in servers}
    results: list[Result] = []
    try:
        for server in servers:
            await prepare(loads[server.name], buckets[server.name], quick=quick)
        for scenario in chosen:
            for server in servers:
                is_direct = server.name == "direct"
                result = await measure(server, loads[server.name], buckets[server.name], scenario, is_direct=is_direct)
                results.append(result)
                cpu = "" if result.cpu_s_per_gib is None else f", {result.cpu_s_per_gib:.2f} CPU s/GiB"
                print(
                    f"{scenario.label:>16} c={scenario.concurrency:<3} {server.name:<16} "
                    f"{result.throughput_mib_s:8.1f} MiB/s {result.requests_s:8.1f} req/s{cpu}",
                    flush=True,
                )
    finally:
        for load in loads.values():
            await load.close()
        await asyncio.sleep(0)
    return results


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
