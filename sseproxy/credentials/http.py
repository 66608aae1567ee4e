"""HTTP to key services and to those that lend credentials: small questions, small answers, no redirects."""

import binascii
import json
import ssl
from base64 import b64decode
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDictProxy
from yarl import URL

from sseproxy.errors import ConfigurationError, KeyServiceBusy, KeyServiceError, KeyServiceUnavailable
from sseproxy.tls import RenewableContext

# Everything that aiohttp and the socket raise when an exchange fails; timeouts are `OSError`s.
_TRANSPORT_ERRORS = (aiohttp.ClientError, HttpProcessingError, OSError)
_IDLE_S = 15.0
_MOST_ANSWER = 256 * 1024  # bytes
FORM: Mapping[str, str] = MappingProxyType({"Content-Type": "application/x-www-form-urlencoded"})
_AUTOMATIC = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


@dataclass(frozen=True, slots=True, repr=False)
class HttpAnswer:
    """An answer, read to its end. Its `repr` shows nothing: there may be keys in it."""

    service: str
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    def document(self) -> "Document":
        """Return the body's JSON object. Raises `KeyServiceUnavailable` where it is none: somebody else answered."""
        try:
            fields = json.loads(self.body)
        except ValueError:
            fields = None
        if not isinstance(fields, dict):
            raise KeyServiceUnavailable(f"What {self.service} answered ({self.status}) is no JSON object.")
        return Document(self.service, fields)


@dataclass(frozen=True, slots=True, repr=False)
class Document:
    """A JSON object of a key service. Readers raise `KeyServiceError` where a field is missing or of another type."""

    service: str
    fields: Mapping[str, Any] = field(repr=False)

    def text(self, name: str) -> str:
        """Return a string that must be there and not be empty."""
        value = self.fields.get(name)
        if not isinstance(value, str) or not value:
            raise KeyServiceError(f"{self.service} answered without {name}.")
        return value

    def optional_text(self, name: str) -> str:
        """Return a string, "" where there is none."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        """Return an integer that must be there."""
        value = self.fields.get(name)
        if not isinstance(value, int):
            raise KeyServiceError(f"{self.service} answered without {name}.")
        return value

    def blob(self, name: str) -> bytes:
        """Return the bytes of a base64 string that must be there."""
        try:
            return b64decode(self.text(name), validate=True)
        except (binascii.Error, ValueError) as cause:
            raise KeyServiceError(f"{self.service} answered {name} in no base64.") from cause

    def inner(self, name: str) -> "Document":
        """Return an object that must be there."""
        value = self.fields.get(name)
        if not isinstance(value, dict):
            raise KeyServiceError(f"{self.service} answered without {name}.")
        return Document(self.service, value)


class Http:
    """Connections to one service; `service` names it in messages."""

    def __init__(self, session: aiohttp.ClientSession, service: str) -> None:
        self._session = session
        self.service = service

    async def ask(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> HttpAnswer:
        """Return what is answered. `url` goes out as it is.

        Raises `KeyServiceBusy` for a 429, `KeyServiceUnavailable` for every 5xx and where there is no answer.
        """
        target = URL(url, encoded=True)
        try:
            async with self._session.request(
                method, target, headers=headers, data=body, allow_redirects=False
            ) as response:
                answer = await _read(response, self.service)
        except aiohttp.ClientConnectorCertificateError as cause:
            reason = getattr(cause.certificate_error, "verify_message", cause.certificate_error)
            raise KeyServiceUnavailable(
                f"The certificate of {self.service} at {target.host} is not trusted ({reason}); "
                "check the CA that signed it, and ca_file."
            ) from cause
        except _TRANSPORT_ERRORS as cause:
            failure = type(cause).__name__
            raise KeyServiceUnavailable(
                f"{self.service} cannot be reached ({failure}); see whether {target.host} answers from here."
            ) from cause
        if response.status == 429:
            raise KeyServiceBusy
        if response.status >= 500:
            raise KeyServiceUnavailable(f"{self.service} answered {response.status}.")
        return HttpAnswer(self.service, response.status, response.headers, answer)


async def _read(response: aiohttp.ClientResponse, service: str) -> bytes:
    answer = bytearray()
    async for data in response.content.iter_any():
        answer += data
        if len(answer) > _MOST_ANSWER:
            raise KeyServiceUnavailable(f"The answer of {service} is longer than expected.")
    return bytes(answer)


@asynccontextmanager
async def open_session(tls: RenewableContext | None, connections: int) -> AsyncGenerator[aiohttp.ClientSession, None]:
    """Open connections to a service; deadlines are the caller's. Without `tls` the system's CAs are trusted."""
    connector = aiohttp.TCPConnector(
        limit=connections, limit_per_host=0, keepalive_timeout=_IDLE_S, ssl=True if tls is None else tls
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        raise_for_status=False,
        skip_auto_headers=_AUTOMATIC,
        timeout=aiohttp.ClientTimeout(total=None),
        trust_env=False,
    ) as session:
        yield session


def trusting(ca_file: Path) -> RenewableContext:
    """Return a context that trusts the CAs of a file. Raises `ConfigurationError`."""
    return RenewableContext(lambda: _tls_context(ca_file), (ca_file,))


def _tls_context(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as cause:  # SSLError is one
        raise ConfigurationError(
            f"The CA file {ca_file} of a key service cannot be used: {cause.strerror or cause}"
        ) from cause
