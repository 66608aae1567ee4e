"""AWS Signature Version 2, header and query form (S3 dossier §3.7). Old, covers little; off unless configured."""

import hmac
from base64 import b64encode
from collections.abc import Collection

from sseproxy.errors import SignatureMismatch
from sseproxy.signing.canonical import collapse, header, parse_query
from sseproxy.signing.claims import Claim, SignedRequest, Verified

_CORE = frozenset(
    [
        "acl",
        "cors",
        "delete",
        "lifecycle",
        "location",
        "logging",
        "notification",
        "partNumber",
        "policy",
        "requestPayment",
        "select",
        "select-type",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
    ]
)
# The published implementations disagree on the rest: either set may have been signed.
_BOTOCORE = _CORE | frozenset(
    [
        "accelerate",
        "analytics",
        "defaultObjectAcl",
        "inventory",
        "metrics",
        "object-lock",
        "replication",
        "restore",
        "storageClass",
    ]
)
_MINIO = _CORE | frozenset(["encryption", "legal-hold", "retention"])


def verify_aws_v2(claim: Claim, request: SignedRequest, secret: str) -> Verified:
    """Verify a signature; time is the caller's to check. Raises `SignatureMismatch`."""
    for names in (_BOTOCORE, _MINIO, _BOTOCORE | _MINIO):
        text = string_to_sign(claim, request, names)
        expected = b64encode(hmac.digest(secret.encode(), text.encode("utf-8", "surrogateescape"), "sha1"))
        if hmac.compare_digest(expected, claim.signature.encode("utf-8", "replace")):
            return Verified(claim=claim, seed_signature="", signing_key=b"")
    raise SignatureMismatch(AWSAccessKeyId=claim.access_key, StringToSign=string_to_sign(claim, request, _BOTOCORE))


def sign_aws_v2(claim: Claim, request: SignedRequest, secret: str) -> str:
    """Return the signature that `request` needs with the claim's timestamp."""
    text = string_to_sign(claim, request, _BOTOCORE)
    return b64encode(hmac.digest(secret.encode(), text.encode("utf-8", "surrogateescape"), "sha1")).decode()


def string_to_sign(claim: Claim, request: SignedRequest, signed_names: Collection[str]) -> str:
    """Return the string to sign with a set of sub-resources."""
    names = sorted({name.lower() for name, _ in request.headers if name.lower().startswith("x-amz-")})
    amz = "".join(f"{name}:{collapse(header(request.headers, name) or '')}\n" for name in names)
    if claim.scheme.in_query:
        date = claim.timestamp
    else:
        date = "" if "x-amz-date" in names else (header(request.headers, "date") or "")
    return "\n".join(
        [
            request.method,
            header(request.headers, "content-md5") or "",
            header(request.headers, "content-type") or "",
            date,
            amz + _resource(request, signed_names),
        ]
    )


def _resource(request: SignedRequest, signed_names: Collection[str]) -> str:
    # The path as it was sent, with the bucket in front where it was in the host.
    path = request.raw_path or "/"
    if request.bucket is not None and path not in {f"/{request.bucket}", f"/{request.bucket}/{request.raw_key}"}:
        path = f"/{request.bucket}{path}"
    chosen = sorted((name, value) for name, value in parse_query(request.raw_query) if name in signed_names)
    parameters = "&".join(name if value is None or value == "" else f"{name}={value}" for name, value in chosen)
    return f"{path}?{parameters}" if parameters else path
