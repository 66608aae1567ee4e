"""Conditions on reads and copy sources: parse, and evaluate against an ETag and a date (S3 dossier §5.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sseproxy.wire.headers import parse_http_date


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a request demands. An ETag list is None where the header is absent; `*` is kept as it is."""

    if_match: tuple[str, ...] | None = None
    if_none_match: tuple[str, ...] | None = None
    if_modified_since: datetime | None = None
    if_unmodified_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Proceed:
    """Every condition holds."""


@dataclass(frozen=True, slots=True)
class NotModified:
    """The client has the present version already."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A condition does not hold; `condition` is its header's name without prefix."""

    condition: str


Verdict = Proceed | NotModified | Failed


def parse_conditions(headers: Mapping[str, str], prefix: str = "") -> Conditions:
    """Read the four headers behind `prefix`. A date that cannot be read counts as absent."""
    return Conditions(
        if_match=_etags(headers.get(f"{prefix}If-Match")),
        if_none_match=_etags(headers.get(f"{prefix}If-None-Match")),
        if_modified_since=_date(headers.get(f"{prefix}If-Modified-Since")),
        if_unmodified_since=_date(headers.get(f"{prefix}If-Unmodified-Since")),
    )


def evaluate(conditions: Conditions, etag: str, last_modified: datetime, *, now: datetime | None = None) -> Verdict:
    """Decide a read. `etag` has no quotes; ETags compare without case, because OSS shows them in capitals.

    Dates compare by the second. An If-Modified-Since in the future (where `now` is given) is ignored.
    """
    modified = last_modified.replace(microsecond=0)
    if conditions.if_match is not None:
        if not _names(conditions.if_match, etag):
            return Failed("If-Match")
    elif conditions.if_unmodified_since is not None and modified > conditions.if_unmodified_since:
        return Failed("If-Unmodified-Since")
    if conditions.if_none_match is not None:
        return NotModified() if _names(conditions.if_none_match, etag) else Proceed()
    since = conditions.if_modified_since
    if since is not None and modified <= since and (now is None or since <= now):
        return NotModified()
    return Proceed()


def _names(etags: tuple[str, ...], etag: str) -> bool:
    return "*" in etags or etag.lower() in etags


def _etags(value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    return tuple(tag.strip().removeprefix("W/").strip('"').lower() for tag in value.split(","))


def _date(value: str | None) -> datetime | None:
    return None if value is None else parse_http_date(value)
