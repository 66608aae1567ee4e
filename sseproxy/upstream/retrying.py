"""Trying again what is safe to try again."""

import asyncio
from collections.abc import Awaitable, Callable
from random import uniform
from typing import TypeVar

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

MOST_TRIES = 3
_FIRST_PAUSE_S = 0.05


class Transient(Exception):
    """An attempt failed in a way that another one may not; `cause` is what is raised after the last."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


async def retrying(attempt: Callable[[], Awaitable[T]], *, sleep: Sleep = asyncio.sleep) -> T:
    """Return what `attempt` returns; where it raises `Transient`, try up to three times with growing, random pauses."""
    for tried in range(MOST_TRIES):
        try:
            return await attempt()
        except Transient as transient:
            if tried == MOST_TRIES - 1:
                raise transient.cause from transient
        await sleep(uniform(0, _FIRST_PAUSE_S * 4**tried))  # noqa: S311  # spreads retries, protects nothing
    raise AssertionError("the last try returns or raises")
