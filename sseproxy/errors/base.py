"""The root of the errors, and what is nobody else's."""

from typing import ClassVar


class SseProxyError(Exception):
    """Anything this program answers with an error document."""

    default: ClassVar[str] = "We encountered an internal error. Please try again."

    def __init__(self, message: str | None = None, /, **details: str) -> None:
        self.message = message if message is not None else self.default
        self.details = details
        self.headers: dict[str, str] = {}  # of the answer, beside those that every error has
        super().__init__(self.message)


class Overloaded(SseProxyError):
    """We have no room for another request right now."""

    default = "Please reduce your request rate."


class ConfigurationError(SseProxyError):
    """The configuration is not usable; told to the operator at start, never to a client."""

    default = "The configuration is not valid."
