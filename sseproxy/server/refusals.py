"""From an exception to the answer that a client of its dialect understands: the only such mapping."""

from base64 import b64encode
from collections.abc import Mapping
from types import MappingProxyType

from multidict import CIMultiDict

from sseproxy.dialect.base import Dialect, ErrorCode
from sseproxy.errors import (
    KeyServiceUnavailable,
    Overloaded,
    SseProxyError,
    UpstreamUnavailable,
)
from sseproxy.exchange import Response
from sseproxy.server.framing import MalformedRequest, UnknownExpectation

_TRY_AGAIN = (KeyServiceUnavailable, UpstreamUnavailable, Overloaded)
_PAUSE_S = "1"
# What HTTP itself refuses, whatever the dialect.
_HTTP_CODES: Mapping[type[SseProxyError], ErrorCode] = MappingProxyType(
    {
        MalformedRequest: ErrorCode(code="BadRequest", status=400),
        UnknownExpectation: ErrorCode(code="ExpectationFailed", status=417),
    }
)


def error_code(dialect: Dialect, error: SseProxyError) -> ErrorCode:
    """Return the dialect's code for an error."""
    return _HTTP_CODES.get(type(error)) or dialect.error_code(error)


def refuse(dialect: Dialect, error: SseProxyError, method: str, request_id: str, host: str) -> Response:
    """Return the answer to a request that failed. HEAD gets no body, but a header where the dialect has one for it."""
    code = error_code(dialect, error)
    document = dialect.xml.render_error(code, error.message, error.details, request_id, host)
    headers = CIMultiDict({"Content-Type": "application/xml"})
    if isinstance(error, _TRY_AGAIN):
        headers["Retry-After"] = _PAUSE_S
    headers.update(error.headers)
    if method != "HEAD":
        return Response(status=code.status, headers=headers, body=document, content_length=len(document))
    if dialect.error_in_head_header is not None:
        headers[dialect.error_in_head_header] = b64encode(document).decode()
    return Response(status=code.status, headers=headers)


def known_error(error: BaseException) -> SseProxyError | None:
    """Return the error that has an answer: the exception itself, or the first of its kind in a group; None: neither."""
    if isinstance(error, SseProxyError):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((known for inner in error.exceptions if (known := known_error(inner)) is not None), None)
    return None
