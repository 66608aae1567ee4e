"""Where a request to the storage goes and how it is signed, by the storage's dialect.

What the signature says of the body: its SHA-256 where it is short and held, else that it is not covered. The storages
in use take `UNSIGNED-PAYLOAD` over http as over https (docs: S3 dossier §3.10); ciphertext brings its own integrity,
and what would be covered twice costs 2 CPU seconds per GiB. With `trailing_checksum` streams carry a CRC32C trailer.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from urllib.parse import urlsplit

from multidict import CIMultiDict

from sseproxy import __version__
from sseproxy.credentials.held import Credentials
from sseproxy.dialect.base import Dialect
from sseproxy.errors import InvalidBucketName
from sseproxy.exchange import Body
from sseproxy.ports import UpstreamRequest
from sseproxy.settings_upstream import UpstreamSettings
from sseproxy.signing import EMPTY_SHA256, UNSIGNED_PAYLOAD, sign_aws_v4, sign_oss_v4
from sseproxy.stage import Stage
from sseproxy.upstream.framing import PAYLOAD_FORM, TRAILER, AwsChunkedEncoder, framed_size

_MOST_HASHED = 64 * 1024  # bytes of a held body that are hashed: 0.1 ms
_SIGNED = frozenset({"content-type", "content-md5", "content-encoding"})  # besides Host and the dialect's own headers
_DEFAULT_PORTS = {"http": 80, "https": 443}
_BUCKET = re.compile(r"[A-Za-z0-9._-]+")  # whatever either dialect takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request as it goes over the wire. A stream has `length`, or None where it goes out chunked."""

    url: str
    headers: CIMultiDict[str]
    body: bytes | Body | None
    length: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What the signature algorithms are told."""

    method: str
    host: str
    raw_path: str
    raw_query: str
    bucket: str | None
    raw_key: str
    headers: Mapping[str, str]
    payload_hash: str
    credentials: Credentials
    region: str
    now: datetime


class OutgoingAuth:
    """Addresses and signs requests with the proxy's own credentials."""

    def __init__(self, settings: UpstreamSettings, dialect: Dialect) -> None:
        endpoint = urlsplit(settings.endpoint)
        port = endpoint.port
        host = endpoint.hostname or ""
        host = f"[{host}]" if ":" in host else host
        self._scheme = endpoint.scheme
        self._host = host if port is None or port == _DEFAULT_PORTS[endpoint.scheme] else f"{host}:{port}"
        self._settings = settings
        self.dialect = dialect
        self._sign = _SIGNERS[dialect.name]

    def prepare(self, request: UpstreamRequest, now: datetime, credentials: Credentials | None) -> Outgoing:
        """Return the request with its address, its framing and its signature. The body is not touched.

        Without credentials it is neither framed nor signed: an anonymous request says nothing of its payload.
        """
        host, raw_path = self._address(request)
        headers = request.headers.copy()
        body, length = request.body, request.content_length
        payload_hash = _payload_hash(body)
        if credentials is not None:
            if self._frames(request) and length is not None and not isinstance(body, bytes | None):
                _announce_framing(headers, length)
                body, length, payload_hash = framed(body, length), framed_size(length), PAYLOAD_FORM
            facts = _Facts(
                method=request.method,
                host=host,
                raw_path=raw_path,
                raw_query=request.raw_query,
                bucket=request.bucket,
                raw_key=request.raw_key,
                headers={name: ",".join(headers.getall(name)) for name in headers if self._is_signed(name)},
                payload_hash=payload_hash,
                credentials=credentials,
                region=self._settings.region,
                now=now,
            )
            headers.update(self._sign(facts))
        headers["Host"] = host
        headers["Accept-Encoding"] = "identity"  # stored bytes, never a coding that a middleman adds
        headers["User-Agent"] = f"sseproxy/{__version__}"
        query = f"?{request.raw_query}" if request.raw_query else ""
        return Outgoing(url=f"{self._scheme}://{host}{raw_path}{query}", headers=headers, body=body, length=length)

    def _address(self, request: UpstreamRequest) -> tuple[str, str]:
        """Return host and path. Raises `InvalidBucketName` for what would be read as another host, path or query.

        Whoever asks has checked the name already; this is the last place before it is put into a URL and signed.
        """
        if request.bucket is None:
            return self._host, "/"
        if _BUCKET.fullmatch(request.bucket) is None:
            raise InvalidBucketName(BucketName=request.bucket)
        if self._settings.addressing == "virtual":
            return f"{request.bucket}.{self._host}", f"/{request.raw_key}"
        return self._host, f"/{request.bucket}/{request.raw_key}"

    def _frames(self, request: UpstreamRequest) -> bool:
        """Tell whether the body goes out with a trailing checksum: objects and parts, where the dialect has them."""
        return (
            self._settings.trailing_checksum
            and self.dialect.checksum_headers
            and request.method == "PUT"
            and bool(request.raw_key)
        )

    def _is_signed(self, name: str) -> bool:
        lower = name.lower()
        return lower in _SIGNED or lower.startswith(self.dialect.header_prefix)


def _payload_hash(body: bytes | Body | None) -> str:
    if not body:
        return EMPTY_SHA256
    if isinstance(body, bytes) and len(body) <= _MOST_HASHED:
        return hashlib.sha256(body).hexdigest()
    return UNSIGNED_PAYLOAD


def _announce_framing(headers: CIMultiDict[str], length: int) -> None:
    coding = headers.get("Content-Encoding")
    headers["Content-Encoding"] = f"aws-chunked,{coding}" if coding else "aws-chunked"
    headers["x-amz-decoded-content-length"] = str(length)
    headers["x-amz-trailer"] = TRAILER


async def framed(body: Body, length: int) -> Body:
    """Return `body` framed; closes it."""
    stage: Stage = AwsChunkedEncoder(length)
    async with aclosing(body):
        async for data in body:
            for out in stage.feed(data):
                yield out
        for out in stage.finish():
            yield out


def _sign_s3(facts: _Facts) -> dict[str, str]:
    return sign_aws_v4(
        method=facts.method,
        host=facts.host,
        raw_path=facts.raw_path,
        raw_query=facts.raw_query,
        headers=facts.headers,
        access_key=facts.credentials.access_key,
        secret=facts.credentials.secret_key,
        token=facts.credentials.token,
        region=facts.region,
        now=facts.now,
        payload_hash=facts.payload_hash,
    )


def _sign_oss(facts: _Facts) -> dict[str, str]:
    return sign_oss_v4(
        method=facts.method,
        bucket=facts.bucket,
        raw_key=facts.raw_key,
        raw_query=facts.raw_query,
        headers=facts.headers,
        access_key=facts.credentials.access_key,
        secret=facts.credentials.secret_key,
        token=facts.credentials.token,
        region=facts.region,
        now=facts.now,
    )


_SIGNERS: Mapping[str, Callable[[_Facts], dict[str, str]]] = MappingProxyType({"s3": _sign_s3, "oss": _sign_oss})
