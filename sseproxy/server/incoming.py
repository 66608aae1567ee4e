"""From aiohttp's request to the facts that the core works with. Nothing is normalised.

Names and signatures depend on the raw target: `//`, `%2F`, `..` and `+` stay what they are (S3 dossier §8.6, §8.9).
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.errors import InvalidArgument, MalformedPath, UnsupportedFeature
from sseproxy.signing import SignedRequest, decode_path, parse_query, without_authentication


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a request line and Host name."""

    raw_path: str
    raw_query: str
    bucket: str | None
    raw_key: str

    @property
    def key(self) -> str | None:
        """The key, decoded exactly once; None on bucket and service level."""
        return decode_path(self.raw_key) if self.raw_key else None


def read_target(raw_target: str, host: str, domains: Sequence[str]) -> Target:
    """Take a request target apart. Raises `MalformedPath` for anything that is no path on this server."""
    if not raw_target.startswith("/"):
        raise MalformedPath
    raw_path, _, raw_query = raw_target.partition("?")
    bucket = bucket_in_host(host, domains)
    if bucket is not None:
        return Target(raw_path=raw_path, raw_query=raw_query, bucket=bucket, raw_key=raw_path[1:])
    first, _, raw_key = raw_path[1:].partition("/")
    return Target(raw_path=raw_path, raw_query=raw_query, bucket=decode_path(first) if first else None, raw_key=raw_key)


def bucket_in_host(host: str, domains: Sequence[str]) -> str | None:
    """Return the bucket of a virtual-hosted style request, None where the path has it."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and ":" in host else host
    name = name.lower().rstrip(".")
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        pass
    else:
        return None
    for domain in domains:
        suffix = "." + domain.lower().strip(".")
        if name.endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return None


def signed_request(request: web.BaseRequest, target: Target) -> SignedRequest:
    """Return the facts that a signature can cover, headers as they were received."""
    headers = [
        (name.decode("latin-1"), value.decode("utf-8", "surrogateescape")) for name, value in request.raw_headers
    ]
    return SignedRequest(
        method=request.method,
        raw_path=target.raw_path,
        raw_query=target.raw_query,
        headers=headers,
        bucket=target.bucket,
        raw_key=target.raw_key,
    )


def decoded_query(raw_query: str) -> CIMultiDictProxy[str]:
    """Return the query decoded once, without authentication; `+` is a blank."""
    pairs = parse_query(without_authentication(raw_query))
    return CIMultiDictProxy(CIMultiDict((name, value or "") for name, value in pairs))


def check_framing(request: web.BaseRequest) -> None:
    """Refuse what the HTTP parser lets through but nobody should send (S3 dossier §8.8)."""
    coding = request.headers.get("Transfer-Encoding")
    if coding is not None and coding.strip().lower() != "chunked":
        raise UnsupportedFeature(Header="Transfer-Encoding")
    if len(request.headers.getall("Host", ())) > 1:
        raise InvalidArgument("The request has more than one Host.", ArgumentName="Host")
