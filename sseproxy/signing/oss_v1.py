"""OSS signature version 1, header and URL form (OSS dossier §4.2, §4.3)."""

import hmac
from base64 import b64encode
from collections.abc import Collection

from sseproxy.signing.canonical import decode_path, header, parse_query, to_bytes
from sseproxy.signing.claims import Claim, SignedRequest, Verified
from sseproxy.signing.mismatch import mismatch

# What all SDKs agree on, and the union of what any of them signs: the service's own list is not published.
_CORE = frozenset(
    [
        "acl",
        "append",
        "bucketInfo",
        "callback",
        "callback-var",
        "continuation-token",
        "cors",
        "delete",
        "encryption",
        "lifecycle",
        "location",
        "logging",
        "objectMeta",
        "partNumber",
        "policy",
        "position",
        "referer",
        "restore",
        "security-token",
        "stat",
        "symlink",
        "tagging",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
        "worm",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
    ]
)
SUB_RESOURCES = _CORE | frozenset(
    [
        "accessPoint",
        "accessPointPolicy",
        "action",
        "asyncFetch",
        "bucketArchiveDirectRead",
        "cleanRestoredObject",
        "cloudboxes",
        "cname",
        "comp",
        "dataPipeline",
        "endTime",
        "group",
        "httpsConfig",
        "img",
        "inventory",
        "inventoryId",
        "legalHold",
        "link",
        "live",
        "metadataConfiguration",
        "metadataInventoryTable",
        "metadataJournalTable",
        "MetaQuery",
        "metaQuery",
        "objectInfo",
        "objectWorm",
        "overwriteConfig",
        "policyStatus",
        "processConfiguration",
        "publicAccessBlock",
        "qos",
        "qosInfo",
        "qosRequester",
        "quota",
        "redundancyTransition",
        "regionList",
        "replication",
        "replicationLocation",
        "replicationProgress",
        "requesterQosInfo",
        "requestPayment",
        "resourceGroup",
        "resourcePool",
        "resourcePoolBuckets",
        "resourcePoolInfo",
        "responseHeader",
        "retention",
        "rtc",
        "seal",
        "sequential",
        "startTime",
        "status",
        "style",
        "styleName",
        "transferAcceleration",
        "udf",
        "udfApplication",
        "udfApplicationLog",
        "udfId",
        "udfImage",
        "udfImageDesc",
        "udfName",
        "userDefinedLogFieldsConfig",
        "vip",
        "vod",
        "vpcip",
        "withHashContext",
        "wormExtend",
        "wormId",
        "x-oss-ac-forward-allow",
        "x-oss-ac-source-ip",
        "x-oss-ac-subnet-mask",
        "x-oss-ac-vpc-id",
        "x-oss-access-point-name",
        "x-oss-async-process",
        "x-oss-batchGet",
        "x-oss-delete",
        "x-oss-dir",
        "x-oss-enable-md5",
        "x-oss-enable-sha1",
        "x-oss-enable-sha256",
        "x-oss-hash-ctx",
        "x-oss-md5-ctx",
        "x-oss-process",
        "x-oss-redundancy-transition-taskid",
        "x-oss-rename",
        "x-oss-request-payer",
        "x-oss-target-redundancy-type",
        "x-oss-traffic-limit",
        "x-oss-write-get-object-response",
    ]
)
_UNION_BUT_PROCESS = SUB_RESOURCES - {"x-oss-process"}


def verify_oss_v1(claim: Claim, request: SignedRequest, secret: str) -> Verified:
    """Verify a signature; time is the caller's to check. Raises `SignatureMismatch`.

    Tried with the union of all sub-resources that SDKs sign, then with fewer: lists differ between SDKs.
    """
    for names in (SUB_RESOURCES, _UNION_BUT_PROCESS, _CORE):
        expected = _signature(secret, string_to_sign(claim, request, names))
        if hmac.compare_digest(expected.encode(), claim.signature.encode("utf-8", "replace")):
            return Verified(claim=claim, seed_signature="", signing_key=b"")
    text = string_to_sign(claim, request, SUB_RESOURCES)
    raise mismatch(claim, "OSSAccessKeyId", text)


def string_to_sign(claim: Claim, request: SignedRequest, signed_names: Collection[str]) -> str:
    """Return the string to sign with a set of sub-resources."""
    names = sorted({name.lower() for name, _ in request.headers if name.lower().startswith("x-oss-")})
    oss = "".join(f"{name}:{(header(request.headers, name) or '').strip()}\n" for name in names)
    return "\n".join(
        [
            request.method,
            header(request.headers, "content-md5") or "",
            header(request.headers, "content-type") or "",
            claim.timestamp,
            oss + _resource(request, signed_names),
        ]
    )


def resource_path(request: SignedRequest) -> str:
    """Return the logical path, decoded: `/bucket/key`, `/bucket/` or `/`."""
    return "/" if request.bucket is None else f"/{request.bucket}/{decode_path(request.raw_key)}"


def _resource(request: SignedRequest, signed_names: Collection[str]) -> str:
    chosen = sorted(
        {name: value for name, value in reversed(parse_query(request.raw_query)) if name in signed_names}.items()
    )
    parameters = "&".join(f"{name}={value}" if value else name for name, value in chosen)
    path = resource_path(request)
    return f"{path}?{parameters}" if parameters else path


def _signature(secret: str, text: str) -> str:
    return b64encode(hmac.digest(secret.encode(), to_bytes(text), "sha1")).decode()
