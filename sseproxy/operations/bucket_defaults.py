"""The default encryption of buckets: kept in the state bucket, remembered for a short while."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgpack

from sseproxy.dialect.base import SseRequest
from sseproxy.errors import StateRejected
from sseproxy.model import Algorithm, Suite
from sseproxy.operations.state_store import StateStore
from sseproxy.ports import Clock

_PURPOSE = "bucket-encryption"
_MOST_REMEMBERED = 1000  # buckets


@dataclass(frozen=True, slots=True)
class _Remembered:
    rule: SseRequest | None
    until: datetime


class BucketDefaults:
    """What GET, PUT and DELETE ?encryption work on, and every write asks.

    A rule that another process sets is seen here after at most `lifetime_s` seconds. At most 1,000 buckets are
    remembered.
    """

    def __init__(self, state: StateStore, clock: Clock, lifetime_s: float) -> None:
        self._state = state
        self._clock = clock
        self._lifetime = timedelta(seconds=lifetime_s)
        self._remembered: dict[str, _Remembered] = {}

    async def get(self, bucket: str) -> SseRequest | None:
        """Return a bucket's rule, None where it has none. Raises `StateRejected` where the record is damaged."""
        known = self._remembered.get(bucket)
        if known is not None and self._clock.now() < known.until:
            return known.rule
        return await self.read(bucket)

    async def read(self, bucket: str) -> SseRequest | None:
        """Return a bucket's rule as it stands in the state bucket now."""
        payload = await self._state.get(_key(bucket), purpose=_PURPOSE, bucket=bucket)
        rule = None if payload is None else _parse(payload)
        self._remember(bucket, rule)
        return rule

    async def put(self, bucket: str, rule: SseRequest) -> None:
        """Replace a bucket's rule."""
        payload: bytes = msgpack.packb(
            {
                "algorithm": rule.algorithm.value,
                "key_id": rule.key_id,
                "bucket_key": rule.bucket_key,
                "suite": rule.suite.value,
                "customer_keys_blocked": rule.customer_keys_blocked,
            }
        )
        await self._state.put(_key(bucket), payload, purpose=_PURPOSE, bucket=bucket)
        self._remember(bucket, rule)

    async def delete(self, bucket: str) -> None:
        """Remove a bucket's rule, if it has one."""
        await self._state.delete([_key(bucket)])
        self._remember(bucket, None)

    def _remember(self, bucket: str, rule: SseRequest | None) -> None:
        self._remembered.pop(bucket, None)
        while len(self._remembered) >= _MOST_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[bucket] = _Remembered(rule, self._clock.now() + self._lifetime)


def _key(bucket: str) -> str:
    return f"buckets/{bucket}/encryption"


def _parse(payload: bytes) -> SseRequest:
    try:
        fields = msgpack.unpackb(payload)
        return SseRequest(
            algorithm=Algorithm(fields["algorithm"]),
            key_id=fields["key_id"],
            bucket_key=fields["bucket_key"],
            suite=Suite(fields["suite"]),
            customer_keys_blocked=fields["customer_keys_blocked"],
        )
    except (ValueError, TypeError, KeyError) as cause:
        raise StateRejected("The bucket's default encryption cannot be read; set it again.") from cause
