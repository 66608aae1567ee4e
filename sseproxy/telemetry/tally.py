"""How many requests to the storage one client request took, whatever tasks they were sent from.

A context variable holds the tally of the request in progress; tasks started within it inherit the same object.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

UPSTREAM_REQUESTS = "upstream_requests_total"


@dataclass(slots=True)
class Tally:
    """Counts for one client request."""

    upstream_requests: int = 0


_current: ContextVar[Tally | None] = ContextVar("sseproxy_tally", default=None)


@contextmanager
def tallying() -> Iterator[Tally]:
    """Count for one client request until the context is left."""
    tally = Tally()
    token = _current.set(tally)
    try:
        yield tally
    finally:
        _current.reset(token)


def tally_count(name: str, value: float) -> None:
    """Take note of a counter that was raised, if a request in progress wants to know."""
    tally = _current.get()
    if tally is not None and name == UPSTREAM_REQUESTS:
        tally.upstream_requests += int(value)
