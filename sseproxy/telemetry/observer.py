"""The `Observer` of the running program: metrics, log events and the tally of the request in progress."""

from collections.abc import Mapping
from types import MappingProxyType

from sseproxy.telemetry.logs import LEVELS, EventLogger, Level
from sseproxy.telemetry.metrics import PrometheusMetrics
from sseproxy.telemetry.tally import tally_count

# Every event that the code writes, with its level.
EVENTS: Mapping[str, Level] = MappingProxyType(
    {
        "storage_refused_proxy": "error",  # wrong credentials, clock or region on our side: an operator must act
        "storage_failed": "warning",
        "storage_credentials_failed": "error",  # nobody lent the proxy credentials for the storage: requests get 503
        "credentials_not_renewed": "warning",  # lent ones that still serve, but soon end
        "storage_credentials_refused": "warning",  # lent credentials; others are asked for
        "storage_overlooks": "warning",  # conditions on writes: they are kept in another way, or refused
        "entry_not_opened": "warning",
        "bucket_state_unreadable": "warning",
        "upload_not_aborted": "warning",
        "kek_record_unavailable": "warning",  # an object was opened by the wrapped KEK that it carries
        "kek_record_rejected": "error",
        "key_service_failed": "error",  # wrong credentials or permissions on our side: an operator must act
        "audit_not_written": "error",
        "key_rotated": "info",
        "key_maintenance_failed": "warning",
        "request_failed": "error",  # an exception that nothing foresees
        # Stored bytes that are not what was sealed: an event is named for the error.
        "integrity_error": "error",
        "envelope_rejected": "error",
        "commitment_mismatch": "error",
        "wrong_place": "error",
        "binding_refused": "error",
        "footer_rejected": "error",
        "frame_rejected": "error",
        "segment_truncated": "error",
        "metadata_lost": "error",
        "state_rejected": "error",
    }
)


class TelemetryObserver:
    """Counts and times go to Prometheus, events to the log. Never blocks on more than a write, never raises."""

    def __init__(self, metrics: PrometheusMetrics, logger: EventLogger) -> None:
        self._metrics = metrics
        self._logger = logger

    def count(self, name: str, value: float = 1.0, /, **labels: str) -> None:
        """Add to a counter."""
        tally_count(name, value)
        self._metrics.count(name, value, **labels)

    def observe(self, name: str, value: float, /, **labels: str) -> None:
        """Add to a distribution."""
        self._metrics.observe(name, value, **labels)

    def event(self, name: str, /, **fields: str | float | bool | None) -> None:
        """Write a log event at the level that `EVENTS` gives it; one that is not declared there is a warning."""
        try:
            self._logger.log(LEVELS[EVENTS.get(name, "warning")], name, **fields)
        except (OSError, ValueError, TypeError):
            # Standard error is gone, or a field has a name of structlog's own: no reason to break a request.
            return
