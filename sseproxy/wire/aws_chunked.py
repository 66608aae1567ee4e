"""Decoding aws-chunked bodies as they arrive (S3 dossier §3.5).

A chunk may be gigabytes long and is never collected. In signed mode its bytes are passed on while they are hashed;
the last buffer of the body is held back until the final chunk, the trailer and all signatures have been verified. So:
whoever consumes the output must not commit anything before `finish` has returned.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from types import MappingProxyType

from sseproxy.errors import (
    IncompleteBody,
    InvalidChunkSize,
    InvalidRequest,
    MalformedTrailer,
)
from sseproxy.signing.aws_v4_stream import ChunkSigner
from sseproxy.stage import Buffer

_LONGEST_LINE = 4096
_SMALLEST_CHUNK = 8192  # all chunks but the last
_TERMINATED = "The request body terminated unexpectedly"
_SIGNED_LINE = re.compile(rb"([0-9a-fA-F]{1,16});chunk-signature=([0-9a-fA-F]{64})")
_PLAIN_LINE = re.compile(rb"([0-9a-fA-F]{1,16})")
_TRAILER_SIGNATURE = "x-amz-trailer-signature"


class _State(Enum):
    HEADER = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILERS = auto()
    DONE = auto()


class AwsChunkedDecoder:
    """A stage from framed bytes to plain ones.

    `signer` None: unsigned chunks. `trailer_names` are the lower-case names that `x-amz-trailer` announced;
    `is_trailing` says whether the payload form has a trailer section. Raises `IncompleteBody`, `InvalidChunkSize`,
    `MalformedTrailer`, `SignatureMismatch`.
    """

    def __init__(
        self, *, signer: ChunkSigner | None, trailer_names: Sequence[str], decoded_length: int, is_trailing: bool = True
    ) -> None:
        self._signer = signer
        self._expected = frozenset(trailer_names)
        self._is_trailing = is_trailing
        self._left_in_body = decoded_length
        self._state = _State.HEADER
        self._line = b""
        self._left_in_chunk = 0
        self._chunks = 0
        self._previous_size: int | None = None
        self._signature = ""
        self._hash = hashlib.sha256()
        self._held: Buffer = b""
        self._trailers: dict[str, str] = {}
        self._trailer_signature: str | None = None
        self._may_be_blank = False

    @property
    def trailers(self) -> Mapping[str, str]:
        """The trailers by lower-case name; complete once `finish` has returned."""
        return MappingProxyType(self._trailers)

    def feed(self, data: Buffer) -> Sequence[Buffer]:
        """Take framed bytes; return plain ones, always short of the last buffer."""
        view, out = memoryview(data), []
        while view:
            if self._state is _State.DATA:
                taken = view[: self._left_in_chunk]
                view = view[len(taken) :]
                if self._held:
                    out.append(self._held)
                self._held = taken
                self._data(taken)
            elif self._state is _State.DONE and not self._may_be_blank:
                raise IncompleteBody
            else:
                view = self._take_line(view)
        return out

    def finish(self) -> Sequence[Buffer]:
        """Check that the framing is complete and return the last buffer."""
        if self._state is not _State.DONE or self._line:
            raise IncompleteBody(_TERMINATED)
        if self._left_in_body:
            raise IncompleteBody
        return [self._held] if self._held else []

    def _data(self, taken: memoryview) -> None:
        self._left_in_chunk -= len(taken)
        self._left_in_body -= len(taken)
        if self._signer is not None:
            self._hash.update(taken)
        if not self._left_in_chunk:
            self._end_chunk()
            self._state = _State.DATA_END

    def _take_line(self, view: memoryview) -> memoryview:
        """Collect bytes up to a line feed; a whole line is acted on."""
        piece = bytes(view[: _LONGEST_LINE + 2])
        end = piece.find(b"\n")
        if end < 0:
            self._line += piece
            if len(self._line) > _LONGEST_LINE:
                raise IncompleteBody(_TERMINATED)
            return view[len(piece) :]
        line, self._line = self._line + piece[:end], b""
        if len(line) > _LONGEST_LINE:
            raise IncompleteBody(_TERMINATED)
        bare = line.removesuffix(b"\r")
        # Some clients end a trailer's value in a line feed, and then its line: one blank line more is theirs.
        if self._state is _State.TRAILERS and bare:
            self._may_be_blank = bare == line
        self._act(bare)
        return view[end + 1 :]

    def _act(self, line: bytes) -> None:
        if self._state is _State.HEADER:
            self._begin_chunk(line)
        elif self._state is _State.DATA_END:
            if line:
                raise IncompleteBody(_TERMINATED)
            self._state = _State.HEADER
        elif self._state is _State.DONE:
            if line:
                raise IncompleteBody
            self._may_be_blank = False
        elif line:
            self._trailer(line)
        elif self._may_be_blank and self._signer is not None and self._trailer_signature is None:
            self._may_be_blank = False
        else:
            self._end_trailers()

    def _begin_chunk(self, line: bytes) -> None:
        found = (_PLAIN_LINE if self._signer is None else _SIGNED_LINE).fullmatch(line)
        if found is None:
            raise IncompleteBody(_TERMINATED)
        size = int(found[1], 16)
        if size > self._left_in_body:
            raise IncompleteBody
        if size and self._previous_size is not None and self._previous_size < _SMALLEST_CHUNK:
            raise InvalidChunkSize(Chunk=str(self._chunks), BadChunkSize=str(self._previous_size))
        self._chunks += 1
        self._previous_size = size
        self._left_in_chunk = size
        self._hash = hashlib.sha256()
        self._signature = found[2].decode() if self._signer is not None else ""
        if size:
            self._state = _State.DATA
        else:
            self._end_chunk()
            self._state = _State.TRAILERS

    def _end_chunk(self) -> None:
        if self._signer is not None:
            self._signer.verify_chunk(self._hash.hexdigest(), self._signature)

    def _trailer(self, line: bytes) -> None:
        name, colon, value = line.decode("latin-1").partition(":")
        name = name.strip().lower()
        if not colon or not self._is_trailing or name in self._trailers:
            raise MalformedTrailer
        if name == _TRAILER_SIGNATURE:
            if self._signer is None or self._trailer_signature is not None:
                raise MalformedTrailer
            self._trailer_signature = value.strip()
        elif name in self._expected and self._trailer_signature is None:
            self._trailers[name] = value.strip()
        else:
            raise MalformedTrailer

    def _end_trailers(self) -> None:
        if self._trailers.keys() != self._expected:
            raise MalformedTrailer
        if self._signer is not None and self._is_trailing:
            if self._trailer_signature is None:
                raise MalformedTrailer
            self._signer.verify_trailers(self._trailers, self._trailer_signature)
        self._state = _State.DONE


def check_trailer_names(names: Sequence[str]) -> None:
    """Raise `InvalidRequest` where `x-amz-trailer` announces something that is no checksum (S3 dossier §3.5)."""
    if any(not name.startswith("x-amz-checksum-") for name in names):
        raise InvalidRequest("The value specified in the x-amz-trailer header is not supported")
