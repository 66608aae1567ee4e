"""What the storage does to keep a tool's write from burying somebody else's."""

from dataclasses import dataclass

from sseproxy.errors import ConfigurationError
from sseproxy.model import WriteCondition
from sseproxy.operations.backend import expect
from sseproxy.operations.context import Services
from sseproxy.operations.xml_texts import first_text
from sseproxy.ports import UpstreamRequest

_MOST_DOCUMENT = 64 * 1024  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What protects concurrent writers in one bucket.

    `if_match`: a write takes place only on the object that it names. `versions`: what it replaces is kept.
    """

    if_match: bool
    versions: bool

    def check(self, *, nobody_writes: bool) -> None:
        """Raise `ConfigurationError` where nothing protects them, and nobody said that there are none."""
        if self.if_match or self.versions or nobody_writes:
            return
        raise ConfigurationError(
            "this storage cannot make a write depend on what it replaces (If-Match on writes), and the bucket keeps no "
            "versions: an object that somebody else writes in the same moment could be lost. Stop all writers and give "
            "--nobody-writes, or enable versioning."
        )

    def describe(self) -> str:
        """Say what protects concurrent writers."""
        if self.if_match:
            return "Concurrent writers are safe: every write names the state that it replaces (If-Match)."
        if self.versions:
            return "Without If-Match on writes: what somebody else wrote in the same moment is kept as an old version."
        return "Nothing protected concurrent writers, as --nobody-writes allowed."


async def find_guard(services: Services, bucket: str, condition: WriteCondition) -> Guard:
    """Find out what protects concurrent writers from the kind of write that `condition` is about."""
    known = await services.conditions.get()
    if_match = services.dialect.replaces_if_match and known.keeps(condition)
    return Guard(if_match=if_match, versions=await keeps_versions(services, bucket) == "Enabled")


async def keeps_versions(services: Services, bucket: str) -> str:
    """Return whether a bucket keeps versions: `Enabled`, `Suspended`, or empty where it never did."""
    async with services.upstream.send(UpstreamRequest(method="GET", bucket=bucket, raw_query="versioning")) as response:
        if response.status in {405, 501}:  # a storage without versions
            return ""
        await expect(services, response, 200)
        return first_text(await response.read(_MOST_DOCUMENT), "Status")
