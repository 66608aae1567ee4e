"""Requests that no client library would send: heads made and signed by hand, answers read off the socket."""

import base64
import hashlib
import hmac
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http.client import HTTPResponse
from urllib.parse import unquote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Server


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def text(self, element: str) -> str:
        """Return an element of the error document, "" where it has none."""
        found = re.search(f"<{element}>([^<]*)</{element}>".encode(), self.document)
        return found[1].decode() if found else ""

    @property
    def document(self) -> bytes:
        """The error document: the body, or what OSS puts beside an answer that has none."""
        return self.body or base64.b64decode(self.headers.get("x-oss-err", ""))

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, code and message."""
        return self.status, self.text("Code"), self.text("Message")


def sign(
    server: Server,
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    *,
    payload: str = "UNSIGNED-PAYLOAD",
) -> dict[str, str]:
    """Return `headers` with a SigV4 signature for `target` (path and query as they go over the wire)."""
    request = AWSRequest(
        method=method, url=server.url + target, headers={**(headers or {}), "x-amz-content-sha256": payload}
    )
    request.context["payload_signing_enabled"] = False
    auth = S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", REGION)
    auth.payload = lambda _request: payload  # the value is what we test
    auth.add_auth(request)
    return {name: str(value) for name, value in request.headers.items()}


def sign_oss(
    _server: Server, method: str, target: str, headers: Mapping[str, str] | None = None, *, secret: str = SECRET_KEY
) -> dict[str, str]:
    """Return `headers` with an OSS V1 signature for `target`, whose whole query is taken as sub-resources."""
    headers = {"Date": format_datetime(datetime.now(UTC), usegmt=True), **(headers or {})}
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    own = "".join(f"{name}:{lower[name]}\n" for name in sorted(lower) if name.startswith("x-oss-"))
    path, _, query = target.partition("?")
    level = "/" if path.count("/") == 1 and path != "/" else ""  # a bucket is signed with a slash behind it
    resource = unquote(path) + level + ("?" + "&".join(sorted(unquote(query).split("&"))) if query else "")
    plain = "\n".join([method, lower.get("content-md5", ""), lower.get("content-type", ""), lower["date"], own])
    mac = hmac.digest(secret.encode(), (plain + resource).encode(), hashlib.sha1)
    return {**headers, "Authorization": f"OSS {ACCESS_KEY}:{base64.b64encode(mac).decode()}"}


Signer = Callable[[Server, str, str, Mapping[str, str] | None], dict[str, str]]
SIGNERS: Mapping[str, Signer] = {"s3": sign, "oss": sign_oss}


def head_bytes(server: Server, method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Return the request line and headers."""
    host = {"Host": urlsplit(server.url).netloc}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in {**host, **headers}.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def signed_put_head(server: Server, target: str, *, length: int) -> bytes:
    """Return a signed PUT head that announces `length` bytes."""
    headers = sign(server, "PUT", target)
    return head_bytes(server, "PUT", target, {**headers, "Content-Length": str(length)})


def connect(server: Server) -> socket.socket:
    """Return a connection to `server`, plain HTTP."""
    return socket.create_connection((server.host, server.port), timeout=60)


def read_answer(connection: socket.socket, method: str = "GET") -> Answer:
    """Read one whole answer; raises what `http.client` does where it is cut off."""
    response = HTTPResponse(connection, method=method)
    response.begin()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


def send_raw(server: Server, data: bytes, method: str = "GET") -> Answer:
    """Send bytes as they are and read one answer."""
    with connect(server) as connection:
        connection.sendall(data)
        return read_answer(connection, method)


def exchange(
    server: Server, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Answer:
    """Send one request as given over plain HTTP and read the whole answer."""
    return send_raw(
        server, head_bytes(server, method, target, {"Connection": "close", **(headers or {})}) + body, method
    )


def signed(
    server: Server,
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    dialect: str = "s3",
) -> Answer:
    """Send one signed request."""
    length = {"Content-Length": str(len(body))} if body or method in {"PUT", "POST"} else {}
    return exchange(server, method, target, {**SIGNERS[dialect](server, method, target, headers), **length}, body)
