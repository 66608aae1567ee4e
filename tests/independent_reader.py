"""A second reader of the sealed format, written from docs/format.md alone. It shares no code with sseproxy.

    read(envelope_text, stored_bytes, unwrap) -> plaintext

`unwrap` gets the envelope's map and returns the raw data key. Anything wrong raises `Unreadable`.
Needs `cryptography` and nothing else; also runs as a command on a raw key: see `main`.
"""

import base64
import hashlib
import hmac
import sys
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

P, M = 65536, 102400
Map = dict[int, object]


class Unreadable(Exception):
    """The object is not what a sealer of version 1 writes."""


def need(condition: bool, what: str) -> None:  # noqa: FBT001 - reads like a sentence
    if not condition:
        raise Unreadable(what)


# --- MessagePack: the few types that version 1 writes ----------------------------------------------------------


def big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def item(data: bytes, at: int) -> tuple[object, int]:
    """Return the value at a position and the position behind it. Long forms are for long values only."""
    need(at < len(data), "the map is cut off")
    kind, at = data[at], at + 1
    if kind < 0x80:
        return kind, at
    if 0xA0 <= kind <= 0xBF:
        return text(data, at, kind & 0x1F)
    if kind == 0xC3:
        return True, at
    widths = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
    need(kind in widths, "a type that version 1 does not write")
    width = widths[kind]
    number, at = big(data[at : at + width]), at + width
    shortest = {1: 0, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}[width]
    if kind >= 0xD9:
        need(number >= max(shortest, 32), "a text in a longer form than needed")
        return text(data, at, number)
    if kind >= 0xCC:
        need(number >= max(shortest, 128), "a number in a longer form than needed")
        return number, at
    need(number >= shortest and at + number <= len(data), "a byte string is cut off or in a longer form than needed")
    return data[at : at + number], at + number


def text(data: bytes, at: int, length: int) -> tuple[str, int]:
    need(at + length <= len(data), "a text is cut off")
    return data[at : at + length].decode(), at + length


def read_map(data: bytes, known: int) -> Map:
    need(bool(data) and (0x80 < data[0] <= 0x8F or (data[0] == 0xDE and big(data[1:3]) > 15)), "not a map")
    count, at = (data[0] & 0xF, 1) if data[0] != 0xDE else (big(data[1:3]), 3)
    result: Map = {}
    for _ in range(count):
        key, at = item(data, at)
        need(type(key) is int and (not result or key > max(result)), "the keys do not ascend")
        assert isinstance(key, int)
        need(1 <= key <= known or key >= 64, "an unknown key")
        result[key], at = item(data, at)
    need(at == len(data), "bytes after the map")
    return result


def binary(fields: Map, key: int, length: int | None = None) -> bytes:
    value = fields.get(key)
    need(isinstance(value, bytes) and length in {None, len(value)}, f"field {key}")
    assert isinstance(value, bytes)
    return value


def number(fields: Map, key: int) -> int:
    value = fields.get(key)
    need(type(value) is int, f"field {key}")
    assert isinstance(value, int)
    return value


# --- Keys, sizes ----------------------------------------------------------------------------------------------------


def hkdf(key: bytes, salt: bytes, info: bytes, length: int = 32) -> bytes:
    extracted = hmac.digest(salt or bytes(32), key, "sha256")
    return hmac.digest(extracted, b"sseproxy/v1/" + info + b"\x01", "sha256")[:length]


def stored_size(size: int) -> int:
    return size + 16 * -(-size // P) + 120 * min(size // M, 9999) + 1024


def open_sealed(key: bytes, nonce: bytes, sealed: bytes, aad: bytes | None) -> bytes:
    try:
        if len(key) == 32:
            return AESGCM(key).decrypt(nonce, sealed, aad)
        sm4 = Cipher(algorithms.SM4(key), modes.GCM(nonce, sealed[-16:])).decryptor()
        sm4.authenticate_additional_data(aad or b"")
        return sm4.update(sealed[:-16]) + sm4.finalize()
    except InvalidTag as cause:
        raise Unreadable("a tag does not verify") from cause


# --- Envelope, footer, body -------------------------------------------------------------------------------------


def read_envelope(header: str) -> Map:
    raw = base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))
    need(base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == header, "not base64url")
    envelope = read_map(raw, known=15)
    need(number(envelope, 1) == 1 and number(envelope, 2) in {1, 2}, "version or suite")
    need(number(envelope, 13) in {1, 2}, "layout")
    binary(envelope, 14, 32)
    return envelope


def read_footer(key: bytes, footer: bytes, tail: bytes, layout: int) -> tuple[int, list[tuple[int, int, bytes]]]:
    """Return the plaintext size and the segments: number, plaintext size, salt."""
    attributes = read_map(open_sealed(hkdf(key, b"", b"footer", len(key)), footer[:12], footer[12:], tail), known=12)
    need(number(attributes, 1) == 1 and number(attributes, 2) == layout, "the footer's version or layout")
    size, width, table = number(attributes, 3), number(attributes, 4), binary(attributes, 5)
    entry = 40 + width
    need(width <= 32 and len(table) % entry == 0, "the segment table")
    rows = [table[at : at + entry] for at in range(0, len(table), entry)]
    segments = [(big(row[:3]), big(row[3:8]), row[8:40]) for row in rows]
    numbers = [row[0] for row in segments]
    need(numbers == [1] if layout == 1 else numbers == sorted(set(numbers)), "the segments' numbers")
    need(bool(numbers) and numbers[0] >= 1 and numbers[-1] <= 10_000, "the segments' numbers")
    need(all(row[1] >= M for row in segments[:-1]) and sum(row[1] for row in segments) == size, "the segments' sizes")
    return size, segments


def read(header: str, stored: bytes, unwrap: Callable[[Map], bytes]) -> bytes:
    envelope = read_envelope(header)
    key = unwrap(envelope)
    need(len(key) == {1: 32, 2: 16}[number(envelope, 2)], "the key's length")
    need(hmac.compare_digest(hkdf(key, b"", b"commit"), binary(envelope, 14)), "the key's commitment")
    tail = stored[-16:]
    need(tail[8:] == b"sseproxy" and tail[6:8] == b"\x01\x00", "the tail")
    footer = stored[-16 - big(tail[:4]) : -16]
    need(29 <= len(footer) == big(tail[:4]) <= 28 + 720_000 + 512, "the footer's length")
    if 15 in envelope:
        need(binary(envelope, 15) == footer + tail, "the envelope's copy of the footer")
    size, segments = read_footer(key, footer, tail, number(envelope, 13))
    need(len(stored) == stored_size(size), "the stored size")
    plain, at = [], 0
    for segment_number, segment_size, salt in segments:
        segment_key = hkdf(key, salt, b"segment" + segment_number.to_bytes(4, "big"), len(key))
        at += 32
        frames = -(-segment_size // P)
        for index in range(frames):
            length = min(P, segment_size - index * P) + 16
            nonce = index.to_bytes(8, "big") + b"\0\0\0" + bytes([index == frames - 1])
            plain.append(open_sealed(segment_key, nonce, stored[at : at + length], None))
            at += length
    return b"".join(plain)


def main() -> None:
    """Print the plaintext: independent_reader.py ENVELOPE-TEXT STORED-FILE KEY-AS-HEX."""
    header, path, key = sys.argv[1:]
    sys.stdout.buffer.write(read(header, Path(path).read_bytes(), lambda _: bytes.fromhex(key)))


def place_of(bucket: bytes, name: bytes) -> bytes:
    """What field 10 of an envelope must be for an object that was not moved."""
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in (bucket, name))
    return hashlib.sha256(framed).digest()[:8]


if __name__ == "__main__":
    main()
