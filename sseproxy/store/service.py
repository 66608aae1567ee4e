"""What every handler gets: the store's state, and the request with its dialect."""

import secrets
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from aiohttp import web
from multidict import CIMultiDict

from sseproxy.signing.claims import Verified
from sseproxy.store.faults import Fault
from sseproxy.store.files import Files
from sseproxy.store.index import Index
from sseproxy.store.records import BucketRow, Metadata, ObjectRow
from sseproxy.store.target import Target
from sseproxy.store.wires import Wire

Answer = web.StreamResponse
CONTINUED = "sseproxy.store.continued"  # item of a request: a `100 Continue` was sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The store. `pool` runs what blocks; `idle_s` is how long a client may stay silent in a body, in seconds."""

    index: Index
    files: Files
    pool: Executor
    credentials: Mapping[str, str]
    region: str = "us-east-1"
    domains: Sequence[str] = ("localhost",)
    idle_s: float = 60.0

    def bucket(self, name: str) -> BucketRow:
        """Return the bucket; raises `Fault` NoSuchBucket."""
        found = self.index.bucket(name)
        if found is None:
            raise Fault("NoSuchBucket", details={"BucketName": name})
        return found

    def metadata(self, row: ObjectRow) -> Metadata:
        """Return the object's metadata; raises `Fault` InternalError where its file is missing or damaged."""
        try:
            return self.files.read_metadata(row.meta)
        except (OSError, ValueError, TypeError, KeyError) as problem:
            raise Fault("InternalError") from problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The form of the request's body.

    `sha256` is what a plain body must hash to; `framed` means aws-chunked, `trailing` with a trailer, `signed` with
    signatures.
    """

    sha256: bytes | None = None
    framed: bool = False
    trailing: bool = False
    signed: bool = False


@dataclass(slots=True, kw_only=True)
class Call:
    """A request that passed authentication. `headers` include those that a presigned URL carries in its query."""

    raw: web.BaseRequest
    wire: Wire
    target: Target
    headers: CIMultiDict[str]
    verified: Verified
    payload: Payload
    host: str
    request_id: str = field(default_factory=lambda: secrets.token_hex(12).upper())
    started: float = field(default_factory=time.monotonic)

    @property
    def bucket(self) -> str:
        """The bucket's name; only for operations on a bucket or an object."""
        return self.target.bucket or ""

    @property
    def key(self) -> bytes:
        """The object's key."""
        return self.target.key

    def header(self, name: str) -> str | None:
        """Return the header `name` that this dialect writes with its own prefix."""
        return self.headers.get(self.wire.prefix + name)

    def query(self, name: str) -> str | None:
        """Return a query parameter; the empty text where it has no value, None where it is absent."""
        return self.target.get(name)


def awaits_continue(raw: web.BaseRequest) -> bool:
    """Tell whether the client waits for a `100 Continue` that was not sent: it may send its body or not."""
    return raw.headers.get("Expect", "").lower() == "100-continue" and CONTINUED not in raw


def has_unread(raw: web.BaseRequest) -> bool:
    """Tell whether a body may still come, which would be taken for the next request."""
    return awaits_continue(raw) or not raw.content.is_eof()


def now_ms() -> int:
    """Return the time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
