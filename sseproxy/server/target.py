"""The resource that a request target and Host name. Raw text in, raw text out: nothing is normalised.

Keys may hold `//`, `..`, `%2F` and `+`; they are decoded once, for whoever needs the name, and never encoded again.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from sseproxy.errors import InvalidBucketName, MalformedPath
from sseproxy.signing import decode_path

_ABSOLUTE = re.compile(r"https?://(?P<authority>[^/?]+)(?P<path>[^?]*)(?P<query>\?.*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a request names. `raw_key` is "" where there is no key."""

    raw_path: str
    raw_query: str
    bucket: str | None
    raw_key: str

    @property
    def key(self) -> str | None:
        """The key, decoded once."""
        return decode_path(self.raw_key) if self.raw_key else None


@dataclass(frozen=True, slots=True)
class Addressing:
    """Which hosts name a bucket: those in `hosts` by their whole name (CNAME), others in front of one of `domains`.

    All names are compared without case.
    """

    domains: Sequence[str] = ()
    hosts: Mapping[str, str] = field(default_factory=dict)  # names in lower case

    def bucket_of(self, host: str) -> str | None:
        """Return the bucket that a Host header names; None: the request is path-style."""
        name = _without_port(host).lower().rstrip(".")
        if name in self.hosts:
            return self.hosts[name]
        if _is_address(name):
            return None
        for domain in sorted((domain.lower() for domain in self.domains), key=len, reverse=True):
            if name == domain:
                return None
            if name.endswith(f".{domain}"):
                return name.removesuffix(f".{domain}")
        return None


def parse_target(target: str, host: str, addressing: Addressing) -> Target:
    """Split a request target as received.

    The bucket is the one that `host` names, else the first segment of the path. Raises `MalformedPath`,
    `InvalidBucketName`.
    """
    raw_path, _, raw_query = _origin_form(target, host).partition("?")
    if "#" in target:
        raise MalformedPath
    bucket = addressing.bucket_of(host)
    if bucket is not None:
        return Target(raw_path=raw_path, raw_query=raw_query, bucket=bucket, raw_key=raw_path[1:])
    raw_bucket, _, raw_key = raw_path[1:].partition("/")
    if not raw_bucket and raw_key:
        raise InvalidBucketName(BucketName="")
    return Target(
        raw_path=raw_path, raw_query=raw_query, bucket=decode_path(raw_bucket) if raw_bucket else None, raw_key=raw_key
    )


def _origin_form(target: str, host: str) -> str:
    """Return path and query. An absolute target must name the host that Host names."""
    if target.startswith("/"):
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or absolute["authority"].lower() != host.lower():
        raise MalformedPath
    return (absolute["path"] or "/") + (absolute["query"] or "")


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
