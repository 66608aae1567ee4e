"""Segments as stages: plaintext to salt and frames, and stored frames back (docs/format.md, "Body")."""

import secrets
from collections.abc import Sequence

from sseproxy.errors import SegmentTruncated
from sseproxy.format.attributes import SegmentEntry
from sseproxy.format.frame import FrameCipher
from sseproxy.format.keys import DataKey
from sseproxy.format.layout import FRAME, LARGEST_SEGMENT, SALT, STORED_FRAME, TAG, frames_of
from sseproxy.format.pieces import Cutter
from sseproxy.stage import Buffer

_FRAMES_AT_ONCE = 4  # frames in one output buffer: 256 KiB is enough to hide the cost of a call


class SegmentSealer:
    """A stage that seals one segment: out come the salt, then the frames.

    The salt is drawn here, so a sealer is one attempt: sealing the same part again takes a new sealer, and no
    key and nonce ever meet twice. The last frame leaves in `finish`. `feed` raises `ValueError` where the segment
    grows beyond 2^40 - 1 bytes.
    """

    def __init__(self, key: DataKey, number: int, *, _salt: bytes | None = None) -> None:
        self.salt = secrets.token_bytes(SALT) if _salt is None else _salt
        self.plaintext_size = 0  # fed so far
        self._cipher = FrameCipher(key.suite, key.segment_key(self.salt, number), number)
        self._cutter = Cutter(FRAME, hold_last=True)
        self._index = 0
        self._is_salt_out = False

    def feed(self, data: Buffer) -> Sequence[Buffer]:
        """Seal every frame that is certain not to be the last."""
        pieces = self._cutter.add(data)
        self.plaintext_size += memoryview(data).nbytes
        if self.plaintext_size > LARGEST_SEGMENT:
            raise ValueError("The segment is too large for the format.")
        return [self._seal(batch, final=False) for batch in _batches(pieces)]

    def finish(self) -> Sequence[Buffer]:
        """Seal the last frame; an empty segment is its salt alone. Only once."""
        rest = self._cutter.rest()
        return [self._seal([rest] if rest else [], final=True)] if rest or not self._is_salt_out else []

    def _seal(self, pieces: Sequence[memoryview], *, final: bool) -> memoryview:
        head = b"" if self._is_salt_out else self.salt
        self._is_salt_out = True
        sealed = memoryview(bytearray(len(head) + sum(map(len, pieces)) + TAG * len(pieces)))
        sealed[: len(head)] = head
        start = len(head)
        for piece in pieces:
            end = start + len(piece) + TAG
            self._cipher.seal_into(self._index, piece, sealed[start:end], final=final)
            self._index += 1
            start = end
        return sealed.toreadonly()


class SegmentOpener:
    """A stage that opens stored frames of one segment; a frame leaves once its tag has verified.

    It takes the frames `first_frame` to `last_frame` (None: the segment's last) without the salt, and knows from
    the table entry how long they are. `feed` raises `FrameRejected`, and `SegmentTruncated` for bytes after the
    last frame; `finish` raises `SegmentTruncated` where bytes are missing.
    """

    def __init__(
        self, key: DataKey, entry: SegmentEntry, *, first_frame: int = 0, last_frame: int | None = None
    ) -> None:
        frames = frames_of(entry.plaintext_size)
        end = frames if last_frame is None else last_frame + 1
        if not 0 <= first_frame <= end <= frames:
            raise ValueError("The segment has no such frames.")
        self._number = entry.number
        self._cipher = FrameCipher(key.suite, key.segment_key(entry.salt, entry.number), entry.number)
        self._cutter = Cutter(STORED_FRAME, hold_last=False)
        self._frames = frames
        self._index = first_frame
        self._end = end
        last_is_in = end == frames > first_frame
        short = frames * FRAME - entry.plaintext_size if last_is_in else 0
        self._stored_size = (end - first_frame) * STORED_FRAME - short
        self._received = 0
        self.consumed = 0  # stored bytes of the frames that have been opened

    def feed(self, data: Buffer) -> Sequence[Buffer]:
        """Open every frame that is complete."""
        self._received += memoryview(data).nbytes
        if self._received > self._stored_size:
            raise SegmentTruncated(f"Segment {self._number} goes on after its last frame.")
        pieces = self._cutter.add(data)
        opened: list[Buffer] = [self._open(batch) for batch in _batches(pieces)]
        if self._received == self._stored_size and self._index < self._end:
            opened.append(self._open([self._cutter.rest()]))
        return opened

    def finish(self) -> Sequence[Buffer]:
        """Return nothing: a complete segment has been opened by then."""
        if self._index < self._end:
            raise SegmentTruncated(f"Segment {self._number} ends before its last frame.")
        return ()

    def rewind(self) -> None:
        """Forget the bytes of a frame that is not complete: the next bytes begin at `consumed`."""
        self._cutter.rest()
        self._received = self.consumed

    def _open(self, pieces: Sequence[memoryview]) -> memoryview:
        opened = memoryview(bytearray(sum(map(len, pieces)) - TAG * len(pieces)))
        start = 0
        for piece in pieces:
            end = start + len(piece) - TAG
            is_final = self._index == self._frames - 1
            self._cipher.open_into(self._index, piece, opened[start:end], final=is_final)
            self._index += 1
            start = end
        self.consumed += start + TAG * len(pieces)
        return opened.toreadonly()


def _batches(pieces: Sequence[memoryview]) -> Sequence[Sequence[memoryview]]:
    return [pieces[at : at + _FRAMES_AT_ONCE] for at in range(0, len(pieces), _FRAMES_AT_ONCE)]
