"""The independent reader's other half: objects that grew by appending, after docs/format.md, "Append", alone.

It shares no code with the product, only the tools of `tests/independent_reader.py`.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable

from tests.independent_reader import Map, P, big, binary, hkdf, need, number, open_sealed, read_map

Row = tuple[int, int, bytes, int]
"""A segment: number, plaintext size, salt, offset in the object."""


def read_appended(header: str, stored: bytes, unwrap: Callable[[Map], bytes]) -> bytes:
    """Return the plaintext of an appended object; raises `Unreadable`."""
    envelope = read_map(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)), known=15)
    need(number(envelope, 1) == 1 and number(envelope, 13) == 3, "version or layout")
    key = unwrap(envelope)
    need(hmac.compare_digest(hkdf(key, b"", b"commit"), binary(envelope, 14, 32)), "the key's commitment")
    return b"".join(plain for row in _rows(key, stored) for plain in _segment(key, stored, row))


def _rows(key: bytes, stored: bytes) -> list[Row]:
    """Return all segments in order: from the last footer to the one before it, to the front."""
    rows: list[Row] = []
    end, size_wanted = len(stored), None
    while True:
        attributes, table = _footer(key, stored[:end])
        size = number(attributes, 3)
        need(size_wanted in {None, size}, "the size at which the later table begins")
        need(not rows or table[-1][0] + 1 == rows[0][0], "the number at which the later table begins")
        rows = table + rows
        size_wanted = size - sum(row[1] for row in table)
        if 14 not in attributes:
            need(size_wanted == 0 and rows[0][0] == 1 and rows[0][3] == 0, "the object's beginning")
            return rows
        start, length = number(attributes, 14), number(attributes, 15)
        end = start + length
        need(end == table[0][3], "where the footer before ends")
        need(hashlib.sha256(stored[start:end]).digest() == binary(attributes, 16, 32), "the footer before")


def _footer(key: bytes, stored: bytes) -> tuple[Map, list[Row]]:
    """Open the footer at the end of some blocks and return its attributes and table."""
    tail = stored[-16:]
    need(tail[8:] == b"sseproxy" and tail[6:8] == b"\x01\x00", "the tail")
    footer = stored[-16 - big(tail[:4]) : -16]
    plain = open_sealed(hkdf(key, b"", b"footer", len(key)), footer[:12], footer[12:], tail)
    attributes = read_map(plain, known=16)
    need(set(attributes) - {13, 14, 15, 16} == {1, 2, 3, 4, 5, 6}, "the fields")
    need((number(attributes, 1), number(attributes, 2), number(attributes, 4)) == (1, 3, 0), "version, layout, w")
    table, offsets = binary(attributes, 5), binary(attributes, 13)
    count = len(table) // 40
    need(1 <= count <= 256 and len(table) == 40 * count and len(offsets) == 5 * count, "the table")
    rows = []
    for index in range(count):
        entry, offset = table[40 * index : 40 * index + 40], big(offsets[5 * index : 5 * index + 5])
        rows.append((big(entry[:3]), big(entry[3:8]), entry[8:], offset))
    need([row[0] for row in rows] == list(range(rows[0][0], rows[0][0] + count)), "the numbers")
    _, size, _, offset = rows[-1]
    closing = big(tail[4:6]) + len(footer) + 16
    need(len(stored) == offset + 32 + size + 16 * -(-size // P) + closing, "the stored size")
    return attributes, rows


def _segment(key: bytes, stored: bytes, row: Row) -> list[bytes]:
    segment, size, salt, at = row
    segment_key = hkdf(key, salt, b"segment" + segment.to_bytes(4, "big"), len(key))
    frames, at, plain = -(-size // P), at + 32, []
    for index in range(frames):
        length = min(P, size - index * P) + 16
        nonce = index.to_bytes(8, "big") + b"\0\0\0" + bytes([index == frames - 1])
        plain.append(open_sealed(segment_key, nonce, stored[at : at + length], None))
        at += length
    return plain
