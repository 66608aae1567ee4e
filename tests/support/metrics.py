"""What a running proxy counts, read off its admin port."""

import re
import urllib.request
from collections import Counter

from tests.support.servers import Server


def admin_url(server: Server) -> str:
    """Return where a proxy's admin port is."""
    found = re.search(r'"admin": "(http://[^"]+)"', server.output())
    assert found, server.output()
    return found[1]


def kms_calls(server: Server) -> Counter[str]:
    """Return how often a proxy asked its key services, by operation; calls that failed count too."""
    calls: Counter[str] = Counter()
    for labels, value in _samples(server, "sseproxy_kms_calls_total"):
        operation = re.search(r'operation="(\w+)"', labels)
        assert operation
        calls[operation[1]] += int(float(value))
    return calls


def upstream_requests(server: Server) -> int:
    """Return how many requests a proxy has sent to its storage, those about its own state included."""
    return sum(int(float(value)) for _, value in _samples(server, "sseproxy_upstream_requests_total"))


def _samples(server: Server, name: str) -> list[tuple[str, str]]:
    with urllib.request.urlopen(f"{admin_url(server)}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return re.findall(rf"^{name}\{{([^}}]*)\}} (\S+)$", text, re.MULTILINE)
