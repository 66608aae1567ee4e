"""The stage that turns one backend range back into the plaintext that was asked for (docs/format.md, "Reading")."""

from collections.abc import Sequence

from sseproxy.errors import SegmentTruncated
from sseproxy.format.keys import DataKey
from sseproxy.format.locate import Located
from sseproxy.format.segment import SegmentOpener
from sseproxy.stage import Buffer


class Opener:
    """A stage over the stored bytes of `located.stored`: opens the frames, skips the salts in between, trims.

    Every buffer it returns has been verified. A source that breaks off is taken up again at `resume_offset`,
    after `rewind`. Raises `FrameRejected`, and `SegmentTruncated` for too many bytes or, in `finish`, too few.
    """

    def __init__(self, key: DataKey, located: Located) -> None:
        self._key = key
        self._ranges = located.ranges
        self._index = 0  # of the range in work
        self._opener = self._begin()
        self._taken = 0  # bytes of the range in work that its opener has
        self._gap = 0  # bytes of a salt still to be skipped
        self._skip = located.skip
        self._take = located.take

    @property
    def resume_offset(self) -> int:
        """Where in the object the stored bytes begin that are not yet fully turned into plaintext."""
        if self._opener is not None:
            return self._ranges[self._index].offset + self._opener.consumed
        last = self._ranges[-1:]
        return last[0].offset + last[0].length if last else 0

    @property
    def position(self) -> int:
        """How many bytes of the backend range have been turned into plaintext, salts in between counted in."""
        return self.resume_offset - (self._ranges[0].offset if self._ranges else 0)

    @property
    def is_done(self) -> bool:
        """Whether everything that was asked for has been returned."""
        return self._opener is None

    def rewind(self) -> None:
        """Forget what has come of an unfinished frame; the next bytes fed are those at `resume_offset`."""
        if self._opener is not None:
            self._opener.rewind()
            self._taken = self._opener.consumed
        self._gap = 0

    def feed(self, data: Buffer) -> Sequence[Buffer]:
        """Return the plaintext of the frames that are complete."""
        view = memoryview(data).cast("B")
        opened: list[Buffer] = []
        while view:
            skipped = min(self._gap, len(view))
            self._gap -= skipped
            view = view[skipped:]
            if view:
                view = self._feed_range(view, opened)
        return opened

    def finish(self) -> Sequence[Buffer]:
        """Return nothing; raises `SegmentTruncated` where bytes are missing."""
        if self._opener is not None:
            raise SegmentTruncated
        return ()

    def _feed_range(self, view: memoryview, opened: list[Buffer]) -> memoryview:
        """Feed the range in work, collect what it gives, and return the bytes behind its end."""
        if self._opener is None:
            raise SegmentTruncated("The stored bytes go on after the last frame.")
        wanted = self._ranges[self._index].length - self._taken
        for buffer in self._opener.feed(view[:wanted]):
            self._collect(buffer, opened)
        self._taken += min(wanted, len(view))
        if len(view) >= wanted:
            self._opener.finish()
            self._next_range()
        return view[wanted:]

    def _collect(self, buffer: Buffer, opened: list[Buffer]) -> None:
        # Every buffer holds at least one frame that was asked for, so none is trimmed to nothing.
        view = memoryview(buffer)[self._skip :][: self._take]
        self._skip = 0
        self._take -= len(view)
        opened.append(view)

    def _next_range(self) -> None:
        ended = self._ranges[self._index]
        self._index += 1
        self._taken = 0
        self._opener = self._begin()
        if self._opener is not None:
            self._gap = self._ranges[self._index].offset - ended.offset - ended.length

    def _begin(self) -> SegmentOpener | None:
        if self._index >= len(self._ranges):
            return None
        wanted = self._ranges[self._index]
        return SegmentOpener(self._key, wanted.segment, first_frame=wanted.first_frame, last_frame=wanted.last_frame)
