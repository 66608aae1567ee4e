"""`rewrap`: the newest version of each object's CMK, another CMK, or another bucket's names. Moves no data.

What is done is told by the envelopes themselves, so a killed run is simply started again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sseproxy.bulk.context import Tools
from sseproxy.bulk.finding import SYMLINK, Listed, Scope, address_in, find, kind_of
from sseproxy.bulk.guarding import Guard, find_guard
from sseproxy.bulk.job import SimpleJob
from sseproxy.bulk.outcome import Outcome
from sseproxy.errors import ConfigurationError
from sseproxy.format import Envelope, decode_envelope, place_of, plaintext_size
from sseproxy.model import Algorithm, Binding, EtagMode, ObjectRef, WriteCondition
from sseproxy.operations.rewrap import RewrapOutcome, RewrapResult, rewrap_object
from sseproxy.policy.encryption import EncryptionDecision, rule_for

_UNGUARDED = "The storage could bury what somebody else writes in the same moment; see --nobody-writes."


@dataclass(frozen=True, slots=True, kw_only=True)
class RewrapWishes:
    """What is to become of the wraps.

    `to_key`: the CMK for objects that KMS encrypts, with `aes256_too` for all; None: each its own, newest version.
    `from_bucket`: the bucket whose names objects were sealed under that were brought here behind the proxy.
    """

    to_key: str | None = None
    aes256_too: bool = False
    from_bucket: str | None = None
    dry_run: bool = False
    nobody_writes: bool = False


class Rewrapping(SimpleJob):
    """Wraps data keys anew, one conditional metadata copy per object."""

    name = "rewrap"

    def __init__(self, wishes: RewrapWishes) -> None:
        self._wishes = wishes

    async def begin(self, tools: Tools, scope: Scope) -> Sequence[str]:
        """See that the CMK is there, and that something protects concurrent writers. A dry run asks only the former."""
        services, wishes = tools.services, self._wishes
        if scope.bucket == services.state_settings.bucket:
            raise ConfigurationError("the state bucket holds no objects of clients; name another one")
        if wishes.to_key is not None:
            self._wishes = replace(wishes, to_key=(await tools.describe_key(wishes.to_key)).key_id)
        if wishes.dry_run:
            return ()
        guard: Guard = await find_guard(services, scope.bucket, WriteCondition.COPY_IF_MATCH)
        guard.check(nobody_writes=wishes.nobody_writes)
        return (guard.describe(),)

    async def work(self, tools: Tools, scope: Scope, item: Listed) -> Outcome:
        """Wrap one object's key anew, unless it is as wished. Raises `Overwritten`."""
        services, wishes = tools.services, self._wishes
        found = await find(services, address_in(scope.bucket, item.key))
        if found is None:
            return Outcome(key=item.key, outcome="gone")
        if kind_of(services, found) == SYMLINK:
            return Outcome(key=item.key, outcome="symlink")
        text = found.headers.get(services.dialect.envelope_header)
        if text is None:
            return Outcome(key=item.key, outcome="plain", size=found.stored_size)
        before = decode_envelope(text)
        ref = ObjectRef(scope.bucket, item.key)
        done = await rewrap_object(
            services,
            ref,
            to=self._target(tools, scope, before),
            sealed_as=self._origin(before, ref),
            nobody_writes=wishes.nobody_writes,
            dry_run=wishes.dry_run,
        )
        return _outcome(tools, item.key, done)

    def _target(self, tools: Tools, scope: Scope, before: Envelope) -> EncryptionDecision | None:
        """Return what an object is to be wrapped under; None: the newest version of its own CMK."""
        wishes = self._wishes
        if wishes.to_key is None or (before.algorithm is not Algorithm.KMS and not wishes.aes256_too):
            return None
        if before.algorithm is Algorithm.CUSTOMER:
            return None
        return _decision(tools, scope, wishes.to_key, before)

    def _origin(self, before: Envelope, ref: ObjectRef) -> ObjectRef | None:
        """Return the name in the old bucket where the envelope was written for that; None for the present name."""
        old = self._wishes.from_bucket
        if old is None or before.binding is not Binding.BUCKET_KEY:
            return None
        return ObjectRef(old, ref.key) if before.place == place_of(old, ref.key) else None


def _decision(tools: Tools, scope: Scope, key_id: str, before: Envelope) -> EncryptionDecision:
    return EncryptionDecision(
        algorithm=Algorithm.KMS if before.algorithm is Algorithm.AES256 else before.algorithm,
        key_id=key_id,
        etag_mode=EtagMode.OPAQUE,  # was fixed when the object was written; a re-wrap changes nothing of it
        binding=rule_for(tools.services.encryption, scope.bucket).binding,
        caller_context=before.caller_context,
        bucket_key=before.bucket_key,
        under_kek=before.wrapped_kek is not None,
        suite=before.suite,
    )


def _outcome(tools: Tools, key: str, done: RewrapOutcome) -> Outcome:
    size = plaintext_size(done.size) or 0
    details = {}
    if done.before is not None and done.before.algorithm is not Algorithm.CUSTOMER:
        details = {"cmk_before": done.before.key_id, "cmk_version_before": tools.key_version(done.before)}
    if done.after is not None:
        details |= {"cmk": done.after.key_id, "cmk_version": tools.key_version(done.after)}
    match done.result:
        case RewrapResult.REWRAPPED:
            return Outcome(key=key, outcome="rewrapped", size=size, details=details)
        case RewrapResult.NEEDED:
            return Outcome(key=key, outcome="would be rewrapped", size=size, details=details)
        case RewrapResult.CURRENT:
            return Outcome(key=key, outcome="current", size=size, details=details)
        case RewrapResult.NOT_SEALED:
            return Outcome(key=key, outcome="plain", size=done.size)
        case RewrapResult.CUSTOMER_KEY:
            return Outcome(key=key, outcome="customer key", size=size)
        case RewrapResult.UNGUARDED:
            return Outcome(key=key, outcome="failed", reason="Unguarded", problem=_UNGUARDED)
