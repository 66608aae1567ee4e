"""`verify`: read every stored byte of every object, and check every tag."""

from contextlib import aclosing
from dataclasses import replace

from sseproxy.bulk.context import Tools
from sseproxy.bulk.finding import SYMLINK, Listed, Scope, address_in, ends_sealed, find, kind_of, version_of
from sseproxy.bulk.job import SimpleJob
from sseproxy.bulk.outcome import Outcome
from sseproxy.bulk.recovery import recovery_end, recovery_in
from sseproxy.errors import EnvelopeRejected, FooterRejected, FrameRejected, MetadataLost, SseProxyError
from sseproxy.format import TAIL, TAIL_READ, Attributes, decode_envelope, open_footer, parse_tail
from sseproxy.model import Algorithm
from sseproxy.operations.attributes import Found, Opened, open_found, read_end
from sseproxy.operations.object_body import object_body
from sseproxy.policy.encryption import rule_for
from sseproxy.wire.digests import Digests


class Verification(SimpleJob):
    """Reads everything. An object that is not sealed is a problem only in a bucket that must hold sealed ones alone."""

    def __init__(self, *, all_versions: bool = False) -> None:
        self.all_versions = all_versions
        self.name = "verify of all versions" if all_versions else "verify"
        self._sealed_only = False

    async def begin(self, tools: Tools, scope: Scope) -> tuple[str, ...]:
        """Find out what the bucket may hold."""
        services = tools.services
        marked = await services.bucket_states.read(scope.bucket)
        self._sealed_only = marked.sealed or rule_for(services.encryption, scope.bucket).sealed
        return ()

    async def work(self, tools: Tools, scope: Scope, item: Listed) -> Outcome:
        """Verify one object, or one version of it; problems name it by its key, the report by its version too."""
        outcome = await self._judged(tools, scope, item)
        return replace(outcome, details=version_of(item) | dict(outcome.details))

    async def _judged(self, tools: Tools, scope: Scope, item: Listed) -> Outcome:
        found = await find(tools.services, address_in(scope.bucket, item.key, item.version_id))
        if found is None:
            return Outcome(key=item.key, outcome="gone")
        if kind_of(tools.services, found) == SYMLINK:
            return Outcome(key=item.key, outcome="symlink")
        if tools.services.dialect.envelope_header not in found.headers:
            return await self._plain(tools, item, found)
        return await _sealed(tools, item, found)

    async def _plain(self, tools: Tools, item: Listed, found: Found) -> Outcome:
        if await ends_sealed(tools.services, found):
            raise MetadataLost
        if not self._sealed_only:
            return Outcome(key=item.key, outcome="plain", size=found.stored_size)
        raise EnvelopeRejected("The object is not sealed, in a bucket that must hold sealed objects alone.")


async def _sealed(tools: Tools, item: Listed, found: Found) -> Outcome:
    envelope = decode_envelope(found.headers[tools.services.dialect.envelope_header])
    if envelope.algorithm is Algorithm.CUSTOMER:
        return Outcome(key=item.key, outcome="customer key", details={"note": "only its owner's key opens it"})
    opened = await open_found(tools.services, found, is_archive_shown=True)
    if not isinstance(opened, Opened):
        raise AssertionError("an object with an envelope is sealed")
    if opened.attributes is None:
        return Outcome(key=item.key, outcome="archived", details={"note": "restore it to have it verified"})
    recovery = await _check_end(tools, opened, opened.attributes)
    await _check_body(tools, opened, opened.attributes)
    return Outcome(
        key=item.key, outcome="verified", size=opened.attributes.plaintext_size, details={"recovery": recovery}
    )


async def _check_end(tools: Tools, opened: Opened, attributes: Attributes) -> str:
    """Check footer and tail as they stand in the body, not only their copy; return how the recovery record is."""
    found = opened.found
    end = await read_end(tools.services, found, TAIL_READ)
    tail = parse_tail(end[-TAIL:])
    if tail is None:
        raise FooterRejected("The object does not end like a sealed one.")
    length = min(recovery_end(end), found.stored_size)
    if length > len(end):
        end = await read_end(tools.services, found, length)
    footer = end[-tail.closing_length : -TAIL]
    in_body = open_footer(opened.key, opened.envelope, footer, end[-TAIL:], stored_size=found.stored_size)
    if in_body != attributes:
        raise FooterRejected("The footer in the body and its copy in the metadata differ.")
    return _recovery(end, opened)


def _recovery(end: bytes, opened: Opened) -> str:
    """Say whether the object could be repaired from its own bytes. Nothing reads it otherwise."""
    try:
        recovery = recovery_in(end)
    except SseProxyError:
        return "damaged"
    if recovery is None:
        return "absent"
    return "good" if recovery.commitment == opened.envelope.commitment else "damaged"


async def _check_body(tools: Tools, opened: Opened, attributes: Attributes) -> None:
    digests = Digests(md5=False, crc64=True)
    async with aclosing(object_body(tools.services, opened)) as body:
        async for data in body:
            digests.update(data)
    if digests.crc64 != attributes.crc64:
        raise FrameRejected("Every frame is authentic, but together they are not what the footer says.")
