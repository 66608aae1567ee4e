"""Data keys of objects: drawn, wrapped, opened and checked, so that a key in hand is the right one.

An opened key, data key or KEK, is kept for `CacheSettings.unwrapped_key_lifetime` seconds at most, counted from before
the KMS was asked. That is the revocation bound: for so long after its CMK was disabled may an object still be read, or
one be written under a KEK. Binding, allowed CMKs and commitment are checked every time, kept or not, and a kept key
only serves the very wrap and names that it was opened for.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Self

from sseproxy.errors import (
    BindingRefused,
    CustomerKeyNeeded,
    CustomerKeyNotApplicable,
    EnvelopeRejected,
    KeyAccessRefused,
    KeyNotFound,
    UnsupportedFeature,
    WrappedKeyRejected,
    WrongCustomerKey,
    WrongPlace,
)
from sseproxy.format import (
    CUSTOMER_KEY_ID,
    KEY_LENGTHS,
    ClosingKeys,
    DataKey,
    Envelope,
    open_for_customer,
    place_of,
    wrap_context,
    wrap_for_customer,
)
from sseproxy.model import (
    Algorithm,
    Binding,
    CustomerKey,
    KeyDescription,
    KeyUse,
    Layout,
    ObjectRef,
    WrapContext,
    WrappedKey,
)
from sseproxy.operations.counted_kms import CountedKms
from sseproxy.operations.kek_records import Seat
from sseproxy.operations.keks import Keks
from sseproxy.operations.kept_keys import KeptValues, wrap_digest
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS, EncryptionDecision, EncryptionRule
from sseproxy.ports import Clock, Grants, Kms, Observer
from sseproxy.settings import CacheSettings
from sseproxy.single_flight import SingleFlight

_STRENGTH = {Binding.NONE: 0, Binding.KEY: 1, Binding.BUCKET_KEY: 2}
_MOST_DESCRIPTIONS = 1000  # of CMKs, by id or alias


class Keyring:
    """What operations know of the KMS. `rule_of` gives a bucket's configured rule; `keks` are in front of the same KMS.

    Every call of the KMS is counted as `kms_calls_total`, every look-up of a kept key as `unwrap_cache_total`.
    """

    def __init__(
        self,
        kms: Kms,
        settings: CacheSettings,
        rule_of: Callable[[str], EncryptionRule],
        *,
        keks: Keks,
        clock: Clock,
        observer: Observer,
        grants: Grants | None = None,
    ) -> None:
        self._grants = grants
        self._principal: str | None = None  # on whose behalf; None: nobody's, as tools work
        self._kms = CountedKms(kms, clock, observer)
        self._keks = keks
        self._rule_of = rule_of
        self._clock = clock
        self._observer = observer
        lifetime_s = settings.unwrapped_key_lifetime
        self._kept: KeptValues[bytes, DataKey] = KeptValues(settings.unwrapped_keys, lifetime_s, clock)
        self._descriptions: KeptValues[str, KeyDescription] = KeptValues(_MOST_DESCRIPTIONS, lifetime_s, clock)
        self._opening: SingleFlight[bytes, DataKey] = SingleFlight()
        self._describing: SingleFlight[str, KeyDescription] = SingleFlight()

    def acting_for(self, principal: str) -> Self:
        """Return this keyring for a client's request: it uses CMKs only as that access key is granted."""
        acting = copy(self)
        acting._principal = principal  # noqa: SLF001  # of the same class
        return acting

    async def draw(self, decision: EncryptionDecision, ref: ObjectRef, layout: Layout) -> tuple[DataKey, Envelope]:
        """Draw a fresh data key for an object and return it with the envelope that it travels in.

        Raises `KeyServiceError`s, and `KeyAccessRefused` where the configuration does not allow the CMK here.
        """
        bare = _bare_envelope(decision, ref, layout)
        context = _context(bare, ref)
        if decision.customer_key is not None:
            key = DataKey.draw()
            return key, _for_customer(decision.customer_key, key, replace(bare, commitment=key.commitment), context)
        key_id = await self._allowed_key(decision, ref)
        if decision.under_kek:
            key = DataKey.draw(decision.suite)
            return key, await self._under_kek(key, replace(bare, commitment=key.commitment), key_id, ref)
        since = self._clock.now()
        raw, wrapped = await self._kms.generate(key_id, context, length=KEY_LENGTHS[decision.suite])
        key = DataKey(raw, decision.suite)
        envelope = replace(bare, key_id=wrapped.key_id, wrapped_key=wrapped.blob, commitment=key.commitment)
        self._kept.put(wrap_digest(wrapped, context), key, since=since)
        return key, envelope

    async def rewrap(self, key: DataKey, envelope: Envelope, decision: EncryptionDecision, ref: ObjectRef) -> Envelope:
        """Return an envelope with the same data key for another name, CMK or algorithm.

        Layout, commitment and the footer's copy stay as they are. Raises as `draw` does, and `UnsupportedFeature` where
        the decision is for another suite: that takes another key, and the data sealed again.
        """
        if envelope.suite is not decision.suite:
            raise UnsupportedFeature("The object is sealed with another cipher; copy it onto itself to change that.")
        target = replace(
            _bare_envelope(decision, ref, envelope.layout),
            commitment=envelope.commitment,
            footer=envelope.footer,
        )
        context = _context(target, ref)
        if decision.customer_key is not None:
            return _for_customer(decision.customer_key, key, target, context)
        key_id = await self._allowed_key(decision, ref)
        if decision.under_kek:
            return await self._under_kek(key, target, key_id, ref)
        since = self._clock.now()
        wrapped = await self._kms.wrap(key_id, key.raw, context)
        self._kept.put(wrap_digest(wrapped, context), key, since=since)
        return replace(target, key_id=wrapped.key_id, wrapped_key=wrapped.blob)

    async def open(self, envelope: Envelope, ref: ObjectRef, customer_key: CustomerKey | None = None) -> DataKey:
        """Open an object's data key, having checked everything that can be checked before a byte is decrypted.

        `customer_key` is what the request brings; it must bring one exactly where the object was sealed under one.
        Raises `BindingRefused`, `KeyAccessRefused`, `KeyServiceError`s, `WrongPlace` where the object was sealed under
        another name, `CommitmentMismatch`, `CustomerKeyNeeded`, `CustomerKeyNotApplicable`, `WrongCustomerKey`.
        """
        rule = self._rule_of(ref.bucket)
        _check_binding(envelope, rule)
        if envelope.algorithm is Algorithm.CUSTOMER:
            key = _opened_by_customer(envelope, ref, customer_key)
        elif customer_key is not None:
            raise CustomerKeyNotApplicable
        else:
            await self._check_allowed(envelope.key_id, rule)
            await self._check_granted(envelope.key_id, KeyUse.DECRYPT)
            key = await self._opened(envelope, ref)
        if key.suite is not envelope.suite:  # a kept key answers whatever the envelope says of its cipher
            raise EnvelopeRejected("The object's key is for another cipher than its envelope says.")
        key.check_commitment(envelope.commitment)
        return key

    async def is_current(self, envelope: Envelope, decision: EncryptionDecision) -> bool:
        """Whether a re-wrap for the same name would change nothing.

        So it is where algorithm, binding, context and CMK are those of the decision, and the wrap names the CMK's
        present version; never where the KMS does not show versions. Raises `KeyServiceError`s.
        """
        if (envelope.algorithm, envelope.binding, envelope.caller_context, envelope.bucket_key) != (
            decision.algorithm,
            decision.binding,
            decision.caller_context,
            decision.bucket_key,
        ):
            return False
        target = await self._described(decision.key_id)
        blob = envelope.wrapped_key if envelope.wrapped_kek is None else envelope.wrapped_kek
        version = self._kms.version_of(WrappedKey(key_id=envelope.key_id, blob=blob))
        return envelope.key_id == target.key_id and version == str(target.current_version)

    async def rewrap_keks(self, key_id: str, bucket: str | None = None) -> int:
        """Wrap the KEKs under a CMK again, under its newest version: what rotating it asks for. No object is touched.

        Returns how many were re-wrapped; `bucket` None means all buckets. Raises `KeyServiceError`s,
        `UpstreamUnavailable`, and `StateRejected` where a record is damaged.
        """
        described = await self._kms.describe(key_id)  # it was rotated just now
        return await self._keks.rewrap_all(described.key_id, str(described.current_version), bucket)

    async def wrap_closing(self, keys: ClosingKeys, decision: EncryptionDecision, ref: ObjectRef) -> WrappedKey:
        """Wrap what completes an upload under a customer's key, for requests that come without that key.

        `decision` says under which CMK. Raises as `draw` does.
        """
        key_id = await self._allowed_key(decision, ref)
        return await self._kms.wrap(key_id, keys.raw, _closing_context(ref))

    async def open_closing(self, wrapped: WrappedKey, ref: ObjectRef) -> ClosingKeys:
        """Open what `wrap_closing` returned. Raises `KeyAccessRefused`, `KeyServiceError`s."""
        await self._check_allowed(wrapped.key_id, self._rule_of(ref.bucket))
        raw = await self._kms.unwrap(wrapped, _closing_context(ref))
        try:
            return ClosingKeys(raw)
        except ValueError as cause:
            raise WrappedKeyRejected from cause

    async def check_client_key(self, key_id: str, _ref: ObjectRef) -> None:
        """Raise `KeyAccessRefused` where a client must not read what clients encrypted under this CMK themselves."""
        await self._check_granted(key_id, KeyUse.DECRYPT)

    async def _under_kek(self, key: DataKey, bare: Envelope, key_id: str, ref: ObjectRef) -> Envelope:
        """Return the envelope of a data key that the KEK in use wraps."""
        described = await self._described(key_id)
        seat = Seat(bucket=ref.bucket, key_id=described.key_id, algorithm=bare.algorithm, binding=bare.binding)
        opened = await self._keks.sealing(seat, str(described.current_version))
        return replace(
            bare,
            key_id=opened.wrapped.wrapped.key_id,
            kek_id=opened.wrapped.kek_id,
            wrapped_kek=opened.wrapped.wrapped.blob,
            wrapped_key=opened.kek.wrap(key, _context(bare, ref)),
        )

    async def _opened(self, envelope: Envelope, ref: ObjectRef) -> DataKey:
        try:
            if envelope.wrapped_kek is not None:
                # Not kept: the KEK is, and its lifetime must not be followed by another one.
                kek = await self._keks.opening(envelope, ref.bucket)
                return kek.open(envelope.wrapped_key, _context(envelope, ref), envelope.suite)
            return await self._unwrapped(envelope, _context(envelope, ref))
        except WrappedKeyRejected as cause:
            _check_place(envelope, ref, cause)
            raise

    async def _unwrapped(self, envelope: Envelope, context: WrapContext) -> DataKey:
        """Return a data key that the CMK itself wraps."""
        wrapped = WrappedKey(key_id=envelope.key_id, blob=envelope.wrapped_key)
        digest = wrap_digest(wrapped, context)
        kept = self._kept.get(digest)
        self._observer.count("unwrap_cache_total", result="miss" if kept is None else "hit")
        if kept is not None:
            return kept

        async def ask() -> DataKey:
            done = self._kept.get(digest)
            if done is not None:  # by one of those who waited for somebody that was cancelled
                return done
            since = self._clock.now()
            try:
                key = DataKey(await self._kms.unwrap(wrapped, context), envelope.suite)
            except ValueError as cause:
                raise WrappedKeyRejected from cause
            self._kept.put(digest, key, since=since)
            return key

        return await self._opening.run(digest, ask)

    async def _allowed_key(self, decision: EncryptionDecision, ref: ObjectRef) -> str:
        """Return the id or alias to ask the KMS for. Raises `KeyAccessRefused`."""
        rule = self._rule_of(ref.bucket)
        is_allowed = rule.allowed_keys is None or decision.key_id in rule.allowed_keys
        if is_allowed and not self._asks_for_grants:
            return decision.key_id
        key_id = (await self._described(decision.key_id)).key_id
        if not is_allowed:
            await self._check_allowed(key_id, rule)
        await self._check_granted(key_id, KeyUse.ENCRYPT)
        return key_id  # not the alias, which could name another CMK by now

    @property
    def _asks_for_grants(self) -> bool:
        return self._grants is not None and self._principal is not None

    async def _check_granted(self, key_id: str, use: KeyUse) -> None:
        """Raise `KeyAccessRefused` unless the client may use the CMK (OSS dossier §7.4); the service's own all may."""
        if self._grants is None or self._principal is None or self._grants.allows(self._principal, key_id, use):
            return
        if await self._target(SERVICE_KEY_ALIAS) != key_id:
            raise KeyAccessRefused

    async def _check_allowed(self, key_id: str, rule: EncryptionRule) -> None:
        """Raise `KeyAccessRefused` unless the configuration names the CMK, by its id or by an alias."""
        if rule.allowed_keys is None or key_id in rule.allowed_keys:
            return
        for alias in sorted(name for name in rule.allowed_keys if name.startswith("alias/")):
            if await self._target(alias) == key_id:
                return
        raise KeyAccessRefused(f"The configuration does not allow the key {key_id} in this bucket.")

    async def _target(self, alias: str) -> str | None:
        try:
            return (await self._described(alias)).key_id
        except KeyNotFound:
            return None

    async def _described(self, name: str) -> KeyDescription:
        """Return what the KMS says of a CMK, at most as old as opened keys may be."""
        known = self._descriptions.get(name)
        return known or await self._describing.run(name, lambda: self._describe(name))

    async def _describe(self, name: str) -> KeyDescription:
        since = self._clock.now()
        described = await self._kms.describe(name)
        self._descriptions.put(name, described, since=since)
        return described


def _for_customer(customer: CustomerKey, key: DataKey, bare: Envelope, context: WrapContext) -> Envelope:
    return replace(bare, key_id=CUSTOMER_KEY_ID, wrapped_key=wrap_for_customer(customer, key, context))


def _opened_by_customer(envelope: Envelope, ref: ObjectRef, customer: CustomerKey | None) -> DataKey:
    if customer is None:
        raise CustomerKeyNeeded
    try:
        return open_for_customer(customer, envelope.wrapped_key, _context(envelope, ref))
    except WrongCustomerKey as cause:
        _check_place(envelope, ref, cause)
        raise


def _closing_context(ref: ObjectRef) -> WrapContext:
    return wrap_context(
        purpose="state",
        algorithm=Algorithm.CUSTOMER.value,
        layout=Layout.MULTIPART.value,
        binding=Binding.BUCKET_KEY,
        bucket=ref.bucket,
        key=ref.key,
    )


def _check_place(envelope: Envelope, ref: ObjectRef, cause: Exception) -> None:
    """Raise `WrongPlace` where an object that does not open was sealed under another name."""
    if envelope.binding is not Binding.NONE and envelope.place != place_of(ref.bucket, ref.key):
        raise WrongPlace(
            "The object's key does not open here, and its envelope was written for another name: it was moved "
            f"or copied behind the proxy, while its key is bound to its name (`{envelope.binding.value}`)."
        ) from cause


def _check_binding(envelope: Envelope, rule: EncryptionRule) -> None:
    is_weaker = _STRENGTH[envelope.binding] < _STRENGTH[rule.binding]
    if is_weaker and envelope.binding not in rule.accept_bindings:
        raise BindingRefused(
            f"The object's key is bound by `{envelope.binding.value}`, which is weaker than this bucket's "
            f"`{rule.binding.value}`; list it under accept_bindings to read such objects."
        )


def _bare_envelope(decision: EncryptionDecision, ref: ObjectRef, layout: Layout) -> Envelope:
    return Envelope(
        suite=decision.suite,
        algorithm=decision.algorithm,
        key_id="",
        wrapped_key=b"",
        binding=decision.binding,
        place=place_of(ref.bucket, ref.key),
        layout=layout,
        commitment=b"",
        caller_context=decision.caller_context,
        bucket_key=decision.bucket_key,
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
