"""Who sends a request, in which dialect, and whether that holds."""

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sseproxy.dialect import DIALECTS, tell_dialect
from sseproxy.dialect.base import Dialect
from sseproxy.errors import (
    AnonymousRefused,
    InvalidRequest,
    SecurityTokenEnded,
    SecurityTokenRejected,
    UnknownAccessKey,
    WrongDialect,
)
from sseproxy.ports import Clock
from sseproxy.settings import Client, ClientsSettings
from sseproxy.signing import Claim, Scheme, SignedRequest, Verified, find_claim, verify
from sseproxy.signing.post_claims import PostClaim, find_post_claim, form_dialect, verify_post

_SIGV2 = frozenset({Scheme.AWS_V2, Scheme.AWS_V2_QUERY})
_SIGV2_OFF = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
_ACCESS_KEY_DETAIL: Mapping[str, str] = MappingProxyType({"s3": "AWSAccessKeyId", "oss": "OSSAccessKeyId"})
_SPOKEN: Mapping[str, str] = MappingProxyType({"s3": "the S3 protocol", "oss": "the Alibaba Cloud OSS protocol"})
# How a signature begins that cannot be read any further, so that even then the client is answered in its own words.
_AUTHORIZATIONS = (("AWS", "s3"), ("OSS", "oss"))
_SIGNED_QUERIES = (
    ("x-amz-algorithm", "s3"),
    ("x-amz-credential", "s3"),
    ("x-amz-signature", "s3"),
    ("x-oss-signature", "oss"),
    ("ossaccesskeyid", "oss"),
    ("awsaccesskeyid", "s3"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever sent a request. `verified` is None for an unsigned one."""

    dialect: Dialect
    principal: str
    verified: Verified | None

    @property
    def claim(self) -> Claim | None:
        """What was claimed and holds."""
        return None if self.verified is None else self.verified.claim


class Authenticator:
    """Tells dialects and verifies signatures. `served` are the names of the dialects that this endpoint speaks.

    `unsigned_dialect` is how requests that tell nothing of theirs are understood; None: as the one that is served, S3
    where both are.
    """

    def __init__(
        self, clients: ClientsSettings, served: Collection[str], unsigned_dialect: str | None, clock: Clock
    ) -> None:
        self._clients = clients
        self._known = {client.access_key: client for client in clients.credentials}
        self._serves_unsigned = clients.trust_unsigned or clients.anonymous == "store"
        self._served = tuple(DIALECTS[name] for name in sorted(served))
        self._unsigned_dialect = unsigned_dialect or max(served)  # "s3" comes last
        self._clock = clock

    def guess_dialect(self, headers: Mapping[str, str], query: Collection[str]) -> Dialect:
        """Return the dialect to answer in, from how the request looks; never raises."""
        authorization = headers.get("Authorization", "")
        names = {name.lower() for name in query}
        looks = [name for prefix, name in _AUTHORIZATIONS if authorization.startswith(prefix)]
        looks += [name for parameter, name in _SIGNED_QUERIES if parameter in names]
        return tell_dialect(looks[0] if looks else None, headers, query, self._unsigned_dialect)

    def dialect_of_form(self, fields: Collection[str], otherwise: Dialect) -> Dialect:
        """Return the dialect that a form speaks, by the names of its fields."""
        name = form_dialect(fields)
        return otherwise if name is None else DIALECTS[name]

    def authenticate(self, request: SignedRequest, dialect: Dialect) -> Caller:
        """Verify the request; `dialect` is the one that it speaks if it is not signed.

        Raises `WrongDialect` for one that is not served, what `find_claim` and `verify` raise, `UnknownAccessKey`,
        `SecurityTokenRejected` and `SecurityTokenEnded` for what is wrong with an STS token, `InvalidRequest` for a way
        of signing that is switched off, and `AnonymousRefused` for no signature at all, unless it is a browser's
        preflight: that is never signed, and only asks for the bucket's CORS rules (S3 dossier §8.5).
        """
        claim = find_claim(request)
        if claim is not None:
            dialect = DIALECTS[claim.scheme.dialect]
        self._check_served(dialect)
        if claim is None:
            if not self._serves_unsigned and not _is_preflight(request):
                raise AnonymousRefused
            return Caller(dialect=dialect, principal="", verified=None)
        return Caller(dialect=dialect, principal=claim.access_key, verified=self._verify(claim, request))

    def authenticate_form(self, fields: Mapping[str, str], dialect: Dialect) -> tuple[Caller, PostClaim | None]:
        """Verify who signed an HTML form; `dialect` is the one that the form speaks.

        Raises as `authenticate` does, and `InvalidArgument` for fields that are missing or malformed.
        """
        self._check_served(dialect)
        claim = find_post_claim(fields, _ACCESS_KEY_DETAIL[dialect.name])
        if claim is None:
            if not self._serves_unsigned:
                raise AnonymousRefused
            return Caller(dialect=dialect, principal="", verified=None), None
        client = self._client_of(claim)
        verify_post(claim, client.secret_key.get_secret_value())
        self._check_token(claim, client)
        return Caller(dialect=dialect, principal=claim.access_key, verified=None), claim

    def _check_served(self, dialect: Dialect) -> None:
        if dialect not in self._served:
            spoken = " and ".join(_SPOKEN[served.name] for served in self._served)
            raise WrongDialect(f"This endpoint speaks {spoken}; your request is signed or marked for another one.")

    def _client_of(self, claim: Claim | PostClaim) -> Client:
        if claim.scheme in _SIGV2 and not self._clients.allow_sigv2:
            raise InvalidRequest(_SIGV2_OFF)
        client = self._known.get(claim.access_key)
        if client is None:
            raise _unknown(claim)
        return client

    def _verify(self, claim: Claim, request: SignedRequest) -> Verified:
        client = self._client_of(claim)
        verified = verify(
            claim,
            request,
            client.secret_key.get_secret_value(),
            self._clock.now(),
            max_skew_s=self._clients.max_clock_skew,
        )
        self._check_token(claim, client)
        return verified

    def _check_token(self, claim: Claim | PostClaim, client: Client) -> None:
        """Raise unless the claim brings exactly the token of its access key, or none where that has none."""
        if client.security_token is None:
            if claim.token is not None:
                raise SecurityTokenRejected
            return
        if claim.token is None:
            raise _unknown(claim)  # the services know a temporary access key only together with its token
        expected, given = client.security_token.get_secret_value(), claim.token
        if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
            raise SecurityTokenRejected
        if client.expires is not None and self._clock.now() >= client.expires:
            raise SecurityTokenEnded


def _unknown(claim: Claim | PostClaim) -> UnknownAccessKey:
    return UnknownAccessKey(**{_ACCESS_KEY_DETAIL[claim.scheme.dialect]: claim.access_key})


def _is_preflight(request: SignedRequest) -> bool:
    if request.method != "OPTIONS" or request.bucket is None:
        return False
    return {name.lower() for name, _ in request.headers} >= {"origin", "access-control-request-method"}
