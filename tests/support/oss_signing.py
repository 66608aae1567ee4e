"""OSS's signatures made by hand, at any time and with any parts, from what is documented alone (OSS dossier §4).

Targets are path-style and as they go over the wire.
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote, unquote, unquote_plus

from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY

Headers = Mapping[str, str]
MISMATCH = (
    403,
    "SignatureDoesNotMatch",
    "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
)
_V4, _UNSIGNED, _TERMINAL = "OSS4-HMAC-SHA256", "UNSIGNED-PAYLOAD", "aliyun_v4_request"


def now() -> datetime:
    """Return the time in whole seconds, as signatures have it."""
    return datetime.now(UTC).replace(microsecond=0)


def sign_v1(
    method: str, target: str, headers: Headers | None = None, *, at: datetime, own_date: bool = False
) -> dict[str, str]:
    """Return the headers with a signature of version 1; `own_date` tells the time in `x-oss-date`."""
    date = format_datetime(at, usegmt=True)
    headers = {**(headers or {}), "x-oss-date" if own_date else "Date": date}
    signature = _mac1(_plain_text(method, date, headers) + _resource(target))
    return {**headers, "Authorization": f"OSS {ACCESS_KEY}:{signature}"}


def url_v1(method: str, target: str, headers: Headers | None = None, *, expires: str) -> dict[str, str]:
    """Return the parameters that sign a URL in version 1; `expires` are seconds since the epoch."""
    signature = _mac1(_plain_text(method, expires, headers or {}) + _resource(target))
    return {"OSSAccessKeyId": ACCESS_KEY, "Expires": expires, "Signature": signature}


def sign_v2(
    method: str, target: str, headers: Headers | None = None, *, at: datetime, additional: Sequence[str] = ()
) -> dict[str, str]:
    """Return the headers with a signature of version 2."""
    date = format_datetime(at, usegmt=True)
    headers = {**(headers or {}), "Date": date}
    signature = _mac2(_text_of_v2(method, date, target, headers, additional))
    listed = f"AdditionalHeaders:{';'.join(additional)}," if additional else ""
    return {**headers, "Authorization": f"OSS2 AccessKeyId:{ACCESS_KEY},{listed}Signature:{signature}"}


def url_v2(method: str, target: str, headers: Headers | None = None, *, expires: str) -> dict[str, str]:
    """Return the parameters that sign a URL in version 2."""
    said = {"x-oss-signature-version": "OSS2", "x-oss-expires": expires, "x-oss-access-key-id": ACCESS_KEY}
    signature = _mac2(_text_of_v2(method, expires, with_query(target, said), headers or {}, ()))
    return {**said, "x-oss-signature": signature}


def sign_v4(  # what a request may say
    method: str,
    target: str,
    headers: Headers | None = None,
    *,
    at: datetime,
    additional: Sequence[str] = (),
    scope: str | None = None,
) -> dict[str, str]:
    """Return the headers with a signature of version 4; `scope` is date, region, product and terminal."""
    time = at.strftime("%Y%m%dT%H%M%SZ")
    scope = scope or f"{time[:8]}/{REGION}/oss/{_TERMINAL}"
    headers = {**(headers or {}), "x-oss-date": time, "x-oss-content-sha256": _UNSIGNED}
    signature = _mac4(time, scope, _canonical(method, target, headers, additional))
    listed = f"AdditionalHeaders={';'.join(additional)}," if additional else ""
    return {**headers, "Authorization": f"{_V4} Credential={ACCESS_KEY}/{scope},{listed}Signature={signature}"}


def url_v4(  # what a URL may say
    method: str,
    target: str,
    headers: Headers | None = None,
    *,
    at: datetime,
    expires: str,
    changed: Mapping[str, str | None] | None = None,
) -> dict[str, str]:
    """Return the parameters that sign a URL in version 4, some of them `changed` before it is signed."""
    time = at.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{time[:8]}/{REGION}/oss/{_TERMINAL}"
    said = {
        "x-oss-signature-version": _V4, "x-oss-credential": f"{ACCESS_KEY}/{scope}", "x-oss-date": time,
        "x-oss-expires": expires, **(changed or {}),
    }  # fmt: skip
    kept = {name: value for name, value in said.items() if value is not None}
    additional = [name for name in kept.get("x-oss-additional-headers", "").split(";") if name]
    signature = _mac4(time, scope, _canonical(method, with_query(target, kept), headers or {}, additional))
    return {**kept, "x-oss-signature": signature}


def with_query(target: str, parameters: Mapping[str, str]) -> str:
    """Return the target with more parameters behind it."""
    added = "&".join(f"{quote(name, '')}={quote(value, '')}" for name, value in parameters.items())
    return f"{target}{'&' if '?' in target else '?'}{added}"


def _lower(headers: Headers) -> dict[str, str]:
    return {name.lower(): value.strip() for name, value in headers.items()}


def _lines(headers: Headers, names: Sequence[str] = ()) -> str:
    lower = _lower(headers)
    return "".join(f"{name}:{lower[name]}\n" for name in sorted(lower) if name.startswith("x-oss-") or name in names)


def _plain_text(method: str, date: str, headers: Headers) -> str:
    lower = _lower(headers)
    return "\n".join([method, lower.get("content-md5", ""), lower.get("content-type", ""), date, _lines(headers)])


def _resource(target: str) -> str:
    path, _, query = target.partition("?")
    pairs = [piece.partition("=")[::2] for piece in query.split("&") if piece]
    named = sorted((unquote_plus(name), unquote_plus(value)) for name, value in pairs)
    listed = "&".join(f"{name}={value}" if value else name for name, value in named)
    return unquote(path) + (f"?{listed}" if listed else "")


def _canonical_query(query: str) -> str:
    pairs = [piece.partition("=")[::2] for piece in query.split("&") if piece]
    named = sorted((quote(unquote_plus(name), ""), quote(unquote_plus(value), "")) for name, value in pairs)
    return "&".join(f"{name}={value}" if value else name for name, value in named)


def _text_of_v2(method: str, date: str, target: str, headers: Headers, additional: Sequence[str]) -> str:
    path, _, query = target.partition("?")
    lower, listed = _lower(headers), _canonical_query(query)
    resource = quote(unquote(path), "") + (f"?{listed}" if listed else "")
    own = _lines(headers, additional) + ";".join(sorted(additional))
    return "\n".join([method, lower.get("content-md5", ""), lower.get("content-type", ""), date, own, resource])


def _canonical(method: str, target: str, headers: Headers, additional: Sequence[str]) -> str:
    path, _, query = target.partition("?")
    names = ["content-type", "content-md5", *additional]
    listed = ";".join(sorted(additional))
    return "\n".join(
        [method, quote(unquote(path), "/"), _canonical_query(query), _lines(headers, names), listed, _UNSIGNED]
    )


def _mac1(text: str) -> str:
    return b64encode(hmac.digest(SECRET_KEY.encode(), text.encode(), "sha1")).decode()


def _mac2(text: str) -> str:
    return b64encode(hmac.digest(SECRET_KEY.encode(), text.encode(), "sha256")).decode()


def _mac4(time: str, scope: str, canonical: str) -> str:
    key = b"aliyun_v4" + SECRET_KEY.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = "\n".join([_V4, time, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    return hmac.digest(key, text.encode(), "sha256").hex()
