"""Finding what a request claims of its signature, in its headers or its URL (S3 dossier §3.8; OSS dossier §4.1)."""

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from sseproxy.errors import (
    AccessRefused,
    AuthenticationMalformed,
    AuthenticationQueryMalformed,
    InvalidArgument,
)
from sseproxy.signing.aws_v4 import ALGORITHM as AWS4
from sseproxy.signing.aws_v4 import UNSIGNED_PAYLOAD
from sseproxy.signing.canonical import header, parse_query
from sseproxy.signing.claims import Claim, Scheme, SignedRequest
from sseproxy.signing.dates import parse_http_date, parse_long_date
from sseproxy.signing.oss_v4 import ALGORITHM as OSS4

_WEEK_S = 604_800
_MALFORMED = "The authorization header is malformed; "
_NUMBER = re.compile(r"-?[0-9]+")
_MOST_DIGITS = 18  # more is no time that comes, and slow to read as a number
_PARTS = ("Credential", "SignedHeaders", "Signature")
_OSS_INVALID = "Authorization header is invalid."
_TWO_MECHANISMS: Mapping[str, str] = MappingProxyType(
    {
        "s3": "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
        "parameter or the Authorization header should be specified",
        "oss": "Only one auth mechanism allowed: the Authorization header or the signature parameters of the URL.",
    }
)
_NO_DATE: Mapping[str, str] = MappingProxyType(
    {
        "x-amz-date": "AWS authentication requires a valid Date or x-amz-date header.",
        "x-oss-date": "OSS authentication requires a valid Date.",
    }
)
_SCOPES: Mapping[Scheme, tuple[tuple[str, ...], str]] = MappingProxyType(  # services, terminal
    {
        Scheme.AWS_V4: (("s3",), "aws4_request"),
        Scheme.OSS_V4: (("oss", "oss-cloudbox"), "aliyun_v4_request"),
    }
)
_V4_QUERY = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
)


def find_claim(request: SignedRequest) -> Claim | None:
    """Return what the request claims, None where it is anonymous.

    Raises `InvalidArgument` for two mechanisms at once or an unknown one, `AuthenticationMalformed`,
    `AuthenticationQueryMalformed` or `AccessRefused` for parts that are missing or cannot be read.
    """
    authorization = header(request.headers, "authorization")
    query: dict[str, str] = {}
    for name, value in parse_query(request.raw_query):
        query.setdefault(name, value or "")
    in_query = _query_scheme(query)
    if authorization is not None and in_query is not None:
        raise _refused_header(_TWO_MECHANISMS[in_query.dialect])
    if authorization is not None:
        return _from_header(request, authorization)
    return None if in_query is None else _from_query(request, in_query, query)


def _query_scheme(query: Mapping[str, str]) -> Scheme | None:
    if "X-Amz-Algorithm" in query or "X-Amz-Signature" in query or "X-Amz-Credential" in query:
        return Scheme.AWS_V4_QUERY
    version = query.get("x-oss-signature-version")
    if version == OSS4:
        return Scheme.OSS_V4_QUERY
    if version == "OSS2":
        return Scheme.OSS_V2_QUERY
    if version is not None or "x-oss-signature" in query:
        raise InvalidArgument(
            "The signature version is not supported.",
            ArgumentName="x-oss-signature-version",
            ArgumentValue=version or "",
        )
    if "OSSAccessKeyId" in query:
        return Scheme.OSS_V1_QUERY
    if "AWSAccessKeyId" in query or "Signature" in query:
        return Scheme.AWS_V2_QUERY
    return None


def _from_header(request: SignedRequest, authorization: str) -> Claim:
    algorithm, blank, rest = authorization.strip().partition(" ")
    rest = rest.strip()
    if not blank or not rest:
        raise _refused_header("Authorization header is invalid -- one and only one ' ' (space) required.")
    if algorithm == AWS4:
        return _aws_v4(request, rest)
    if algorithm == OSS4:
        return _oss_v4(request, rest)
    if algorithm == "OSS2":
        return _oss_v2(request, rest)
    if algorithm in {"AWS", "OSS"}:
        return _pair(request, Scheme.AWS_V2 if algorithm == "AWS" else Scheme.OSS_V1, rest)
    raise _refused_header("Unsupported Authorization Type")


def _refused_header(message: str) -> InvalidArgument:
    return InvalidArgument(message, ArgumentName="Authorization", ArgumentValue="[not shown]")


def _aws_v4(request: SignedRequest, rest: str) -> Claim:
    parts = _parts(rest)
    if missing := [name for name in _PARTS if name not in parts]:
        if len(missing) > 1:
            raise AuthenticationMalformed(
                _MALFORMED
                + "the authorization header requires three components: Credential, SignedHeaders, and Signature."
            )
        raise AuthenticationMalformed(f"{_MALFORMED}missing {missing[0]}.")
    timestamp, time = _header_time(request, "x-amz-date")
    try:
        access_key, date, region, service = _credential(parts["Credential"], Scheme.AWS_V4)
    except ValueError as problem:
        raise AuthenticationMalformed(f"{_MALFORMED}{problem}") from None
    _check_scope_date(
        date,
        timestamp,
        AuthenticationMalformed(
            f'{_MALFORMED}Invalid credential date "{date}". This date is not the same as X-Amz-Date: "{timestamp[:8]}".'
        ),
    )
    return Claim(
        scheme=Scheme.AWS_V4,
        access_key=access_key,
        signature=parts["Signature"],
        timestamp=timestamp,
        time=time,
        scope_date=date,
        region=region,
        service=service,
        signed_headers=tuple(parts["SignedHeaders"].lower().split(";")),
        payload_hash=header(request.headers, "x-amz-content-sha256") or "",
        token=header(request.headers, "x-amz-security-token"),
    )


def _oss_v4(request: SignedRequest, rest: str) -> Claim:
    parts = _parts(rest)
    timestamp, time = _header_time(request, "x-oss-date")
    try:
        access_key, date, region, product = _credential(parts["Credential"], Scheme.OSS_V4)
        signature = parts["Signature"]
    except (KeyError, ValueError) as problem:
        raise _refused_header(_OSS_INVALID) from problem
    _check_scope_date(date, timestamp, InvalidArgument("Invalid signing date in Authorization header."))
    return Claim(
        scheme=Scheme.OSS_V4,
        access_key=access_key,
        signature=signature,
        timestamp=timestamp,
        time=time,
        scope_date=date,
        region=region,
        service=product,
        signed_headers=_names(parts.get("AdditionalHeaders", "")),
        token=header(request.headers, "x-oss-security-token"),
    )


def _oss_v2(request: SignedRequest, rest: str) -> Claim:
    parts = dict(part.strip().partition(":")[::2] for part in rest.split(","))
    timestamp, time = _any_date(request, "x-oss-date")
    if "AccessKeyId" not in parts or "Signature" not in parts:
        raise _refused_header(_OSS_INVALID)
    return Claim(
        scheme=Scheme.OSS_V2,
        access_key=parts["AccessKeyId"],
        signature=parts["Signature"],
        timestamp=timestamp,
        time=time,
        signed_headers=_names(parts.get("AdditionalHeaders", "")),
        token=header(request.headers, "x-oss-security-token"),
    )


def _pair(request: SignedRequest, scheme: Scheme, rest: str) -> Claim:
    access_key, colon, signature = rest.rpartition(":")
    if not colon or not access_key:
        raise _refused_header(_OSS_INVALID)
    prefix = "x-amz" if scheme is Scheme.AWS_V2 else "x-oss"
    timestamp, time = _any_date(request, f"{prefix}-date")
    token = header(request.headers, f"{prefix}-security-token") or header(request.headers, "security-token")
    return Claim(scheme=scheme, access_key=access_key, signature=signature, timestamp=timestamp, time=time, token=token)


def _from_query(request: SignedRequest, scheme: Scheme, query: Mapping[str, str]) -> Claim:
    if scheme is Scheme.AWS_V4_QUERY:
        return _aws_v4_query(request, query)
    if scheme is Scheme.OSS_V4_QUERY:
        return _oss_v4_query(query)
    if scheme is Scheme.OSS_V2_QUERY:
        names = ("x-oss-access-key-id", "x-oss-expires", "x-oss-signature")
        # oss2 writes the token's name as in version 1.
        token = query.get("x-oss-security-token") or query.get("security-token")
        listed = query.get("x-oss-additional-headers", "")
    elif scheme is Scheme.OSS_V1_QUERY:
        names, token, listed = ("OSSAccessKeyId", "Expires", "Signature"), query.get("security-token"), ""
    else:
        names, token, listed = ("AWSAccessKeyId", "Expires", "Signature"), query.get("x-amz-security-token"), ""
    if any(name not in query for name in names):
        if scheme is Scheme.AWS_V2_QUERY:
            raise AccessRefused(
                "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
            )
        raise AccessRefused(f"Query string authentication requires the Signature, Expires and {names[0]} parameters.")
    access_key, expires, signature = (query[name] for name in names)
    if not _is_count(expires):
        raise AccessRefused(f"Invalid date (should be seconds since epoch): {expires}")
    return Claim(
        scheme=scheme,
        access_key=access_key,
        signature=signature,
        timestamp=expires,
        expires_s=int(expires),
        signed_headers=_names(listed),
        token=token,
    )


def _aws_v4_query(request: SignedRequest, query: Mapping[str, str]) -> Claim:
    if any(name not in query for name in _V4_QUERY):
        raise AuthenticationQueryMalformed(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    if query["X-Amz-Algorithm"] != AWS4:
        raise AuthenticationQueryMalformed(
            'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"'
        )
    try:
        access_key, date, region, service = _credential(query["X-Amz-Credential"], Scheme.AWS_V4)
    except ValueError as problem:
        raise AuthenticationQueryMalformed(f"Error parsing the X-Amz-Credential parameter; {problem}") from None
    timestamp = query["X-Amz-Date"]
    time = parse_long_date(timestamp)
    if time is None:
        raise AuthenticationQueryMalformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    _check_scope_date(
        date,
        timestamp,
        AuthenticationQueryMalformed(
            f'Error parsing the X-Amz-Credential parameter; Invalid credential date "{date}". '
            f'This date is not the same as X-Amz-Date: "{timestamp[:8]}".'
        ),
    )
    return Claim(
        scheme=Scheme.AWS_V4_QUERY,
        access_key=access_key,
        signature=query["X-Amz-Signature"],
        timestamp=timestamp,
        time=time,
        scope_date=date,
        region=region,
        service=service,
        signed_headers=tuple(query["X-Amz-SignedHeaders"].lower().split(";")),
        expires_s=_expires(query["X-Amz-Expires"]),
        payload_hash=header(request.headers, "x-amz-content-sha256")
        or query.get("X-Amz-Content-Sha256", UNSIGNED_PAYLOAD),
        token=query.get("X-Amz-Security-Token"),
    )


def _expires(text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise AuthenticationQueryMalformed("X-Amz-Expires should be a number")
    if text.startswith("-"):
        raise AuthenticationQueryMalformed("X-Amz-Expires must be non-negative")
    if len(text) > _MOST_DIGITS or int(text) > _WEEK_S:
        raise AuthenticationQueryMalformed(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
            "604800 seconds"
        )
    return int(text)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def _oss_v4_query(query: Mapping[str, str]) -> Claim:
    needed = ("x-oss-credential", "x-oss-date", "x-oss-expires", "x-oss-signature")
    if any(name not in query for name in needed):
        raise AccessRefused(f"Query string authentication version 4 requires the {', '.join(needed)} parameters.")
    time, expires = parse_long_date(query["x-oss-date"]), query["x-oss-expires"]
    if time is None:
        raise InvalidArgument(
            "Invalid signing date in query.", ArgumentName="x-oss-date", ArgumentValue=query["x-oss-date"]
        )
    if not _is_count(expires) or not 1 <= int(expires) <= _WEEK_S:
        raise InvalidArgument(
            "x-oss-expires must be between 1 and 604800 seconds.", ArgumentName="x-oss-expires", ArgumentValue=expires
        )
    if query.get("x-oss-additional-headers") == "":
        raise InvalidArgument(
            "x-oss-additional-headers is empty.", ArgumentName="x-oss-additional-headers", ArgumentValue=""
        )
    try:
        access_key, date, region, product = _credential(query["x-oss-credential"], Scheme.OSS_V4)
    except ValueError as problem:
        raise InvalidArgument(
            f"The x-oss-credential parameter is invalid; {problem}", ArgumentName="x-oss-credential"
        ) from None
    _check_scope_date(date, query["x-oss-date"], InvalidArgument("Invalid signing date in x-oss-credential."))
    return Claim(
        scheme=Scheme.OSS_V4_QUERY,
        access_key=access_key,
        signature=query["x-oss-signature"],
        timestamp=query["x-oss-date"],
        time=time,
        scope_date=date,
        region=region,
        service=product,
        signed_headers=_names(query.get("x-oss-additional-headers", "")),
        expires_s=int(expires),
        token=query.get("x-oss-security-token"),
    )


def _parts(rest: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if equals:
            found[name] = value
    return found


def _names(listed: str) -> tuple[str, ...]:
    return tuple(sorted(name.strip().lower() for name in listed.split(";") if name.strip()))


def _credential(text: str, scheme: Scheme) -> tuple[str, str, str, str]:
    """Split a credential scope from the right, because some access keys hold slashes. Raises `ValueError`."""
    services, terminal = _SCOPES[scheme]
    pieces = text.rsplit("/", 4)
    if len(pieces) != 5 or not pieces[0]:
        raise ValueError(f'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/{terminal}".')
    access_key, date, region, service, ending = pieces
    if service not in services:
        raise ValueError(f'incorrect service "{service}". This endpoint belongs to "{services[0]}".')
    if ending != terminal:
        raise ValueError(f'incorrect terminal "{ending}". This endpoint uses "{terminal}".')
    if len(date) != 8 or not _is_count(date):
        raise ValueError(
            f'incorrect date format "{date}". This date in the credential must be in the format "yyyyMMdd".'
        )
    return access_key, date, region, service


def _check_scope_date(date: str, timestamp: str, error: Exception) -> None:
    if not timestamp.startswith(date):
        raise error


def _header_time(request: SignedRequest, name: str) -> tuple[str, datetime]:
    """Return the time of a V4 request as it is signed, and as a moment."""
    text = header(request.headers, name)
    if text is None:
        _, time = _any_date(request, name)
        return time.strftime("%Y%m%dT%H%M%SZ"), time
    time_of_header = parse_long_date(text.strip())
    if time_of_header is None:
        raise AccessRefused(_NO_DATE[name])
    return text.strip(), time_of_header


def _any_date(request: SignedRequest, name: str) -> tuple[str, datetime]:
    """Return the time of a V1 or V2 request: the header `name` before Date."""
    text = (header(request.headers, name) or header(request.headers, "date") or "").strip()
    time = parse_long_date(text) or parse_http_date(text)
    if time is None:
        raise AccessRefused(_NO_DATE[name])
    return text, time
