"""AWS Signature Version 2, header and query form (S3 dossier §3.7). Old, covers little; can be refused."""

import hmac
from base64 import b64encode
from collections.abc import Collection, Sequence
from itertools import product

from sseproxy.signing.canonical import header, header_values, parse_query, to_bytes
from sseproxy.signing.claims import Claim, SignedRequest, Verified
from sseproxy.signing.mismatch import mismatch

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
_POSITIONAL = frozenset({"content-md5", "content-type"})


def verify_aws_v2(claim: Claim, request: SignedRequest, secret: str) -> Verified:
    """Verify a signature; time is the caller's to check. Raises `SignatureMismatch`."""
    # botocore signs headers and sends them in the URL, where it signs at all for that.
    heads = [request.headers]
    if claim.scheme.in_query and (hoisted := _hoisted(request)):
        heads.append([*request.headers, *hoisted])
    variants = product(heads, (_BOTOCORE, _MINIO, _BOTOCORE | _MINIO), ("", "="), _paths(request))
    for headers, names, empty, path in variants:
        text = string_to_sign(claim, request, names, headers=headers, empty=empty, path=path)
        expected = b64encode(hmac.digest(secret.encode(), to_bytes(text), "sha1"))
        if hmac.compare_digest(expected, claim.signature.encode("utf-8", "replace")):
            return Verified(claim=claim, seed_signature="", signing_key=b"")
    text = string_to_sign(claim, request, _BOTOCORE, headers=heads[-1])
    raise mismatch(claim, "AWSAccessKeyId", text)


def string_to_sign(
    claim: Claim,
    request: SignedRequest,
    signed_names: Collection[str],
    *,
    headers: Sequence[tuple[str, str]],
    empty: str = "",
    path: str | None = None,
) -> str:
    """Return the string to sign with a set of sub-resources.

    `headers` are the request's, with or without those that travel in the URL; `empty` is written behind a
    sub-resource that was sent as `name=`; `path` is the resource, None: as it was sent.
    """
    names = sorted({name.lower() for name, _ in headers if name.lower().startswith("x-amz-")})
    amz = "".join(f"{name}:{','.join(value.strip() for value in header_values(headers, name))}\n" for name in names)
    date = claim.timestamp if claim.scheme.in_query else header(headers, "date") or ""
    if "x-amz-date" in names and not claim.scheme.in_query:
        date = ""
    return "\n".join(
        [
            request.method,
            header(headers, "content-md5") or "",
            header(headers, "content-type") or "",
            date,
            amz + _resource(request, signed_names, empty, _paths(request)[0] if path is None else path),
        ]
    )


def _hoisted(request: SignedRequest) -> list[tuple[str, str]]:
    return [
        (name, value or "")
        for name, value in parse_query(request.raw_query)
        if name.lower().startswith("x-amz-") or name.lower() in _POSITIONAL
    ]


def _paths(request: SignedRequest) -> tuple[str, ...]:
    """Return the path as it was sent, with the bucket in front where it was in the host, and how else it is signed.

    botocore signs a bucket with a slash behind it, also where it asks for the bucket without one.
    """
    path = request.raw_path or "/"
    if request.bucket is None:
        return (path,)
    if not _is_path_style(path, request.bucket, request.raw_key):
        path = f"/{request.bucket}{path}"
    return (path, f"{path}/") if path == f"/{request.bucket}" else (path,)


def _resource(request: SignedRequest, signed_names: Collection[str], empty: str, path: str) -> str:
    pairs = sorted(
        (pair for pair in parse_query(request.raw_query) if pair[0] in signed_names), key=lambda pair: pair[0]
    )
    parameters = "&".join(
        name if value is None else f"{name}{empty}" if not value else f"{name}={value}" for name, value in pairs
    )
    return f"{path}?{parameters}" if parameters else path


def _is_path_style(path: str, bucket: str, raw_key: str) -> bool:
    return path == f"/{bucket}/{raw_key}" or (not raw_key and path == f"/{bucket}")
