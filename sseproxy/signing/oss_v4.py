"""OSS signature version 4, header and URL form: sign and verify (OSS dossier §4.5)."""

import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sseproxy.signing.canonical import canonical_query, encode_key, header, parse_query, to_bytes
from sseproxy.signing.claims import Claim, SignedRequest, Verified
from sseproxy.signing.mismatch import mismatch
from sseproxy.signing.oss_v1 import resource_path

ALGORITHM = "OSS4-HMAC-SHA256"
_PAYLOAD = "UNSIGNED-PAYLOAD"


def derive_key(secret: str, scope_date: str, region: str, product: str = "oss") -> bytes:
    """Return the signing key of a day, region and product; may be cached for that day."""
    key = b"aliyun_v4" + secret.encode()
    for part in (scope_date, region, product, "aliyun_v4_request"):
        key = hmac.digest(key, to_bytes(part), "sha256")
    return key


def verify_oss_v4(claim: Claim, request: SignedRequest, secret: str) -> Verified:
    """Verify a signature; time and region are the caller's to check. Raises `SignatureMismatch`."""
    key = derive_key(secret, claim.scope_date, claim.region, claim.service)
    canonical = canonical_request(request, claim.signed_headers)
    text = _string_to_sign(claim.timestamp, claim.scope, canonical)
    expected = hmac.digest(key, to_bytes(text), "sha256").hex()
    if not hmac.compare_digest(expected.encode(), claim.signature.encode("utf-8", "replace")):
        raise mismatch(claim, "OSSAccessKeyId", text, canonical)
    return Verified(claim=claim, seed_signature=claim.signature, signing_key=key)


def sign_oss_v4(  # noqa: PLR0913  # the facts of a request, all by keyword
    *,
    method: str,
    bucket: str | None,
    raw_key: str,
    raw_query: str,
    headers: Mapping[str, str],
    access_key: str,
    secret: str,
    token: str | None,
    region: str,
    now: datetime,
    additional_headers: Sequence[str] = (),
) -> dict[str, str]:
    """Return the headers to add to a request so that it is signed."""
    timestamp = now.strftime("%Y%m%dT%H%M%SZ")
    added = {"x-oss-date": timestamp, "x-oss-content-sha256": _PAYLOAD}
    if token is not None:
        added["x-oss-security-token"] = token
    request = SignedRequest(
        method=method,
        raw_path="",
        raw_query=raw_query,
        headers=[*headers.items(), *added.items()],
        bucket=bucket,
        raw_key=raw_key,
    )
    additional = tuple(sorted(name.lower() for name in additional_headers))
    scope = f"{timestamp[:8]}/{region}/oss/aliyun_v4_request"
    text = _string_to_sign(timestamp, scope, canonical_request(request, additional))
    signature = hmac.digest(derive_key(secret, timestamp[:8], region), to_bytes(text), "sha256").hex()
    listed = f"AdditionalHeaders={';'.join(additional)}," if additional else ""
    added["Authorization"] = f"{ALGORITHM} Credential={access_key}/{scope},{listed}Signature={signature}"
    return added


def canonical_request(request: SignedRequest, additional: Collection[str]) -> str:
    """Return the canonical request; `additional` are the additional headers, lower case and sorted."""
    pairs = [(name, value) for name, value in parse_query(request.raw_query) if name != "x-oss-signature"]
    always = {"content-type", "content-md5"}
    present = {name.lower() for name, _ in request.headers}
    names = sorted(name for name in present if name.startswith("x-oss-") or name in always or name in additional)
    lines = "".join(f"{name}:{(header(request.headers, name) or '').strip()}\n" for name in names)
    listed = [name for name in additional if name not in always and not name.startswith("x-oss-") and name in present]
    return "\n".join(
        [
            request.method,
            encode_key(resource_path(request)),
            canonical_query(pairs, bare_empty=True),
            lines,
            ";".join(listed),
            _PAYLOAD,
        ]
    )


def _string_to_sign(timestamp: str, scope: str, canonical: str) -> str:
    return "\n".join([ALGORITHM, timestamp, scope, hashlib.sha256(to_bytes(canonical)).hexdigest()])
