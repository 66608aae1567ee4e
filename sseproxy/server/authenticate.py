"""Who signed a request, and whether the signature holds (S3 dossier §3.8; OSS dossier §4)."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from sseproxy.errors import AccessRefused, InvalidRequest, UnknownAccessKey
from sseproxy.ports import Clock
from sseproxy.settings import ClientsSettings
from sseproxy.signing import Claim, Scheme, SignedRequest, Verified, verify

_SIGV2_REFUSED = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."


@dataclass(frozen=True, slots=True)
class Caller:
    """An access key that signed, or "" where nobody did and that is allowed."""

    principal: str
    verified: Verified | None


class Authenticator:
    """Verifies claims with the configured credentials."""

    def __init__(self, settings: ClientsSettings, clock: Clock) -> None:
        self._secrets: Mapping[str, str] = {
            client.access_key: client.secret_key.get_secret_value() for client in settings.credentials
        }
        self._settings = settings
        self._clock = clock
        # Unknown keys are verified too, with a secret that nobody has: how long a refusal takes tells nothing.
        self._nobodys_secret = secrets.token_hex(20)

    def identify(self, claim: Claim | None, request: SignedRequest) -> Caller:
        """Return who makes a request. Raises `AccessRefused` and what `signing.verify` raises."""
        if claim is None:
            if not self._settings.trust_unsigned:
                raise AccessRefused
            return Caller("", None)
        if claim.scheme in {Scheme.AWS_V2, Scheme.AWS_V2_QUERY} and not self._settings.allow_sigv2:
            raise InvalidRequest(_SIGV2_REFUSED)
        secret = self._secrets.get(claim.access_key)
        try:
            verified = verify(
                claim,
                request,
                self._nobodys_secret if secret is None else secret,
                self._clock.now(),
                max_skew_s=self._settings.max_clock_skew,
            )
        except AccessRefused as cause:
            if secret is None:
                raise unknown_key(claim) from cause
            raise
        if secret is None:
            raise unknown_key(claim)
        return Caller(claim.access_key, verified)


def unknown_key(claim: Claim) -> UnknownAccessKey:
    """Return the error for an access key that is not configured, with the dialect's element."""
    if claim.scheme.dialect == "oss":
        return UnknownAccessKey(OSSAccessKeyId=claim.access_key)
    return UnknownAccessKey(AWSAccessKeyId=claim.access_key)
