"""What the storage does to keep a tool's write from burying somebody else's: found out by asking, in the state bucket.

A storage that does not know `If-Match` on writes often ignores it in silence, so only a try tells.
"""

import secrets
from dataclasses import dataclass

from multidict import CIMultiDict

from sseproxy.errors import ConfigurationError
from sseproxy.operations.backend import expect
from sseproxy.operations.context import Services
from sseproxy.operations.etags import bare_etag
from sseproxy.operations.xml_texts import first_text
from sseproxy.ports import UpstreamRequest
from sseproxy.signing.canonical import encode_key

PROBES = "probes/"  # what tries leave in the state bucket where they are killed

_NO_ETAG = '"00000000000000000000000000000000"'
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


async def find_guard(services: Services, bucket: str) -> Guard:
    """Find out what protects concurrent writers. Writes and removes a small object in the state bucket."""
    if_match = services.dialect.replaces_if_match and await _honours_if_match(services)
    return Guard(if_match=if_match, versions=await keeps_versions(services, bucket) == "Enabled")


async def keeps_versions(services: Services, bucket: str) -> str:
    """Return whether a bucket keeps versions: `Enabled`, `Suspended`, or empty where it never did."""
    async with services.upstream.send(UpstreamRequest(method="GET", bucket=bucket, raw_query="versioning")) as response:
        if response.status in {405, 501}:  # a storage without versions
            return ""
        await expect(services, response, 200)
        return first_text(await response.read(_MOST_DOCUMENT), "Status")


async def _honours_if_match(services: Services) -> bool:
    """Try: a PUT and a copy that name a state that is not there must fail, and leave what is there."""
    raw_key = encode_key(f"{services.state_settings.prefix}{PROBES}{secrets.token_hex(8)}")
    wrong: CIMultiDict[str] = CIMultiDict({"If-Match": _NO_ETAG})
    try:
        if await _write(services, raw_key, CIMultiDict(), b"1") != 200:
            return False
        etag = await _etag(services, raw_key)
        put = await _write(services, raw_key, wrong, b"2")
        copy = await _write(services, raw_key, CIMultiDict([*_copying(services, raw_key), *wrong.items()]), b"")
        return put == copy == 412 and await _etag(services, raw_key) == etag
    finally:
        await _write(services, raw_key, CIMultiDict(), None, method="DELETE")


def _copying(services: Services, raw_key: str) -> list[tuple[str, str]]:
    source = f"/{services.state_settings.bucket}/{raw_key}"
    return [
        (services.dialect.header("copy-source"), source),
        (services.dialect.header("metadata-directive"), "REPLACE"),
    ]


async def _write(
    services: Services, raw_key: str, headers: CIMultiDict[str], body: bytes | None, *, method: str = "PUT"
) -> int:
    request = UpstreamRequest(
        method=method, bucket=services.state_settings.bucket, raw_key=raw_key, headers=headers, body=body
    )
    async with services.upstream.send(request) as response:
        await response.read(_MOST_DOCUMENT)
        return response.status


async def _etag(services: Services, raw_key: str) -> str:
    request = UpstreamRequest(method="HEAD", bucket=services.state_settings.bucket, raw_key=raw_key)
    async with services.upstream.send(request) as response:
        return bare_etag(response.headers.get("ETag"))
