"""Structured logs: JSON lines through structlog, redacted, without structlog's global configuration."""

import logging
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

from sseproxy.telemetry.redaction import redact

Level = Literal["debug", "info", "warning", "error"]
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

# structlog's own protocol for loggers is typed as Any from here on: `wrap_logger` cannot know the wrapper's class.
EventLogger = structlog.typing.FilteringBoundLogger


def build_logger(stream: TextIO, level: Level, *, worker: int | None = None) -> EventLogger:
    """Return a logger that writes one JSON object per line to `stream`: `timestamp`, `level`, `event` and the fields.

    Tracebacks are text without local variables, which could hold keys. `worker` is a field of every line, if given.
    """
    logger: EventLogger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
            structlog.processors.format_exc_info,
            redact_event,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        cache_logger_on_first_use=False,
    )
    return logger if worker is None else logger.bind(worker=worker)


def redact_event(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Redact every field of a log event (a structlog processor)."""
    return {name: redact(value, name) for name, value in fields.items()}


class StandardLogHandler(logging.Handler):
    """Passes the standard library's log records (aiohttp's, asyncio's) on to our log."""

    def __init__(self, logger: EventLogger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record as the event `library_message`."""
        try:
            self._logger.log(
                record.levelno,
                "library_message",
                library=record.name,
                message=record.getMessage(),
                exc_info=record.exc_info,
            )
        except (OSError, ValueError, TypeError):
            self.handleError(record)


def route_standard_logging(logger: EventLogger) -> None:
    """Send what libraries log, from warnings upwards, to `logger`. Changes the process: for commands only."""
    logging.basicConfig(handlers=[StandardLogHandler(logger)], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)
