"""Moments as requests write them: the basic ISO form of the V4 schemes, and HTTP dates. Nothing here ever raises."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_LONG_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_LONGEST_HTTP_DATE = 64  # characters; what is longer is none, and slow to find out about


def parse_long_date(text: str) -> datetime | None:
    """Understand `20130524T000000Z`; None where the text is something else."""
    if _LONG_DATE.fullmatch(text) is None:
        return None
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def parse_http_date(text: str) -> datetime | None:
    """Understand an HTTP date in any of its forms, in UTC; None where it is none, whatever the sender wrote."""
    if len(text) > _LONGEST_HTTP_DATE:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
