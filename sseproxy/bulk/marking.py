"""What the state bucket says of buckets, and saying less: a mark only ever goes down here, `migrate` moves it up."""

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum

from sseproxy.bulk.context import Tools
from sseproxy.errors import ConfigurationError, StateRejected
from sseproxy.operations.bucket_states import MIXED, BucketState, bucket_of_record


class Mark(Enum):
    """What a bucket can be marked as by hand."""

    MIXED = "mixed"
    SEALED = "sealed"


async def states(tools: Tools) -> Mapping[str, str]:
    """Return the states of all buckets that have a record, by name; `damaged` where it cannot be read."""
    found: dict[str, str] = {}
    async for entry in tools.services.state.list("buckets/"):
        bucket = bucket_of_record(entry.key)
        if bucket is not None:
            try:
                found[bucket] = str(await tools.services.bucket_states.read(bucket))
            except StateRejected:
                found[bucket] = "damaged"
    return found


async def mark(tools: Tools, bucket: str, wanted: Mark) -> BucketState:
    """Take a bucket's mark away, or only that its ETags are opaque. Returns the state that it has then.

    Raises `ConfigurationError` where a mixed bucket would become sealed: nobody has looked at its objects.
    """
    known = tools.services.bucket_states
    if wanted is Mark.MIXED:
        await known.forget(bucket)  # also a record that is damaged
        return MIXED
    present = await known.read(bucket)
    if not present.sealed:
        raise ConfigurationError(
            f"{bucket} is mixed: `sseproxy objects migrate` seals what is plain and marks it then as sealed"
        )
    lowered = replace(present, opaque_etags=False)
    await known.put(bucket, lowered)
    return lowered
