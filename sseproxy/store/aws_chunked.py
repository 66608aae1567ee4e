"""The `STREAMING-…` body forms of S3, decoded as they arrive (S3 dossier §3.5).

The decoder gives data out before its signature is checked: the store shows nothing before `finish` has returned, so a
wrong signature costs a temporary file and nothing else.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Protocol

from sseproxy.store.faults import Fault
from sseproxy.store.files import Buffer

_LONGEST_LINE = 4096
_SMALLEST_CHUNK = 8192
_SIGNED = re.compile(rb"([0-9a-fA-F]{1,16});chunk-signature=([0-9a-f]{64})")
_UNSIGNED = re.compile(rb"([0-9a-fA-F]{1,16})")
_BROKEN = "The request body terminated unexpectedly"


class Signatures(Protocol):
    """Checks the rolling signatures; every method raises where one is wrong."""

    def chunk(self, sha256: bytes, signature: str) -> None:
        """Check the signature of the next chunk, given the SHA-256 of its data."""

    def trailer(self, trailers: Mapping[str, str], signature: str) -> None:
        """Check the signature of the trailer section."""


class AwsChunked:
    """A push decoder. `signatures` is None for unsigned chunks; `trailing` tells whether a trailer may follow."""

    def __init__(self, signatures: Signatures | None, *, trailing: bool) -> None:
        self._signatures = signatures
        self._trailing = trailing
        self._line = b""
        self._left = 0
        self._size = 0
        self._number = 0
        self._signature = ""
        self._hash = hashlib.sha256()
        self._state = "size"
        self.trailers: dict[str, str] = {}
        self._trailer_signature = ""

    def feed(self, data: Buffer) -> list[Buffer]:
        """Take the next bytes of the framing and return the bytes of the body in them."""
        view = memoryview(data)
        out: list[Buffer] = []
        while view:
            if self._state == "data":
                piece, view = view[: self._left], view[self._left :]
                self._left -= len(piece)
                if self._signatures is not None:
                    self._hash.update(piece)
                out.append(piece)
                if not self._left:
                    self._state = "data end"
            else:
                view = self._feed_line(view)
        return out

    def finish(self) -> None:
        """Check that the framing was complete."""
        if self._state != "done":
            raise Fault("IncompleteBody", _BROKEN)

    def _feed_line(self, view: memoryview) -> memoryview:
        if self._state == "done":
            raise Fault("IncompleteBody", _BROKEN)
        raw = bytes(view[: _LONGEST_LINE + 1])
        end = raw.find(b"\n")
        self._line += raw if end < 0 else raw[:end]
        if len(self._line) > _LONGEST_LINE:
            raise Fault("IncompleteBody", _BROKEN)
        if end < 0:
            return view[len(raw) :]
        line, self._line = self._line.removesuffix(b"\r"), b""
        {"size": self._begin_chunk, "data end": self._end_chunk, "trailers": self._take_trailer}[self._state](line)
        return view[end + 1 :]

    def _begin_chunk(self, line: bytes) -> None:
        found = (_UNSIGNED if self._signatures is None else _SIGNED).fullmatch(line)
        if found is None:
            raise Fault("IncompleteBody", _BROKEN)
        size = int(found[1], 16)
        if size and self._number and self._size < _SMALLEST_CHUNK:
            details = {"Chunk": str(self._number), "BadChunkSize": str(self._size)}
            raise Fault("InvalidChunkSizeError", details=details)
        self._number += 1
        self._size = self._left = size
        if self._signatures is not None:
            self._signature = found[2].decode()
            self._hash = hashlib.sha256()
        if size:
            self._state = "data"
            return
        self._check_chunk()
        self._state = "trailers"

    def _end_chunk(self, line: bytes) -> None:
        if line:
            raise Fault("IncompleteBody", _BROKEN)
        self._check_chunk()
        self._state = "size"

    def _check_chunk(self) -> None:
        if self._signatures is not None:
            self._signatures.chunk(self._hash.digest(), self._signature)

    def _take_trailer(self, line: bytes) -> None:
        if not line:
            # Some clients end the value of the last trailer with LF and then CRLF: that empty line is the end as well.
            self._end_trailers()
            self._state = "done"
            return
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not self._trailing or self._trailer_signature:
            raise Fault("MalformedTrailerError")
        if name.lower() == "x-amz-trailer-signature":
            if self._signatures is None:
                raise Fault("MalformedTrailerError")
            self._trailer_signature = value.strip()
        elif name.lower() in self.trailers:
            raise Fault("MalformedTrailerError")
        else:
            self.trailers[name.lower()] = value.strip()

    def _end_trailers(self) -> None:
        if self._signatures is None:
            return
        if self.trailers and not self._trailer_signature:
            raise Fault("MalformedTrailerError")
        if self._trailer_signature:
            self._signatures.trailer(self.trailers, self._trailer_signature)
