"""Range and Content-Range: parse, resolve against a size, print (S3 dossier §5.1)."""

import re
from dataclasses import dataclass

from sseproxy.model import ByteRange

_FROM_TO = re.compile(r"bytes=([0-9]+)-([0-9]*)")
_SUFFIX = re.compile(r"bytes=-([0-9]+)")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19}|\*)")
_MOST_DIGITS = 19  # more is no size that exists, and slow to read as a number


@dataclass(frozen=True, slots=True)
class FromTo:
    """From a first byte to a last one, or to the end."""

    first: int
    last: int | None


@dataclass(frozen=True, slots=True)
class Suffix:
    """The last `length` bytes."""

    length: int


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """No byte of the object lies in the range."""


RangeSpec = FromTo | Suffix


def parse_range(value: str) -> RangeSpec | None:
    """Understand a Range header; None for whatever S3 ignores: several ranges, other units, reversed or malformed."""
    if len(value) > 2 * _MOST_DIGITS + len("bytes=-"):
        return None
    if found := _SUFFIX.fullmatch(value):
        return Suffix(int(found[1]))
    if found := _FROM_TO.fullmatch(value):
        first, last = int(found[1]), int(found[2]) if found[2] else None
        return None if last is not None and last < first else FromTo(first, last)
    return None


def resolve(spec: RangeSpec, size: int) -> ByteRange | Unsatisfiable | None:
    """Return the bytes that a range means in an object of `size` bytes.

    None: the whole object without a range, which is what a suffix of an empty object gives.
    """
    if isinstance(spec, Suffix):
        if spec.length == 0:
            return Unsatisfiable()
        return ByteRange(max(size - spec.length, 0), size - 1) if size else None
    if spec.first >= size:
        return Unsatisfiable()
    return ByteRange(spec.first, size - 1 if spec.last is None else min(spec.last, size - 1))


def content_range(wanted: ByteRange, size: int) -> str:
    """Return the Content-Range of a partial answer."""
    return f"bytes {wanted.first}-{wanted.last}/{size}"


def parse_content_range(value: str) -> tuple[ByteRange, int | None]:
    """Understand a Content-Range header; the size is None where it is `*`. Raises `ValueError`."""
    found = _CONTENT_RANGE.fullmatch(value.strip())
    if found is None or int(found[2]) < int(found[1]):
        raise ValueError("no Content-Range")
    return ByteRange(int(found[1]), int(found[2])), None if found[3] == "*" else int(found[3])
