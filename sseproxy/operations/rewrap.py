"""Re-wrapping single objects: the same bytes and data key, a new wrap (docs/format.md, "Copy").

For the strict case after a rotation, when no object may depend on an old version of its CMK any more, for another CMK,
and for objects that lie in another bucket than they were sealed for.
"""

from dataclasses import dataclass, replace
from enum import Enum

from sseproxy.errors import FooterRejected
from sseproxy.format import Envelope, decode_envelope
from sseproxy.model import Algorithm, EtagMode, ObjectRef
from sseproxy.operations.attributes import Found, Opened, head, look, settled
from sseproxy.operations.backend import Address
from sseproxy.operations.context import Services
from sseproxy.operations.in_place import replace_envelope, replaces_if_match
from sseproxy.policy.encryption import EncryptionDecision, rule_for
from sseproxy.signing.canonical import encode_key


class RewrapResult(Enum):
    """What became of an object that was to be re-wrapped."""

    REWRAPPED = "rewrapped"
    NEEDED = "needed"  # it would be re-wrapped, but that was not asked for
    CURRENT = "current"  # it is as it is wanted already
    NOT_SEALED = "not-sealed"
    CUSTOMER_KEY = "customer-key"  # only whoever has the key can re-wrap it
    UNGUARDED = "unguarded"  # the storage could bury a concurrent write, and nobody said that there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class RewrapOutcome:
    """What became of an object. `before` is None where it is not sealed, `after` where nothing was written."""

    result: RewrapResult
    before: Envelope | None = None
    after: Envelope | None = None
    size: int = 0  # bytes as they are stored


async def rewrap_object(
    services: Services,
    ref: ObjectRef,
    *,
    to: EncryptionDecision | None = None,
    sealed_as: ObjectRef | None = None,
    nobody_writes: bool = False,
    dry_run: bool = False,
) -> RewrapOutcome:
    """Wrap the data key of the present version of an object anew, and verify that it opens.

    `to` None: the newest version of its own CMK. `sealed_as` is the name that it was sealed under, where that is
    another one than `ref`. With `nobody_writes` storages are trusted whose copies cannot depend on what they replace.
    Raises `Overwritten` where others write it again and again, `IntegrityError`s, `KeyServiceError`s, and what the
    storage says, also of an object that is not there.
    """
    address = Address(ObjectRef(ref.bucket, ref.key), encode_key(ref.key))

    async def attempt() -> RewrapOutcome:
        found = await head(services, address)
        text = found.headers.get(services.dialect.envelope_header)
        if text is None:
            return RewrapOutcome(result=RewrapResult.NOT_SEALED, size=found.stored_size)
        before = decode_envelope(text)
        decision = _decision(services, ref, before, to)
        outcome = RewrapOutcome(
            result=await _judge(services, found, before, decision, sealed_as, nobody_writes=nobody_writes),
            before=before,
            size=found.stored_size,
        )
        if outcome.result is not RewrapResult.NEEDED or dry_run:
            return outcome
        after = await _rewrapped(services, found, before, decision, sealed_as or address.ref)
        return replace(outcome, result=RewrapResult.REWRAPPED, after=after)

    return await settled(services, attempt)


def _decision(
    services: Services, ref: ObjectRef, before: Envelope, to: EncryptionDecision | None
) -> EncryptionDecision:
    if to is not None:
        return to
    return EncryptionDecision(
        algorithm=before.algorithm,
        key_id=before.key_id,
        etag_mode=EtagMode.OPAQUE,  # was fixed when the object was written; a re-wrap changes nothing of it
        binding=rule_for(services.encryption, ref.bucket).binding,
        caller_context=before.caller_context,
        bucket_key=before.bucket_key,
        under_kek=before.wrapped_kek is not None,
        suite=before.suite,
    )


async def _judge(
    services: Services,
    found: Found,
    before: Envelope,
    decision: EncryptionDecision,
    sealed_as: ObjectRef | None,
    *,
    nobody_writes: bool,
) -> RewrapResult:
    """Say whether an object needs to be, and can be, re-wrapped."""
    if before.algorithm is Algorithm.CUSTOMER:
        return RewrapResult.CUSTOMER_KEY
    moved = sealed_as is not None and (sealed_as.bucket, sealed_as.key) != (
        found.address.ref.bucket,
        found.address.ref.key,
    )
    if not moved and await services.keyring.is_current(before, decision):
        return RewrapResult.CURRENT
    keeps_versions = found.headers.get(services.dialect.header("version-id"), "null") != "null"
    if not (keeps_versions or nobody_writes or await replaces_if_match(services)):
        return RewrapResult.UNGUARDED
    return RewrapResult.NEEDED


async def _rewrapped(
    services: Services, found: Found, before: Envelope, decision: EncryptionDecision, sealed_as: ObjectRef
) -> Envelope:
    """Write the new envelope and open the object with it: its footer tells whether the bytes belong to it."""
    key = await services.keyring.open(before, ObjectRef(sealed_as.bucket, sealed_as.key))
    after = await services.keyring.rewrap(key, before, decision, found.address.ref)
    await replace_envelope(services, found, after)
    present = await look(services, found.address)
    if not isinstance(present, Opened):
        raise FooterRejected("The object has lost its envelope.")
    return after
