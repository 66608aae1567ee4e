"""What is true of all objects of a bucket: a MACed record in the state bucket.

A bucket without a record is mixed: it may hold objects that were there before the proxy. One that the proxy created
is sealed, and one whose migration has ended. A record says that at one moment every object was sealed, and that from
then on only the proxy writes; it grants nothing, and whoever removes it makes the bucket mixed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sseproxy.errors import SseProxyError, StateRejected
from sseproxy.operations.state_store import StateStore
from sseproxy.ports import Clock, Observer
from sseproxy.single_flight import SingleFlight

_PURPOSE = "bucket-state"
_MOST_REMEMBERED = 1000  # buckets
_PAUSE = timedelta(seconds=5)  # how long readers do without a record that cannot be read
_MIXED, _SEALED, _OPAQUE, _APPENDED = "mixed", "sealed", "opaque", "appended"  # the words of a record
_DAMAGED = "The bucket's state cannot be read; set it anew: `sseproxy buckets mark`, `sseproxy objects migrate`."


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketState:
    """What a bucket holds.

    `sealed`: nothing else than sealed objects, so an object without an envelope is refused. `opaque_etags`: besides,
    every object is written and shown with an opaque ETag, whatever the configuration says, so that listings tell sizes
    and ETags by arithmetic. `appended`: besides, some may have grown by appending, whose sizes no arithmetic tells.
    """

    sealed: bool = False
    opaque_etags: bool = False
    appended: bool = False

    def __str__(self) -> str:
        if not self.sealed:
            return _MIXED
        flags = ((_OPAQUE, self.opaque_etags), (_APPENDED, self.appended))
        return " ".join([_SEALED, *(word for word, is_set in flags if is_set)])


MIXED = BucketState()
SEALED = BucketState(sealed=True)

T = TypeVar("T")

_STATES = (MIXED, *(BucketState(sealed=True, opaque_etags=o, appended=a) for o in (False, True) for a in (False, True)))


@dataclass(frozen=True, slots=True)
class _Remembered:
    state: BucketState
    until: datetime


class BucketStates:
    """The states of buckets, remembered for a short while.

    What another process records is seen here after at most `lifetime_s` seconds. At most 1,000 buckets are
    remembered.
    """

    def __init__(self, state: StateStore, clock: Clock, lifetime_s: float, observer: Observer) -> None:
        self._state = state
        self._clock = clock
        self._observer = observer
        self._lifetime = timedelta(seconds=lifetime_s)
        self._remembered: dict[str, _Remembered] = {}
        self._unreadable: dict[str, datetime] = {}
        self._reads = SingleFlight[str, BucketState]()

    async def get(self, bucket: str) -> BucketState:
        """Return a bucket's state. Raises what `read` raises."""
        known = self._remembered.get(bucket)
        if known is not None and self._clock.now() < known.until:
            return known.state
        return await self._reads.run(bucket, lambda: self.read(bucket))

    async def for_view(self, bucket: str) -> BucketState:
        """Return what decides how sealed objects are shown: `MIXED` where the record cannot be read.

        Sealed objects stay readable without the state bucket. Each is then shown by what its own footer says.
        """
        until = self._unreadable.get(bucket)
        if until is not None and self._clock.now() < until:
            return MIXED
        try:
            return await self.get(bucket)
        except SseProxyError as error:
            self._observer.event("bucket_state_unreadable", bucket=bucket, error=type(error).__name__)
            _remember(self._unreadable, bucket, self._clock.now() + _PAUSE)
            return MIXED

    async def read(self, bucket: str) -> BucketState:
        """Return a bucket's state as it stands in the state bucket now.

        Raises `StateRejected` where the record is damaged, `UpstreamUnavailable`, `KeyServiceError`s.
        """
        until = self._clock.now() + self._lifetime  # counted from before the question
        payload = await self._state.get(_key(bucket), purpose=_PURPOSE, bucket=bucket)
        state = MIXED if payload is None else _parse(payload)
        _remember(self._remembered, bucket, _Remembered(state, until))
        return state

    async def put(self, bucket: str, state: BucketState) -> None:
        """Record a bucket's state."""
        await self._state.put(_key(bucket), str(state).encode("ascii"), purpose=_PURPOSE, bucket=bucket)
        _remember(self._remembered, bucket, _Remembered(state, self._clock.now() + self._lifetime))

    async def forget(self, bucket: str) -> None:
        """Remove the record of a bucket that is deleted: who creates one of that name begins anew."""
        await self._state.delete([_key(bucket)])
        self._remembered.pop(bucket, None)


def _remember(remembered: dict[str, T], bucket: str, value: T) -> None:
    remembered.pop(bucket, None)
    while len(remembered) >= _MOST_REMEMBERED:
        del remembered[next(iter(remembered))]
    remembered[bucket] = value


def bucket_of_record(key: str) -> str | None:
    """Return the bucket whose state a key of the state bucket records; None for other keys."""
    bucket = key.removeprefix("buckets/").removesuffix("/state")
    return bucket if key == _key(bucket) else None


def _key(bucket: str) -> str:
    return f"buckets/{bucket}/state"


def _parse(payload: bytes) -> BucketState:
    for state in _STATES:
        if payload == str(state).encode("ascii"):
            return state
    raise StateRejected(_DAMAGED)
