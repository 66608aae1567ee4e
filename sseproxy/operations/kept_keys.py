"""A bounded memory with a lifetime, and the name under which an opened data key is kept in it."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Generic, TypeVar

from sseproxy.format import lp
from sseproxy.model import WrapContext, WrappedKey
from sseproxy.ports import Clock

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, repr=False)
class _Kept(Generic[V]):
    value: V
    since: datetime


class KeptValues(Generic[K, V]):
    """At most `capacity` values, the least recently used go first; none is given out `lifetime_s` after it was put.

    A clock that is set back ends a value's life as well, so that it never lasts longer than it should.
    """

    def __init__(self, capacity: int, lifetime_s: float, clock: Clock) -> None:
        self._capacity = capacity
        self._lifetime = timedelta(seconds=lifetime_s)
        self._clock = clock
        self._kept: OrderedDict[K, _Kept[V]] = OrderedDict()

    def get(self, name: K) -> V | None:
        """Return a value that is there and young enough."""
        kept = self._kept.get(name)
        if kept is None:
            return None
        if not timedelta() <= self._clock.now() - kept.since < self._lifetime:
            del self._kept[name]
            return None
        self._kept.move_to_end(name)
        return kept.value

    def put(self, name: K, value: V, *, since: datetime | None = None) -> None:
        """Keep a value that is known since a moment: the one before it was asked for. None: now."""
        self._kept[name] = _Kept(value, since or self._clock.now())
        self._kept.move_to_end(name)
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)


def wrap_digest(wrapped: WrappedKey, context: WrapContext) -> bytes:
    """Return what stands for a wrapped key and everything it is bound to."""
    return sha256(lp(wrapped.key_id.encode()) + lp(wrapped.blob) + lp(context.aad)).digest()
