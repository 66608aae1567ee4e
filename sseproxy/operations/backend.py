"""Talking to the storage: the address of an object, the requests that every operation makes, and its refusals."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Collection
from dataclasses import dataclass

from multidict import CIMultiDict

from sseproxy.errors import SseProxyError, UpstreamAnswered, UpstreamError, UpstreamUnavailable
from sseproxy.exchange import Request
from sseproxy.model import ByteRange, ObjectRef
from sseproxy.operations.context import Services
from sseproxy.ports import UpstreamRequest, UpstreamResponse
from sseproxy.signing.canonical import decode_value, encode_value

_MOST_DOCUMENT = 256 * 1024  # bytes of an error document that are read

# Elements that name the storage, its ways of signing, or its own request (S3 dossier §11).
_PRIVATE = frozenset(
    {
        "HostId",
        "RequestId",
        "EC",
        "RecommendDoc",
        "Endpoint",
        "Region",
        "Resource",
        "AWSAccessKeyId",
        "OSSAccessKeyId",
        "SignatureProvided",
        "StringToSign",
        "StringToSignBytes",
        "CanonicalRequest",
        "CanonicalRequestBytes",
        "RequestTime",
        "ServerTime",
        "MaxAllowedSkewMilliseconds",
    }
)
# The storage does not accept the proxy itself: never the client's fault, whatever the code says.
_OUR_OWN_FAULT = frozenset(
    {
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
        "RequestTimeTooSkewed",
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "InvalidToken",
        "InvalidSecurityToken",
        "SecurityTokenExpired",
        "AccessKeyIdAndSecurityTokenNotMatch",
        "PermanentRedirect",
        "TemporaryRedirect",
        "SecondLevelDomainForbidden",
        "XAmzContentSHA256Mismatch",
    }
)
_BODYLESS = {  # what a HEAD without a document means
    400: ("BadRequest", "Bad Request"),
    403: ("AccessDenied", "Access Denied"),
    404: ("NoSuchKey", "The specified key does not exist."),
    405: ("MethodNotAllowed", "The specified method is not allowed against this resource."),
    409: ("OperationAborted", "A conflicting operation is in progress against this resource."),
    412: ("PreconditionFailed", "At least one of the pre-conditions you specified did not hold"),
    416: ("InvalidRange", "The requested range is not satisfiable"),
}
_ERROR_HEADERS = ("delete-marker", "version-id")  # behind the dialect's prefix
_PLAIN_ERROR_HEADERS = ("Allow", "Retry-After")


@dataclass(frozen=True, slots=True)
class Address:
    """An object and how its key is spelled on the wire towards the storage."""

    ref: ObjectRef
    raw_key: str

    @property
    def version_query(self) -> str:
        """The query that names the version, empty where the present one is meant."""
        return version_query(self.ref.version_id)


def version_query(version_id: str | None) -> str:
    """Return the query that names a version; empty for None."""
    return "" if version_id is None else f"versionId={encode_value(version_id)}"


def address_of(request: Request) -> Address:
    """Return the object that a request names. Only for requests with bucket and key."""
    if request.bucket is None or request.key is None:
        raise AssertionError("an operation on objects was routed without an object")
    return Address(ObjectRef(request.bucket, request.key, request.query.get("versionId")), request.raw_key)


def backend_query(request: Request, *, without: Collection[str] = ()) -> str:
    """Return the request's query byte for byte, less authentication and the (lower-case) names in `without`.

    `Request.query` holds no authentication any more, so what is not in it does not go up.
    """
    kept = []
    for pair in request.raw_query.split("&"):
        name = decode_value(pair.partition("=")[0])
        if name in request.query and name.lower() not in without:
            kept.append(pair)
    return "&".join(kept)


def object_request(
    services: Services, method: str, address: Address, *, wanted: ByteRange | None = None, if_match: str | None = None
) -> UpstreamRequest:
    """Return a bare request for an object: of a version, a range of its stored bytes, a state named by its ETag."""
    headers: CIMultiDict[str] = CIMultiDict()
    if wanted is not None:
        set_range(services, headers, f"bytes={wanted.first}-{wanted.last}")
    if if_match:
        headers["If-Match"] = f'"{if_match}"'
    return UpstreamRequest(
        method=method,
        bucket=address.ref.bucket,
        raw_key=address.raw_key,
        raw_query=address.version_query,
        headers=headers,
    )


def set_range(services: Services, headers: CIMultiDict[str], value: str) -> None:
    """Set a Range header that the storage answers the standard way, whatever its dialect's habit is."""
    headers["Range"] = value
    if services.dialect.range_behavior_header is not None:
        name, behavior = services.dialect.range_behavior_header
        headers[name] = behavior


async def expect(services: Services, response: UpstreamResponse, *statuses: int) -> None:
    """Return if the storage answered with one of the statuses, else raise what `refusal` says."""
    if response.status not in (statuses or (200,)):
        raise await refusal(services, response)


async def refusal(services: Services, response: UpstreamResponse) -> SseProxyError:
    """Return the error that a storage's answer stands for, without what only concerns the storage and us."""
    code, message, details = "", "", {}
    document = await _document(services, response)
    if document:
        code, message, found = services.dialect.xml.parse_error(document)
        details = {name: value for name, value in found.items() if name not in _PRIVATE and name.isidentifier()}
    if code in _OUR_OWN_FAULT or (300 <= response.status < 400 and response.status != 304):
        services.observer.event("storage_refused_proxy", status=response.status, code=code)
        return UpstreamError()
    if not code:
        if response.status not in _BODYLESS:
            services.observer.event("storage_failed", status=response.status)
            return UpstreamUnavailable()
        code, message = _BODYLESS[response.status]
    error = UpstreamAnswered(response.status, code, message, **details)
    error.headers.update(_error_headers(services, response))
    return error


async def _document(services: Services, response: UpstreamResponse) -> bytes:
    name = services.dialect.error_in_head_header
    if name is not None and name in response.headers:
        try:
            return b64decode(response.headers[name])
        except (Base64Error, ValueError):
            return b""
    return await response.read(_MOST_DOCUMENT)


def _error_headers(services: Services, response: UpstreamResponse) -> dict[str, str]:
    names = [*map(services.dialect.header, _ERROR_HEADERS), *_PLAIN_ERROR_HEADERS]
    return {name: response.headers[name] for name in names if name in response.headers}
