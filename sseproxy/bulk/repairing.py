"""`repair`: give an object whose envelope was lost or damaged the one in its recovery record (docs/format.md, "Body").

Nothing is written before the recovered envelope has opened the object's own footer: then the two belong together.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace

from sseproxy.bulk.context import Tools
from sseproxy.bulk.finding import SYMLINK, Listed, Scope, address_in, ends_sealed, find, kind_of, list_objects
from sseproxy.bulk.guarding import find_guard
from sseproxy.bulk.job import SimpleJob
from sseproxy.bulk.outcome import Outcome
from sseproxy.bulk.recovery import read_recovery
from sseproxy.errors import EnvelopeRejected, FooterRejected, IntegrityError, WrappedKeyRejected, WrongPlace
from sseproxy.format import TAIL, Attributes, DataKey, Envelope, open_footer, parse_tail, place_of, plaintext_size
from sseproxy.model import Algorithm, Binding, EtagMode, Layout, ObjectRef, WriteCondition
from sseproxy.operations.attributes import Found, Opened, look, open_found, read_end
from sseproxy.operations.context import Services
from sseproxy.operations.in_place import replace_envelope
from sseproxy.policy.encryption import EncryptionDecision, rule_for

_NOT_HERE = (
    "Its recovery record was written for another name: the object is a copy, or came from another bucket. Name the "
    "original with --from-bucket or --from-key."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairWishes:
    """Which objects to repair, and the names that they were sealed under where those are not the present ones."""

    key: str | None = None
    from_bucket: str | None = None
    from_key: str | None = None
    dry_run: bool = False
    nobody_writes: bool = False


class Repair(SimpleJob):
    """Looks at every object and repairs those that do not open."""

    name = "repair"

    def __init__(self, wishes: RepairWishes) -> None:
        self._wishes = wishes

    async def begin(self, tools: Tools, scope: Scope) -> Sequence[str]:
        """Find out what protects concurrent writers. A dry run asks nothing."""
        if self._wishes.dry_run:
            return ()
        guard = await find_guard(tools.services, scope.bucket, WriteCondition.COPY_IF_MATCH)
        guard.check(nobody_writes=self._wishes.nobody_writes)
        return (guard.describe(),)

    async def items(self, tools: Tools, scope: Scope) -> AsyncGenerator[Listed]:
        """Yield the objects of the scope, or the one that is wished for."""
        async for item in list_objects(tools.services, scope):
            if self._wishes.key is None or item.key == self._wishes.key:
                yield item

    async def work(self, tools: Tools, scope: Scope, item: Listed) -> Outcome:
        """Look at one object and repair it if need be. Raises `Overwritten`."""
        services = tools.services
        found = await find(services, address_in(scope.bucket, item.key))
        if found is None:
            return Outcome(key=item.key, outcome="gone")
        if kind_of(services, found) == SYMLINK:
            return Outcome(key=item.key, outcome="symlink")
        damage = await _damage(services, found)
        if damage is None:
            return Outcome(key=item.key, outcome="whole")
        if damage == "plain":
            return Outcome(key=item.key, outcome="plain")
        return await self._repaired(services, found, damage)

    async def _repaired(self, services: Services, found: Found, damage: str) -> Outcome:
        key, size = found.address.ref.key, plaintext_size(found.stored_size) or 0
        recovery = await read_recovery(services, found)
        if recovery is None:
            raise EnvelopeRejected(f"{damage} It holds no recovery record to repair it from.")
        envelope, note = await self._checked(services, found, recovery)
        details = {"damage": damage} | ({"note": note} if note else {})
        if self._wishes.dry_run:
            return Outcome(key=key, outcome="would be repaired", size=size, details=details)
        await replace_envelope(services, found, envelope)
        if envelope.algorithm is not Algorithm.CUSTOMER:
            await look(services, found.address)  # raises where it still does not open
        return Outcome(key=key, outcome="repaired", size=size, details=details)

    async def _checked(self, services: Services, found: Found, recovery: Envelope) -> tuple[Envelope, str]:
        """Return the envelope to write, which has opened the object's footer, and what to say of it."""
        here, origin = found.address.ref, self._origin(found, recovery)
        if recovery.algorithm is Algorithm.CUSTOMER:
            if origin != ObjectRef(here.bucket, here.key):
                raise WrongPlace(
                    "It was sealed under a client's own key and another name; only that client can copy it."
                )
            return recovery, "not verified: only its owner's key opens it"
        key = await services.keyring.open(recovery, origin)
        end, _ = await _open_footer(services, found, key, recovery)
        whole = replace(recovery, footer=end) if recovery.layout is Layout.SINGLE else recovery
        if origin == ObjectRef(here.bucket, here.key):
            return whole, ""
        return await services.keyring.rewrap(key, whole, _same(services, here, whole), here), ""

    def _origin(self, found: Found, recovery: Envelope) -> ObjectRef:
        """Return the name that the recovery record was written for. Raises `WrongPlace` where it is not known."""
        here, wishes = found.address.ref, self._wishes
        named = ObjectRef(wishes.from_bucket or here.bucket, wishes.from_key or here.key)
        for ref in (ObjectRef(here.bucket, here.key), named):
            if recovery.binding is Binding.NONE or recovery.place == place_of(ref.bucket, ref.key):
                return ref
        raise WrongPlace(_NOT_HERE)


async def _damage(services: Services, found: Found) -> str | None:
    """Say what keeps an object from being opened; None for nothing, `plain` for one that never was sealed."""
    if services.dialect.envelope_header not in found.headers:
        return "Its envelope is missing." if await ends_sealed(services, found) else "plain"
    try:
        opened = await open_found(services, found, is_archive_shown=True)
    except (IntegrityError, WrappedKeyRejected) as error:
        return f"{error.message}"
    return None if isinstance(opened, Opened) else "plain"


async def _open_footer(services: Services, found: Found, key: DataKey, envelope: Envelope) -> tuple[bytes, Attributes]:
    """Return footer and tail, and what they say, opened with a recovered key. Raises `FooterRejected`."""
    tail = parse_tail(await read_end(services, found, TAIL))
    if tail is None:
        raise FooterRejected("The object does not end like a sealed one.")
    end = await read_end(services, found, tail.closing_length)
    return end, open_footer(key, envelope, end[:-TAIL], end[-TAIL:], stored_size=found.stored_size)


def _same(services: Services, here: ObjectRef, envelope: Envelope) -> EncryptionDecision:
    """Return the decision that wraps a key as it was wrapped, for the name that it has now."""
    return EncryptionDecision(
        algorithm=envelope.algorithm,
        key_id=envelope.key_id,
        etag_mode=EtagMode.OPAQUE,  # was fixed when the object was written
        binding=rule_for(services.encryption, here.bucket).binding,
        caller_context=envelope.caller_context,
        bucket_key=envelope.bucket_key,
        under_kek=envelope.wrapped_kek is not None,
        suite=envelope.suite,
    )
