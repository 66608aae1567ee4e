"""What an adversary who owns the backend's files can do to them, and a reader that tells what came of it."""

import json
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

from sseproxy.format import FRAME, TAG, TAIL, decode_envelope, parse_tail
from sseproxy.store.locate import StoredFiles, locate_object
from tests.support.servers import Server

SALT = 32


class Outcome(Enum):
    """What a reader got."""

    RIGHT = "the bytes that were sent, with a success"
    REFUSED = "an error status"
    CUT = "a success whose body was cut off before its announced end"
    WRONG = "other bytes, with a success"


@dataclass(frozen=True)
class Placed:
    """An object put through the proxy: its bytes, and the plaintext sizes of its segments."""

    key: str
    body: bytes
    segments: Sequence[int]
    dialect: str = "s3"


@dataclass
class Reader:
    """Reads over one connection that is made again where it was cut. The proxies trust unsigned clients."""

    proxies: Mapping[str, Server]
    bucket: str
    _connections: dict[str, socket.socket] = field(default_factory=dict)

    def read(self, placed: Placed, wanted: tuple[int, int] | None = None, method: str = "GET") -> Outcome:
        """GET an object, or its bytes from the first to before the last of `wanted`."""
        status, body = self.get(placed, f"bytes={wanted[0]}-{wanted[1] - 1}" if wanted else None, method)
        if status >= 400:
            return Outcome.REFUSED
        if body is None:
            return Outcome.CUT
        expected = placed.body[wanted[0] : wanted[1]] if wanted else placed.body
        return Outcome.RIGHT if body == (expected if method == "GET" else b"") else Outcome.WRONG

    def get(self, placed: Placed, byte_range: str | None = None, method: str = "GET") -> tuple[int, bytes | None]:
        """Return status and body; None where the body, or even the head, was cut off."""
        server = self.proxies[placed.dialect]
        lines = [f"{method} /{self.bucket}/{placed.key} HTTP/1.1", f"Host: {urlsplit(server.url).netloc}"]
        lines += [f"Range: {byte_range}"] if byte_range else []
        lines += ["x-oss-range-behavior: standard"] if placed.dialect == "oss" else []
        connection = self._connections.pop(placed.dialect, None) or socket.create_connection((server.host, server.port))
        connection.settimeout(60)
        response = HTTPResponse(connection, method=method)
        try:
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            response.begin()
            body = response.read()
        except (HTTPException, ConnectionError):
            connection.close()
            return 0, None
        if response.will_close:
            connection.close()
        else:
            self._connections[placed.dialect] = connection
        return response.status, body

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()


@dataclass(frozen=True)
class Site:
    """A store, proxies in front of it, and what was put through them."""

    store: Server
    reader: Reader
    bucket: str
    objects: Mapping[str, Placed]

    def files(self, key: str) -> StoredFiles:
        return locate_object(self.store.data, self.bucket, key)

    def envelope(self, key: str) -> str:
        document = json.loads(self.files(key).metadata.read_bytes())
        return str(document["user"]["sseproxy"])

    def flips(self, key: str, path: Path, places: Iterable[int]) -> dict[int, Outcome]:
        """Flip one bit at each of the places, one after the other; return what a reader got each time."""
        outcomes = {}
        for at in places:
            with flipped(path, at, at % 8):
                outcomes[at] = self.reader.read(self.objects[key])
        return outcomes

    def protected(self, key: str) -> list[range]:
        """Return where in the body of an object every bit counts: its frames, and footer and tail unless these were
        copied into the envelope, where they are read instead."""
        found, at = [], 0
        for size in self.objects[key].segments:
            stored = SALT + size + TAG * -(-size // FRAME)
            found.append(range(at + SALT, at + stored))
            at += stored
        data = self.files(key).body.read_bytes()
        tail = parse_tail(data[-TAIL:])
        assert tail is not None
        if not has_footer_copy(self.envelope(key)):
            found.append(range(len(data) - tail.closing_length, len(data)))
        return found


def has_footer_copy(envelope: str) -> bool:
    """Whether footer and tail travel in the envelope as well."""
    return decode_envelope(envelope).footer is not None


@contextmanager
def changed(path: Path, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """Put changed bytes in a file's place, and the old ones back afterwards."""
    before = path.read_bytes()
    path.write_bytes(change(before))
    try:
        yield
    finally:
        path.write_bytes(before)


@contextmanager
def flipped(path: Path, at: int, bit: int) -> Iterator[None]:
    """Flip one bit in a file, in place, and back."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        old = os.pread(descriptor, 1, at)
        os.pwrite(descriptor, bytes([old[0] ^ (1 << bit)]), at)
        try:
            yield
        finally:
            os.pwrite(descriptor, old, at)
    finally:
        os.close(descriptor)


def edit_envelope(edit: Callable[[str], str | None]) -> Callable[[bytes], bytes]:
    """Return a change of a metadata file: another envelope in it, or none."""

    def change(data: bytes) -> bytes:
        document = json.loads(data)
        text = edit(document["user"].pop("sseproxy"))
        if text is not None:
            document["user"]["sseproxy"] = text
        return json.dumps(document).encode()

    return change
