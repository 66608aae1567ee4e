"""Who signed the policy of an upload by an HTML form, and whether that holds (S3 dossier §3.9; OSS dossier §4.7).

All four schemes sign the policy's base64 text as it was sent, and nothing else.
"""

import hmac
from base64 import b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sseproxy.errors import InvalidArgument, SignatureMismatch
from sseproxy.signing import aws_v4, oss_v4
from sseproxy.signing.claims import Scheme

_V4_TERMINALS: Mapping[str, str] = MappingProxyType({"s3": "aws4_request", "oss": "aliyun_v4_request"})
_NEEDED = "Bucket POST must contain a field named '{}'.  If it is specified, please check the order of the fields."


@dataclass(frozen=True, slots=True, kw_only=True)
class PostClaim:
    """What a form says of its signature. Nothing here has been verified."""

    scheme: Scheme
    access_key: str
    policy: str  # base64, as it was sent
    signature: str = field(repr=False)
    scope: tuple[str, ...] = ()  # V4: date, region, service
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Names:
    """The fields of a V4 scheme and what the first of them holds."""

    scheme: Scheme
    version_field: str
    version: str
    prefix: str


_V4 = (
    _Names(Scheme.AWS_V4, "x-amz-algorithm", aws_v4.ALGORITHM, "x-amz-"),
    _Names(Scheme.OSS_V4, "x-oss-signature-version", oss_v4.ALGORITHM, "x-oss-"),
)
_V1 = ((Scheme.OSS_V1, "ossaccesskeyid", "x-oss-"), (Scheme.AWS_V2, "awsaccesskeyid", "x-amz-"))


def form_dialect(fields: Collection[str]) -> str | None:
    """Return the dialect that a form's fields belong to; None where none of them tells."""
    for scheme, name, prefix in _V1:
        if name in fields or any(one.startswith(prefix) for one in fields):
            return scheme.dialect
    return None


def find_post_claim(fields: Mapping[str, str], key_field: str = "AWSAccessKeyId") -> PostClaim | None:
    """Return what a form claims, None where it is not signed; `fields` have lower-case names.

    `key_field` is what is missing where a signature stands alone, so that no field tells its scheme. Raises
    `InvalidArgument` for a field that is missing or malformed.
    """
    for names in _V4:
        if any(names.prefix + name in fields for name in ("signature", "credential")) or names.version_field in fields:
            return _v4_claim(names, fields)
    for scheme, name, prefix in _V1:
        if name in fields:
            return PostClaim(
                scheme=scheme,
                access_key=fields[name],
                policy=_needed(fields, "policy"),
                signature=_needed(fields, "signature"),
                token=fields.get(prefix + "security-token"),
            )
    if "signature" in fields:
        raise _missing(key_field)
    return None


def needed_conditions(claim: PostClaim) -> tuple[str, ...]:
    """Return the fields that the policy must name, or the signature would not cover them."""
    if not claim.scope:
        return ()
    names = next(names for names in _V4 if names.scheme is claim.scheme)
    return names.version_field, f"{names.prefix}credential", f"{names.prefix}date"


def verify_post(claim: PostClaim, secret: str) -> None:
    """Raise `SignatureMismatch` unless the claim holds with the secret of its access key."""
    policy = claim.policy.encode("utf-8", "surrogateescape")
    if claim.scope:
        derive = oss_v4.derive_key if claim.scheme is Scheme.OSS_V4 else aws_v4.derive_key
        expected = hmac.digest(derive(secret, *claim.scope), policy, "sha256").hex()
    else:
        expected = b64encode(hmac.digest(secret.encode(), policy, "sha1")).decode()
    if not hmac.compare_digest(expected.encode(), claim.signature.encode("utf-8", "replace")):
        raise SignatureMismatch


def _v4_claim(names: _Names, fields: Mapping[str, str]) -> PostClaim:
    if _needed(fields, names.version_field) != names.version:
        raise _malformed(names.version_field, fields)
    name = f"{names.prefix}credential"
    access_key, *scope = _needed(fields, name).rsplit("/", 4)
    if len(scope) != 4 or not access_key or scope.pop() != _V4_TERMINALS[names.scheme.dialect]:
        raise _malformed(name, fields)
    if not _needed(fields, f"{names.prefix}date").startswith(f"{scope[0]}T"):
        raise _malformed(f"{names.prefix}date", fields)
    return PostClaim(
        scheme=names.scheme,
        access_key=access_key,
        policy=_needed(fields, "policy"),
        signature=_needed(fields, f"{names.prefix}signature"),
        scope=tuple(scope),
        token=fields.get(f"{names.prefix}security-token"),
    )


def _needed(fields: Mapping[str, str], name: str) -> str:
    if name not in fields:
        raise _missing(name)
    return fields[name]


def _missing(name: str) -> InvalidArgument:
    return InvalidArgument(_NEEDED.format(name), ArgumentName=name, ArgumentValue="")


def _malformed(name: str, fields: Mapping[str, str]) -> InvalidArgument:
    return InvalidArgument(ArgumentName=name, ArgumentValue=fields[name][:256])
