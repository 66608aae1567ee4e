"""Finding out which conditions on writes the storage keeps: those that it overlooks in silence, only a try tells."""

import secrets
from collections.abc import Collection
from dataclasses import replace

from multidict import CIMultiDict

from sseproxy.dialect.base import Dialect
from sseproxy.errors import UpstreamUnavailable
from sseproxy.model import WriteCondition
from sseproxy.operations.etags import bare_etag
from sseproxy.operations.store_conditions import StoreConditions
from sseproxy.ports import Observer, Upstream, UpstreamRequest
from sseproxy.settings import StateSettings
from sseproxy.signing.canonical import encode_key, encode_value
from sseproxy.single_flight import SingleFlight

PROBES = "probes/"  # what tries leave in the state bucket where they are killed

_NO_ETAG = "00000000000000000000000000000000"
_MOST_DOCUMENT = 64 * 1024  # bytes
_TAG = "sseproxy-probe"


class KnownConditions:
    """What the storage keeps: as configured, else found out when it is first needed, with small objects of our own.

    They lie under `probes/` in the state bucket and are removed again. Of a dialect whose writes know no ETags there is
    nothing to be found out: what a client sends in vain to its service, it sends in vain through the proxy.
    """

    def __init__(
        self,
        upstream: Upstream,
        dialect: Dialect,
        state: StateSettings,
        observer: Observer,
        *,
        lacks: Collection[WriteCondition] | None = None,
    ) -> None:
        self._upstream = upstream
        self._dialect = dialect
        self._state = state
        self._observer = observer
        self._known = None if lacks is None else StoreConditions(lacks=frozenset(lacks))
        if not dialect.replaces_if_match:
            self._known = StoreConditions()
        self._tries = SingleFlight[str, StoreConditions]()

    async def get(self) -> StoreConditions:
        """Return what the storage keeps. Raises `UpstreamUnavailable` where that cannot be found out now."""
        return self._known or await self._tries.run("", self._find)

    async def _find(self) -> StoreConditions:
        found = await _Probe(self._upstream, self._dialect, self._state).run()
        if found.lacks:
            lacks = ",".join(sorted(condition.value for condition in found.lacks))
            self._observer.event("storage_overlooks", conditions=lacks)
        self._known = found
        return found


class _Probe:
    """Tries every condition on one small object: what must fail and does not, is overlooked."""

    def __init__(self, upstream: Upstream, dialect: Dialect, state: StateSettings) -> None:
        self._upstream = upstream
        self._dialect = dialect
        self._bucket = state.bucket
        self._raw_key = encode_key(f"{state.prefix}{PROBES}{secrets.token_hex(8)}")

    async def run(self) -> StoreConditions:
        """Return what the storage keeps. Raises `UpstreamUnavailable` where it fails, or does not take the object."""
        try:
            return await self._try_all()
        finally:
            await self._status("DELETE", {})

    async def _try_all(self) -> StoreConditions:
        if await self._put({}) != 200:
            raise UpstreamUnavailable("The storage does not take an object into the state bucket.")
        lacks = set()
        if await self._put({"If-None-Match": "*"}) != 412:
            lacks.add(WriteCondition.PUT_IF_NONE_MATCH)
        quoted, bare = await self._replaces('"'), False
        if not quoted:
            bare = await self._replaces("")
        if not (quoted or bare):
            lacks.add(WriteCondition.PUT_IF_MATCH)
        source_header = await self._source_header()
        if source_header is None:
            lacks.add(WriteCondition.COPY_SOURCE_IF_MATCH)
        lacks |= await self._lacking_on_copies() | await self._lacking_on_completes()
        if await self._status("DELETE", {"If-Match": f'"{_NO_ETAG}"'}) != 412:
            lacks.add(WriteCondition.DELETE_IF_MATCH)
        facts = StoreConditions(lacks=frozenset(lacks), bare_etags=bare, copies_tags=await self._copies_tags())
        return facts if source_header is None else replace(facts, copy_source_header=source_header)

    async def _replaces(self, quote: str) -> bool:
        """Whether a PUT replaces the object that `If-Match` names in this spelling, and no other."""
        if await self._put({"If-Match": f"{quote}{_NO_ETAG}{quote}"}) != 412:
            return False
        return await self._put({"If-Match": f"{quote}{await self._etag()}{quote}"}) == 200

    async def _source_header(self) -> str | None:
        """Return the header with which a copy's source is named by its ETag, None where none is heard."""
        for name in ("copy-source-if-match", "copy-if-match"):
            wrong = await self._copy({self._dialect.header(name): f'"{_NO_ETAG}"'})
            if wrong == 412 and await self._copy({self._dialect.header(name): f'"{await self._etag()}"'}) == 200:
                return name
        return None

    async def _lacking_on_copies(self) -> set[WriteCondition]:
        lacks = set()
        if await self._copy({"If-None-Match": "*"}) != 412:
            lacks.add(WriteCondition.COPY_IF_NONE_MATCH)
        wrong = await self._copy({"If-Match": f'"{_NO_ETAG}"'})
        if wrong != 412 or await self._copy({"If-Match": f'"{await self._etag()}"'}) != 200:
            lacks.add(WriteCondition.COPY_IF_MATCH)
        return lacks

    async def _lacking_on_completes(self) -> set[WriteCondition]:
        lacks = set()
        if await self._complete({"If-None-Match": "*"}) != 412:
            lacks.add(WriteCondition.COMPLETE_IF_NONE_MATCH)
        if await self._complete({"If-Match": f'"{_NO_ETAG}"'}) != 412:
            lacks.add(WriteCondition.COMPLETE_IF_MATCH)
        return lacks

    async def _copies_tags(self) -> bool:
        """Whether tags outlive a copy with new metadata; so they do where there are none."""
        if await self._put({self._dialect.header("tagging"): f"{_TAG}=1"}) != 200 or not await self._has_tag():
            return True
        await self._copy({})
        return await self._has_tag()

    async def _has_tag(self) -> bool:
        status, document, _ = await self._send("GET", {}, query="tagging")
        return status == 200 and _TAG.encode() in document

    async def _complete(self, conditions: dict[str, str]) -> int:
        """Make an upload of one part and return what its Complete answers; an upload that is left is aborted."""
        status, document, _ = await self._send("POST", {}, query="uploads", body=b"")
        if status != 200:
            return status
        upload = f"uploadId={encode_value(self._dialect.xml.parse_created_upload(document))}"
        _, _, etag = await self._send("PUT", {}, query=f"partNumber=1&{upload}", body=b"1")
        body = self._dialect.xml.render_complete_request([(1, etag)])
        headers = {**conditions, "Content-Type": "application/xml"}
        status, _, _ = await self._send("POST", headers, query=upload, body=body)
        if status != 200:
            await self._send("DELETE", {}, query=upload)
        return status

    async def _put(self, headers: dict[str, str]) -> int:
        return await self._status("PUT", headers, b"1")

    async def _copy(self, headers: dict[str, str]) -> int:
        """Let the storage copy the object onto itself."""
        own = {"copy-source": f"/{self._bucket}/{self._raw_key}", "metadata-directive": "REPLACE"}
        named = {self._dialect.header(name): value for name, value in own.items()}
        return await self._status("PUT", {**named, **headers}, b"")

    async def _etag(self) -> str:
        _, _, etag = await self._send("HEAD", {})
        return etag

    async def _status(self, method: str, headers: dict[str, str], body: bytes | None = None) -> int:
        status, _, _ = await self._send(method, headers, body=body)
        return status

    async def _send(
        self, method: str, headers: dict[str, str], *, query: str = "", body: bytes | None = None
    ) -> tuple[int, bytes, str]:
        """Return status, document and ETag of an answer. Raises `UpstreamUnavailable` where the storage fails."""
        request = UpstreamRequest(
            method=method,
            bucket=self._bucket,
            raw_key=self._raw_key,
            raw_query=query,
            headers=CIMultiDict(headers),
            body=body,
        )
        async with self._upstream.send(request) as response:
            if response.status in {500, 502, 503, 504}:
                raise UpstreamUnavailable("The storage failed when it was asked what it keeps. Please try again.")
            document = b"" if method == "HEAD" else await response.read(_MOST_DOCUMENT)
            return response.status, document, bare_etag(response.headers.get("ETag"))
