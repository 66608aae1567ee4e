"""Digests of a body while it arrives, and how the CRCs of parts combine.

MD5 (the ETag), the CRC-64 of OSS and the CRC-64/NVME that S3 stores by default are always taken; the CRCs run at memory
speed and MD5 cannot be avoided. The rest is taken where a client asks for it.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from awscrt import checksums
from fastcrc import crc64

from sseproxy.store.files import Buffer

SIZES = {"crc32": 4, "crc32c": 4, "crc64nvme": 8, "sha1": 20, "sha256": 32}
FULL_OBJECT_ONLY = "crc64nvme"
_CRCS = {"crc32": checksums.crc32, "crc32c": checksums.crc32c, "crc64nvme": checksums.crc64nvme}
_COMBINE = {
    "crc32": checksums.combine_crc32,
    "crc32c": checksums.combine_crc32c,
    "crc64nvme": checksums.combine_crc64nvme,
}
_POLYNOMIAL = 0xC96C5795D7870F42  # CRC-64/XZ, reflected (OSS dossier §5.3)


@dataclass(frozen=True, slots=True)
class Digested:
    """All digests of one body. `checksums` are raw bytes by algorithm, CRCs big-endian."""

    size: int
    md5: bytes
    crc64: int
    checksums: dict[str, bytes]


class Digests:
    """Takes the digests; `update` may run in a thread, as long as one does at a time."""

    def __init__(self, algorithms: Collection[str] = ()) -> None:
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._crc64 = 0
        self._crcs = dict.fromkeys(("crc64nvme", *(name for name in algorithms if name in _CRCS)), 0)
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms if name not in _CRCS}

    def update(self, data: Buffer) -> None:
        """Take the next bytes."""
        self._size += len(data)
        self._md5.update(data)
        self._crc64 = crc64.xz(data, self._crc64)
        for name, value in self._crcs.items():
            self._crcs[name] = _CRCS[name](data, value)
        for running in self._hashes.values():
            running.update(data)

    def finish(self) -> Digested:
        """Return what was taken."""
        values = {name: value.to_bytes(SIZES[name], "big") for name, value in self._crcs.items()}
        values |= {name: running.digest() for name, running in self._hashes.items()}
        return Digested(self._size, self._md5.digest(), self._crc64, values)


def composite(algorithm: str, parts: Sequence[bytes]) -> bytes:
    """Return the checksum over the raw checksums of the parts (S3 dossier §4.1)."""
    digests = Digests([algorithm])
    digests.update(b"".join(parts))
    return digests.finish().checksums[algorithm]


def combined(algorithm: str, parts: Sequence[tuple[bytes, int]]) -> bytes:
    """Return the CRC of the whole from (CRC, length) of its parts."""
    total = 0
    for value, length in parts:
        total = _COMBINE[algorithm](total, int.from_bytes(value, "big"), length)
    return total.to_bytes(SIZES[algorithm], "big")


def combined_crc64(parts: Sequence[tuple[int, int]]) -> int:
    """Return the CRC-64/XZ of the whole from (CRC, length) of its parts."""
    total = 0
    for value, length in parts:
        total = _times(_power(8 * length), total) ^ value
    return total


def _times(a: int, b: int) -> int:
    """Multiply two polynomials modulo the reflected one; bit 63 is the coefficient of x to the power 0."""
    product = 0
    for bit in range(63, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = (b >> 1) ^ (_POLYNOMIAL if b & 1 else 0)
    return product


def _power(exponent: int) -> int:
    """Return x to the power of `exponent` modulo the polynomial."""
    result, base = 1 << 63, 1 << 62
    while exponent:
        if exponent & 1:
            result = _times(base, result)
        base = _times(base, base)
        exponent >>= 1
    return result
