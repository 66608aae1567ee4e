"""A storage in memory behind the `Upstream` port, in either dialect: buckets, objects, ranges, conditions, listings.

It knows what the state bucket needs and what a single object needs; uploads and copies are proved against the embedded
store, which is a server of its own.
"""

from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import md5
from urllib.parse import quote
from xml.etree.ElementTree import fromstring
from xml.sax.saxutils import escape

from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.dialect.base import Dialect, ErrorCode
from sseproxy.errors import UpstreamUnavailable
from sseproxy.exchange import Body
from sseproxy.model import ByteRange
from sseproxy.ports import Clock, UpstreamRequest
from sseproxy.signing.canonical import decode_path, parse_query
from sseproxy.wire.byte_ranges import Unsatisfiable, content_range, parse_range, resolve
from sseproxy.wire.headers import print_http_date, print_iso_date
from tests.support.fake_clock import FakeClock

_MESSAGE = "The storage in memory says no."
DELETED = b"<DeleteResult/>"  # what a quiet DeleteObjects answers
_KEPT = {"content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires"}


@dataclass
class StoredObject:
    """An object as it lies there."""

    data: bytes
    headers: dict[str, str]
    modified: datetime

    @property
    def etag(self) -> str:
        """The MD5 of the stored bytes, in quotes."""
        return f'"{md5(self.data).hexdigest()}"'


@dataclass
class MemoryAnswer:
    """The answer to one request."""

    status: int
    body: bytes = b""
    raw_headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        return CIMultiDictProxy(CIMultiDict(self.raw_headers))

    async def stream(self) -> Body:
        if self.body:
            yield self.body

    async def read(self, limit: int = 8 * 1024 * 1024) -> bytes:
        if len(self.body) > limit:
            raise UpstreamUnavailable("The storage's answer is longer than expected.")
        return self.body


class _Refused(Exception):
    def __init__(self, status: int, code: str) -> None:
        self.status = status
        self.code = code


class MemoryUpstream:
    """`buckets` may be looked at and changed by tests. `fail` is asked first: a status that it gives is the answer."""

    def __init__(self, dialect: Dialect, clock: Clock | None = None) -> None:
        self.dialect = dialect
        self.buckets: dict[str, dict[str, StoredObject]] = {}
        self.sent: list[UpstreamRequest] = []
        self.fail: Callable[[UpstreamRequest], int | None] = lambda _request: None
        self.page = 1000  # most keys of a listing, whatever is asked for
        self._clock = clock or FakeClock()

    @asynccontextmanager
    async def send(self, request: UpstreamRequest) -> AsyncIterator[MemoryAnswer]:
        body = await _received(request)
        self.sent.append(request)
        yield self._answer(request, body)

    def _answer(self, request: UpstreamRequest, body: bytes) -> MemoryAnswer:
        failed = self.fail(request)
        try:
            if failed is not None:
                raise _Refused(failed, "InternalError")
            if request.bucket is None:
                raise _Refused(501, "NotImplemented")
            query = {name: value or "" for name, value in parse_query(request.raw_query)}
            if not request.raw_key:
                return self._on_bucket(request, request.bucket, query, body)
            return self._on_object(request, self._bucket(request.bucket), decode_path(request.raw_key), query, body)
        except _Refused as refused:
            code = ErrorCode(code=refused.code, status=refused.status)
            document = self.dialect.xml.render_error(code, _MESSAGE, {}, "1", "memory")
            return MemoryAnswer(refused.status, b"" if request.method == "HEAD" else document)

    def _bucket(self, name: str) -> dict[str, StoredObject]:
        if name not in self.buckets:
            raise _Refused(404, "NoSuchBucket")
        return self.buckets[name]

    # ---- buckets ----

    def _on_bucket(self, request: UpstreamRequest, name: str, query: dict[str, str], body: bytes) -> MemoryAnswer:
        if request.method == "PUT" and not query:
            self.buckets.setdefault(name, {})
            return MemoryAnswer(200)
        bucket = self._bucket(name)
        if request.method == "HEAD":
            return MemoryAnswer(200)
        if request.method == "DELETE" and not query:
            if bucket:
                raise _Refused(409, "BucketNotEmpty")
            del self.buckets[name]
            return MemoryAnswer(204)
        if request.method == "POST" and "delete" in query:
            return _delete_many(request, bucket, body)
        if request.method == "GET" and query.get("list-type") == "2":
            return self._list(bucket, query)
        raise _Refused(501, "NotImplemented")

    def _list(self, bucket: dict[str, StoredObject], query: dict[str, str]) -> MemoryAnswer:
        after = query.get("continuation-token") or query.get("start-after", "")
        keys = sorted(key for key in bucket if key.startswith(query.get("prefix", "")) and key > after)
        page = keys[: min(self.page, int(query.get("max-keys", "1000")))]
        is_encoded = query.get("encoding-type") == "url"
        lines = [
            f"<Contents><Key>{quote(key) if is_encoded else escape(key)}</Key>"
            f"<LastModified>{print_iso_date(bucket[key].modified)}</LastModified>"
            f"<ETag>{escape(bucket[key].etag)}</ETag><Size>{len(bucket[key].data)}</Size></Contents>"
            for key in page
        ]
        if len(page) < len(keys):
            token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>"
            lines.insert(0, f"<IsTruncated>true</IsTruncated>{token}")
        if is_encoded:
            lines.insert(0, "<EncodingType>url</EncodingType>")
        return MemoryAnswer(200, f"<ListBucketResult>{''.join(lines)}</ListBucketResult>".encode())

    # ---- objects ----

    def _on_object(
        self, request: UpstreamRequest, bucket: dict[str, StoredObject], key: str, query: dict[str, str], body: bytes
    ) -> MemoryAnswer:
        if query or self.dialect.header("copy-source") in request.headers:
            raise _Refused(501, "NotImplemented")
        match request.method:
            case "PUT":
                return self._put(request, bucket, key, body)
            case "GET" | "HEAD":
                return self._get(request, bucket, key)
            case "DELETE":
                bucket.pop(key, None)
                return MemoryAnswer(204)
            case _:
                raise _Refused(405, "MethodNotAllowed")

    def _put(self, request: UpstreamRequest, bucket: dict[str, StoredObject], key: str, body: bytes) -> MemoryAnswer:
        name, value = self.dialect.only_if_new_header
        if request.headers.get(name) == value and key in bucket:
            raise _Refused(409 if self.dialect.object_type_header else 412, "PreconditionFailed")
        _check_md5(request, body)
        kept = {
            given.lower(): text
            for given, text in request.headers.items()
            if given.lower() in _KEPT or given.lower().startswith(self.dialect.meta_prefix)
        }
        bucket[key] = StoredObject(body, kept, self._clock.now())
        return MemoryAnswer(200, raw_headers={"ETag": self.dialect.show_etag(bucket[key].etag.strip('"'))})

    def _get(self, request: UpstreamRequest, bucket: dict[str, StoredObject], key: str) -> MemoryAnswer:
        if key not in bucket:
            raise _Refused(404, "NoSuchKey")
        found = bucket[key]
        wanted = request.headers.get("If-Match")
        if wanted is not None and wanted.lower() != found.etag:
            raise _Refused(412, "PreconditionFailed")
        headers = {
            **found.headers,
            "ETag": self.dialect.show_etag(found.etag.strip('"')),
            "Last-Modified": print_http_date(found.modified),
            "Content-Length": str(len(found.data)),
        }
        part = self._range(request, len(found.data))
        if part is None:
            return MemoryAnswer(200, b"" if request.method == "HEAD" else found.data, headers)
        headers |= {"Content-Range": content_range(part, len(found.data)), "Content-Length": str(part.length)}
        data = b"" if request.method == "HEAD" else found.data[part.first : part.last + 1]
        return MemoryAnswer(206, data, headers)

    def _range(self, request: UpstreamRequest, size: int) -> ByteRange | None:
        spec = parse_range(request.headers.get("Range", ""))
        part = None if spec is None else resolve(spec, size)
        if not isinstance(part, Unsatisfiable):
            return part
        opted_in = self.dialect.range_behavior_header
        if opted_in is not None and request.headers.get(opted_in[0]) != opted_in[1]:
            return None  # OSS sends the whole object (OSS dossier §3.4)
        raise _Refused(416, "InvalidRange")


def _delete_many(request: UpstreamRequest, bucket: dict[str, StoredObject], body: bytes) -> MemoryAnswer:
    if "Content-MD5" not in request.headers:
        raise _Refused(400, "InvalidRequest")
    _check_md5(request, body)
    for key in (element.text or "" for element in fromstring(body).iter() if element.tag.endswith("Key")):
        bucket.pop(key, None)
    return MemoryAnswer(200, DELETED)


def _check_md5(request: UpstreamRequest, body: bytes) -> None:
    asserted = request.headers.get("Content-MD5")
    if asserted is not None and b64decode(asserted) != md5(body).digest():
        raise _Refused(400, "BadDigest")


async def _received(request: UpstreamRequest) -> bytes:
    """Read a request's body as a server does. Raises what it raises, and where its length is not the announced one."""
    if request.body is None or isinstance(request.body, bytes):
        return request.body or b""
    async with aclosing(request.body) as body:
        data = b"".join([bytes(buffer) async for buffer in body])
    if request.content_length not in {None, len(data)}:
        raise UpstreamUnavailable("The storage closed the connection: the body has not the announced length.")
    return data
