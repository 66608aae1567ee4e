"""The numbers for words: complete, and never other ones."""

from enum import Enum
from typing import Any

import pytest

from sseproxy.format.codes import (
    ALGORITHMS,
    BINDINGS,
    CHECKSUM_TYPES,
    CHECKSUMS,
    LAYOUTS,
    SUITES,
    Codes,
)
from sseproxy.model import CHECKSUM_WIDTHS, Algorithm, Binding, ChecksumAlgorithm, ChecksumType, Layout, Suite

TABLES: list[tuple[Codes[Any], type[Enum]]] = [
    (SUITES, Suite),
    (ALGORITHMS, Algorithm),
    (BINDINGS, Binding),
    (LAYOUTS, Layout),
    (CHECKSUMS, ChecksumAlgorithm),
    (CHECKSUM_TYPES, ChecksumType),
]


@pytest.mark.parametrize(("codes", "enum"), TABLES, ids=lambda value: getattr(value, "__name__", ""))
def test_every_member_has_a_number_of_its_own(codes: Codes[Any], enum: type[Enum]) -> None:
    numbers = [codes.number(member) for member in enum]

    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    assert [codes.member(number) for number in numbers] == list(enum)


def test_the_numbers_are_those_of_the_specification() -> None:
    assert SUITES.number(Suite.AES_256_GCM) == 1
    assert ALGORITHMS.number(Algorithm.KMS) == 2
    assert BINDINGS.number(Binding.NONE) == 3
    assert LAYOUTS.number(Layout.MULTIPART) == 2
    assert CHECKSUMS.number(ChecksumAlgorithm.SHA256) == 5
    assert CHECKSUMS.number(ChecksumAlgorithm.XXHASH128) == 10
    assert CHECKSUM_TYPES.number(ChecksumType.COMPOSITE) == 2


def test_a_number_without_a_member_is_refused() -> None:
    with pytest.raises(ValueError, match="Layout 4 is not known"):
        LAYOUTS.member(4)


def test_every_checksum_has_a_width() -> None:
    assert set(CHECKSUM_WIDTHS) == set(ChecksumAlgorithm)
