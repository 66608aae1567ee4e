"""From an exception to the answer in the client's dialect. The one place where errors become documents."""

import asyncio
from base64 import b64encode

from multidict import CIMultiDict

from sseproxy.dialect.base import Dialect
from sseproxy.errors import (
    FrameRejected,
    IntegrityError,
    KeyServiceUnavailable,
    Overloaded,
    SseProxyError,
    UpstreamAnswered,
    UpstreamUnavailable,
)
from sseproxy.exchange import Response
from sseproxy.ports import Observer

_RETRY_AFTER = (KeyServiceUnavailable, UpstreamUnavailable, Overloaded)


def error_answer(dialect: Dialect, error: SseProxyError, *, method: str, request_id: str, host: str) -> Response:
    """Return the error document, or for HEAD what stands for it (OSS dossier §3.2)."""
    code = dialect.error_code(error)
    headers: CIMultiDict[str] = CIMultiDict()
    if isinstance(error, UpstreamAnswered):
        headers.update(error.headers)
    if isinstance(error, _RETRY_AFTER):
        headers.setdefault("Retry-After", "1")
    document = dialect.xml.render_error(code, error.message, error.details, request_id, host)
    if method == "HEAD" or code.status == 304:
        if dialect.error_in_head_header is not None and code.status != 304:
            headers[dialect.error_in_head_header] = b64encode(document).decode()
        return Response(status=code.status, headers=headers, content_length=0)
    headers["Content-Type"] = "application/xml"
    return Response(status=code.status, headers=headers, body=document)


def as_sse_proxy_error(error: Exception, observer: Observer, request_id: str) -> SseProxyError:
    """Return the error to answer; what nobody foresaw is logged by its type alone and answered as internal."""
    if isinstance(error, SseProxyError):
        return error
    if isinstance(error, ExceptionGroup):
        # A task group wraps what its tasks raise; the first foreseen error tells the client most.
        for inner in error.exceptions:
            found = as_sse_proxy_error(inner, observer, request_id)
            if type(found) is not SseProxyError:
                return found
    if isinstance(error, asyncio.TimeoutError):
        return UpstreamUnavailable()
    observer.event("unexpected_error", request_id=request_id, type=type(error).__name__, where=_where(error))
    return SseProxyError()


def note_integrity(
    error: BaseException, observer: Observer, *, request_id: str, bucket: str | None, key: str | None
) -> None:
    """Count and log an integrity error: somebody has to look at the storage."""
    if not isinstance(error, IntegrityError):
        return
    if isinstance(error, FrameRejected):
        observer.count("frames_rejected_total")
    observer.count("integrity_errors_total", kind=type(error).__name__)
    observer.event(
        "integrity_error",
        request_id=request_id,
        kind=type(error).__name__,
        bucket=bucket,
        key=key,
        reason=error.message,
    )


def _where(error: BaseException) -> str:
    """Return file and line where an error was raised: no values, which could be secrets."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
