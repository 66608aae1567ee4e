"""The storage does not answer, or answers something else than was asked."""

from sseproxy.errors.base import SseProxyError


class UpstreamError(SseProxyError):
    """The storage behind us."""


class UpstreamUnavailable(UpstreamError):
    """The storage cannot be reached, timed out or broke off."""

    default = "The storage behind this endpoint is unavailable. Please try again."


class UpstreamAnswered(UpstreamError):
    """The storage answered with an error that is passed on under its own status and code.

    `headers` are those of the storage's answer that belong to the error and go to the client with it:
    delete marker, version id, Allow, Retry-After.
    """

    def __init__(self, status: int, code: str, message: str, /, **details: str) -> None:
        super().__init__(message, **details)
        self.status = status
        self.code = code
