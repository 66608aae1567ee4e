"""The words that cases are written in: a case is a list of requests, as data.

Paths, queries, headers and bodies may hold placeholders: `{bucket}` (the case's bucket), `{other}` (a second one, plain),
`{prefix}` (what the case's keys begin with) and, of an earlier request of the case by its number from 1, `{etag:1}`,
`{version:1}`, `{upload:1}`, `{token:1}` (a listing's continuation token). In a header `{md5}` is the body's MD5 in Base64.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial

_NOTHING: Mapping[str, str] = {}


class Place(StrEnum):
    """The bucket that a case uses."""

    PLAIN = "plain"
    VERSIONED = "versioned"
    LOCKED = "locked"
    OWN = "own"
    """A name that nobody used yet; the case creates the bucket itself."""


class Auth(StrEnum):
    """How a request is signed."""

    HEADER = "header"
    UNSIGNED_PAYLOAD = "unsigned payload"
    URL = "url"
    EXPIRED_URL = "expired url"
    WRONG_SECRET = "wrong secret"
    UNKNOWN_KEY = "unknown key"
    WRONG_PAYLOAD = "wrong payload hash"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Step:
    """One request."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    auth: Auth = Auth.HEADER
    trailers: Mapping[str, str] = field(default_factory=dict)
    """Not empty: the body is sent in aws-chunked form with these trailers, the chunks unsigned."""

    def signed(self, auth: Auth) -> "Step":
        """Return the same request, signed in another way."""
        return replace(self, auth=auth)


@dataclass(frozen=True, slots=True)
class Case:
    """Requests that follow each other; `group` is the operation and `name` what is tried, in the table."""

    group: str
    name: str
    steps: tuple[Step, ...]
    place: Place = Place.PLAIN

    @property
    def identity(self) -> str:
        return f"{self.group}: {self.name}"


def case(group: str, name: str, *steps: Step, place: Place = Place.PLAIN) -> Case:
    return Case(group, name, steps, place)


def on_key(
    method: str,
    key: str,
    query: str = "",
    headers: Mapping[str, str] = _NOTHING,
    body: bytes = b"",
) -> Step:
    """A request on a key below the case's prefix; `key` and `query` as they go over the wire."""
    return Step(method, f"/{{bucket}}/{{prefix}}{key}{'?' if query else ''}{query}", headers, body)


get = partial(on_key, "GET")
head = partial(on_key, "HEAD")
delete = partial(on_key, "DELETE")


def put(key: str, body: bytes = b"", headers: Mapping[str, str] = _NOTHING, query: str = "") -> Step:
    return on_key("PUT", key, query, headers, body)


def post(key: str, query: str, body: bytes = b"", headers: Mapping[str, str] = _NOTHING) -> Step:
    return on_key("POST", key, query, headers, body)


def on_bucket(method: str, query: str = "", body: bytes = b"", headers: Mapping[str, str] = _NOTHING) -> Step:
    """A request on the case's bucket."""
    return Step(method, f"/{{bucket}}{'?' if query else ''}{query}", headers, body)


def create() -> Step:
    """Create the case's bucket."""
    return on_bucket("PUT")


def listing(query: str) -> Step:
    """A listing of the case's keys alone."""
    return on_bucket("GET", f"{query}&prefix={{prefix}}")


def copy(source: str, key: str, headers: Mapping[str, str] = _NOTHING, query: str = "") -> Step:
    """A copy of `source` (below the prefix, may have a `?versionId=`) to `key`."""
    return put(key, b"", {"x-amz-copy-source": f"/{{bucket}}/{{prefix}}{source}", **headers}, query)


DIGESTED = {"content-md5": "{md5}"}
"""Content-MD5, which some operations demand."""


def xml(root: str, inner: str) -> bytes:
    """Return a document with S3's namespace."""
    return f'<{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inner}</{root}>'.encode()
