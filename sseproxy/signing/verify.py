"""Verifying a claim: time first, then the signature (S3 dossier §3.8; OSS dossier §4)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from sseproxy.errors import AccessRefused, AuthenticationMalformed, ClockSkewed, SignatureExpired
from sseproxy.signing.aws_v2 import verify_aws_v2
from sseproxy.signing.aws_v4 import verify_aws_v4
from sseproxy.signing.claims import Claim, Scheme, SignedRequest, Verified
from sseproxy.signing.oss_v1 import verify_oss_v1
from sseproxy.signing.oss_v2 import verify_oss_v2
from sseproxy.signing.oss_v4 import verify_oss_v4

_VERIFIERS: Mapping[Scheme, Callable[[Claim, SignedRequest, str], Verified]] = MappingProxyType(
    {
        Scheme.AWS_V4: verify_aws_v4,
        Scheme.AWS_V4_QUERY: verify_aws_v4,
        Scheme.AWS_V2: verify_aws_v2,
        Scheme.AWS_V2_QUERY: verify_aws_v2,
        Scheme.OSS_V1: verify_oss_v1,
        Scheme.OSS_V1_QUERY: verify_oss_v1,
        Scheme.OSS_V2: verify_oss_v2,
        Scheme.OSS_V2_QUERY: verify_oss_v2,
        Scheme.OSS_V4: verify_oss_v4,
        Scheme.OSS_V4_QUERY: verify_oss_v4,
    }
)


def verify(
    claim: Claim,
    request: SignedRequest,
    secret: str,
    now: datetime,
    *,
    max_skew_s: float = 900,
    region: str | None = None,
) -> Verified:
    """Return the claim verified with the secret of its access key.

    `region` None accepts any region. Raises `ClockSkewed`, `SignatureExpired`, `AccessRefused` (not valid yet),
    `AuthenticationMalformed` (wrong region), `HeadersNotSigned`, `SignatureMismatch`.
    """
    _check_time(claim, now, timedelta(seconds=max_skew_s))
    if region is not None and claim.region and claim.region != region:
        raise AuthenticationMalformed(
            f'The authorization header is malformed; the region "{claim.region}" is wrong; expecting "{region}"',
            Region=region,
        )
    return _VERIFIERS[claim.scheme](claim, request, secret)


def _check_time(claim: Claim, now: datetime, skew: timedelta) -> None:
    if claim.time is None:
        ends = datetime.fromtimestamp(min(claim.expires_s or 0, 253402300799), UTC)
        _check_not_expired(claim, ends, now)
    elif claim.expires_s is not None:
        if claim.time > now + skew:
            raise AccessRefused("Request is not valid yet.")
        _check_not_expired(claim, claim.time + timedelta(seconds=claim.expires_s), now)
    elif abs(now - claim.time) > skew:
        raise ClockSkewed(
            RequestTime=_iso(claim.time),
            ServerTime=_iso(now),
            MaxAllowedSkewMilliseconds=str(int(skew.total_seconds() * 1000)),
        )


def _check_not_expired(claim: Claim, ends: datetime, now: datetime) -> None:
    if now <= ends:
        return
    details = {"Expires": _iso(ends), "ServerTime": _iso(now)}
    if claim.scheme is Scheme.AWS_V4_QUERY:
        details["X-Amz-Expires"] = str(claim.expires_s)
    raise SignatureExpired(**details)


def _iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z")
