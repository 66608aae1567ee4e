"""Stages: the shape of everything on the data path, and how they are chained."""

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


class Chain:
    """Stages in a row, as one stage."""

    def __init__(self, *stages: Stage) -> None:
        self._stages = stages

    def feed(self, data: Buffer) -> Sequence[Buffer]:
        """Push `data` through all stages in order."""
        buffers: Sequence[Buffer] = [data]
        for stage in self._stages:
            buffers = _push(stage, buffers)
        return buffers

    def finish(self) -> Sequence[Buffer]:
        """Finish every stage in order, passing what each still held to those behind it."""
        rest: Sequence[Buffer] = []
        for stage in self._stages:
            rest = [*_push(stage, rest), *stage.finish()]
        return rest


def _push(stage: Stage, buffers: Sequence[Buffer]) -> Sequence[Buffer]:
    return [out for data in buffers for out in stage.feed(data)]
