"""Strict MessagePack maps with integer keys (docs/format.md, "Maps").

Every map has exactly one encoding: what was read is encoded again and must give the same bytes. That refuses
duplicate keys, trailing bytes and non-minimal encodings in one comparison.
"""

from collections.abc import Mapping
from typing import Final

import msgpack

FIRST_IGNORED_KEY: Final = 64  # docs/format.md, "Maps"

_DEEPEST = 8  # how deep an ignored value may nest, docs/format.md, "Maps"

Value = int | bool | str | bytes


def pack_map(fields: Mapping[int, Value | None]) -> bytes:
    """Return the one encoding of the fields whose value is not None, keys ascending."""
    present = {key: fields[key] for key in sorted(fields) if fields[key] is not None}
    packed: bytes = msgpack.packb(present, use_bin_type=True)
    return packed


class Fields:
    """The fields of a packed map, taken one by one; `close` refuses what nobody took.

    Every method raises `ValueError`, with a message without the bytes, where the map is not as it must be.
    """

    __slots__ = ("_left",)

    def __init__(self, data: bytes) -> None:
        self._left = _unpack_map(data)

    def __contains__(self, key: int) -> bool:
        return key in self._left

    def integer(self, key: int, *, most: int, least: int = 0) -> int:
        """Take a whole number between `least` and `most`."""
        value = self._take(key)
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"Field {key} is not a number from {least} to {most}.")
        return value

    def binary(self, key: int, *, most: int, least: int = 0) -> bytes:
        """Take a byte string of `least` to `most` bytes."""
        value = self._take(key)
        if type(value) is not bytes or not least <= len(value) <= most:
            raise ValueError(f"Field {key} is not a byte string of {least} to {most} bytes.")
        return value

    def fixed(self, key: int, length: int) -> bytes:
        """Take a byte string of exactly `length` bytes."""
        return self.binary(key, least=length, most=length)

    def text(self, key: int, *, most: int, least: int = 0) -> str:
        """Take a text of `least` to `most` bytes in UTF-8."""
        value = self._take(key)
        if type(value) is not str or not least <= len(value.encode()) <= most:
            raise ValueError(f"Field {key} is not a text of {least} to {most} bytes.")
        return value

    def flag(self, key: int) -> bool:
        """Take a flag: true where it is there, absent where it is not set. False is never written."""
        if key not in self._left:
            return False
        if self._take(key) is not True:
            raise ValueError(f"Field {key} is there, but is not true.")
        return True

    def close(self) -> None:
        """Refuse fields below 64 that nobody took; those from 64 on are for later releases."""
        unknown = [key for key in self._left if key < FIRST_IGNORED_KEY]
        if unknown:
            raise ValueError(f"Field {unknown[0]} is not known.")

    def _take(self, key: int) -> object:
        if key not in self._left:
            raise ValueError(f"Field {key} is missing.")
        return self._left.pop(key)


def _unpack_map(data: bytes) -> dict[int, object]:
    try:
        value = msgpack.unpackb(data, raw=False, strict_map_key=False)
    except (msgpack.UnpackException, ValueError, TypeError) as cause:
        # ValueError and TypeError cover trailing bytes, bad UTF-8 and keys that cannot be hashed.
        raise ValueError("This is not a MessagePack map.") from cause
    if not isinstance(value, dict) or not all(type(key) is int for key in value):
        raise ValueError("This is not a map with integer keys.")
    if list(value) != sorted(value) or not all(map(_is_plain, value.values())):
        raise ValueError("The map's keys do not ascend, or a value has a type that is not used.")
    if msgpack.packb(value, use_bin_type=True) != data:
        raise ValueError("The map is not encoded the one legal way.")
    return value


def _is_plain(value: object, depth: int = 0) -> bool:
    """Whether a value has one encoding. Floats have several, extension types have no meaning here."""
    if isinstance(value, list | dict) and depth == _DEEPEST:
        return False
    if isinstance(value, list):
        return all(_is_plain(inner, depth + 1) for inner in value)
    if isinstance(value, dict):
        return all(type(key) in {int, str} and _is_plain(inner, depth + 1) for key, inner in value.items())
    return value is None or type(value) in {int, bool, str, bytes}
