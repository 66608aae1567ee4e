"""Logs and metrics of a process, put together."""

import sys
from dataclasses import dataclass

from sseproxy.settings import LoggingSettings
from sseproxy.telemetry.access import AccessLog
from sseproxy.telemetry.logs import EventLogger, build_logger
from sseproxy.telemetry.metrics import PrometheusMetrics
from sseproxy.telemetry.observer import TelemetryObserver


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """Logs and metrics of one process."""

    logger: EventLogger
    access_log: AccessLog
    metrics: PrometheusMetrics
    observer: TelemetryObserver


def build_telemetry(settings: LoggingSettings) -> Telemetry:
    """Return telemetry that logs events to standard error and requests to standard output."""
    logger = build_logger(sys.stderr, settings.level)
    metrics = PrometheusMetrics()
    return Telemetry(
        logger=logger,
        access_log=AccessLog(sys.stdout, enabled=settings.access_log),
        metrics=metrics,
        observer=TelemetryObserver(metrics, logger),
    )
