"""Stages: the shape of everything on the data path."""

from collections.abc import Sequence
from typing import Protocol

Buffer = bytes | bytearray | memoryview


class Stage(Protocol):
    """Bytes in, bytes out, however the input was cut.

    `feed` is eager: when it returns, the state has moved. A returned buffer stays valid and unchanged
    for ever; the caller may keep the input only as long as it does not change it.
    """

    def feed(self, data: Buffer) -> Sequence[Buffer]:
        """Take the next bytes and return what is ready; may be nothing."""
        ...

    def finish(self) -> Sequence[Buffer]:
        """Return the rest. Raises if the input ended too early or failed a check."""
        ...
