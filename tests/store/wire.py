"""A raw client with signatures of its own: it shares no code with the store, and sends exactly what it is told to."""

import base64
import hashlib
import hmac
import http.client
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import quote, unquote

from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Server

EMPTY = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
_OSS_SIGNED = {
    "acl", "append", "bucketInfo", "delete", "objectMeta", "partNumber", "position", "stat", "symlink", "tagging",
    "restore", "uploadId", "uploads", "versionId", "versions", "continuation-token", "location", "cors", "lifecycle", "encryption", "versioning", "replication",
    "response-content-type",
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return self.text("Code")

    @property
    def outcome(self) -> tuple[int, str]:
        return self.status, self.code

    def text(self, tag: str) -> str:
        """The text of the first element `tag`, or nothing."""
        found = re.search(f"<{tag}>(.*?)</{tag}>".encode(), self.body, re.DOTALL)
        return found[1].decode() if found else ""

    def texts(self, tag: str) -> list[str]:
        return [found.decode() for found in re.findall(f"<{tag}>(.*?)</{tag}>".encode(), self.body, re.DOTALL)]


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


@dataclass(frozen=True)
class Signed:
    """The headers of a signed S3 request, and what its chunks go on from."""

    headers: dict[str, str]
    key: bytes
    scope: str
    signature: str

    @property
    def timestamp(self) -> str:
        return self.headers["x-amz-date"]


class Wire:
    """Sends to one server."""

    def __init__(self, server: Server) -> None:
        self.host = f"{server.host}:{server.port}"
        self._server = server

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._server.host, self._server.port, timeout=20)

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes | Iterable[bytes] = b"") -> Answer:
        """Send without touching anything; an iterable body goes out chunked."""
        connection = self.connect()
        try:
            connection.putrequest(method, target, skip_host="Host" in headers, skip_accept_encoding=True)
            whole = body if isinstance(body, bytes) else None
            for name, value in headers.items():
                connection.putheader(name, value)
            lengths = {name.lower() for name in headers} & {"content-length", "transfer-encoding"}
            if whole is None and not lengths:
                connection.putheader("Transfer-Encoding", "chunked")
            elif whole is not None and not lengths and (whole or method in ("PUT", "POST")):
                connection.putheader("Content-Length", str(len(whole)))
            connection.endheaders()
            for piece in [body] if isinstance(body, bytes) else [*body, b""]:
                if whole is None:
                    connection.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                elif piece:
                    connection.send(piece)
            answer = connection.getresponse()
            received = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, received, answer.read())
        finally:
            connection.close()

    def sign_s3(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        sha256: str | None,
        *,
        now: datetime | None = None,
        access_key: str = ACCESS_KEY,
        secret: str = SECRET_KEY,
        region: str = REGION,
        unsigned: Iterable[str] = (),
    ) -> Signed:
        stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        full = {name.lower(): value for name, value in headers.items()}
        full |= {"host": full.get("host", self.host), "x-amz-date": stamp}
        if sha256 is not None:
            full["x-amz-content-sha256"] = sha256
        names = sorted(set(full) - set(unsigned) - {"expect", "connection"})
        path, _, query = target.partition("?")
        pairs = sorted(tuple(pair.partition("=")[::2]) for pair in query.split("&") if pair)
        canonical = "\n".join(
            [
                method,
                path,
                "&".join(f"{quote(unquote(n), safe='-_.~')}={quote(unquote(v), safe='-_.~')}" for n, v in pairs),
                *(f"{name}:{' '.join(full[name].split())}" for name in names),
                "",
                ";".join(names),
                sha256 or "",
            ]
        )
        scope = f"{stamp[:8]}/{region}/s3/aws4_request"
        key = ("AWS4" + secret).encode()
        for part in scope.split("/"):
            key = _hmac(key, part)
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = _hmac(key, text).hex()
        full["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
        )
        return Signed({"Host" if n == "host" else n: v for n, v in full.items()}, key, scope, signature)

    def s3(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] = b"",
        headers: Mapping[str, str] | None = None,
        *,
        sha256: str | None = UNSIGNED,
        now: datetime | None = None,
        **options: str | Iterable[str],
    ) -> Answer:
        """Send a request signed with SigV4; `sha256` None leaves the header out."""
        signed = self.sign_s3(method, target, headers or {}, sha256, now=now, **options)  # type: ignore[arg-type]
        return self.send(method, target, signed.headers, body)

    def oss(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] = b"",
        headers: Mapping[str, str] | None = None,
        *,
        secret: str = SECRET_KEY,
        access_key: str = ACCESS_KEY,
        skew: timedelta = timedelta(),
    ) -> Answer:
        """Send a request signed with OSS V1."""
        full = dict(headers or {})
        full["Date"] = format_datetime(datetime.now(UTC) + skew, usegmt=True)
        lower = {name.lower(): value for name, value in full.items()}
        path, _, query = target.partition("?")
        signed = sorted(
            f"{unquote(name)}={unquote(value)}" if value else unquote(name)
            for name, _, value in (pair.partition("=") for pair in query.split("&") if pair)
            if unquote(name) in _OSS_SIGNED
        )
        own = "".join(f"{name}:{lower[name]}\n" for name in sorted(lower) if name.startswith("x-oss-"))
        resource = unquote(path) + ("/" if path.count("/") == 1 and len(path) > 1 else "")
        resource += "?" + "&".join(signed) if signed else ""
        md5, kind = lower.get("content-md5", ""), lower.get("content-type", "")
        text = f"{method}\n{md5}\n{kind}\n{full['Date']}\n{own}{resource}"
        signature = base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")).decode()
        full["Authorization"] = f"OSS {access_key}:{signature}"
        return self.send(method, target, full, body)


def md5_b64(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def chunk_signature(signed: Signed, previous: str, data: bytes) -> str:
    """The signature of one chunk of a `STREAMING-AWS4-HMAC-SHA256-PAYLOAD` body."""
    digest = hashlib.sha256(data).hexdigest()
    text = f"AWS4-HMAC-SHA256-PAYLOAD\n{signed.timestamp}\n{signed.scope}\n{previous}\n{EMPTY}\n{digest}"
    return _hmac(signed.key, text).hex()


def trailer_signature(signed: Signed, previous: str, trailers: str) -> str:
    """The signature of trailers given as `name:value` lines, each ended by a line feed."""
    digest = hashlib.sha256(trailers.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256-TRAILER\n{signed.timestamp}\n{signed.scope}\n{previous}\n{digest}"
    return _hmac(signed.key, text).hex()
