"""From what a client library would send to what a server receives."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from sseproxy.signing import SignedRequest


def received(
    method: str, url: str, headers: Mapping[str, str | None], *, bucket: str | None, virtual: bool = False
) -> SignedRequest:
    """Return the request as a server sees it: the target untouched, header values as sent."""
    parts = urlsplit(url)
    after = parts.path[1:] if virtual else parts.path[1:].partition("/")[2]
    present = {name.lower() for name in headers}
    listed = [(name, value) for name, value in headers.items() if value is not None]
    return SignedRequest(
        method=method,
        raw_path=parts.path or "/",
        raw_query=parts.query,
        headers=listed if "host" in present else [("Host", parts.netloc), *listed],
        bucket=bucket,
        raw_key=after if bucket is not None else "",
    )
