"""How a request's body is to be understood, by `x-amz-content-sha256` alone (S3 dossier §3.4).

Content-Encoding says nothing: some clients leave `aws-chunked` out, others set it on plain bodies.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sseproxy.dialect.base import Operation
from sseproxy.errors import InvalidArgument, InvalidRequest, UnsupportedFeature
from sseproxy.signing import Claim, Scheme

HEADER = "x-amz-content-sha256"
_MISSING = "Missing required header for this request: x-amz-content-sha256"
_UNKNOWN = (
    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, "
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid "
    "sha256 value."
)
_MISPLACED = "The value of x-amz-content-sha256 header is invalid."
_SHA256 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadForm:
    """How to understand a body.

    `framed`: aws-chunked; `signed`: with chunk signatures; `trailing`: with a trailer section; `sha256`: to verify.
    """

    framed: bool = False
    signed: bool = False
    trailing: bool = False
    sha256: bytes | None = None


PLAIN = PayloadForm()
_FORMS = MappingProxyType(
    {
        "UNSIGNED-PAYLOAD": PLAIN,
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER": PayloadForm(framed=True, trailing=True),
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": PayloadForm(framed=True, signed=True),
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": PayloadForm(framed=True, signed=True, trailing=True),
    }
)
_ECDSA = frozenset({"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"})
_FRAMED_OPERATIONS = frozenset({Operation.PUT_OBJECT, Operation.UPLOAD_PART})


def payload_form(claim: Claim | None, headers: Mapping[str, str], operation: Operation) -> PayloadForm:
    """Return the form of the body; unknown ones are refused, never passed on.

    Raises `InvalidRequest` (missing, or not allowed here), `InvalidArgument` (unknown), `UnsupportedFeature` (ECDSA).
    """
    if claim is not None and claim.scheme.dialect != Scheme.AWS_V4.dialect:
        return PLAIN
    value = claim.payload_hash if claim is not None and claim.payload_hash else headers.get(HEADER)
    if value is None:
        if claim is not None and claim.scheme is Scheme.AWS_V4:
            raise InvalidRequest(_MISSING)
        return PLAIN
    form = _understand(value)
    if form.framed and operation not in _FRAMED_OPERATIONS:
        raise InvalidRequest(_MISPLACED)
    if form.signed and (claim is None or claim.scheme is not Scheme.AWS_V4):
        raise InvalidRequest(_MISPLACED)  # only a V4 header gives the first signature of the chain
    return form


def _understand(value: str) -> PayloadForm:
    if value in _FORMS:
        return _FORMS[value]
    if value in _ECDSA:
        raise UnsupportedFeature(f"The chunk encoding algorithm {value} is not supported.", Header=HEADER)
    if _SHA256.fullmatch(value) is None:
        raise InvalidArgument(_UNKNOWN, ArgumentName=HEADER, ArgumentValue=value)
    return PayloadForm(sha256=bytes.fromhex(value))
