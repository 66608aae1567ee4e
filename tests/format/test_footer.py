"""Footer and tail: determinism, exact size of the object, and what a reader refuses."""

from dataclasses import replace
from struct import pack

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.errors import FooterRejected
from sseproxy.format import (
    LONGEST_FOOTER,
    TAIL,
    TAIL_READ,
    Attributes,
    DataKey,
    SegmentEntry,
    Tail,
    closing,
    decode_recovery,
    is_tail,
    open_footer,
    open_footer_copy,
    parse_tail,
    seal_footer,
    segment_stored_size,
    stored_size,
)
from sseproxy.format.attributes import pack_attributes
from sseproxy.model import Checksum, ChecksumAlgorithm, ChecksumType, Layout
from tests.format.sealing import envelope_for, fixed_bytes, joined, seal, seal_single

M = 102_400
KEY = DataKey(bytes(range(32)))
SINGLE = Attributes(
    layout=Layout.SINGLE,
    plaintext_size=5,
    segments=(SegmentEntry(number=1, plaintext_size=5, salt=bytes(32)),),
    crc64=7,
    md5=bytes(16),
)
ENVELOPE = envelope_for(KEY, Layout.SINGLE)


def multipart(sizes: list[int], width: int = 0) -> Attributes:
    checksum = Checksum(algorithm=ChecksumAlgorithm.SHA256, type=ChecksumType.COMPOSITE, value=bytes(32))
    return Attributes(
        layout=Layout.MULTIPART,
        plaintext_size=sum(sizes),
        segments=tuple(
            SegmentEntry(number=n, plaintext_size=size, salt=bytes(32), checksum=bytes(width))
            for n, size in enumerate(sizes, 1)
        ),
        crc64=2**64 - 1,
        md5=bytes(16),
        part_count=len(sizes),
        checksum=checksum if width else None,
        crc64nvme=1,
    )


def test_a_footer_opens() -> None:
    footer, tail = seal_footer(KEY, SINGLE, recovery_length=9)

    assert parse_tail(tail) == Tail(footer_length=len(footer), recovery_length=9)
    assert open_footer(KEY, ENVELOPE, footer, tail, stored_size=stored_size(5)) == SINGLE
    assert open_footer(KEY, ENVELOPE, footer, tail, stored_size=None) == SINGLE


def test_the_same_attributes_give_the_same_bytes() -> None:
    assert seal_footer(KEY, SINGLE, recovery_length=9) == seal_footer(KEY, SINGLE, recovery_length=9)


def test_other_attributes_get_another_nonce() -> None:
    footers = [
        seal_footer(KEY, SINGLE, recovery_length=9)[0],
        seal_footer(KEY, SINGLE, recovery_length=8)[0],
        seal_footer(KEY, replace(SINGLE, crc64=8), recovery_length=9)[0],
        seal_footer(DataKey(bytes(32)), SINGLE, recovery_length=9)[0],
    ]

    assert len({footer[:12] for footer in footers}) == 4


def test_no_bit_of_footer_or_tail_can_change() -> None:
    footer, tail = seal_footer(KEY, SINGLE, recovery_length=9)
    whole = footer + tail

    for at in range(len(whole)):
        for bit in (0x01, 0x80):
            changed = whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :]
            with pytest.raises(FooterRejected):
                open_footer(KEY, ENVELOPE, changed[:-TAIL], changed[-TAIL:], stored_size=None)


@pytest.mark.parametrize("length", [0, 1, 28, 29])
def test_a_cut_footer_is_refused(length: int) -> None:
    footer, tail = seal_footer(KEY, SINGLE, recovery_length=0)

    with pytest.raises(FooterRejected):
        open_footer(KEY, ENVELOPE, footer[:length], tail, stored_size=None)
    with pytest.raises(FooterRejected):
        open_footer(KEY, ENVELOPE, footer[:length], pack(">IHBB8s", length, 0, 1, 0, b"sseproxy"), stored_size=None)


def test_a_footer_opens_under_its_own_key_alone() -> None:
    footer, tail = seal_footer(KEY, SINGLE, recovery_length=0)

    with pytest.raises(FooterRejected):
        open_footer(DataKey(bytes(32)), ENVELOPE, footer, tail, stored_size=None)


def test_the_layout_must_be_the_envelopes() -> None:
    footer, tail = seal_footer(KEY, SINGLE, recovery_length=0)

    with pytest.raises(FooterRejected, match="layouts"):
        open_footer(KEY, replace(ENVELOPE, layout=Layout.MULTIPART), footer, tail, stored_size=None)


@pytest.mark.parametrize("difference", [-1, 1, 1024])
def test_the_stored_size_must_be_the_one_of_the_plaintext_size(difference: int) -> None:
    footer, tail = seal_footer(KEY, SINGLE, recovery_length=0)

    with pytest.raises(FooterRejected, match="stored size"):
        open_footer(KEY, ENVELOPE, footer, tail, stored_size=stored_size(5) + difference)


@pytest.mark.parametrize(
    "last",
    [b"", bytes(16), b"sseproxy", b"text ends: sseproxy"[-16:], pack(">IHBB8s", 100, 0, 1, 1, b"sseproxy"), bytes(17)],
)
def test_other_bytes_are_no_tail(last: bytes) -> None:
    assert parse_tail(last) is None
    assert not is_tail(last)


@pytest.mark.parametrize(
    ("length", "version"), [(0, 1), (28, 1), (LONGEST_FOOTER + 1, 1), (2**32 - 1, 1), (100, 0), (100, 2)]
)
def test_a_tail_of_another_version_or_with_an_impossible_footer_is_refused(length: int, version: int) -> None:
    with pytest.raises(FooterRejected):
        parse_tail(pack(">IHBB8s", length, 0, version, 0, b"sseproxy"))


def test_a_body_without_envelope_is_told_by_its_tail() -> None:
    _, tail = seal_footer(KEY, SINGLE, recovery_length=0)

    assert is_tail(tail)
    assert is_tail(pack(">IHBB8s", 100, 0, 2, 0, b"sseproxy"))
    assert not is_tail(pack(">IHBB8s", LONGEST_FOOTER + 1, 0, 1, 0, b"sseproxy"))
    assert not is_tail(pack(">IHBB8s", 100, 0, 0, 0, b"sseproxy"))


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 102_400, 1_000_000, 30_000_000])
def test_closing_brings_a_single_object_to_its_stored_size(size: int) -> None:
    segment = SegmentEntry(number=1, plaintext_size=size, salt=bytes(32))
    attributes = replace(SINGLE, plaintext_size=size, segments=(segment,))

    end = closing(KEY, attributes, ENVELOPE, sealed_so_far=segment_stored_size(size))

    assert segment_stored_size(size) + sum(map(len, end)) == stored_size(size)
    footer, tail = end[-1][:-TAIL], end[-1][-TAIL:]
    assert open_footer(KEY, ENVELOPE, bytes(footer), bytes(tail), stored_size=stored_size(size)) == attributes


@given(st.lists(st.integers(M, 9 * M), max_size=40), st.integers(0, 3 * M), st.sampled_from([0, 32]))
def test_closing_brings_every_multipart_object_to_its_stored_size(sizes: list[int], last: int, width: int) -> None:
    attributes = multipart([*sizes, last], width)
    sealed = sum(map(segment_stored_size, [*sizes, last]))

    end = closing(KEY, attributes, envelope_for(KEY, Layout.MULTIPART), sealed_so_far=sealed)

    assert sealed + sum(map(len, end)) == stored_size(attributes.plaintext_size)
    assert decode_recovery(bytes(end[-2])) == envelope_for(KEY, Layout.MULTIPART)


def test_the_largest_table_fits_and_sends_little_padding() -> None:
    attributes = multipart([M] * 10_000, 32)
    sealed = segment_stored_size(M) * 10_000

    end = closing(KEY, attributes, envelope_for(KEY, Layout.MULTIPART), sealed_so_far=sealed)

    assert len(end[-1]) - TAIL <= LONGEST_FOOTER
    assert sealed + sum(map(len, end)) == stored_size(attributes.plaintext_size)


def test_padding_is_never_held_in_memory_more_than_once() -> None:
    attributes = replace(
        SINGLE, plaintext_size=2**30, segments=(SegmentEntry(number=1, plaintext_size=2**30, salt=bytes(32)),)
    )

    end = closing(KEY, attributes, ENVELOPE, sealed_so_far=segment_stored_size(2**30))

    assert sum(map(len, end)) > 1_190_000
    assert len({id(memoryview(buffer).obj) for buffer in end[:-2]}) == 1
    assert not any(joined(end[:-2]))


def test_closing_twice_sends_the_same_bytes() -> None:
    attributes = multipart([M, 3])
    envelope = envelope_for(KEY, Layout.MULTIPART)
    sealed = sum(map(segment_stored_size, [M, 3]))

    first, second = (closing(KEY, attributes, envelope, sealed_so_far=sealed) for _ in range(2))

    assert joined(first) == joined(second)


def test_the_recovery_record_is_left_out_where_it_does_not_fit() -> None:
    large = replace(ENVELOPE, wrapped_key=fixed_bytes(800))

    end = closing(KEY, SINGLE, large, sealed_so_far=segment_stored_size(5))

    assert segment_stored_size(5) + sum(map(len, end)) == stored_size(5)
    assert not any(joined(end[:-1]))
    tail = parse_tail(bytes(end[-1][-TAIL:]))
    assert tail is not None
    assert tail.recovery_length == 0


def test_the_recovery_record_lies_before_the_footer() -> None:
    sealed = seal_single(b"hello")
    tail = parse_tail(sealed.stored[-TAIL:])
    assert tail is not None

    end = len(sealed.stored) - tail.closing_length
    recovered = decode_recovery(sealed.stored[end - tail.recovery_length : end])

    assert recovered == sealed.envelope


@pytest.mark.parametrize("difference", [-1, 1])
def test_closing_refuses_segments_that_are_not_those_of_the_attributes(difference: int) -> None:
    with pytest.raises(ValueError, match="segments sent"):
        closing(KEY, SINGLE, ENVELOPE, sealed_so_far=segment_stored_size(5) + difference)


def test_closing_refuses_another_layout() -> None:
    with pytest.raises(ValueError, match="layouts"):
        closing(KEY, SINGLE, envelope_for(KEY, Layout.MULTIPART), sealed_so_far=segment_stored_size(5))


def test_closing_never_makes_an_object_of_another_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sseproxy.format.layout._FIXED", 100)

    with pytest.raises(ValueError, match="no room"):
        closing(KEY, SINGLE, ENVELOPE, sealed_so_far=segment_stored_size(5))


@pytest.mark.parametrize("content", [b"", b"\x80", pack_attributes(replace(SINGLE, plaintext_size=6))])
def test_a_sealed_footer_that_makes_no_sense_is_refused(content: bytes) -> None:
    # Nobody without the key can make one; a sealer with a mistake could.
    tail = pack(">IHBB8s", 28 + max(len(content), 1), 0, 1, 0, b"sseproxy")
    footer = bytes(12) + AESGCM(KEY.footer_key).encrypt(bytes(12), content or b"?", tail)

    with pytest.raises(FooterRejected, match="not valid"):
        open_footer(KEY, ENVELOPE, footer, tail, stored_size=None)


def test_contradicting_attributes_are_not_sealed() -> None:
    with pytest.raises(ValueError, match="add up"):
        seal_footer(KEY, replace(SINGLE, plaintext_size=6), recovery_length=0)


def test_the_copy_in_the_envelope_opens_like_the_footer() -> None:
    sealed = seal_single(b"hello", with_copy=True)

    copied = open_footer_copy(sealed.key, sealed.envelope, stored_size=len(sealed.stored))

    assert copied == sealed.attributes
    assert open_footer_copy(sealed.key, replace(sealed.envelope, footer=None), stored_size=None) is None
    with pytest.raises(FooterRejected):
        open_footer_copy(sealed.key, sealed.envelope, stored_size=len(sealed.stored) + 1)


def test_a_cold_read_of_the_end_holds_the_footer_of_some_four_hundred_segments() -> None:
    sealed = seal([(number, bytes(M)) for number in range(1, 5)])
    footer = len(sealed.stored) - sum(segment_stored_size(M) for _ in range(4))
    attributes = multipart([M] * 400)

    longest, tail = seal_footer(KEY, attributes, recovery_length=0)

    assert footer > 0
    assert len(longest) + len(tail) <= TAIL_READ
