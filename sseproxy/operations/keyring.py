"""Data keys of objects: drawn, wrapped, opened and checked, so that a key in hand is the right one.

An opened key is kept for `CacheSettings.unwrapped_key_lifetime` seconds. That is the revocation bound: for so long
after its CMK was disabled may an object that was read just before still be read. Binding, allowed CMKs and commitment
are checked every time, kept or not.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TypeVar

from sseproxy.errors import BindingRefused, KeyAccessRefused, KeyServiceError, WrappedKeyRejected, WrongPlace
from sseproxy.format import DataKey, Envelope, place_of, wrap_context
from sseproxy.model import Binding, Layout, ObjectRef, Suite, WrapContext, WrappedKey
from sseproxy.policy.encryption import EncryptionDecision, EncryptionRule
from sseproxy.ports import Clock, Kms, Observer
from sseproxy.settings import CacheSettings

T = TypeVar("T")

_STRENGTH = {Binding.NONE: 0, Binding.KEY: 1, Binding.BUCKET_KEY: 2}


@dataclass(frozen=True, slots=True)
class _Kept:
    key: DataKey
    until: datetime


class Keyring:
    """What operations know of the KMS. `rule_of` gives a bucket's configured rule."""

    def __init__(
        self,
        kms: Kms,
        settings: CacheSettings,
        rule_of: Callable[[str], EncryptionRule],
        *,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._kms = kms
        self._capacity = settings.unwrapped_keys
        self._lifetime = timedelta(seconds=settings.unwrapped_key_lifetime)
        self._rule_of = rule_of
        self._clock = clock
        self._observer = observer
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._opening: dict[bytes, asyncio.Future[DataKey]] = {}

    async def draw(self, decision: EncryptionDecision, ref: ObjectRef, layout: Layout) -> tuple[DataKey, Envelope]:
        """Draw a fresh data key for an object and return it with the envelope that it travels in.

        Raises `KeyServiceError`s, and `KeyAccessRefused` where the configuration does not allow the CMK here.
        """
        key_id = await self._allowed_key(decision, ref)
        envelope = _bare_envelope(decision, ref, layout)
        context = _context(envelope, ref)
        raw, wrapped = await self._counted("generate", self._kms.generate(key_id, context))
        key = DataKey(raw)
        envelope = replace(envelope, key_id=wrapped.key_id, wrapped_key=wrapped.blob, commitment=key.commitment)
        self._keep(_cache_key(envelope, context), key)
        return key, envelope

    async def rewrap(self, key: DataKey, envelope: Envelope, decision: EncryptionDecision, ref: ObjectRef) -> Envelope:
        """Return an envelope with the same data key for another name, CMK or algorithm.

        Suite, layout, commitment and the footer's copy stay as they are.
        """
        key_id = await self._allowed_key(decision, ref)
        target = replace(
            _bare_envelope(decision, ref, envelope.layout),
            suite=envelope.suite,
            commitment=envelope.commitment,
            footer=envelope.footer,
        )
        wrapped = await self._counted("wrap", self._kms.wrap(key_id, key.raw, _context(target, ref)))
        return replace(target, key_id=wrapped.key_id, wrapped_key=wrapped.blob)

    async def open(self, envelope: Envelope, ref: ObjectRef) -> DataKey:
        """Open an object's data key, having checked everything that can be checked before a byte is decrypted.

        Raises `BindingRefused`, `KeyAccessRefused`, `KeyServiceError`s, `WrongPlace` where the object was sealed under
        another name, `CommitmentMismatch`.
        """
        rule = self._rule_of(ref.bucket)
        if _STRENGTH[envelope.binding] < _STRENGTH[rule.binding] and envelope.binding not in rule.accept_bindings:
            raise BindingRefused(
                f"The object's key is bound by `{envelope.binding.value}`, which is weaker than this bucket's "
                f"`{rule.binding.value}`; list it under accept_bindings to read such objects."
            )
        if rule.allowed_keys is not None and envelope.key_id not in rule.allowed_keys:
            raise KeyAccessRefused(f"The configuration does not allow the key {envelope.key_id} in this bucket.")
        key = await self._opened(envelope, ref)
        key.check_commitment(envelope.commitment)
        return key

    async def _opened(self, envelope: Envelope, ref: ObjectRef) -> DataKey:
        context = _context(envelope, ref)
        cache_key = _cache_key(envelope, context)
        kept = self._kept.get(cache_key)
        if kept is not None and self._clock.now() < kept.until:
            self._kept.move_to_end(cache_key)
            return kept.key
        running = self._opening.get(cache_key)
        if running is not None:
            return await asyncio.shield(running)
        return await self._open_once(cache_key, envelope, ref, context)

    async def _open_once(self, cache_key: bytes, envelope: Envelope, ref: ObjectRef, context: WrapContext) -> DataKey:
        """Ask the KMS, once for all that wait for the same key."""
        outcome: asyncio.Future[DataKey] = asyncio.get_running_loop().create_future()
        outcome.add_done_callback(_retrieve)
        self._opening[cache_key] = outcome
        try:
            key = await self._unwrap(envelope, ref, context)
        except BaseException as error:
            # Those who wait must not wait for ever; a cancelled leader leaves them an error that they may retry.
            outcome.set_exception(error if isinstance(error, Exception) else KeyServiceError())
            raise
        else:
            outcome.set_result(key)
            self._keep(cache_key, key)
            return key
        finally:
            del self._opening[cache_key]

    async def _unwrap(self, envelope: Envelope, ref: ObjectRef, context: WrapContext) -> DataKey:
        wrapped = WrappedKey(key_id=envelope.key_id, blob=envelope.wrapped_key)
        try:
            raw = await self._counted("unwrap", self._kms.unwrap(wrapped, context))
            return DataKey(raw, envelope.suite)
        except WrappedKeyRejected as cause:
            if envelope.binding is not Binding.NONE and envelope.place != place_of(ref.bucket, ref.key):
                raise WrongPlace from cause
            raise
        except ValueError as cause:
            raise WrappedKeyRejected from cause

    async def _allowed_key(self, decision: EncryptionDecision, ref: ObjectRef) -> str:
        """Return the CMK's canonical id. Raises `KeyAccessRefused`."""
        allowed = self._rule_of(ref.bucket).allowed_keys
        if allowed is None:
            return decision.key_id
        key_id = (await self._counted("describe", self._kms.describe(decision.key_id))).key_id
        if key_id not in allowed:
            raise KeyAccessRefused(f"The configuration does not allow the key {key_id} in this bucket.")
        return key_id

    async def _counted(self, operation: str, call: Awaitable[T]) -> T:
        try:
            result = await call
        except KeyServiceError:
            self._observer.count("kms_calls_total", operation=operation, result="error")
            raise
        self._observer.count("kms_calls_total", operation=operation, result="ok")
        return result

    def _keep(self, cache_key: bytes, key: DataKey) -> None:
        if not self._capacity:
            return
        self._kept[cache_key] = _Kept(key, self._clock.now() + self._lifetime)
        self._kept.move_to_end(cache_key)
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)


def _bare_envelope(decision: EncryptionDecision, ref: ObjectRef, layout: Layout) -> Envelope:
    return Envelope(
        suite=Suite.AES_256_GCM,
        algorithm=decision.algorithm,
        key_id="",
        wrapped_key=b"",
        binding=decision.binding,
        place=place_of(ref.bucket, ref.key),
        layout=layout,
        commitment=b"",
    )


def _context(envelope: Envelope, ref: ObjectRef) -> WrapContext:
    return wrap_context(
        purpose="dek",
        algorithm=envelope.algorithm.value,
        layout=envelope.layout.value,
        binding=envelope.binding,
        bucket=ref.bucket,
        key=ref.key,
        caller=envelope.caller_context,
    )


def _cache_key(envelope: Envelope, context: WrapContext) -> bytes:
    """Return what stands for a wrap and everything it is bound to."""
    digest = sha256()
    for field in (envelope.key_id.encode(), envelope.wrapped_key, context.aad):
        digest.update(len(field).to_bytes(4, "big"))
        digest.update(field)
    return digest.digest()


def _retrieve(outcome: asyncio.Future[DataKey]) -> None:
    """Mark an error as seen: whoever leads raises it itself."""
    if not outcome.cancelled():
        outcome.exception()
