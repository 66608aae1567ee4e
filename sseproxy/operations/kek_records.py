"""The KEKs of all replicas, as records in the state bucket (docs/format.md, "Keys under a KEK").

    keks/drawn/<bucket>/<seat>/<period>-<number>    a KEK as it was first wrapped; written once, never changed
    keks/newest/<KEK id>                            a newer wrap of the same KEK, after its CMK was rotated

An object carries its own wrapped KEK. So all of this may be lost: what is lost is that replicas share KEKs, and that
old versions of a CMK need not be kept.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from sseproxy.errors import StateRejected, UpstreamUnavailable
from sseproxy.format import lp, wrap_context
from sseproxy.format.codes import ALGORITHMS, BINDINGS
from sseproxy.format.envelope import KEK_ID
from sseproxy.format.packing import Fields, pack_map
from sseproxy.model import Algorithm, Binding, WrapContext, WrappedKey
from sseproxy.operations.state_store import StateStore

_PURPOSE = "kek"
_DRAWN, _NEWEST = "keks/drawn/", "keks/newest/"
_SEAT = 16  # bytes of a seat's digest in a name
_LONGEST = 4096  # bytes of a wrapped KEK, or of a CMK's id
_DAMAGED = "The record of a bucket key cannot be read; remove it, the objects carry their own."

# Fields of a record
_ID, _KEY_ID, _BLOB, _ALGORITHM, _BINDING = 1, 2, 3, 4, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """What KEKs are for: one is in use per bucket, CMK, algorithm and binding. `key_id` is the CMK's canonical id."""

    bucket: str
    key_id: str
    algorithm: Algorithm
    binding: Binding

    @property
    def context(self) -> WrapContext:
        """What the CMK's wrap of a KEK is bound to."""
        return wrap_context(
            purpose="kek", algorithm=self.algorithm.value, layout="", binding=self.binding, bucket=self.bucket, key=""
        )

    @property
    def digest(self) -> bytes:
        """What stands for all of it; 32 bytes."""
        return sha256(lp(self.key_id.encode()) + lp(self.context.aad)).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKek:
    """A KEK under its CMK."""

    kek_id: bytes
    wrapped: WrappedKey


class KekRecords(Protocol):
    """Where replicas find each other's KEKs. Raises `StateRejected` and `UpstreamUnavailable`."""

    async def drawn(self, seat: Seat, name: str) -> WrappedKek | None:
        """Return the KEK that was drawn for a seat under a name, None where none was."""
        ...

    async def claim(self, seat: Seat, name: str, kek: WrappedKek) -> WrappedKek:
        """Let a KEK be the one of a name, unless there is one. Returns the one that is there now."""
        ...

    async def newest(self, kek_id: bytes) -> WrappedKek | None:
        """Return the newer wrap of a KEK, None where there is none."""
        ...

    async def renew(self, seat: Seat, kek: WrappedKek) -> None:
        """Write down a newer wrap of a KEK."""
        ...

    def all(self, bucket: str | None = None) -> AsyncGenerator[tuple[Seat, WrappedKek]]:
        """Yield every KEK that was drawn, of one bucket or of all, as it was first wrapped."""
        ...


class StateKekRecords:
    """The records in the state bucket."""

    def __init__(self, state: StateStore) -> None:
        self._state = state

    async def drawn(self, seat: Seat, name: str) -> WrappedKek | None:
        """As of `KekRecords`."""
        payload = await self._state.get(_drawn_key(seat, name), purpose=_PURPOSE, bucket=seat.bucket)
        return None if payload is None else _parse(payload, seat.bucket)[1]

    async def claim(self, seat: Seat, name: str, kek: WrappedKek) -> WrappedKek:
        """As of `KekRecords`."""
        key = _drawn_key(seat, name)
        payload = await self._state.put_new(key, _pack(seat, kek), purpose=_PURPOSE, bucket=seat.bucket)
        return _parse(payload, seat.bucket)[1]

    async def newest(self, kek_id: bytes) -> WrappedKek | None:
        """As of `KekRecords`."""
        # Not under a bucket: where the binding allows it, objects are read in other buckets than they were sealed in.
        payload = await self._state.get(_NEWEST + kek_id.hex(), purpose=_PURPOSE, bucket="")
        return None if payload is None else _parse(payload, "")[1]

    async def renew(self, seat: Seat, kek: WrappedKek) -> None:
        """As of `KekRecords`."""
        await self._state.put(_NEWEST + kek.kek_id.hex(), _pack(seat, kek), purpose=_PURPOSE, bucket="")

    async def all(self, bucket: str | None = None) -> AsyncGenerator[tuple[Seat, WrappedKek]]:
        """As of `KekRecords`."""
        async for entry in self._state.list(_DRAWN if bucket is None else f"{_DRAWN}{bucket}/"):
            drawn_in = entry.key.removeprefix(_DRAWN).partition("/")[0]
            payload = await self._state.get(entry.key, purpose=_PURPOSE, bucket=drawn_in)
            if payload is not None:
                yield _parse(payload, drawn_in)


class NoKekRecords:
    """No records: every object is opened by the wrapped KEK that it carries, and nothing can be sealed."""

    async def drawn(self, seat: Seat, name: str) -> WrappedKek | None:
        """Know of none."""
        del seat, name
        return None

    async def claim(self, seat: Seat, name: str, kek: WrappedKek) -> WrappedKek:
        """Refuse."""
        del seat, name, kek
        raise UpstreamUnavailable("There is no state bucket to keep a bucket key in.")

    async def newest(self, kek_id: bytes) -> WrappedKek | None:
        """Know of none."""
        del kek_id
        return None

    async def renew(self, seat: Seat, kek: WrappedKek) -> None:
        """Refuse."""
        del seat, kek
        raise UpstreamUnavailable("There is no state bucket to keep a bucket key in.")

    async def all(self, bucket: str | None = None) -> AsyncGenerator[tuple[Seat, WrappedKek]]:
        """Yield none."""
        del bucket
        none: tuple[tuple[Seat, WrappedKek], ...] = ()
        for kek in none:
            yield kek


def _drawn_key(seat: Seat, name: str) -> str:
    return f"{_DRAWN}{seat.bucket}/{seat.digest[:_SEAT].hex()}/{name}"


def _pack(seat: Seat, kek: WrappedKek) -> bytes:
    return pack_map(
        {
            _ID: kek.kek_id,
            _KEY_ID: kek.wrapped.key_id,
            _BLOB: kek.wrapped.blob,
            _ALGORITHM: ALGORITHMS.number(seat.algorithm),
            _BINDING: BINDINGS.number(seat.binding),
        }
    )


def _parse(payload: bytes, bucket: str) -> tuple[Seat, WrappedKek]:
    """Understand a record. Raises `StateRejected`."""
    try:
        fields = Fields(payload)
        kek_id = fields.fixed(_ID, KEK_ID)
        key_id = fields.text(_KEY_ID, least=1, most=_LONGEST)
        wrapped = WrappedKey(key_id=key_id, blob=fields.binary(_BLOB, least=1, most=_LONGEST))
        algorithm = ALGORITHMS.member(fields.integer(_ALGORITHM, most=0xFF))
        binding = BINDINGS.member(fields.integer(_BINDING, most=0xFF))
        fields.close()
    except ValueError as cause:
        raise StateRejected(_DAMAGED) from cause
    seat = Seat(bucket=bucket, key_id=key_id, algorithm=algorithm, binding=binding)
    return seat, WrappedKek(kek_id=kek_id, wrapped=wrapped)
