"""What was asked of a key service behind `aioresponses`."""

from typing import Any

from aioresponses import aioresponses


def calls_of(answers: aioresponses) -> list[tuple[str, str, dict[str, str], bytes]]:
    """Return method, URL, headers and body of every request, in the order of their URLs' first use."""
    return [
        (method, str(url), dict(call.kwargs.get("headers") or {}), _bytes(call.kwargs.get("data")))
        for (method, url), calls in (answers.requests or {}).items()
        for call in calls
    ]


def _bytes(body: Any) -> bytes:
    return bytes(body) if body is not None else b""
