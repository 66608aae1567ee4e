"""Which worker of a proxy with several did what, as its logs tell."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from tests.support.metrics import admin_url
from tests.support.raw_http import Answer
from tests.support.servers import Server, wait_until, whole_lines


def lines(server: Server) -> list[dict[str, Any]]:
    """Everything that was logged; raises `ValueError` where a line is not one JSON object."""
    return [json.loads(line) for line in whole_lines(server.output())]


def events(server: Server, name: str) -> list[dict[str, Any]]:
    """The lines of one event; `request` is the access log."""
    return [json.loads(line) for line in whole_lines(server.output()) if f'"event": "{name}"' in line]


def worker_of(server: Server, answer: Answer) -> int:
    """Return the worker that gave an answer; its line is written when the answer has ended."""
    request_id = answer.headers.get("x-amz-request-id") or answer.headers["x-oss-request-id"]
    found: list[int] = []

    def is_logged() -> bool:
        found.extend(line["worker"] for line in lines(server) if line.get("request_id") == request_id)
        return bool(found)

    wait_until(server, is_logged)
    return found[0]


def until_both(server: Server, ask: Callable[[], Answer]) -> Iterator[tuple[int, Answer]]:
    """Ask on a new connection each time until both of two workers have answered; yield who, and what."""
    seen: set[int] = set()
    for _ in range(64):  # the kernel spreads connections by their ports: one in 2**63 runs ends here by chance
        answer = ask()
        worker = worker_of(server, answer)
        seen.add(worker)
        yield worker, answer
        if seen == {1, 2}:
            return
    raise AssertionError(f"only worker {seen} answered")


def pids(server: Server) -> dict[int, int]:
    """Return the process of each worker that has begun to serve last."""
    return {line["worker"]: line["pid"] for line in events(server, "worker_serves")}


def admin(server: Server, path: str) -> tuple[int, str]:
    """Ask the admin port."""
    try:
        with urllib.request.urlopen(admin_url(server) + path, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def metric(server: Server, sample: str) -> float:
    """Return the sum of a sample over all labels."""
    _, text = admin(server, "/metrics")
    return sum(float(value) for value in re.findall(rf"^{sample}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE))
