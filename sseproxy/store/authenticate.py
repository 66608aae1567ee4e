"""Who asks, in which dialect, and in which form the body comes: nothing else happens before this is settled."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from aiohttp import web
from multidict import CIMultiDict

from sseproxy import errors
from sseproxy.signing.claims import Claim, Scheme, SignedRequest, Verified
from sseproxy.signing.find import find_claim
from sseproxy.signing.verify import verify
from sseproxy.store.faults import Fault
from sseproxy.store.service import Payload, Service
from sseproxy.store.target import Target
from sseproxy.store.wires import OSS, S3, WIRES, Wire

_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MISSING = "Missing required header for this request: x-amz-content-sha256"
_FORMS = {
    "UNSIGNED-PAYLOAD": Payload(),
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": Payload(framed=True, trailing=True),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": Payload(framed=True, signed=True),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": Payload(framed=True, trailing=True, signed=True),
}
_ECDSA = frozenset({"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"})
_BAD_FORM = (
    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, "
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid "
    "sha256 value."
)
_NAMES: Mapping[type[errors.SseProxyError], str] = {
    errors.AuthenticationMalformed: "AuthorizationHeaderMalformed",
    errors.AuthenticationQueryMalformed: "AuthorizationQueryParametersError",
    errors.InvalidArgument: "InvalidArgument",
    errors.UnsupportedFeature: "NotImplemented",
    errors.MalformedTrailer: "MalformedTrailerError",
    errors.RequestError: "InvalidRequest",
    errors.UnknownAccessKey: "InvalidAccessKeyId",
    errors.SignatureMismatch: "SignatureDoesNotMatch",
    errors.ClockSkewed: "RequestTimeTooSkewed",
    errors.AccessRefused: "AccessDenied",
}


def translate(error: errors.SseProxyError) -> Fault:
    """Return the fault for an error of `sseproxy.signing`."""
    name = next((_NAMES[cls] for cls in type(error).__mro__ if cls in _NAMES), "InternalError")
    return Fault(name, error.message if error.message != type(error).default else None, details=error.details)


def guess_wire(headers: Mapping[str, str], target: Target | None) -> Wire:
    """Return the dialect to refuse in while it is not known who asks: S3, unless something of OSS is there."""
    if headers.get("Authorization", "").startswith("OSS"):
        return OSS
    names = [name for name, _ in target.pairs] if target else []
    if any(name.startswith("x-oss-") or name == "OSSAccessKeyId" for name in names):
        return OSS
    return S3


def authenticate(service: Service, raw: web.BaseRequest, target: Target) -> tuple[Wire, Verified]:
    """Verify the signature; raises `Fault` for a wrong one, and AccessDenied for none."""
    request = SignedRequest(
        method=raw.method,
        raw_path=target.raw_path,
        raw_query=target.raw_query,
        headers=_as_received(raw.raw_headers),
        bucket=target.bucket,
        raw_key=target.raw_key,
    )
    try:
        claim = find_claim(request)
        if claim is None:
            raise Fault("AccessDenied")
        wire = WIRES[claim.scheme.dialect]
        secret = service.credentials.get(claim.access_key)
        if secret is None:
            name = "AWSAccessKeyId" if wire is S3 else "OSSAccessKeyId"
            raise Fault("InvalidAccessKeyId", details={name: claim.access_key})
        return wire, verify(claim, request, secret, datetime.now(UTC), region=service.region)
    except errors.SseProxyError as error:
        raise translate(error) from error


def _as_received(headers: Sequence[tuple[bytes, bytes]]) -> Sequence[tuple[str, str]]:
    """Return the headers as their sender signed them: signatures are made of UTF-8."""
    return [(name.decode("latin-1"), _text(value)) for name, value in headers]


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def effective_headers(raw: web.BaseRequest, target: Target, wire: Wire) -> CIMultiDict[str]:
    """Return the headers, with those `x-amz-*` that a presigned URL has in its query instead."""
    headers = CIMultiDict(raw.headers)
    if wire is S3:
        for name, value in target.pairs:
            lower = name.lower()
            if lower.startswith("x-amz-") and name not in headers:
                headers[lower] = value or ""
    return headers


def payload_form(claim: Claim, headers: Mapping[str, str]) -> Payload:
    """Return the form of the body; raises `Fault` for one that this store does not know."""
    if claim.scheme not in (Scheme.AWS_V4, Scheme.AWS_V4_QUERY):
        return Payload()
    value = headers.get("x-amz-content-sha256")
    if value is None:
        if claim.scheme is Scheme.AWS_V4_QUERY:
            return Payload()
        raise Fault("InvalidRequest", _MISSING)
    if value in _FORMS:
        return _FORMS[value]
    if value in _ECDSA:
        raise Fault("NotImplemented", f"The chunk encoding algorithm {value} is not supported.")
    if not _HEX.fullmatch(value):
        details = {"ArgumentName": "x-amz-content-sha256", "ArgumentValue": value}
        raise Fault("InvalidArgument", _BAD_FORM, details=details)
    return Payload(sha256=bytes.fromhex(value))
