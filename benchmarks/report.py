"""Results as a Markdown table, a JSON file and a plot."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import matplotlib as mpl

from benchmarks.scenarios import MIB, Result

mpl.use("Agg")
from matplotlib import pyplot as plt  # the backend has to be chosen first

_MD5_S_PER_GIB = 1.7


def write(results: Sequence[Result], directory: Path, *, commit: str, command: str) -> str:
    """Write `latest.md`, `latest.json` and `latest.png` and return the table."""
    directory.mkdir(parents=True, exist_ok=True)
    text = f"# Benchmark\n\n`{command}`, commit `{commit}`, Python {platform.python_version()}.\n\n"
    text += f"{targets(results)}\n{table(results)}"
    (directory / "latest.md").write_text(text)
    facts = {"commit": commit, "command": command, "python": platform.python_version()}
    (directory / "latest.json").write_text(
        json.dumps({**facts, "results": [asdict(result) for result in results]}, indent=1) + "\n"
    )
    plot(results, directory / "latest.png")
    return text


def table(results: Sequence[Result]) -> str:
    """Return one row per scenario and server; ratios are to nginx in the same run."""
    rows = [
        "| scenario | c | server | MiB/s | req/s | p50 ms | p99 ms | CPU s/GiB | x nginx | CPU s/1,000 req | RSS MiB "
        "| upstream/req | KMS/req |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        ratio = _ratio(result, results)
        cells = [
            result.scenario.label, str(result.scenario.concurrency), result.server, f"{result.throughput_mib_s:.1f}",
            f"{result.requests_s:.1f}", f"{result.p50_ms:.2f}", f"{result.p99_ms:.2f}", _show(result.cpu_s_per_gib),
            _show(ratio), _show(result.cpu_s_per_1000_requests), _show(result.peak_rss_mib, 0),
            _show(result.upstream_per_request), _show(result.kms_per_request),
        ]  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def targets(results: Sequence[Result]) -> str:
    """Return how the run stands to the targets: 64 MiB objects, concurrency 16, CPU per GiB against nginx's."""
    rows = ["| target | limit (CPU s/GiB) | reached | x nginx | met |", "|---|---|---|---|---|"]
    for operation, server, extra in (
        ("GET", "sseproxy md5", 0.0), ("GET", "sseproxy opaque", 0.0),
        ("PUT", "sseproxy opaque", 0.0), ("PUT", "sseproxy md5", _MD5_S_PER_GIB),
    ):  # fmt: skip
        reached = _find(results, operation, server)
        nginx = _find(results, operation, "nginx")
        if reached is None or nginx is None or reached.cpu_s_per_gib is None or not nginx.cpu_s_per_gib:
            continue
        limit = 3.0 * nginx.cpu_s_per_gib + extra
        rows.append(
            f"| {operation} 64 MiB, {server}: 3.0 x nginx{' + MD5' if extra else ''} | {limit:.2f} | "
            f"{reached.cpu_s_per_gib:.2f} | {reached.cpu_s_per_gib / nginx.cpu_s_per_gib:.2f} | "
            f"{'yes' if reached.cpu_s_per_gib <= limit else 'no'} |"
        )
    return "\n".join(rows) + "\n" if len(rows) > 2 else ""


def plot(results: Sequence[Result], path: Path) -> None:
    """Draw CPU seconds per GiB and throughput of the 1 MiB and 64 MiB rows at concurrency 16."""
    chosen = [
        r
        for r in results
        if r.scenario.concurrency == 16 and r.scenario.operation in {"GET", "PUT"} and r.scenario.size >= MIB
    ]
    labels = list(dict.fromkeys(result.scenario.label for result in chosen))
    servers = list(dict.fromkeys(result.server for result in chosen))
    figure, axes = plt.subplots(1, 2, figsize=(11, 4))
    for axis, field, title in zip(axes, ("cpu_s_per_gib", "throughput_mib_s"), ("CPU s per GiB", "MiB/s"), strict=True):
        for index, server in enumerate(servers):
            heights = [
                next(
                    (getattr(r, field) or 0.0 for r in chosen if r.server == server and r.scenario.label == label), 0.0
                )
                for label in labels
            ]
            positions = [place + index * 0.2 for place in range(len(labels))]
            axis.bar(positions, heights, width=0.2, label=server)
        axis.set_xticks([place + 0.3 for place in range(len(labels))], labels)
        axis.set_title(f"{title}, concurrency 16")
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _find(results: Sequence[Result], operation: str, server: str) -> Result | None:
    for result in results:
        scenario = result.scenario
        if (scenario.operation, scenario.size, scenario.concurrency) == (
            operation,
            64 * MIB,
            16,
        ) and result.server == server:
            return result
    return None


def _ratio(result: Result, results: Sequence[Result]) -> float | None:
    for other in results:
        if other.server == "nginx" and other.scenario == result.scenario and result.server.startswith("sseproxy"):
            if result.scenario.operation == "LIST":
                own, its = result.cpu_s_per_1000_requests, other.cpu_s_per_1000_requests
            else:
                own, its = result.cpu_s_per_gib, other.cpu_s_per_gib
            return own / its if own and its else None
    return None


def _show(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
