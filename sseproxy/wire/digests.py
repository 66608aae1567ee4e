"""Running digests of a body, and the arithmetic of CRCs and composite checksums (S3 dossier §4; OSS dossier §5.3)."""

import hashlib
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol

import xxhash
from awscrt import checksums as crt
from fastcrc import crc32 as fast_crc32
from fastcrc import crc64 as fast_crc64

from sseproxy.errors import MalformedChecksum
from sseproxy.model import CHECKSUM_WIDTHS, ChecksumAlgorithm
from sseproxy.stage import Buffer

CRC64_XZ = "CRC64XZ"  # of OSS; no S3 checksum algorithm

Crc = ChecksumAlgorithm | str

# Reflected polynomial and width of every CRC. All of them start and end with all ones.
_CRCS: Mapping[Crc, tuple[int, int]] = MappingProxyType(
    {
        ChecksumAlgorithm.CRC32: (0xEDB88320, 32),
        ChecksumAlgorithm.CRC32C: (0x82F63B78, 32),
        ChecksumAlgorithm.CRC64NVME: (0x9A6C9329AC4BC9B5, 64),
        CRC64_XZ: (0xC96C5795D7870F42, 64),
    }
)
_UPDATES: Mapping[Crc, Callable[[Buffer, int], int]] = MappingProxyType(
    {
        ChecksumAlgorithm.CRC32: fast_crc32.iso_hdlc,
        ChecksumAlgorithm.CRC32C: fast_crc32.iscsi,
        ChecksumAlgorithm.CRC64NVME: crt.crc64nvme,
        CRC64_XZ: fast_crc64.xz,
    }
)


class _Hash(Protocol):
    def update(self, data: Buffer, /) -> None: ...

    def digest(self) -> bytes: ...


# Canonical (big-endian) digests, seed 0, as S3 wants them.
_HASHES: Mapping[ChecksumAlgorithm, Callable[[], _Hash]] = MappingProxyType(
    {
        ChecksumAlgorithm.XXHASH64: xxhash.xxh64,
        ChecksumAlgorithm.XXHASH3: xxhash.xxh3_64,
        ChecksumAlgorithm.XXHASH128: xxhash.xxh3_128,
    }
)


class Digests:
    """Digests of one body, updated together.

    May be used from a thread, by one at a time: all of them let other threads run while they work on large buffers.
    """

    def __init__(self, *, md5: bool, crc64: bool, algorithms: frozenset[ChecksumAlgorithm] = frozenset()) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False) if md5 else None
        self._hashes: dict[ChecksumAlgorithm, _Hash] = {
            algorithm: _HASHES[algorithm]() if algorithm in _HASHES else _hashlib(algorithm)
            for algorithm in algorithms
            if algorithm not in _CRCS
        }
        self._crcs: dict[Crc, int] = {algorithm: 0 for algorithm in algorithms if algorithm in _CRCS}
        if crc64:
            self._crcs[CRC64_XZ] = 0

    def update(self, data: Buffer) -> None:
        """Take the next bytes."""
        if self._md5 is not None:
            self._md5.update(data)
        for digest in self._hashes.values():
            digest.update(data)
        for algorithm, crc in self._crcs.items():
            self._crcs[algorithm] = _UPDATES[algorithm](data, crc)

    @property
    def md5(self) -> bytes:
        """The MD5 of everything taken. Raises `LookupError` where it was not asked for."""
        if self._md5 is None:
            raise LookupError("MD5 was not asked for")
        return self._md5.digest()

    @property
    def crc64(self) -> int:
        """The CRC-64/XZ of everything taken; only where it was asked for."""
        return self._crcs[CRC64_XZ]

    def checksum(self, algorithm: ChecksumAlgorithm) -> bytes:
        """Return a checksum as raw bytes, CRCs big-endian; only one that was asked for."""
        if algorithm in self._crcs:
            return self._crcs[algorithm].to_bytes(CHECKSUM_WIDTHS[algorithm], "big")
        return self._hashes[algorithm].digest()


def _hashlib(algorithm: ChecksumAlgorithm) -> _Hash:
    return hashlib.new(algorithm.value.lower(), usedforsecurity=False)


def digest_of(algorithm: ChecksumAlgorithm, data: Buffer) -> bytes:
    """Return the checksum of bytes that are all there."""
    digests = Digests(md5=False, crc64=False, algorithms=frozenset({algorithm}))
    digests.update(data)
    return digests.checksum(algorithm)


def composite(algorithm: ChecksumAlgorithm, parts: Sequence[bytes]) -> bytes:
    """Return the composite checksum of parts: the same algorithm over their joined raw checksums."""
    return digest_of(algorithm, b"".join(parts))


def crc_combine(algorithm: Crc, first: int, second: int, second_length: int) -> int:
    """Return the CRC of two runs of bytes from the CRC of each; O(log `second_length`) (zlib's technique)."""
    polynomial, width = _CRCS[algorithm]
    one = 1 << (width - 1)  # the polynomial 1, in reflected order
    return _multiply(_power_of_x(8 * second_length, polynomial, one), first, polynomial, one) ^ second


def parse_checksum(algorithm: ChecksumAlgorithm, text: str, *, trailing: bool = False) -> bytes:
    """Return the raw bytes of a checksum as it is sent, in a header or behind the body.

    Raises `MalformedChecksum` (S3 dossier §3.5, §4.3).
    """
    try:
        value = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        value = b""
    if len(value) != CHECKSUM_WIDTHS[algorithm]:
        place = "trailing header" if trailing else "header"
        raise MalformedChecksum(f"Value for x-amz-checksum-{algorithm.value.lower()} {place} is invalid.")
    return value


def _multiply(a: int, b: int, polynomial: int, one: int) -> int:
    """Multiply two reflected polynomials modulo the CRC's."""
    product = 0
    while a:
        if a & one:
            product ^= b
        a = (a << 1) & (2 * one - 1)
        b = (b >> 1) ^ (polynomial if b & 1 else 0)
    return product


@lru_cache(maxsize=64)  # the parts of an upload have few sizes, and this is what a combination costs
def _power_of_x(exponent: int, polynomial: int, one: int) -> int:
    """Return x to the power of `exponent` modulo the CRC's polynomial."""
    result, square = one, one >> 1
    while exponent:
        if exponent & 1:
            result = _multiply(square, result, polynomial, one)
        square = _multiply(square, square, polynomial, one)
        exponent >>= 1
    return result
