"""Sealing what exists, segment by segment, so that it stays the same object to its clients, whatever its ETag is.

A sealed object that is to have another cipher needs another key, so its bytes do go through the proxy. Its segments
keep their numbers and sizes, and its attributes everything but the salts: the copy has the same ETag, digests and
parts. An object that was not sealed, but uploaded in parts, gets as many segments as it had parts, and so its ETag.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from sseproxy.errors import FooterRejected
from sseproxy.exchange import Body
from sseproxy.format import (
    MOST_SEGMENTS,
    SMALLEST_SEGMENT,
    Attributes,
    DataKey,
    Envelope,
    SegmentEntry,
    SegmentSealer,
    closing,
    segment_stored_size,
    stored_size,
)
from sseproxy.model import EtagMode, Layout
from sseproxy.operations.attributes import Opened, Unsealed
from sseproxy.operations.body_check import BodyCheck
from sseproxy.operations.context import Services
from sseproxy.operations.copy_source import source_body
from sseproxy.operations.plan import Plan, StoredObject, check_size
from sseproxy.operations.sealing import attributes_of
from sseproxy.operations.storing import send_sealed
from sseproxy.stage import Buffer

_PARTS_ETAG = re.compile(r"([0-9A-Fa-f]{32})-([1-9][0-9]{0,4})")


@dataclass(frozen=True, slots=True)
class PartsEtag:
    """The ETag of an object that was uploaded in parts: the MD5 of their MD5s, and how many they were."""

    md5: bytes
    count: int


async def reseal(services: Services, plan: Plan, source: Opened) -> StoredObject:
    """Store an object's plaintext as `plan` says, under a new data key.

    Raises `EntityTooLarge` where the storage does not take it in one request, and what reading the source raises.
    """
    old = source.attributes
    if old is None:
        raise FooterRejected("An archived object cannot be sealed again before it is restored.")
    check_size(services.dialect, old.plaintext_size)
    key, envelope = await services.keyring.draw(plan.decision, plan.address.ref, old.layout)
    cutter = _Cutter(key, [(entry.number, entry.plaintext_size) for entry in old.segments])
    salted = zip(old.segments, cutter.entries, strict=True)
    new = replace(old, segments=tuple(replace(entry, salt=drawn.salt) for entry, drawn in salted))

    async def attributes() -> Attributes:
        return new

    async with aclosing(await source_body(services, source)) as plain:
        body = _sealed(plain, cutter, attributes, key, envelope)
        answer = await send_sealed(services, plan, envelope, body, stored_size(old.plaintext_size))
    return StoredObject(envelope=envelope, attributes=new, headers=answer)


def parts_etag(source: Unsealed) -> PartsEtag | None:
    """Understand the ETag of an object that is not sealed; None where it is no such ETag, or cannot be kept."""
    found = _PARTS_ETAG.fullmatch(source.etag)
    if found is None:
        return None
    count = int(found[2])
    is_possible = count <= MOST_SEGMENTS and (count == 1 or source.size // count >= SMALLEST_SEGMENT)
    return PartsEtag(bytes.fromhex(found[1]), count) if is_possible else None


async def seal_parts(
    services: Services, plan: Plan, source: Unsealed, etag: PartsEtag, check: BodyCheck
) -> StoredObject:
    """Store an object that is not sealed, in as many segments as it had parts, under the ETag that it has.

    Where its parts lay is not known and shows nowhere; the segments are of one size. Raises what reading the source and
    `BodyCheck.verified` raise.
    """
    key, envelope = await services.keyring.draw(plan.decision, plan.address.ref, Layout.MULTIPART)
    each = source.size // etag.count
    sizes = [*[each] * (etag.count - 1), source.size - each * (etag.count - 1)]
    cutter = _Cutter(key, list(enumerate(sizes, 1)))
    known: list[Attributes] = []

    async def attributes() -> Attributes:
        facts = await check.verified()
        made = attributes_of(Layout.MULTIPART, facts, cutter.entries, plan.decision.etag_mode)
        kept = etag.md5 if plan.decision.etag_mode is EtagMode.MD5 else None
        known.append(replace(made, md5=kept, part_count=etag.count))
        return known[0]

    async with aclosing(await source_body(services, source)) as plain:
        body = _sealed(_checked(plain, check), cutter, attributes, key, envelope)
        answer = await send_sealed(services, plan, envelope, body, stored_size(source.size))
    return StoredObject(envelope=envelope, attributes=known[0], headers=answer)


async def _checked(plain: Body, check: BodyCheck) -> Body:
    """Yield a body with its digests taken. Closes it."""
    async with aclosing(plain):
        async for data in plain:
            await check.add(data)
            yield data


async def _sealed(
    plain: Body, cutter: "_Cutter", attributes: Callable[[], Awaitable[Attributes]], key: DataKey, envelope: Envelope
) -> Body:
    """Yield the segments, and what closes the object once the whole source has been read. Closes `plain`."""
    async with aclosing(plain):
        async for data in plain:
            for out in cutter.feed(memoryview(data).cast("B")):
                yield out
    for out in cutter.finish():
        yield out
    known = await attributes()
    sealed_so_far = sum(segment_stored_size(entry.plaintext_size) for entry in known.segments)
    for out in closing(key, known, envelope, sealed_so_far=sealed_so_far):
        yield out


class _Cutter:
    """Seals segments of given numbers and sizes out of one plaintext, in order; an empty segment is its salt."""

    def __init__(self, key: DataKey, segments: Sequence[tuple[int, int]]) -> None:
        self._sealers = [SegmentSealer(key, number) for number, _ in segments]
        self._left = [size for _, size in segments]
        self._index = 0
        self.entries = [
            SegmentEntry(number=number, plaintext_size=size, salt=sealer.salt)
            for (number, size), sealer in zip(segments, self._sealers, strict=True)
        ]

    def feed(self, view: memoryview) -> list[Buffer]:
        """Return what is sealed. Raises `FooterRejected` for more than all the segments hold."""
        sealed = self._ended()
        while view:
            if self._index == len(self._left):
                raise FooterRejected("The object has more bytes than were announced.")
            taken = view[: self._left[self._index]]
            view = view[len(taken) :]
            sealed += self._sealers[self._index].feed(taken)
            self._left[self._index] -= len(taken)
            sealed += self._ended()
        return sealed

    def finish(self) -> list[Buffer]:
        """Return the rest. Raises `FooterRejected` for less than all the segments hold."""
        sealed = self._ended()
        if self._index < len(self._left):
            raise FooterRejected("The object has fewer bytes than were announced.")
        return sealed

    def _ended(self) -> list[Buffer]:
        """End every segment that has its share."""
        sealed: list[Buffer] = []
        while self._index < len(self._left) and self._left[self._index] == 0:
            sealed += self._sealers[self._index].finish()
            self._index += 1
        return sealed
