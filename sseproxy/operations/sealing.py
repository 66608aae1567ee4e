"""Sealing a plaintext body: as it streams by, or whole in memory.

The last frame, and whatever closes the object behind it, leave only after every assertion about the body has been
verified; until then the storage cannot commit, because it was told a longer length.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from sseproxy.exchange import Body
from sseproxy.format import (
    Attributes,
    DataKey,
    Envelope,
    SegmentEntry,
    SegmentSealer,
    closing,
    segment_stored_size,
)
from sseproxy.model import EtagMode, Layout
from sseproxy.operations.assertions import BodyFacts
from sseproxy.operations.body_check import BodyCheck
from sseproxy.stage import Buffer

MOST_HELD = 1024 * 1024  # bytes of plaintext that are collected before they are sealed; docs/format.md, "Envelope"


async def seal_segment(
    body: Body,
    sealer: SegmentSealer,
    check: BodyCheck,
    close: Callable[[BodyFacts], Iterable[Buffer]] | None = None,
) -> Body:
    """Seal a body as one segment, digests beside it; behind it comes what `close` makes of the verified facts.

    Raises what `BodyCheck.verified` raises, before the last frame has left. Closes `body`.
    """
    async with aclosing(body):
        async for data in body:
            await check.add(data)
            outs = sealer.feed(data)
            del data  # not held while a slow storage takes its time
            for out in outs:
                yield out
    facts = await check.verified()
    for out in sealer.finish():
        yield out
    if close is not None:
        for out in close(facts):
            yield out


def attributes_of(
    layout: Layout, facts: BodyFacts, segments: Sequence[SegmentEntry], etag_mode: EtagMode
) -> Attributes:
    """Return what is true of an object that the client sent in one request."""
    return Attributes(
        layout=layout,
        plaintext_size=facts.plaintext_size,
        segments=tuple(segments),
        crc64=facts.crc64,
        md5=facts.md5 if etag_mode is EtagMode.MD5 else None,
        checksum=facts.checksum,
        crc64nvme=facts.crc64nvme,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """An object sealed whole. `envelope` holds the copy of its footer."""

    stored: bytes
    envelope: Envelope
    attributes: Attributes


def seal_whole(key: DataKey, envelope: Envelope, buffers: Iterable[Buffer], facts: BodyFacts, mode: EtagMode) -> Sealed:
    """Seal a small object (layout `single`) in memory."""
    sealer = SegmentSealer(key, 1)
    stored: list[Buffer] = [out for data in buffers for out in sealer.feed(data)]
    stored += sealer.finish()
    attributes = attributes_of(Layout.SINGLE, facts, [entry_of(sealer, 1)], mode)
    ending = closing(key, attributes, envelope, sealed_so_far=segment_stored_size(facts.plaintext_size))
    return Sealed(
        stored=b"".join([*stored, *ending]),
        envelope=replace(envelope, footer=bytes(ending[-1])),
        attributes=attributes,
    )


def entry_of(sealer: SegmentSealer, number: int) -> SegmentEntry:
    """Return the table entry of a segment that has been sealed."""
    return SegmentEntry(number=number, plaintext_size=sealer.plaintext_size, salt=sealer.salt)
