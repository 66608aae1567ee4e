"""What comes in and goes out, told without an HTTP library and without a dialect."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.stage import Buffer

# A body is pulled: nothing is read until somebody asks for the next buffer. Whoever gets one closes it
# (`contextlib.aclosing`), on success, failure and cancellation.
Body = AsyncGenerator[Buffer, None]


async def empty_body() -> Body:
    """Return a body without bytes."""
    nothing: tuple[Buffer, ...] = ()
    for buffer in nothing:
        yield buffer


async def body_of(*buffers: Buffer) -> Body:
    """Return a body of the given buffers."""
    for buffer in buffers:
        yield buffer


def header_text(raw: bytes) -> str:
    """Return a header's value as text: UTF-8 where it is that, else Latin-1, as old clients send it.

    So the text can be encoded again, and is what the sender signed, whichever of the two it sent.
    """
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _no_trailers() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedForm:
    """What an upload by an HTML form wants beside the object. `smallest` and `largest` are bytes of its file."""

    smallest: int = 0
    largest: int | None = None
    status: str = ""  # success_action_status as sent
    redirect: str = ""  # success_action_redirect as sent
    location: str  # URL of the object as the browser would write it


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A client's request after authentication.

    `body` is the plaintext: de-chunked, its chunk signatures and its `x-amz-content-sha256` verified by
    stages that raise before the last buffer is handed on. `content_length` is the plaintext's announced
    length, None where the client announced none (HTTP chunked).
    """

    method: str
    raw_path: str  # as received, percent-encoded, starting with "/", without the query
    raw_query: str  # as received, without "?"; authentication parameters still in it
    headers: CIMultiDictProxy[str]
    query: CIMultiDictProxy[
        str
    ]  # decoded once, "+" as a blank; names case-insensitive; authentication parameters removed
    bucket: str | None
    key: str | None  # decoded once (utf-8, surrogateescape); None on bucket and service level
    raw_key: str  # the key as it was percent-encoded on the wire; "" if there is none
    body: Body
    content_length: int | None
    principal: str  # the access key that signed; "" for an anonymous or trusted unsigned client
    request_id: str
    secure: bool
    signed: bool  # False for anonymous requests
    trailers: Callable[[], Mapping[str, str]] = _no_trailers  # lower-case names; complete once the body has ended
    form: PostedForm | None = None  # set where a PutObject came as an HTML form


@dataclass(slots=True, kw_only=True)
class Response:
    """An answer to a client. `body` is bytes, or a stream of exactly `content_length` bytes.

    `content_length` may differ from the body's length only where there is no body (HEAD, 304).
    """

    status: int
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    body: bytes | Body = b""
    content_length: int | None = None
