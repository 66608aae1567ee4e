"""The audit log: a JSON line for every use of a CMK on an object's key, whether the KMS was asked or a kept key served.

Who asked is known from the context: the server says on whose behalf it acts, and tasks started within it inherit that.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict
from pathlib import Path
from typing import Protocol, TextIO

from sseproxy.errors import ConfigurationError
from sseproxy.ports import Clock, KeyAccess, Observer
from sseproxy.telemetry.redaction import redact


class Actor(Protocol):
    """A request in progress: who sent it, and what it asks for."""

    @property
    def request_id(self) -> str:
        """As in the answer's headers and the access log."""
        ...

    @property
    def principal(self) -> str:
        """The access key; empty as long as, or where, nobody signed."""
        ...

    @property
    def operation_name(self) -> str:
        """The operation, as in the access log."""
        ...


_current: ContextVar[Actor | None] = ContextVar("sseproxy_actor", default=None)


@contextmanager
def acting_for(actor: Actor) -> Iterator[None]:
    """Say on whose behalf keys are used until the context is left."""
    token = _current.set(actor)
    try:
        yield
    finally:
        _current.reset(token)


class AuditLog:
    """The `Auditor` on a file, or on a stream.

    The file is opened anew for every line, so it may be moved away at any time, and written by several processes: each
    line is one write at the end. A line that cannot be written is the event `audit_not_written`; the request goes on.
    """

    def __init__(self, sink: Path | TextIO, clock: Clock, observer: Observer) -> None:
        self._sink = sink
        self._clock = clock
        self._observer = observer
        if isinstance(sink, Path):
            try:
                _append(sink, b"")
            except OSError as cause:
                raise ConfigurationError(f"The audit log {sink} cannot be written: {cause.strerror}.") from cause

    def key_used(self, access: KeyAccess) -> None:
        """Write one line."""
        actor = _current.get()
        fields = {
            "timestamp": self._clock.now().isoformat(timespec="milliseconds"),
            "event": "key_used",
            "request_id": None if actor is None else actor.request_id,
            "principal": None if actor is None else actor.principal,
            "operation": "tool" if actor is None else actor.operation_name,
            **asdict(access),
        }
        line = json.dumps({name: redact(value) for name, value in fields.items()}, ensure_ascii=True) + "\n"
        try:
            if isinstance(self._sink, Path):
                _append(self._sink, line.encode())
            else:
                self._sink.write(line)
                self._sink.flush()
        except (OSError, ValueError) as error:
            self._observer.event("audit_not_written", error=type(error).__name__)


def _append(path: Path, line: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.write(file, line) != len(line):
            raise OSError("short write")
    finally:
        os.close(file)
