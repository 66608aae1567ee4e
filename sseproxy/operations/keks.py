"""KEKs, the "bucket keys" between CMK and data keys: drawn, shared by all replicas, opened, and re-wrapped.

One KEK is in use per seat (bucket, CMK, algorithm, binding) and period of `lifetime_s`. Its record's name is made of
these, so that all replicas find the same one without asking each other, and whoever comes first draws it. An opened KEK
is kept as long as an opened data key is: that is the revocation bound, for reads and for writes.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256

from sseproxy.errors import UpstreamUnavailable, WrappedKeyRejected
from sseproxy.format import Envelope, lp
from sseproxy.format.kek import Kek
from sseproxy.model import WrappedKey
from sseproxy.operations.kek_records import KekRecords, Seat, WrappedKek
from sseproxy.operations.kept_keys import KeptValues
from sseproxy.ports import Clock, Kms, Observer
from sseproxy.settings import CacheSettings
from sseproxy.single_flight import SingleFlight

_MOST_SEATS = 10_000  # whose present KEK is remembered


@dataclass(frozen=True, slots=True)
class KekLimits:
    """How long a KEK seals, and how many data keys a process wraps under it."""

    lifetime_s: int
    most_keys: int


@dataclass(frozen=True, slots=True)
class OpenedKek:
    """A KEK and the newest wrap of it that is known."""

    kek: Kek
    wrapped: WrappedKek


@dataclass(slots=True)
class _Use:
    """The KEK that is in use for a seat: which one of which period, and how many keys it wrapped here."""

    period: int
    number: int
    wrapped: WrappedKek
    keys: int = 0


class Keks:
    """What the keyring knows of KEKs. Look-ups of opened ones are counted as `unwrap_cache_total`."""

    def __init__(
        self,
        kms: Kms,
        records: KekRecords,
        limits: KekLimits,
        cache: CacheSettings,
        *,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._kms = kms
        self._records = records
        self._limits = limits
        self._clock = clock
        self._observer = observer
        self._kept: KeptValues[bytes, OpenedKek] = KeptValues(cache.unwrapped_keys, cache.unwrapped_key_lifetime, clock)
        self._in_use: OrderedDict[Seat, _Use] = OrderedDict()
        self._opening: SingleFlight[bytes, OpenedKek] = SingleFlight()
        self._choosing: SingleFlight[Seat, None] = SingleFlight()

    async def sealing(self, seat: Seat, version: str) -> OpenedKek:
        """Return the KEK to wrap one more data key under. `version` is its CMK's present one.

        A KEK that is still wrapped under an older version is wrapped again. Raises `KeyServiceError`s,
        `UpstreamUnavailable` and `StateRejected`.
        """
        while (use := self._usable(seat)) is None:
            await self._choosing.run(seat, lambda: self._choose(seat))
        use.keys += 1
        opened = await self._opened(use.wrapped, seat)
        wrapped_under = self._kms.version_of(opened.wrapped.wrapped)
        if wrapped_under not in {version, None}:  # None: the KMS does not show it
            opened = await self._opening.run(_name(use.wrapped, seat), lambda: self._renewed(opened, seat))
        return opened

    async def opening(self, envelope: Envelope, bucket: str) -> Kek:
        """Return the KEK that an object's envelope carries; the newest wrap of it that is known is used.

        Raises `KeyServiceError`s, and `StateRejected` where its record is damaged.
        """
        if envelope.kek_id is None or envelope.wrapped_kek is None:
            raise ValueError("This envelope has no KEK.")
        seat = Seat(bucket=bucket, key_id=envelope.key_id, algorithm=envelope.algorithm, binding=envelope.binding)
        wrapped = WrappedKey(key_id=envelope.key_id, blob=envelope.wrapped_kek)
        return (await self._opened(WrappedKek(kek_id=envelope.kek_id, wrapped=wrapped), seat)).kek

    async def rewrap_all(self, key_id: str, version: str, bucket: str | None = None) -> int:
        """Wrap every KEK under a CMK again, under its newest version, and return how many were not yet.

        `key_id` is the canonical id and `version` the present version; a KMS that does not show versions wraps all of
        them again. No object is touched. Raises what `sealing` does.
        """
        renewed = 0
        async for seat, first in self._records.all(bucket):
            if seat.key_id != key_id:
                continue
            newest = await self._records.newest(first.kek_id) or first
            if self._kms.version_of(newest.wrapped) != version:
                await self._renewed(await self._open(newest, seat), seat)
                renewed += 1
        return renewed

    # ---- which KEK is in use ----

    def _period(self, seat: Seat) -> int:
        """Return the number of the present period. Periods of different seats begin at different moments."""
        lifetime = self._limits.lifetime_s
        return (int(self._clock.now().timestamp()) + int.from_bytes(seat.digest[:8], "big") % lifetime) // lifetime

    def _usable(self, seat: Seat) -> _Use | None:
        use = self._in_use.get(seat)
        if use is None or use.period != self._period(seat) or use.keys >= self._limits.most_keys:
            return None
        self._in_use.move_to_end(seat)
        return use

    async def _choose(self, seat: Seat) -> None:
        """Take the next KEK of the seat into use, drawing it if nobody has yet."""
        if self._usable(seat) is not None:  # by one of those who waited for somebody that was cancelled
            return
        period = self._period(seat)
        last = self._in_use.get(seat)
        number = last.number + 1 if last is not None and last.period == period else 0
        while True:
            wrapped = await self._found_or_drawn(seat, f"{period:010}-{number:06}")
            opened = await self._opened(wrapped, seat)
            if self._is_young(opened.kek):
                break
            number += 1
        self._in_use[seat] = _Use(period, number, wrapped)
        while len(self._in_use) > _MOST_SEATS:
            self._in_use.popitem(last=False)

    def _is_young(self, kek: Kek) -> bool:
        """Whether a KEK may still seal; replicas' clocks may differ, but by less than a lifetime."""
        return abs(self._clock.now() - kek.created) < timedelta(seconds=self._limits.lifetime_s)

    async def _found_or_drawn(self, seat: Seat, name: str) -> WrappedKek:
        found = await self._records.drawn(seat, name)
        if found is not None:
            return found
        since = self._clock.now()
        kek = Kek.draw(since)
        own = WrappedKek(kek_id=kek.id, wrapped=await self._kms.wrap(seat.key_id, kek.pack(), seat.context))
        present = await self._records.claim(seat, name, own)
        if present == own:
            self._kept.put(_name(own, seat), OpenedKek(kek, own), since=since)
        return present

    # ---- opening ----

    async def _opened(self, wrapped: WrappedKek, seat: Seat) -> OpenedKek:
        name = _name(wrapped, seat)
        kept = self._kept.get(name)
        self._observer.count("unwrap_cache_total", result="miss" if kept is None else "hit")
        if kept is not None:
            return kept
        return await self._opening.run(name, lambda: self._open_newest(wrapped, seat))

    async def _open_newest(self, own: WrappedKek, seat: Seat) -> OpenedKek:
        """Open a KEK by the newer wrap, if there is one that opens, else by the one that the object carries."""
        done = self._kept.get(_name(own, seat))
        if done is not None:  # by one of those who waited for somebody that was cancelled
            return done
        since = self._clock.now()
        newest = await self._newest(own)
        opened = None
        if newest is not None:
            try:
                opened = await self._open(newest, seat)
            except WrappedKeyRejected:
                self._observer.event("kek_record_rejected", kek_id=own.kek_id.hex(), bucket=seat.bucket)
        opened = opened or await self._open(own, seat)
        self._kept.put(_name(own, seat), opened, since=since)
        return opened

    async def _newest(self, own: WrappedKek) -> WrappedKek | None:
        try:
            newest = await self._records.newest(own.kek_id)
        except UpstreamUnavailable:
            # The object carries its own wrapped KEK: no state bucket is needed to read.
            self._observer.event("kek_record_unavailable", kek_id=own.kek_id.hex())
            return None
        return newest if newest is not None and newest.wrapped.key_id == own.wrapped.key_id else None

    async def _open(self, wrapped: WrappedKek, seat: Seat) -> OpenedKek:
        packed = await self._kms.unwrap(wrapped.wrapped, seat.context)
        return OpenedKek(Kek.unpack(packed, wrapped.kek_id), wrapped)

    async def _renewed(self, opened: OpenedKek, seat: Seat) -> OpenedKek:
        """Wrap a KEK under the newest version of its CMK, for all replicas."""
        since = self._clock.now()
        wrapped = await self._kms.wrap(seat.key_id, opened.kek.pack(), seat.context)
        renewed = OpenedKek(opened.kek, replace(opened.wrapped, wrapped=wrapped))
        await self._records.renew(seat, renewed.wrapped)
        self._kept.put(_name(opened.wrapped, seat), renewed, since=since)
        return renewed


def _name(wrapped: WrappedKek, seat: Seat) -> bytes:
    """Return what stands for an opened KEK: all of its wraps, one CMK, one context."""
    return sha256(lp(wrapped.kek_id) + lp(wrapped.wrapped.key_id.encode()) + lp(seat.context.aad)).digest()
