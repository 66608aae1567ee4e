"""The numbers that stand for words inside envelope, attributes and records (docs/format.md, "Numbers for words").

A number once given is never given again. Numbers that are not here are errors for this release.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from sseproxy.model import Algorithm, Binding, ChecksumAlgorithm, ChecksumType, Layout, Suite

E = TypeVar("E", bound=Enum)


class Codes(Generic[E]):
    """A fixed one-to-one table between the members of an enum and small numbers."""

    __slots__ = ("_members", "_numbers", "_what")

    def __init__(self, what: str, members: Mapping[int, E]) -> None:
        self._what = what
        self._members = MappingProxyType(dict(members))
        self._numbers = MappingProxyType({member: number for number, member in members.items()})

    def number(self, member: E) -> int:
        """Return the number of a member."""
        return self._numbers[member]

    def member(self, number: int) -> E:
        """Return the member of a number; raises `ValueError` for a number without one."""
        if number not in self._members:
            raise ValueError(f"{self._what} {number} is not known.")
        return self._members[number]


SUITES: Final = Codes("Suite", {suite.value: suite for suite in Suite})
ALGORITHMS: Final = Codes("Algorithm", {1: Algorithm.AES256, 2: Algorithm.KMS, 3: Algorithm.SM4, 4: Algorithm.CUSTOMER})
BINDINGS: Final = Codes("Binding", {1: Binding.BUCKET_KEY, 2: Binding.KEY, 3: Binding.NONE})
LAYOUTS: Final = Codes("Layout", {1: Layout.SINGLE, 2: Layout.MULTIPART, 3: Layout.APPEND})
CHECKSUMS: Final = Codes(
    "Checksum algorithm",
    {
        1: ChecksumAlgorithm.CRC32,
        2: ChecksumAlgorithm.CRC32C,
        3: ChecksumAlgorithm.CRC64NVME,
        4: ChecksumAlgorithm.SHA1,
        5: ChecksumAlgorithm.SHA256,
        6: ChecksumAlgorithm.SHA512,
        7: ChecksumAlgorithm.MD5,
        8: ChecksumAlgorithm.XXHASH64,
        9: ChecksumAlgorithm.XXHASH3,
        10: ChecksumAlgorithm.XXHASH128,
    },
)
CHECKSUM_TYPES: Final = Codes("Checksum type", {1: ChecksumType.FULL_OBJECT, 2: ChecksumType.COMPOSITE})
