"""Cutting a stream into pieces of one length, copying only where a piece lies across two buffers."""

from collections.abc import Sequence

from sseproxy.stage import Buffer


class Cutter:
    """Cuts whatever is added into pieces of `length` bytes; a rest shorter than that is held.

    With `hold_last` a full piece is held as well until a byte comes after it, because only that byte tells that
    the piece was not the last. A piece is a view, valid until the next call: it points into what was added, or
    into one buffer of `length` bytes that is used again. So at most one added buffer is kept alive.
    """

    __slots__ = ("_held", "_hold_last", "_is_copied", "_length", "_scratch")

    def __init__(self, length: int, *, hold_last: bool) -> None:
        self._length = length
        self._hold_last = hold_last
        self._scratch = memoryview(b"")  # made when the first piece lies across a border: small bodies never need it
        self._held = memoryview(b"")
        self._is_copied = False  # whether what is held lies in the scratch buffer

    def add(self, data: Buffer) -> Sequence[memoryview]:
        """Take the next bytes and return the pieces that are complete."""
        view = memoryview(data)
        if view.format != "B" or view.ndim != 1:
            view = view.cast("B")
        if not view:
            return ()
        total = len(self._held) + len(view)
        count = (total - 1 if self._hold_last else total) // self._length
        if count == 0:
            self._hold(view)
            return ()
        pieces = []
        start = 0
        if self._held:
            start = self._length - len(self._held)
            pieces.append(self._complete(view[:start]))
        end = start + (count - len(pieces)) * self._length
        pieces += [view[at : at + self._length] for at in range(start, end, self._length)]
        self._held, self._is_copied = view[end:], False
        return pieces

    def rest(self) -> memoryview:
        """Return what is held, and hold nothing any more."""
        rest, self._held, self._is_copied = self._held, memoryview(b""), False
        return rest

    def _complete(self, missing: memoryview) -> memoryview:
        if missing:
            self._append(missing)
        return self._held

    def _hold(self, view: memoryview) -> None:
        if self._held:
            self._append(view)
        else:
            self._held = view

    def _append(self, view: memoryview) -> None:
        held = len(self._held)
        if not self._is_copied:
            if not self._scratch:
                self._scratch = memoryview(bytearray(self._length))
            self._scratch[:held] = self._held
            self._is_copied = True
        end = held + len(view)
        self._scratch[held:end] = view
        self._held = self._scratch[:end]
