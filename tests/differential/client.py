"""Sends the requests of a case to one endpoint, exactly as written, and reads what comes back."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlsplit

from tests.differential.case import Auth, Step
from tests.differential.signature import Credentials, sign_header, sign_url

_PATIENCE_S = 60
_REFERENCE = re.compile(r"\{(etag|version|upload|token):(\d+)\}")
_ELEMENTS = {"upload": b"UploadId", "token": b"NextContinuationToken", "etag": b"ETag"}
_HEADERS = {"etag": "etag", "version": "x-amz-version-id"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came; status 0 is a connection that broke off, with the error's name as body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def tells(self, what: str) -> str:
        """Return the ETag, version, upload id or continuation token that it tells, "missing" where it does not."""
        if what in _HEADERS and _HEADERS[what] in self.headers:
            return self.headers[_HEADERS[what]]
        found = re.search(b"<%b>([^<]*)</" % _ELEMENTS[what], self.body) if what in _ELEMENTS else None
        return found[1].decode().replace("&#34;", '"').replace("&quot;", '"') if found else "missing"


@dataclass(slots=True)
class Client:
    """A connection to one endpoint, over http."""

    url: str
    credentials: Credentials
    _connection: HTTPConnection | None = field(default=None, init=False)

    @property
    def netloc(self) -> str:
        return urlsplit(self.url).netloc

    def play(self, steps: tuple[Step, ...], names: Mapping[str, str]) -> list[Reply]:
        """Send the steps one after the other; `names` are the values of `{bucket}`, `{other}` and `{prefix}`."""
        replies: list[Reply] = []
        for step in steps:
            replies.append(self._send(step, names, replies))
        return replies

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _send(self, step: Step, names: Mapping[str, str], replies: list[Reply]) -> Reply:
        def filled(text: str) -> str:
            for name, value in names.items():
                text = text.replace(f"{{{name}}}", value)
            return _REFERENCE.sub(lambda found: replies[int(found[2]) - 1].tells(found[1]), text)

        body = filled(step.body.decode("latin-1")).encode("latin-1") if b"{" in step.body else step.body
        digest = base64.b64encode(hashlib.md5(body).digest()).decode()
        told = {name: filled(value.replace("{md5}", digest)) for name, value in step.headers.items()}
        headers = {"host": self.netloc, **told}
        target = filled(step.target)
        if step.trailers:
            headers, body = _in_chunks(headers, body, step.trailers)
        target, headers = self._signed(step, target, headers, body)
        if body or step.method in {"PUT", "POST"}:
            headers["content-length"] = str(len(body))
        return self._exchange(step.method, target, headers, body)

    def _signed(self, step: Step, target: str, headers: dict[str, str], body: bytes) -> tuple[str, dict[str, str]]:
        credentials = self.credentials
        if step.auth is Auth.NONE:
            return target, headers
        if step.auth in {Auth.URL, Auth.EXPIRED_URL}:
            at = datetime.now(UTC) - (timedelta(hours=2) if step.auth is Auth.EXPIRED_URL else timedelta())
            return sign_url(credentials, step.method, target, headers, at=at), headers
        payload = hashlib.sha256(body).hexdigest()
        if step.auth is Auth.UNSIGNED_PAYLOAD:
            payload = "UNSIGNED-PAYLOAD"
        elif step.trailers:
            payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
        elif step.auth is Auth.WRONG_PAYLOAD:
            payload = "0" * 64
        elif step.auth is Auth.WRONG_SECRET:
            credentials = Credentials(credentials.access_key, "not the secret", credentials.region)
        elif step.auth is Auth.UNKNOWN_KEY:
            credentials = Credentials("nobody", credentials.secret_key, credentials.region)
        return target, sign_header(credentials, step.method, target, headers, payload)

    def _exchange(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if self._connection is None:
            self._connection = HTTPConnection(self.netloc, timeout=_PATIENCE_S)
        try:
            return self._once(self._connection, method, target, headers, body)
        except (OSError, HTTPException) as error:
            self.close()
            return Reply(0, {}, type(error).__name__.encode())

    def _once(
        self, connection: HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value.encode())
        connection.endheaders(body or None)
        response = connection.getresponse()
        reply = Reply(response.status, _headers(response), response.read())
        if response.will_close or reply.status >= 400:
            # A server may leave the body of what it refuses unread; the next request must not depend on it.
            self.close()
        return reply


def _headers(response: HTTPResponse) -> dict[str, str]:
    told: dict[str, str] = {}
    for name, value in response.getheaders():
        text = value.encode("latin-1").decode("utf-8", "backslashreplace")
        told[name.lower()] = f"{told[name.lower()]} | {text}" if name.lower() in told else text
    return told


def _in_chunks(headers: dict[str, str], body: bytes, trailers: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of an aws-chunked request with unsigned chunks and `trailers`."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body,) if part) + b"0\r\n"
    chunks += b"".join(f"{name}:{value}\r\n".encode() for name, value in trailers.items()) + b"\r\n"
    announced = {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(body)),
        "x-amz-trailer": ",".join(trailers),
    }
    return {**headers, **announced}, chunks
