"""Whether all of a bucket's objects are sealed: a MACed record in the state bucket, set when a migration has ended.

It says that at one moment every object was sealed, and that from then on only the proxy writes. A bucket without a
record is mixed: it may hold objects that were there before the proxy.
"""

from enum import Enum

from sseproxy.errors import StateRejected
from sseproxy.operations.state_store import StateStore

_PURPOSE = "bucket-state"


class BucketState(Enum):
    """What a bucket holds."""

    MIXED = "mixed"
    SEALED = "sealed"


async def read_bucket_state(state: StateStore, bucket: str) -> BucketState:
    """Return what a bucket holds. Raises `StateRejected` where the record is damaged."""
    payload = await state.get(_key(bucket), purpose=_PURPOSE, bucket=bucket)
    if payload is None:
        return BucketState.MIXED
    try:
        return BucketState(payload.decode("ascii"))
    except ValueError as cause:
        raise StateRejected("The bucket's state cannot be read; run `sseproxy objects migrate` again.") from cause


async def write_bucket_state(state: StateStore, bucket: str, value: BucketState) -> None:
    """Record what a bucket holds."""
    await state.put(_key(bucket), value.value.encode("ascii"), purpose=_PURPOSE, bucket=bucket)


async def forget_bucket_state(state: StateStore, bucket: str) -> None:
    """Remove the record of a bucket that is deleted: who creates one of that name begins anew."""
    await state.delete([_key(bucket)])


def _key(bucket: str) -> str:
    return f"buckets/{bucket}/state"
