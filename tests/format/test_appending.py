"""Appendable objects: what footers say of earlier ones, what readers refuse, and that any range is found."""

import random
from collections.abc import Callable
from dataclasses import replace

import msgpack
import pytest
from fastcrc.crc64 import xz as crc64_of

from sseproxy.errors import FooterRejected
from sseproxy.format import (
    TAIL,
    Attributes,
    Block,
    DataKey,
    Opener,
    SegmentEntry,
    SegmentSealer,
    appended,
    block_closing,
    block_of,
    block_stored_size,
    check_attributes,
    check_follows,
    locate,
    open_block,
    open_footer,
    parse_tail,
    table_start,
    unsealed_entry,
)
from sseproxy.format.attributes import pack_attributes, unpack_attributes
from sseproxy.model import ByteRange, Layout
from tests.format.sealing import envelope_for, fixed_bytes, joined

KEY = DataKey(bytes(range(32)))
ENVELOPE = envelope_for(KEY, Layout.APPEND)


class Growing:
    """An appendable object in memory."""

    def __init__(self, key: DataKey = KEY, salt_of: Callable[[int], bytes] | None = None) -> None:
        self.key = key
        self.envelope = envelope_for(key, Layout.APPEND)
        self._salt_of = salt_of
        self.stored = b""
        self.plain = b""
        self.blocks: list[Block] = []  # of the present object, the last one first

    def append(self, data: bytes) -> Attributes:
        number = self.blocks[0].attributes.segments[-1].number + 1 if self.blocks else 1
        salt = self._salt_of(number) if self._salt_of else None
        sealer = SegmentSealer(self.key, number, _salt=salt)
        segment = joined([*sealer.feed(data), *sealer.finish()])
        sized = {"stored_size": len(self.stored), "plaintext_size": len(self.plain)}
        last = self.chain()
        expected = block_stored_size(appended(last, unsealed_entry(number, len(data)), 0, **sized), self.envelope)
        self.plain += data
        attributes = appended(
            last,
            SegmentEntry(number=number, plaintext_size=sealer.plaintext_size, salt=sealer.salt),
            crc64_of(self.plain),
            **sized,
        )
        recovery, closing = block_closing(self.key, attributes, self.envelope)
        assert len(segment) + len(recovery) + len(closing) == expected
        self.stored += segment + recovery + closing
        self.blocks.insert(0, block_of(attributes, closing, end=len(self.stored)))
        return attributes

    def chain(self) -> list[Block]:
        """Return the last block and those that it leads to, as far as one that begins with segment 1."""
        found = self.blocks[:1]
        while found and found[-1].attributes.before is not None:
            found += [block for block in self.blocks if block.place == found[-1].attributes.before]
        return found

    def opened(self, stored: bytes | None = None) -> Attributes:
        stored = self.stored if stored is None else stored
        tail = parse_tail(stored[-TAIL:])
        assert tail is not None
        footer = stored[-tail.closing_length : -TAIL]
        return open_footer(self.key, self.envelope, footer, stored[-TAIL:], stored_size=len(stored))

    def before(self, attributes: Attributes) -> Attributes:
        place = attributes.before
        assert place is not None
        block = open_block(self.key, self.envelope, place, self.stored[place.offset : place.offset + place.length])
        check_follows(attributes, block.attributes)
        return block.attributes

    def read(self, first: int, last: int) -> bytes:
        table, read = self.opened(), b""
        while True:
            start = max(first, table.plaintext_before)
            if start <= last:
                located = locate(ByteRange(start, last), table)
                wanted = located.stored
                assert wanted is not None
                opener = Opener(self.key, located)
                read = joined([*opener.feed(self.stored[wanted.first : wanted.last + 1]), *opener.finish()]) + read
                last = start - 1
            if last < first:
                return read
            table = self.before(table)


def grown(sizes: list[int]) -> Growing:
    growing = Growing()
    for number, size in enumerate(sizes):
        growing.append(fixed_bytes(size, seed=number))
    return growing


@pytest.mark.parametrize(
    "sizes", [[0], [1], [0, 3], [3, 0, 0, 4], [65536, 65537, 5], [100] * 17, [7] * 40], ids=lambda sizes: str(sizes[:4])
)
def test_what_was_appended_is_read_back(sizes: list[int]) -> None:
    growing = grown(sizes)
    attributes = growing.opened()

    assert attributes == growing.blocks[0].attributes
    assert attributes.plaintext_size == sum(sizes)
    assert attributes.crc64 == crc64_of(growing.plain)
    if growing.plain:
        assert growing.read(0, sum(sizes) - 1) == growing.plain


def test_every_range_is_found_across_all_tables() -> None:
    growing = grown([random.Random(number).randrange(5) for number in range(600)])
    rng = random.Random(1)

    for _ in range(60):
        first, last = sorted(rng.randrange(len(growing.plain)) for _ in range(2))
        assert growing.read(first, last) == growing.plain[first : last + 1]


def test_tables_are_short_but_the_way_to_the_front_is_too() -> None:
    growing = grown([1] * 600)
    lengths = [len(block.attributes.segments) for block in reversed(growing.blocks)]
    steps, table = 0, growing.opened()
    while table.before is not None:
        table, steps = growing.before(table), steps + 1

    assert lengths[:17] == [*range(1, 17), 1]
    assert (lengths[255], lengths[256], lengths[271], max(lengths)) == (256, 1, 16, 256)
    assert steps == 3  # to the footers of 592, 512 and 256, whose table begins with segment 1
    assert sum(lengths) / len(lengths) < 17


@pytest.mark.parametrize(
    ("number", "start"), [(1, 1), (15, 1), (16, 1), (17, 17), (32, 1), (256, 1), (257, 257), (272, 257)]
)
def test_a_table_begins_behind_a_multiple_of_sixteen_or_256(number: int, start: int) -> None:
    assert table_start(number) == start


def test_attributes_come_back_from_their_bytes() -> None:
    attributes = grown([3] * 20).opened()

    assert unpack_attributes(pack_attributes(attributes)) == attributes


WRONG = grown([3] * 20).opened()
CHANGES: dict[str, Attributes] = {
    "without segments": replace(WRONG, segments=(), offsets=()),
    "without places": replace(WRONG, offsets=()),
    "a gap in the numbers": replace(WRONG, segments=(*WRONG.segments[:-1], replace(WRONG.segments[-1], number=30))),
    "number 0": replace(WRONG, segments=tuple(replace(e, number=e.number - 17) for e in WRONG.segments)),
    "too many": replace(
        WRONG, segments=(replace(WRONG.segments[-1], number=2**24),), offsets=WRONG.offsets[-1:]
    ),
    "nothing before": replace(WRONG, before=None),
    "begins elsewhere": replace(WRONG, offsets=tuple(offset + 1 for offset in WRONG.offsets)),
    "one over the other": replace(WRONG, offsets=(WRONG.offsets[0], *(WRONG.offsets[0] + 3,) * 3)),
    "larger than the object": replace(WRONG, plaintext_size=11),
    "with an MD5": replace(WRONG, md5=bytes(16)),
    "with parts": replace(WRONG, part_count=4),
    "with a part's checksum": replace(WRONG, segments=tuple(replace(e, checksum=b"abcd") for e in WRONG.segments)),
    "a salt that is too short": replace(WRONG, segments=tuple(replace(e, salt=bytes(31)) for e in WRONG.segments)),
    "another layout": replace(WRONG, layout=Layout.MULTIPART),
}  # fmt: skip


@pytest.mark.parametrize("attributes", CHANGES.values(), ids=CHANGES.keys())
def test_attributes_that_contradict_themselves_are_refused(attributes: Attributes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the fact matters, not the words
        check_attributes(attributes)


@pytest.mark.parametrize(
    "attributes", [value for name, value in CHANGES.items() if name != "too many"], ids=lambda _: ""
)
def test_the_reader_refuses_them_too(attributes: Attributes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the fact matters, not the words
        unpack_attributes(pack_attributes(attributes))


def test_half_a_place_is_refused() -> None:
    fields = msgpack.unpackb(pack_attributes(WRONG), strict_map_key=False)
    fields[13] = fields[13][:-1]  # docs/format.md, "Append"

    with pytest.raises(ValueError, match="no whole number of entries"):
        unpack_attributes(msgpack.packb(fields))


@pytest.mark.parametrize("lost", [1, 16, 100])
def test_an_object_cut_within_a_block_is_refused(lost: int) -> None:
    growing = grown([100, 100])

    with pytest.raises((FooterRejected, AssertionError)):
        growing.opened(growing.stored[:-lost])


def test_a_block_from_another_place_is_refused() -> None:
    growing = grown([100, 100])
    last = growing.blocks[1].place
    first_block = growing.stored[: last.offset + last.length]

    with pytest.raises(FooterRejected, match="stored size"):
        growing.opened(growing.stored + first_block)


def test_an_earlier_footer_must_be_the_very_one_that_is_named() -> None:
    growing = grown([3] * 17)
    place = growing.opened().before
    assert place is not None
    data = growing.stored[place.offset : place.offset + place.length]

    for wrong in (data[:-1], data[:-1] + b"!", growing.stored[-len(data) :]):
        with pytest.raises(FooterRejected, match="not the one that a later one names"):
            open_block(KEY, ENVELOPE, place, wrong)


def test_footers_must_follow_each_other() -> None:
    later = grown([3] * 17).opened()

    with pytest.raises(FooterRejected, match="do not follow each other"):
        check_follows(later, grown([3] * 15).opened())
    with pytest.raises(FooterRejected, match="do not follow each other"):
        check_follows(later, grown([4] * 16).opened())
