"""One page of a listing: prefix, delimiter, marker and limit over keys in order of their bytes.

Common prefixes are skipped over by a new search, so a page costs about as many searches as it has entries, however many
keys lie below each prefix.
"""

import base64
import binascii
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from sseproxy.store.faults import Fault
from sseproxy.store.service import Call
from sseproxy.store.texts import natural


class Keyed(Protocol):
    """Anything that has a key."""

    @property
    def key(self) -> bytes:
        """The key's bytes."""


Row = TypeVar("Row", bound=Keyed)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows and common prefixes (plain bytes) in order, whether there is more, and where that begins."""

    items: Sequence[Row | bytes]
    truncated: bool
    resume: bytes


def page_of(
    fetch: Callable[[bytes, bytes | None], Iterator[Row]], prefix: bytes, delimiter: bytes, first: bytes, most: int
) -> Page[Row]:
    """Collect a page from `first` on (included).

    `fetch(first, end)` yields rows with first <= key < end in order, one after the other as they are asked for; several
    rows may share a key.
    """
    end = successor(prefix)
    position: bytes | None = max(first, prefix)
    items: list[Row | bytes] = []
    while position is not None:
        rows, position = fetch(position, end), None
        for row in rows:
            if len(items) == most:
                return Page(items, truncated=most > 0, resume=row.key)
            group = _group(row.key, prefix, delimiter)
            items.append(row if group is None else group)
            if group is not None:
                position = successor(group)
                break
    return Page(items, truncated=False, resume=b"")


def _group(key: bytes, prefix: bytes, delimiter: bytes) -> bytes | None:
    at = key.find(delimiter, len(prefix)) if delimiter else -1
    return None if at < 0 else key[: at + len(delimiter)]


def successor(prefix: bytes) -> bytes | None:
    """Return the smallest key above all keys with `prefix`, None where there is no such key."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1]) if trimmed else None


def after_marker(marker: bytes, prefix: bytes, delimiter: bytes) -> bytes:
    """Return the first key that a listing behind `marker` may show.

    A marker that is itself a common prefix stands for everything below it.
    """
    if not marker:
        return b""
    if delimiter and _group(marker, prefix, delimiter) == marker and marker.startswith(prefix):
        return successor(marker) or marker + b"\x00"
    return marker + b"\x00"


def make_token(resume: bytes) -> str:
    """Return an opaque continuation token for a position."""
    return base64.urlsafe_b64encode(zlib.crc32(resume).to_bytes(4, "big") + resume).decode()


def read_token(token: str) -> bytes:
    """Return the position in a token; raises `Fault` InvalidArgument for anything that `make_token` did not make."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) < 4 or zlib.crc32(raw[4:]) != int.from_bytes(raw[:4], "big"):
        details = {"ArgumentName": "continuation-token", "ArgumentValue": token}
        raise Fault("InvalidArgument", "The continuation token provided is incorrect", details=details)
    return raw[4:]


def whole_number(call: Call, name: str, default: int) -> int:
    """Return a query parameter as a number from 0 to 2147483647."""
    text = call.query(name)
    if not text:
        return default
    number = natural(text)
    if number is None or number > 2**31 - 1:
        text_ = f"Argument {name} must be an integer between 0 and 2147483647"
        raise Fault("InvalidArgument", text_, details={"ArgumentName": name, "ArgumentValue": text})
    return number
