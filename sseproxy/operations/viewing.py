"""What readers are told of an object: the verdict on their conditions, and the headers of GET and HEAD."""

from multidict import CIMultiDict

from sseproxy.errors import InvalidArgument, InvalidRequest, PreconditionFailed
from sseproxy.exchange import Request, Response
from sseproxy.format import Attributes
from sseproxy.model import Checksum
from sseproxy.operations.answers import (
    checksum_headers,
    digest_headers,
    object_type_headers,
    shown_checksum,
    sse_headers,
)
from sseproxy.operations.attributes import Opened, Unsealed
from sseproxy.operations.backend import backend_query
from sseproxy.operations.context import Services
from sseproxy.operations.ranges import Wanted
from sseproxy.policy.forwarding import to_backend, to_client
from sseproxy.ports import UpstreamRequest
from sseproxy.wire.byte_ranges import content_range
from sseproxy.wire.conditions import Failed, NotModified, evaluate, parse_conditions

_CONDITIONS = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")
KEPT_WHEN_NOT_MODIFIED = ("Last-Modified", "Cache-Control", "Expires", "Vary")
_OVERRIDE = "response-"
_ANONYMOUS_OVERRIDES = "Request specific response headers cannot be used for anonymous GET requests."


def read_request(services: Services, request: Request, method: str) -> UpstreamRequest:
    """Return the client's read as it goes up: without range, part and conditions, which are decided here.

    Response overrides stay in the query, so that the storage applies and judges them. Raises `InvalidRequest` where
    an anonymous client uses them, `InvalidArgument` for what no header can hold.
    """
    _check_overrides(request)
    headers = to_backend(request.headers, services.dialect)
    mode = services.dialect.header("checksum-mode")
    if mode in request.headers:  # for objects that are not sealed; of sealed ones our own are shown
        headers[mode] = request.headers[mode]
    return UpstreamRequest(
        method=method,
        bucket=request.bucket,
        raw_key=request.raw_key,
        raw_query=backend_query(request, without={"partnumber"}),
        headers=headers,
    )


def _check_overrides(request: Request) -> None:
    for name, value in request.query.items():
        if not name.startswith(_OVERRIDE):
            continue
        if not request.signed:
            raise InvalidRequest(_ANONYMOUS_OVERRIDES)
        if any(char < " " or char == "\x7f" for char in value):
            raise InvalidArgument(f"The value of {name} holds control characters.", ArgumentName=name)


def judge(services: Services, request: Request, subject: Opened | Unsealed) -> Response | None:
    """Evaluate the conditions of a read on what the client knows; None where it may go on, else the 304.

    Raises `PreconditionFailed`.
    """
    if not any(name in request.headers for name in _CONDITIONS):
        return None
    conditions = parse_conditions(request.headers)
    verdict = evaluate(conditions, subject.etag, subject.found.last_modified, now=services.clock.now())
    if isinstance(verdict, Failed):
        raise PreconditionFailed(Condition=verdict.condition)
    if not isinstance(verdict, NotModified):
        return None
    shown = to_client(subject.found.headers, services.dialect, sealed=isinstance(subject, Opened))
    headers: CIMultiDict[str] = CIMultiDict()
    for name in (*KEPT_WHEN_NOT_MODIFIED, services.dialect.header("version-id")):
        if name in shown:
            headers[name] = shown[name]
    headers["ETag"] = services.dialect.show_etag(subject.etag)
    return Response(status=304, headers=headers)


def view_response(services: Services, request: Request, opened: Opened, wanted: Wanted) -> Response:
    """Return the answer to a GET or HEAD of a sealed object, without its body."""
    dialect = services.dialect
    headers = to_client(opened.found.headers, dialect, sealed=True)
    headers["ETag"] = dialect.show_etag(opened.etag)
    headers["Accept-Ranges"] = "bytes"
    headers.update(sse_headers(dialect, opened.envelope, opened.customer_key))
    if opened.attributes is not None:
        headers.update(digest_headers(dialect, opened.attributes))
        headers.update(object_type_headers(dialect, opened.attributes, opened.found.headers))
        headers.update(_part_headers(services, request, opened.attributes, wanted))
    status = 200
    length = opened.size
    if wanted.range is not None:
        status, length = 206, wanted.range.length
        headers["Content-Range"] = content_range(wanted.range, opened.size)
    return Response(status=status, headers=headers, content_length=length)


def _part_headers(services: Services, request: Request, attributes: Attributes, wanted: Wanted) -> CIMultiDict[str]:
    """Return the part count that a read by part tells, and the checksum where it was asked for and applies."""
    dialect = services.dialect
    headers: CIMultiDict[str] = CIMultiDict()
    count = attributes.part_count
    if wanted.part is not None and count is not None:
        headers[dialect.header("mp-parts-count")] = str(count)
    mode = request.headers.get(dialect.header("checksum-mode"), "")
    if mode.upper() != "ENABLED":
        return headers
    if wanted.part is not None and count is not None:
        checksum = _checksum_of_part(attributes, wanted.part)
        headers.update(checksum_headers(dialect, checksum))
    elif wanted.is_whole(attributes.plaintext_size):
        headers.update(checksum_headers(dialect, shown_checksum(attributes), part_count=count))
    return headers


def _checksum_of_part(attributes: Attributes, number_in_order: int) -> Checksum | None:
    value = attributes.segments[number_in_order - 1].checksum
    whole = attributes.checksum
    return Checksum(algorithm=whole.algorithm, type=whole.type, value=value) if whole is not None and value else None
