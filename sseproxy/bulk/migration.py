"""`migrate`: seal what is plain, in place, and mark the bucket sealed when nothing plain is left.

What is done is told by the bucket itself: a sealed object is not touched, so a killed run is simply started again. A
write replaces exactly the state that was read, where the storage can do that (`guarding`).
"""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

from multidict import CIMultiDict

from sseproxy.bulk.context import Tools
from sseproxy.bulk.finding import SYMLINK, Listed, Scope, address_in, find, kind_of, list_objects
from sseproxy.bulk.guarding import Guard, find_guard, keeps_versions
from sseproxy.bulk.job import Pass, SimpleJob
from sseproxy.bulk.outcome import Outcome, Tally
from sseproxy.errors import ConfigurationError, SseProxyError, UpstreamAnswered, UpstreamError
from sseproxy.format import decode_envelope
from sseproxy.model import Algorithm, EtagMode, Layout, WriteCondition
from sseproxy.operations.access_lists import acl_headers
from sseproxy.operations.assertions import Assertions, read_assertions
from sseproxy.operations.attributes import Found, Opened, Overwritten, Unsealed, open_found
from sseproxy.operations.body_check import BodyCheck
from sseproxy.operations.bucket_states import BucketState
from sseproxy.operations.context import Services
from sseproxy.operations.copy_source import source_body
from sseproxy.operations.deciding import default_for, own_checksums
from sseproxy.operations.plan import Plan, StoredObject, largest_plaintext
from sseproxy.operations.storing import store
from sseproxy.operations.storing_parts import PART, store_in_parts
from sseproxy.operations.system_metadata import is_metadata
from sseproxy.operations.tags import tagging_of
from sseproxy.policy.encryption import rule_for

_KEPT = (  # behind the dialect's prefix: what an object says of itself besides its metadata
    "storage-class",
    "website-redirect-location",
    "object-lock-mode",
    "object-lock-retain-until-date",
    "object-lock-legal-hold",
)
_NOT_PLAIN = {  # objects whose bytes cannot be replaced in place without becoming something else
    SYMLINK: "It is a symbolic link; the object that it leads to is migrated under its own key.",
    "Appendable": "It is appendable, and could not be appended to any more: copy it through the proxy when it is done.",
}
_CONFLICTS = frozenset({404, 409, 412})  # somebody else wrote or deleted it meanwhile
_CLOCKS_APART = timedelta(minutes=15)  # ours and the storage's
_MOST_PASSES = 5
_MIB = 1024 * 1024

_SEALED = "already sealed"
_OTHER_ETAG = "already sealed (ETag not opaque)"  # or nobody can tell: the object does not open
_APPENDED = "already sealed (appendable)"


class Migration(SimpleJob):
    """Seals plain objects under the bucket's default encryption."""

    name = "migrate"
    uneventful = frozenset({_SEALED, _OTHER_ETAG, _APPENDED, "gone"})

    def __init__(self, *, dry_run: bool, nobody_writes: bool) -> None:
        self._dry_run = dry_run
        self._nobody_writes = nobody_writes
        self._guard = Guard(if_match=False, versions=False)

    async def begin(self, tools: Tools, scope: Scope) -> Sequence[str]:
        """Find out what protects concurrent writers, and refuse where nothing does. A dry run asks nothing."""
        if scope.bucket == tools.services.state_settings.bucket:
            raise ConfigurationError("the state bucket holds no objects of clients; name another one")
        if self._dry_run:
            return ()
        self._guard = await find_guard(tools.services, scope.bucket, WriteCondition.PUT_IF_MATCH)
        self._guard.check(nobody_writes=self._nobody_writes)
        return (self._guard.describe(),)

    async def work(self, tools: Tools, scope: Scope, item: Listed) -> Outcome:
        """Seal one object, unless it is. Raises `Overwritten` where somebody else wrote it meanwhile."""
        services = tools.services
        mode = CIMultiDict({services.dialect.header("checksum-mode"): "ENABLED"})
        found = await find(services, address_in(scope.bucket, item.key), mode)
        if found is None:
            return Outcome(key=item.key, outcome="gone")
        if services.dialect.envelope_header in found.headers:
            return Outcome(key=item.key, outcome=await _kind_of_sealed(services, found))
        kind = kind_of(services, found)
        if kind in _NOT_PLAIN:
            problem = None if kind == SYMLINK else _NOT_PLAIN[kind]
            return Outcome(key=item.key, outcome=kind.lower(), problem=problem, details={"note": _NOT_PLAIN[kind]})
        if self._dry_run:
            return Outcome(key=item.key, outcome="would be sealed", size=found.stored_size)
        stored = await _sealed(services, found, if_match=self._guard.if_match)
        return _outcome(item.key, found, stored)

    async def end(self, tools: Tools, scope: Scope, tally: Tally, began: datetime, again: Pass) -> Sequence[str]:
        """Look again at what was written since, until nothing plain is found; then mark the bucket sealed."""
        if self._dry_run:
            return ()
        if scope.prefix:
            return ("The bucket was not marked as sealed: only a part of it was looked at.",)
        problems, words = tally.problems, set(tally.outcomes)
        for _ in range(_MOST_PASSES):
            if problems:
                return ("The bucket was not marked as sealed: see the problems.",)
            later = await again(_changed_since(tools, scope, began - _CLOCKS_APART))
            problems = later.problems
            words |= set(later.outcomes)
            if not problems and not any(word.startswith("sealed") for word in later.outcomes):
                return (await _mark(tools.services, scope.bucket, words),)
        return ("The bucket was not marked as sealed: plain objects are still being written past the proxy.",)


async def _changed_since(tools: Tools, scope: Scope, moment: datetime) -> AsyncGenerator[Listed]:
    """Yield the objects that were written since; those that were not are known to be sealed."""
    async with aclosing(list_objects(tools.services, scope)) as items:
        async for item in items:
            if item.last_modified >= moment:
                yield item


async def _kind_of_sealed(services: Services, found: Found) -> str:
    """Say what a sealed object has for an ETag, where the bucket's are all to be opaque; opens it only then."""
    if rule_for(services.encryption, found.address.ref.bucket).etag is not EtagMode.OPAQUE:
        return _SEALED
    try:
        envelope = decode_envelope(found.headers[services.dialect.envelope_header])
        if envelope.layout is Layout.APPEND:
            return _APPENDED
        if envelope.algorithm is Algorithm.CUSTOMER:
            return _SEALED
        opened = await open_found(services, found, is_archive_shown=True)
    except UpstreamError:
        raise
    except SseProxyError:  # what is damaged, or whose key is away, is `verify`'s to tell
        return _OTHER_ETAG
    is_opaque = isinstance(opened, Opened) and opened.attributes is not None and opened.attributes.md5 is None
    return _SEALED if is_opaque else _OTHER_ETAG


async def _mark(services: Services, bucket: str, words: Collection[str]) -> str:
    """Record what is true of all objects now; what is recorded already stays. Returns what to tell."""
    present = await services.bucket_states.read(bucket)
    if await keeps_versions(services, bucket):
        if present.sealed:
            return f"The bucket is marked as {present}."
        return (
            "The bucket was not marked as sealed: it keeps versions, and old ones may be plain. Remove those "
            "(a lifecycle rule for noncurrent versions does it)."
        )
    is_opaque = rule_for(services.encryption, bucket).etag is EtagMode.OPAQUE and _OTHER_ETAG not in words
    found = BucketState(
        sealed=True,
        opaque_etags=present.opaque_etags or is_opaque,
        appended=present.appended or _APPENDED in words,
    )
    if found == present:
        return f"The bucket is marked as {present}."
    await services.bucket_states.put(bucket, found)
    return f"The bucket is now marked as {found}."


async def _sealed(services: Services, found: Found, *, if_match: bool) -> StoredObject:
    decision = await default_for(services, found.address.ref.bucket)
    known = await services.conditions.get()
    plan = Plan(
        address=found.address,
        decision=decision,
        headers=await _headers(services, found),
        conditions=CIMultiDict({"If-Match": known.if_match(found.backend_etag)} if if_match else {}),
    )
    check = BodyCheck(
        asserted(services, found),
        services.digest_pool,
        md5=decision.etag_mode is EtagMode.MD5,
        algorithms=own_checksums(services),
    )
    body = await source_body(services, Unsealed(found=found))
    limits = services.dialect.limits
    try:
        if found.stored_size <= largest_plaintext(limits.largest_stored_object):
            return await store(services, plan, body, found.stored_size, check)
        part_size = part_size_for(found.stored_size, limits.most_parts)
        return await store_in_parts(services, plan, body, check, part_size=part_size, length=found.stored_size)
    except UpstreamAnswered as error:
        if if_match and error.status in _CONFLICTS:
            raise Overwritten from error
        raise


async def _headers(services: Services, found: Found) -> CIMultiDict[str]:
    """Return everything that the object says of itself, to be said again: metadata, tags, ACL, class, locks."""
    dialect = services.dialect
    kept = {dialect.header(name) for name in _KEPT}
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in found.headers.items():
        if is_metadata(name, dialect.meta_prefix) or name.lower() in kept:
            headers.add(name, value)
    tags = await tagging_of(services, found)
    if tags is not None:
        headers[dialect.header("tagging")] = tags
    headers.update(await acl_headers(services, found))
    return headers


def asserted(services: Services, found: Found) -> Assertions:
    """Return what the storage itself says of the plain bytes, so that none is sealed that it did not mean.

    A checksum of the whole object stays the object's; one that is made of parts' checksums cannot be kept.
    """
    dialect = services.dialect
    composite = found.headers.get(dialect.header("checksum-type"), "FULL_OBJECT").upper() != "FULL_OBJECT"
    names = {"content-md5", dialect.crc64_header or ""}
    headers: Mapping[str, str] = CIMultiDict(
        (name, value)
        for name, value in found.headers.items()
        if name.lower() in names or (not composite and name.lower().startswith(dialect.header("checksum-")))
    )
    return read_assertions(dialect, headers, found.stored_size)


def part_size_for(size: int, most_parts: int) -> int:
    """Return the plaintext size of the parts for an object that does not go up in one request; whole MiB."""
    return max(PART, -(-size // (most_parts - 1) // _MIB) * _MIB)


def _outcome(key: str, found: Found, stored: StoredObject) -> Outcome:
    if stored.etag.lower() == found.backend_etag.lower():
        return Outcome(key=key, outcome="sealed", size=found.stored_size)
    etags = {"etag_before": found.backend_etag, "etag": stored.etag}
    return Outcome(key=key, outcome="sealed (new ETag)", size=found.stored_size, details=etags)
