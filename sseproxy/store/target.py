"""The request target: which bucket and key, exactly as sent, without any normalisation.

Percent-decoding happens once. `+` is a space in the query and a plus in the path; `//`, `..` and `%2F` mean nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from sseproxy.store.faults import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A parsed target. `bucket` is None at the service level, `key` is empty at the bucket level."""

    raw_path: str
    raw_query: str
    bucket: str | None
    raw_key: str
    key: bytes
    pairs: Sequence[tuple[str, str | None]]

    def has(self, name: str) -> bool:
        """Return whether the query has `name`, with or without a value."""
        return any(found == name for found, _ in self.pairs)

    def get(self, name: str) -> str | None:
        """Return the first value of `name`; the empty text where it has none, None where it is absent."""
        return next((value or "" for found, value in self.pairs if found == name), None)


def _text(raw: str) -> str:
    return unquote_to_bytes(raw.replace("+", " ")).decode("utf-8", "surrogateescape")


def name_bytes(text: str) -> bytes:
    """Return the bytes that `text`, decoded with `surrogateescape`, came from."""
    return text.encode("utf-8", "surrogateescape")


def parse_target(raw: str, host: str, domains: Sequence[str]) -> Target:
    """Parse a request target; raises `Fault` InvalidURI unless it is in origin form.

    `host` below one of `domains` names the bucket (virtual-hosted style); any other host means path style.
    """
    if not raw.startswith("/"):
        raise Fault("InvalidURI", details={"URI": raw})
    raw_path, _, raw_query = raw.partition("?")
    bucket, raw_key = _locate(raw_path, host.partition(":")[0].lower(), domains)
    pairs = []
    for pair in raw_query.split("&") if raw_query else ():
        if pair:
            name, equals, value = pair.partition("=")
            pairs.append((_text(name), _text(value) if equals else None))
    return Target(
        raw_path=raw_path,
        raw_query=raw_query,
        bucket=bucket,
        raw_key=raw_key,
        key=unquote_to_bytes(raw_key),
        pairs=pairs,
    )


def _locate(raw_path: str, host: str, domains: Sequence[str]) -> tuple[str | None, str]:
    for domain in domains:
        if host.endswith("." + domain):
            return host[: -len(domain) - 1], raw_path[1:]
    raw_bucket, _, raw_key = raw_path[1:].partition("/")
    if not raw_bucket:
        if raw_key:
            raise Fault("InvalidBucketName", details={"BucketName": ""})
        return None, ""
    return unquote_to_bytes(raw_bucket).decode("utf-8", "surrogateescape"), raw_key
