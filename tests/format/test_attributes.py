"""Attributes: exact fields, round trip, and every rule that the reader enforces."""

from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.format import LONGEST_FOOTER, Attributes, SegmentEntry, check_attributes
from sseproxy.format.attributes import pack_attributes, table_length, unpack_attributes
from sseproxy.model import Checksum, ChecksumAlgorithm, ChecksumType, Layout
from tests.format.sealing import fit_beside_the_table

M = 102_400
SALT = bytes(range(32))


def entry(number: int, size: int, checksum: bytes = b"") -> SegmentEntry:
    return SegmentEntry(number=number, plaintext_size=size, salt=SALT, checksum=checksum)


def checksum(algorithm: ChecksumAlgorithm, width: int, kind: ChecksumType = ChecksumType.COMPOSITE) -> Checksum:
    return Checksum(algorithm=algorithm, type=kind, value=bytes([7]) * width)


SINGLE = Attributes(layout=Layout.SINGLE, plaintext_size=5, segments=(entry(1, 5),), crc64=7, md5=bytes(16))
PARTS = Attributes(
    layout=Layout.MULTIPART,
    plaintext_size=2 * M + 1,
    segments=(entry(2, M, b"1" * 32), entry(7, M, b"2" * 32), entry(10_000, 1, b"3" * 32)),
    crc64=2**64 - 1,
    md5=bytes(range(16)),
    part_count=3,
    checksum=checksum(ChecksumAlgorithm.SHA256, 32),
    crc64nvme=2**63,
)


def fields_of(attributes: Attributes) -> dict[int, Any]:
    fields = msgpack.unpackb(pack_attributes(attributes), strict_map_key=False)
    assert isinstance(fields, dict)
    return fields


def packed(fields: dict[int, Any]) -> bytes:
    data = msgpack.packb(dict(sorted(fields.items())))
    assert isinstance(data, bytes)
    return data


@pytest.mark.parametrize(
    "attributes",
    [
        SINGLE,
        PARTS,
        replace(SINGLE, plaintext_size=0, segments=(entry(1, 0),)),
        replace(PARTS, md5=None, crc64nvme=None),
        replace(
            PARTS, part_count=None, checksum=None, segments=tuple(replace(e, checksum=b"") for e in PARTS.segments)
        ),
        replace(PARTS, plaintext_size=0, segments=(entry(5, 0),), part_count=1, checksum=None),
        replace(PARTS, plaintext_size=M, segments=(entry(1, M), entry(2, 0)), part_count=2, checksum=None),
        replace(SINGLE, checksum=checksum(ChecksumAlgorithm.CRC32, 4, ChecksumType.FULL_OBJECT)),
    ],
    ids=["single", "parts", "empty", "opaque", "internal parts", "empty part", "empty last part", "full object"],
)
def test_attributes_come_back(attributes: Attributes) -> None:
    assert unpack_attributes(pack_attributes(attributes)) == attributes


def test_the_fields_have_the_numbers_of_the_specification() -> None:
    assert fields_of(PARTS) == {
        1: 1,
        2: 2,
        3: 2 * M + 1,
        4: 32,
        5: b"".join(
            number.to_bytes(3, "big") + size.to_bytes(5, "big") + SALT + digit * 32
            for number, size, digit in [(2, M, b"1"), (7, M, b"2"), (10_000, 1, b"3")]
        ),
        6: b"\xff" * 8,
        7: bytes(range(16)),
        8: 3,
        9: 5,
        10: 2,
        11: b"\x07" * 32,
        12: b"\x80" + bytes(7),
    }


@given(
    st.lists(st.integers(M, 2**40 - 1), max_size=30),
    st.integers(0, 2**40 - 1),
    st.sampled_from([(ChecksumAlgorithm.CRC32C, 4), (ChecksumAlgorithm.SHA1, 20), None]),
    st.integers(0, 2**64 - 1),
)
def test_every_table_comes_back(
    sizes: list[int], last: int, algorithm: tuple[ChecksumAlgorithm, int] | None, crc64: int
) -> None:
    width = algorithm[1] if algorithm else 0
    segments = tuple(entry(3 * n + 1, size, bytes([n]) * width) for n, size in enumerate([*sizes, last]))
    attributes = Attributes(
        layout=Layout.MULTIPART,
        plaintext_size=sum(sizes) + last,
        segments=segments,
        crc64=crc64,
        part_count=len(segments),
        checksum=checksum(*algorithm) if algorithm else None,
    )

    data = pack_attributes(attributes)

    assert unpack_attributes(data) == attributes
    assert len(data) - table_length(attributes) < 100


def test_ten_thousand_segments_with_the_widest_checksums_fill_the_table() -> None:
    segments = tuple(entry(n + 1, M, bytes(32)) for n in range(10_000))
    attributes = replace(PARTS, plaintext_size=M * 10_000, segments=segments, part_count=10_000)

    assert table_length(attributes) == 720_000
    assert 28 + len(pack_attributes(attributes)) <= LONGEST_FOOTER
    assert unpack_attributes(pack_attributes(attributes)) == attributes


WRONG: dict[str, Attributes] = {
    "sum too small": replace(SINGLE, plaintext_size=4),
    "sum too large": replace(PARTS, plaintext_size=2 * M + 2),
    "single with two segments": replace(SINGLE, segments=(entry(1, M), entry(2, 5)), plaintext_size=M + 5),
    "single with number 2": replace(SINGLE, segments=(entry(2, 5),)),
    "single without segments": replace(SINGLE, segments=(), plaintext_size=0),
    "single with part count": replace(SINGLE, part_count=1),
    "single with a part's checksum": replace(
        SINGLE, segments=(entry(1, 5, bytes(4)),), checksum=checksum(ChecksumAlgorithm.CRC32, 4, ChecksumType.FULL_OBJECT)
    ),
    "single with composite": replace(SINGLE, checksum=checksum(ChecksumAlgorithm.CRC32, 4)),
    "no segments": replace(PARTS, segments=(), plaintext_size=0, part_count=None),
    "number 0": replace(PARTS, segments=(entry(0, 1),), plaintext_size=1, part_count=1),
    "number 10,001": replace(PARTS, segments=(entry(10_001, 1),), plaintext_size=1, part_count=1),
    "numbers equal": replace(PARTS, segments=(entry(1, M), entry(1, M)), plaintext_size=2 * M, part_count=2),
    "numbers descending": replace(PARTS, segments=(entry(2, M), entry(1, M)), plaintext_size=2 * M, part_count=2),
    "small middle": replace(PARTS, segments=(entry(1, M - 1), entry(2, M)), plaintext_size=2 * M - 1, part_count=2),
    "empty first": replace(PARTS, segments=(entry(1, 0), entry(2, M)), plaintext_size=M, part_count=2),
    "part count differs": replace(PARTS, part_count=2),
    "append": replace(SINGLE, layout=Layout.APPEND),
    "checksum width": replace(PARTS, checksum=checksum(ChecksumAlgorithm.SHA256, 31)),
    "parts' width": replace(PARTS, checksum=checksum(ChecksumAlgorithm.SHA1, 20)),
    "parts' checksums without the object's": replace(PARTS, checksum=None),
    "parts' widths differ": replace(
        PARTS, segments=(entry(1, M, b"1" * 32), entry(2, M)), plaintext_size=2 * M, part_count=2
    ),
    "md5 width": replace(SINGLE, md5=bytes(15)),
    "salt width": replace(SINGLE, segments=(SegmentEntry(number=1, plaintext_size=5, salt=bytes(31)),)),
}  # fmt: skip


@pytest.mark.parametrize("attributes", WRONG.values(), ids=WRONG.keys())
def test_attributes_that_contradict_themselves_are_refused(attributes: Attributes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the fact matters, not the words
        check_attributes(attributes)


@pytest.mark.parametrize(
    "attributes", [value for name, value in WRONG.items() if "width" not in name], ids=lambda _: ""
)
def test_the_reader_refuses_them_too(attributes: Attributes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the fact matters, not the words
        unpack_attributes(pack_attributes(attributes))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (1, 2), (1, 0), (2, 0), (2, 3), (2, 4), (2, "single"), (3, -1), (3, "5"), (4, 31), (4, 33), (4, 0),
        (5, b""), (5, bytes(71)), (5, "x" * 72), (6, bytes(7)), (6, 7), (7, bytes(15)), (8, 0), (8, 4), (8, 10_001),
        (9, 0), (9, 6), (9, 4), (10, 0), (10, 3), (11, bytes(31)), (12, bytes(9)), (13, 1), (63, 1), (-1, 1),
    ],
)  # fmt: skip
def test_a_field_that_is_not_as_it_must_be_is_refused(key: int, value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the fact matters, not the words
        unpack_attributes(packed({**fields_of(PARTS), key: value}))


@pytest.mark.parametrize("missing", [1, 2, 3, 4, 5, 6, 10, 11])
def test_a_missing_field_is_refused(missing: int) -> None:
    fields = fields_of(PARTS)
    del fields[missing]

    with pytest.raises(ValueError, match="missing"):
        unpack_attributes(packed(fields))


@pytest.mark.parametrize("orphan", [10, 11])
def test_a_checksum_without_its_algorithm_is_refused(orphan: int) -> None:
    fields = fields_of(SINGLE)
    fields[orphan] = 1

    with pytest.raises(ValueError, match="not known"):
        unpack_attributes(packed(fields))


def test_fields_from_64_on_are_ignored() -> None:
    assert unpack_attributes(packed({**fields_of(PARTS), 64: b"later"})) == PARTS


@pytest.mark.parametrize(
    "attributes", [SINGLE, PARTS, replace(PARTS, segments=())], ids=["single", "parts", "none yet"]
)
def test_all_attributes_of_this_release_fit_the_room(attributes: Attributes) -> None:
    assert fit_beside_the_table(attributes)
