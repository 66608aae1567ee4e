"""The access log: one JSON line per request, written when its answer has ended."""

from dataclasses import asdict, dataclass
from typing import TextIO

from sseproxy.telemetry.logs import build_logger


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRecord:
    """What is told of a request. Never the query string: a presigned one is a credential.

    `code` is the error code of the answer, None on success. `bytes_in` and `bytes_out` count bodies. `aborted`
    tells that the connection ended before the answer did, whatever the status says.
    """

    request_id: str
    client: str
    method: str
    operation: str
    dialect: str
    bucket: str | None
    key: str | None
    principal: str
    status: int
    code: str | None
    bytes_in: int
    bytes_out: int
    duration_ms: float
    upstream_requests: int
    aborted: bool = False


class AccessLog:
    """Writes `AccessRecord`s to a stream; `enabled` False writes nothing. `worker` is in every line, if given."""

    def __init__(self, stream: TextIO, *, enabled: bool = True, worker: int | None = None) -> None:
        self._logger = build_logger(stream, "info", worker=worker) if enabled else None

    def write(self, record: AccessRecord) -> None:
        """Write one line. A log that cannot be written does not break the request it tells of."""
        if self._logger is None:
            return
        fields = asdict(record) | {"duration_ms": round(record.duration_ms, 3)}
        try:
            self._logger.info("request", **fields)
        except (OSError, ValueError):
            # The reader of our standard output is gone; the error log may be gone with it.
            return
