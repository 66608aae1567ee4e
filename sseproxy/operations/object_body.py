"""The plaintext of a sealed object of any layout, whole or a range of it.

An appendable object's last footer knows the last segments alone (docs/format.md, "Append"); a reader that needs earlier
ones goes from footer to footer towards the front, then reads forwards. Of all those tables it holds a few.
"""

from contextlib import aclosing
from dataclasses import dataclass

from sseproxy.exchange import Body
from sseproxy.format import Attributes, Block, FooterPlace, check_follows, locate, open_block, whole
from sseproxy.model import ByteRange
from sseproxy.operations.attributes import Opened, read_stored
from sseproxy.operations.context import Services
from sseproxy.operations.reading import Stored, plaintext

_HELD_TABLES = 8  # of up to 256 segments each; others are read again when it is their turn


@dataclass(frozen=True, slots=True)
class _Step:
    """A footer on the way to the front. `attributes` None: to be read again."""

    place: FooterPlace
    attributes: Attributes | None


def object_body(
    services: Services, opened: Opened, wanted: ByteRange | None = None, stored: Stored | None = None
) -> Body:
    """Return the plaintext of an object whose footer could be read, or a range of it. The caller closes it.

    `stored` is an exchange for the whole object that already runs; it is closed. Raises as `plaintext` does.
    """
    attributes = opened.attributes
    if attributes is None:
        raise AssertionError("an archived object has no body")
    if wanted is None and attributes.plaintext_size:
        wanted = ByteRange(0, attributes.plaintext_size - 1)
    if wanted is not None and wanted.first < attributes.plaintext_before:
        return _from_the_front(services, opened, wanted, stored)
    return plaintext(services, opened, whole(attributes) if wanted is None else locate(wanted, attributes), stored)


async def earlier_block(services: Services, opened: Opened, place: FooterPlace) -> Block:
    """Read and open a footer that a later one names. Raises `FooterRejected`, `Overwritten`."""
    data = await read_stored(services, opened.found, ByteRange(place.offset, place.offset + place.length - 1))
    return open_block(opened.key, opened.envelope, place, data)


async def _from_the_front(services: Services, opened: Opened, wanted: ByteRange, stored: Stored | None) -> Body:
    if stored is not None:
        await stored.stack.aclose()
    last = opened.attributes
    if last is None:
        raise AssertionError("an archived object has no body")
    for step in reversed(await _way_to(services, opened, last, wanted.first)):
        table = step.attributes or (await earlier_block(services, opened, step.place)).attributes
        async with aclosing(_of_table(services, opened, table, wanted)) as body:
            async for data in body:
                yield data
    async with aclosing(_of_table(services, opened, last, wanted)) as body:
        async for data in body:
            yield data


async def _way_to(services: Services, opened: Opened, last: Attributes, first: int) -> list[_Step]:
    """Return the footers in front of `last` whose tables reach back to plaintext byte `first`, the nearest first."""
    steps: list[_Step] = []
    table = last
    while table.plaintext_before > first and table.before is not None:
        block = await earlier_block(services, opened, table.before)
        check_follows(table, block.attributes)
        table = block.attributes
        steps.append(_Step(block.place, table if len(steps) < _HELD_TABLES else None))
    return steps


async def _of_table(services: Services, opened: Opened, table: Attributes, wanted: ByteRange) -> Body:
    """Yield what of the wanted plaintext lies in a table's segments."""
    first, last = max(wanted.first, table.plaintext_before), min(wanted.last, table.plaintext_size - 1)
    if first <= last:
        async with aclosing(plaintext(services, opened, locate(ByteRange(first, last), table))) as body:
            async for data in body:
                yield data
