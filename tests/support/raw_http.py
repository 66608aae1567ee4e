"""Requests that no client library would send: heads made and signed by hand, answers read off the socket."""

import socket
from dataclasses import dataclass
from http.client import HTTPResponse
from urllib.parse import urlsplit

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


def sign(
    server: Server,
    method: str,
    target: str,
    headers: dict[str, str] | None = None,
    *,
    payload: str = "UNSIGNED-PAYLOAD",
) -> dict[str, str]:
    """Return `headers` with a SigV4 signature for `target` (path and query as they go over the wire)."""
    request = AWSRequest(
        method=method, url=server.url + target, headers={**(headers or {}), "x-amz-content-sha256": payload}
    )
    request.context["payload_signing_enabled"] = False
    auth = S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", REGION)
    auth.payload = lambda _request: payload  # type: ignore[method-assign]  # the value is what we test
    auth.add_auth(request)
    return {name: str(value) for name, value in request.headers.items()}


def head_bytes(server: Server, method: str, target: str, headers: dict[str, str]) -> bytes:
    """Return the request line and headers."""
    host = {"Host": urlsplit(server.url).netloc}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in {**host, **headers}.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def signed_put_head(server: Server, target: str, *, length: int) -> bytes:
    """Return a signed PUT head that announces `length` bytes."""
    headers = sign(server, "PUT", target)
    return head_bytes(server, "PUT", target, {**headers, "Content-Length": str(length)})


def exchange(
    server: Server, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> Answer:
    """Send one request as given over plain HTTP and read the whole answer."""
    with socket.create_connection((server.host, server.port), timeout=60) as connection:
        connection.sendall(head_bytes(server, method, target, {"Connection": "close", **(headers or {})}) + body)
        response = HTTPResponse(connection, method=method)
        response.begin()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


def signed(
    server: Server, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> Answer:
    """Send one signed request."""
    extra = dict(headers or {})
    length = {"Content-Length": str(len(body))} if body or method in {"PUT", "POST"} else {}
    return exchange(server, method, target, {**sign(server, method, target, extra), **length}, body)
