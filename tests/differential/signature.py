"""SigV4 of a request exactly as it goes over the wire, in a header or in the URL; independent of the proxy's own code."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes

_ALGORITHM = "AWS4-HMAC-SHA256"
_SIGNED_ALWAYS = ("host", "content-md5", "content-type")


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key of both endpoints."""

    access_key: str
    secret_key: str
    region: str = "us-east-1"


def sign_header(
    credentials: Credentials, method: str, target: str, headers: Mapping[str, str], payload: str
) -> dict[str, str]:
    """Return `headers` with the signature; `payload` is what x-amz-content-sha256 says."""
    stamp = _stamp(datetime.now(UTC))
    everything = {**headers, "x-amz-date": stamp, "x-amz-content-sha256": payload}
    path, _, query = target.partition("?")
    names, signature = _sign(credentials, (method, path, query), everything, payload, stamp)
    claim = f"Credential={credentials.access_key}/{_scope(credentials, stamp)}"
    authorization = f"{_ALGORITHM} {claim}, SignedHeaders={names}, Signature={signature}"
    return {**everything, "authorization": authorization}


def sign_url(
    credentials: Credentials,
    method: str,
    target: str,
    headers: Mapping[str, str],
    *,
    at: datetime | None = None,
    expires_s: int = 300,
) -> str:
    """Return `target` with a signature that covers `headers` too."""
    stamp = _stamp(at or datetime.now(UTC))
    names = ";".join(sorted(_canonical_headers(headers)))
    claim = {
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key}/{_scope(credentials, stamp)}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(expires_s),
        "X-Amz-SignedHeaders": names,
    }
    path, _, query = target.partition("?")
    query = "&".join(filter(None, [query, *(f"{name}={quote(value, safe='')}" for name, value in claim.items())]))
    _, signature = _sign(credentials, (method, path, query), headers, "UNSIGNED-PAYLOAD", stamp)
    return f"{path}?{query}&X-Amz-Signature={signature}"


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"


def _scope(credentials: Credentials, stamp: str) -> str:
    return f"{stamp[:8]}/{credentials.region}/s3/aws4_request"


def _canonical_headers(headers: Mapping[str, str]) -> dict[str, str]:
    lower = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    return {name: value for name, value in lower.items() if name.startswith("x-amz-") or name in _SIGNED_ALWAYS}


def _halves(pair: str) -> tuple[str, str, str]:
    return pair.partition("=")


def _escaped(text: str) -> str:
    return quote(unquote_to_bytes(text), safe="-_.~")


def _sign(
    credentials: Credentials, wire: tuple[str, str, str], headers: Mapping[str, str], payload: str, stamp: str
) -> tuple[str, str]:
    """Return the names of the signed headers and the signature."""
    method, path, query = wire
    canonical = _canonical_headers(headers)
    names = ";".join(sorted(canonical))
    pairs = sorted((_escaped(name), _escaped(value)) for name, _, value in map(_halves, filter(None, query.split("&"))))
    request = "\n".join([
        method,
        quote(unquote_to_bytes(path), safe="/-_.~"),
        "&".join(f"{name}={value}" for name, value in pairs),
        "".join(f"{name}:{canonical[name]}\n" for name in sorted(canonical)),
        names,
        payload,
    ])  # fmt: skip
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{credentials.secret_key}".encode()
    for word in (stamp[:8], credentials.region, "s3", "aws4_request"):
        key = hmac.digest(key, word.encode(), hashlib.sha256)
    text = "\n".join([_ALGORITHM, stamp, _scope(credentials, stamp), digest])
    return names, hmac.digest(key, text.encode(), hashlib.sha256).hex()
