"""One request from its head to the end of its answer: what errors, metrics and the access log tell of it."""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from sseproxy.dialect.base import Dialect, Operation
from sseproxy.errors import FrameRejected, IntegrityError
from sseproxy.ports import Observer
from sseproxy.server.body import ClientBody
from sseproxy.server.target import Target
from sseproxy.telemetry.access import AccessLog, AccessRecord
from sseproxy.telemetry.tally import Tally

_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")


def new_request_id() -> str:
    """Return an id in the form that both protocols' services give: 24 upper-case hex digits."""
    return secrets.token_hex(12).upper()


@dataclass(slots=True, kw_only=True)
class Visit:
    """What is known so far. `status` 0: no answer has begun."""

    method: str
    client: str
    host: str
    dialect: Dialect
    began: float  # of the loop's clock, seconds
    tally: Tally
    request_id: str = field(default_factory=new_request_id)
    target: Target | None = None
    operation: Operation | None = None
    principal: str = ""
    body: ClientBody | None = None
    status: int = 0
    code: str | None = None
    sent: int = 0  # bytes of the answer's body
    aborted: bool = False

    @property
    def bucket(self) -> str | None:
        """The bucket, where the target could be read."""
        return None if self.target is None else self.target.bucket

    @property
    def key(self) -> str | None:
        """The key in text that can be printed."""
        key = None if self.target is None else self.target.key
        return None if key is None else key.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

    @property
    def operation_name(self) -> str:
        """The operation in lower case."""
        return "none" if self.operation is None else self.operation.name.lower()


class Ledger:
    """Writes down what happened, when it is over or when it is remarkable."""

    def __init__(self, observer: Observer, access_log: AccessLog, now: Callable[[], float]) -> None:
        self._observer = observer
        self._access_log = access_log
        self._now = now

    def close(self, visit: Visit) -> None:
        """Count the request and write its line."""
        seconds = self._now() - visit.began
        received = 0 if visit.body is None else visit.body.received
        dialect, operation = visit.dialect.name, visit.operation_name
        self._observer.count("requests_total", dialect=dialect, operation=operation, status=str(visit.status))
        self._observer.observe("request_seconds", seconds, dialect=dialect, operation=operation)
        self._observer.count("bytes_in_total", received, dialect=dialect)
        self._observer.count("bytes_out_total", visit.sent, dialect=dialect)
        self._access_log.write(
            AccessRecord(
                request_id=visit.request_id,
                client=visit.client,
                method=visit.method,
                operation=operation,
                dialect=dialect,
                bucket=visit.bucket,
                key=visit.key,
                principal=visit.principal,
                status=visit.status,
                code=visit.code,
                bytes_in=received,
                bytes_out=visit.sent,
                duration_ms=seconds * 1000,
                upstream_requests=visit.tally.upstream_requests,
                aborted=visit.aborted,
            )
        )

    def integrity_failed(self, visit: Visit, error: IntegrityError) -> None:
        """Count and log stored bytes that are not what was sealed."""
        kind = _WORDS.sub("_", type(error).__name__).lower()
        self._observer.count("integrity_errors_total", kind=kind)
        if isinstance(error, FrameRejected):
            self._observer.count("frames_rejected_total")
        self._observer.event(kind, bucket=visit.bucket, key=visit.key, request_id=visit.request_id)

    def surprised(self, visit: Visit, error: BaseException) -> None:
        """Log an exception that nothing foresees: its type and place, because its text may hold anything."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = "" if trace is None else f"{trace.tb_frame.f_globals.get('__name__', '')}:{trace.tb_lineno}"
        self._observer.event("request_failed", error=type(error).__name__, where=where, request_id=visit.request_id)
