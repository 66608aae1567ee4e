"""Logs and metrics of a process, put together."""

import sys
from dataclasses import dataclass
from typing import TextIO

from sseproxy.settings import LoggingSettings
from sseproxy.telemetry.access import AccessLog
from sseproxy.telemetry.lines import LineLock, line_stream
from sseproxy.telemetry.logs import EventLogger, build_logger
from sseproxy.telemetry.metrics import PrometheusMetrics
from sseproxy.telemetry.observer import TelemetryObserver


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """Logs and metrics of one process. `output` is where access log and audit go on standard output."""

    logger: EventLogger
    access_log: AccessLog
    metrics: PrometheusMetrics
    observer: TelemetryObserver
    output: TextIO


def build_telemetry(
    settings: LoggingSettings, *, worker: int | None = None, line_lock: LineLock | None = None
) -> Telemetry:
    """Return telemetry that logs events to standard error and requests to standard output.

    `worker` is the number that every line names, where several processes serve. `line_lock` keeps their lines whole.
    """
    output, errors = _streams(line_lock)
    metrics = PrometheusMetrics()
    logger = build_logger(errors, settings.level, worker=worker)
    return Telemetry(
        logger=logger,
        access_log=AccessLog(output, enabled=settings.access_log, worker=worker),
        metrics=metrics,
        observer=TelemetryObserver(metrics, logger),
        output=output,
    )


def _streams(line_lock: LineLock | None) -> tuple[TextIO, TextIO]:
    if line_lock is None:
        return sys.stdout, sys.stderr
    return line_stream(sys.stdout.fileno(), line_lock), line_stream(sys.stderr.fileno(), line_lock)
