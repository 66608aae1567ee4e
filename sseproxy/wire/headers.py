"""Hop-by-hop names, token lists and dates of HTTP."""

from datetime import UTC, datetime
from email.utils import format_datetime

from sseproxy.signing.dates import parse_http_date

__all__ = [
    "HOP_BY_HOP",
    "parse_http_date",
    "parse_iso_date",
    "parse_tokens",
    "print_http_date",
    "print_iso_date",
]

# Never forwarded in either direction, and neither is what `Connection` names (S3 dossier §8.8).
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def parse_tokens(value: str | None) -> list[str]:
    """Split a comma-separated header into trimmed, lower-case tokens; empty ones are dropped."""
    return [token.strip().lower() for token in (value or "").split(",") if token.strip()]


def print_http_date(moment: datetime) -> str:
    """Return `Tue, 09 Apr 2019 03:45:32 GMT`."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def print_iso_date(moment: datetime) -> str:
    """Return `2019-04-09T03:45:32.000Z`, as both protocols' documents have it."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def parse_iso_date(text: str) -> datetime:
    """Understand a date of a document. Raises `ValueError`."""
    moment = datetime.fromisoformat(text)
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as problem:
        raise ValueError("a date outside the calendar") from problem
