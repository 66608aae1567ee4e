"""Sealing an object again under another cipher, segment by segment, so that it stays the same object to its clients.

A data key serves one cipher, so here the bytes do go through the proxy. Segments keep their numbers and sizes, and the
attributes everything but the salts: the copy has the same ETag, digests and parts as the original.
"""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

from sseproxy.errors import FooterRejected
from sseproxy.exchange import Body
from sseproxy.format import (
    Attributes,
    DataKey,
    Envelope,
    SegmentEntry,
    SegmentSealer,
    closing,
    segment_stored_size,
    stored_size,
)
from sseproxy.operations.attributes import Opened
from sseproxy.operations.context import Services
from sseproxy.operations.copy_source import source_body
from sseproxy.operations.plan import Plan, StoredObject, check_size
from sseproxy.operations.storing import send_sealed
from sseproxy.stage import Buffer


async def reseal(services: Services, plan: Plan, source: Opened) -> StoredObject:
    """Store an object's plaintext as `plan` says, under a new data key.

    Raises `EntityTooLarge` where the storage does not take it in one request, and what reading the source raises.
    """
    attributes = source.attributes
    if attributes is None:
        raise FooterRejected("An archived object cannot be sealed again before it is restored.")
    check_size(services.dialect, attributes.plaintext_size)
    key, envelope = await services.keyring.draw(plan.decision, plan.address.ref, attributes.layout)
    sealers = [SegmentSealer(key, entry.number) for entry in attributes.segments]
    resealed = replace(
        attributes,
        segments=tuple(
            replace(entry, salt=sealer.salt) for entry, sealer in zip(attributes.segments, sealers, strict=True)
        ),
    )
    body = _sealed(await source_body(services, source), sealers, resealed, key, envelope)
    answer = await send_sealed(services, plan, envelope, body, stored_size(attributes.plaintext_size))
    return StoredObject(envelope=envelope, attributes=resealed, headers=answer)


async def _sealed(
    plain: Body, sealers: Sequence[SegmentSealer], attributes: Attributes, key: DataKey, envelope: Envelope
) -> Body:
    """Yield the segments, and what closes the object once the whole source has been verified. Closes `plain`."""
    cutter = _Cutter(attributes.segments, sealers)
    async with aclosing(plain):
        async for data in plain:
            for out in cutter.feed(memoryview(data).cast("B")):
                yield out
    for out in cutter.finish():
        yield out
    sealed_so_far = sum(segment_stored_size(entry.plaintext_size) for entry in attributes.segments)
    for out in closing(key, attributes, envelope, sealed_so_far=sealed_so_far):
        yield out


class _Cutter:
    """Gives every segment its share of the plaintext, in order; an empty segment is its salt."""

    def __init__(self, entries: Sequence[SegmentEntry], sealers: Sequence[SegmentSealer]) -> None:
        self._left = [entry.plaintext_size for entry in entries]
        self._sealers = sealers
        self._index = 0

    def feed(self, view: memoryview) -> list[Buffer]:
        sealed = self._finished()
        while view:
            if self._index == len(self._left):
                raise FooterRejected("The object has more bytes than its footer says.")
            taken = view[: self._left[self._index]]
            view = view[len(taken) :]
            sealed += self._sealers[self._index].feed(taken)
            self._left[self._index] -= len(taken)
            sealed += self._finished()
        return sealed

    def finish(self) -> list[Buffer]:
        sealed = self._finished()
        if self._index < len(self._left):
            raise FooterRejected("The object has fewer bytes than its footer says.")
        return sealed

    def _finished(self) -> list[Buffer]:
        """End every segment that has its share."""
        sealed: list[Buffer] = []
        while self._index < len(self._left) and self._left[self._index] == 0:
            sealed += self._sealers[self._index].finish()
            self._index += 1
        return sealed
