"""What a bulk tool is: a name, the items it works on, and what it does with each."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

from sseproxy.bulk.context import Tools
from sseproxy.bulk.finding import Listed, Scope, list_objects, list_versions
from sseproxy.bulk.outcome import Outcome, Tally

Pass = Callable[[AsyncGenerator[Listed]], Awaitable[Tally]]  # works on further items; their outcomes alone are counted


class Job(Protocol):
    """One run of a tool over a scope."""

    @property
    def name(self) -> str:
        """The tool's name, as on the command line."""
        ...

    @property
    def uneventful(self) -> frozenset[str]:
        """The outcomes that are not worth telling when items are looked at once more."""
        ...

    async def begin(self, tools: Tools, scope: Scope) -> Sequence[str]:
        """Look whether it can be done, before anything is; return what to tell. Raises."""
        ...

    def items(self, tools: Tools, scope: Scope) -> AsyncGenerator[Listed]:
        """Yield what there is to work on, in order."""
        ...

    async def work(self, tools: Tools, scope: Scope, item: Listed) -> Outcome:
        """Work on one item. Raises `SseProxyError`s; unavailable ones are tried again."""
        ...

    async def end(self, tools: Tools, scope: Scope, tally: Tally, began: datetime, again: Pass) -> Sequence[str]:
        """Do what comes last, when all items have been worked on; return what to tell."""
        ...


class SimpleJob:
    """A job over the present objects, or over all their versions, with nothing before and nothing after it."""

    uneventful: frozenset[str] = frozenset()
    all_versions = False

    async def begin(self, tools: Tools, scope: Scope) -> Sequence[str]:
        """Need nothing."""
        del tools, scope
        return ()

    def items(self, tools: Tools, scope: Scope) -> AsyncGenerator[Listed]:
        """Yield the objects of the scope, or all their versions."""
        listed = list_versions if self.all_versions else list_objects
        return listed(tools.services, scope)

    async def end(self, tools: Tools, scope: Scope, tally: Tally, began: datetime, again: Pass) -> Sequence[str]:
        """Have nothing to add."""
        del tools, scope, tally, began, again
        return ()
