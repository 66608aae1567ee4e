"""What this release appends opens by the specification alone; what was changed in it does not."""

import pytest

from sseproxy.format import encode_envelope
from tests.format.test_appending import ENVELOPE, KEY, Growing, grown
from tests.independent_append_reader import read_appended
from tests.independent_reader import Unreadable

SIZES = [0, 1, 65_536, 65_537, *([3] * 300)]


def _read(stored: bytes) -> bytes:
    return read_appended(encode_envelope(ENVELOPE), stored, lambda _: KEY.raw)


@pytest.mark.parametrize("count", [1, 2, 4, 16, 17, 33, 304])
def test_the_independent_reader_reads_every_block(count: int) -> None:
    growing = grown(SIZES[:count])

    assert _read(growing.stored) == growing.plain


def test_an_object_cut_back_to_an_earlier_append_is_that_earlier_object() -> None:
    """What the format says that nobody notices."""
    growing = grown(SIZES[:20])
    earlier = growing.blocks[1]
    end = earlier.place.offset + earlier.place.length

    assert _read(growing.stored[:end]) == growing.plain[: earlier.attributes.plaintext_size]


def test_no_changed_byte_that_is_read_goes_unnoticed() -> None:
    growing = grown([5, 0, 9, *([1] * 15)])
    noticed, harmless = 0, _unread(growing)

    for at in range(len(growing.stored)):
        changed = growing.stored[:at] + bytes([growing.stored[at] ^ 1]) + growing.stored[at + 1 :]
        if at in harmless:
            assert _read(changed) == growing.plain
            continue
        with pytest.raises(Unreadable):
            _read(changed)
        noticed += 1

    assert noticed > 800


def _unread(growing: Growing) -> set[int]:
    """Salts as they stand in the body, recovery records, and footers that no later one leads to."""
    last = growing.blocks[0]
    read = set(range(last.place.offset, last.place.offset + last.place.length))
    before = last.attributes.before
    while before is not None:
        block = next(block for block in growing.blocks if block.place == before)
        read |= set(range(before.offset, before.offset + before.length))
        before = block.attributes.before
    for block in growing.blocks:
        offset, size = block.attributes.offsets[-1], block.attributes.segments[-1].plaintext_size
        read |= set(range(offset + 32, offset + 32 + size + 16 * bool(size)))
    return set(range(len(growing.stored))) - read
