"""AWS Signature Version 4, header and presigned form: sign and verify (S3 dossier §3.1, §3.2)."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sseproxy.errors import HeadersNotSigned, SignatureMismatch
from sseproxy.signing.canonical import (
    canonical_path,
    canonical_query,
    collapse,
    header,
    header_values,
    parse_query,
    to_bytes,
)
from sseproxy.signing.claims import Claim, SignedRequest, Verified
from sseproxy.signing.mismatch import mismatch

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()

# The signer of a presigned URL usually does not know the customer's key (S3 dossier §1.9).
_NEED_NO_SIGNATURE_IN_QUERY = frozenset(
    {
        "x-amz-server-side-encryption-customer-key",
        "x-amz-server-side-encryption-customer-key-md5",
        "x-amz-copy-source-server-side-encryption-customer-key",
        "x-amz-copy-source-server-side-encryption-customer-key-md5",
        "x-amz-content-sha256",
    }
)


def derive_key(secret: str, scope_date: str, region: str, service: str = "s3") -> bytes:
    """Return the signing key of a day, region and service; may be cached for that day."""
    key = b"AWS4" + secret.encode()
    for part in (scope_date, region, service, "aws4_request"):
        key = hmac.digest(key, to_bytes(part), "sha256")
    return key


def canonical_request(
    method: str,
    path: str,
    query: str,
    headers: Sequence[tuple[str, str]],
    signed_headers: Iterable[str],
    payload_hash: str,
) -> str:
    """Return the canonical request; `path` and `query` are canonical already."""
    names = list(signed_headers)
    lines = [f"{name}:{','.join(collapse(value) for value in header_values(headers, name))}\n" for name in names]
    return "\n".join([method, path, query, "".join(lines), ";".join(names), payload_hash])


def string_to_sign(timestamp: str, scope: str, canonical: str) -> str:
    """Return the string to sign of a request."""
    return "\n".join([ALGORITHM, timestamp, scope, hashlib.sha256(to_bytes(canonical)).hexdigest()])


def verify_aws_v4(claim: Claim, request: SignedRequest, secret: str) -> Verified:
    """Verify signature and coverage. Time and region are the caller's to check (`verify.verify`).

    The path is tried as received, then decoded once and encoded again. Raises `HeadersNotSigned`,
    `SignatureMismatch`.
    """
    _check_coverage(claim, request)
    key = derive_key(secret, claim.scope_date, claim.region, claim.service)
    pairs = [
        (name, value)
        for name, value in parse_query(request.raw_query)
        if not (claim.scheme.in_query and name.lower() == "x-amz-signature")
    ]
    query = canonical_query(pairs, bare_empty=False)
    attempts = []
    for path in dict.fromkeys([request.raw_path or "/", canonical_path(request.raw_path)]):
        canonical = canonical_request(
            request.method, path, query, request.headers, claim.signed_headers, claim.payload_hash
        )
        to_sign = string_to_sign(claim.timestamp, claim.scope, canonical)
        expected = hmac.digest(key, to_bytes(to_sign), "sha256").hex()
        if hmac.compare_digest(expected.encode(), claim.signature.encode("utf-8", "replace")):
            return Verified(claim=claim, seed_signature=claim.signature, signing_key=key)
        attempts.append((canonical, to_sign))
    canonical, to_sign = attempts[0]
    raise mismatch(claim, "AWSAccessKeyId", to_sign, canonical)


def sign_aws_v4(  # noqa: PLR0913  # the facts of a request, all by keyword
    *,
    method: str,
    host: str,
    raw_path: str,
    raw_query: str,
    headers: Mapping[str, str],
    access_key: str,
    secret: str,
    token: str | None,
    region: str,
    now: datetime,
    payload_hash: str,
    service: str = "s3",
) -> dict[str, str]:
    """Return the headers to add to a request so that it is signed: all `headers` and Host are covered."""
    timestamp = now.strftime("%Y%m%dT%H%M%SZ")
    added = {"x-amz-date": timestamp, "x-amz-content-sha256": payload_hash}
    if token is not None:
        added["x-amz-security-token"] = token
    every = [("host", host), *((name.lower(), value) for name, value in headers.items()), *added.items()]
    names = sorted({name for name, _ in every})
    query = canonical_query(parse_query(raw_query), bare_empty=False)
    canonical = canonical_request(method, canonical_path(raw_path), query, every, names, payload_hash)
    scope = f"{timestamp[:8]}/{region}/{service}/aws4_request"
    key = derive_key(secret, timestamp[:8], region, service)
    signature = hmac.digest(key, to_bytes(string_to_sign(timestamp, scope, canonical)), "sha256").hex()
    added["Authorization"] = (
        f"{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return added


def _check_coverage(claim: Claim, request: SignedRequest) -> None:
    signed = set(claim.signed_headers)
    if "host" not in signed:
        raise HeadersNotSigned(HeadersNotSigned="host")
    exempt = _NEED_NO_SIGNATURE_IN_QUERY if claim.scheme.in_query else frozenset[str]()
    present = {name.lower() for name, _ in request.headers}
    missing = sorted(name for name in present - signed if name.startswith("x-amz-") and name not in exempt)
    if missing:
        raise HeadersNotSigned(HeadersNotSigned=", ".join(missing))
    if any(header(request.headers, name) is None for name in signed):
        raise SignatureMismatch(AWSAccessKeyId=claim.access_key)
