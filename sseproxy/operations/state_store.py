"""The state bucket: small records, MACed, and the sealed bytes of parts that wait for Complete.

Private, unversioned, never reachable through the data port (docs/format.md, "State bucket"). A record names what it is
for: its MAC covers purpose, bucket, state key and payload, so that no record passes for another.
"""

import asyncio
import hmac
import secrets
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import md5
from urllib.parse import quote

import msgpack
from multidict import CIMultiDict

from sseproxy.dialect.base import Dialect
from sseproxy.errors import ConfigurationError, StateRejected, UpstreamUnavailable
from sseproxy.exchange import Body
from sseproxy.format import lp, wrap_context
from sseproxy.model import Binding, WrappedKey
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS
from sseproxy.ports import Kms, Upstream, UpstreamRequest, UpstreamResponse
from sseproxy.settings import StateSettings

_KEY_NAME = "state-key"
_MAC = 32
_VERSION = b"\x01"
_MOST_RECORD = 64 * 1024  # bytes
_PAGE = 1000
_MOST_PAGE = 4 * 1024 * 1024  # bytes of a listing


@dataclass(frozen=True, slots=True)
class StateEntry:
    """A key of the state bucket, without the configured prefix."""

    key: str
    size: int
    last_modified: datetime


class StateStore:
    """Records under `settings.prefix` in `settings.bucket`, through the storage's own dialect.

    Every method raises `UpstreamUnavailable` where the storage does not do what it is asked.
    """

    def __init__(self, upstream: Upstream, dialect: Dialect, settings: StateSettings, kms: Kms) -> None:
        self._upstream = upstream
        self._dialect = dialect
        self._bucket = settings.bucket
        self._prefix = settings.prefix
        self._kms = kms
        self._mac_key: bytes | None = None
        self._loading = asyncio.Lock()

    async def ensure_bucket(self, *, create: bool) -> None:
        """Return if the state bucket is there, creating it if allowed.

        Raises `ConfigurationError` with what to do, `UpstreamUnavailable`.
        """
        if await self._status("HEAD") == 200:
            return
        if not create:
            raise ConfigurationError(
                f"The state bucket {self._bucket} cannot be reached: create it, or set state.create = true, "
                "and let the proxy's access key read and write it."
            )
        status = await self._status("PUT")
        if status not in {200, 409} or await self._status("HEAD") != 200:
            raise ConfigurationError(
                f"The state bucket {self._bucket} cannot be created (the storage answered {status}): create it, and "
                "let the proxy's access key read and write it."
            )

    async def put(self, key: str, payload: bytes, *, purpose: str, bucket: str) -> None:
        """Write a record."""
        mac = await self._mac(key, payload, purpose, bucket)
        await self._put(key, _VERSION + mac + payload)

    async def get(self, key: str, *, purpose: str, bucket: str) -> bytes | None:
        """Read a record, None where there is none. Raises `StateRejected` where its MAC is wrong."""
        data = await self._get(key)
        if data is None:
            return None
        mac, payload = data[1 : 1 + _MAC], data[1 + _MAC :]
        if data[:1] != _VERSION or not hmac.compare_digest(mac, await self._mac(key, payload, purpose, bucket)):
            raise StateRejected
        return payload

    async def put_marker(self, key: str) -> None:
        """Write a record that travels in its key."""
        await self._put(key, b"")

    async def put_stream(self, key: str, body: Body, length: int | None) -> None:
        """Write sealed bytes, `length` of them where it is known. What the body raises is raised."""
        async with self._sent(self._request("PUT", key, body=body, length=length)) as response:
            self._check(response, 200)

    @asynccontextmanager
    async def get_stream(self, key: str) -> AsyncIterator[Body | None]:
        """Open sealed bytes; None where there are none."""
        async with self._sent(self._request("GET", key)) as response:
            if response.status == 404:
                yield None
                return
            self._check(response, 200)
            async with aclosing(response.stream()) as body:
                yield body

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove keys, at most 1,000; those that are not there count as removed."""
        if len(keys) == 1:
            async with self._sent(self._request("DELETE", keys[0])) as response:
                self._check(response, 200, 204, 404)
            return
        document = self._dialect.xml.render_delete([self._prefix + key for key in keys])
        headers = CIMultiDict({"Content-Type": "application/xml", "Content-MD5": _content_md5(document)})
        request = UpstreamRequest(
            method="POST", bucket=self._bucket, raw_query="delete", headers=headers, body=document,
            content_length=len(document),
        )  # fmt: skip
        async with self._sent(request) as response:
            self._check(response, 200)

    async def list(self, prefix: str, *, start_after: str = "") -> AsyncGenerator[StateEntry]:
        """Yield the keys that begin with `prefix` and come after `start_after`, in order, page by page."""
        token: str | None = None
        while True:
            query = f"list-type=2&encoding-type=url&max-keys={_PAGE}&prefix={_quoted(self._prefix + prefix)}"
            if start_after:
                query += f"&start-after={_quoted(self._prefix + start_after)}"
            if token is not None:
                query += f"&continuation-token={_quoted(token)}"
            request = UpstreamRequest(method="GET", bucket=self._bucket, raw_query=query)
            async with self._sent(request) as response:
                self._check(response, 200)
                found, token = self._dialect.xml.parse_keys(await response.read(_MOST_PAGE))
            for key, size, last_modified in found:
                yield StateEntry(key.removeprefix(self._prefix), size, last_modified)
            if token is None:
                return

    async def _mac(self, key: str, payload: bytes, purpose: str, bucket: str) -> bytes:
        message = b"".join(lp(part) for part in (purpose.encode(), bucket.encode(), key.encode(), payload))
        return hmac.digest(await self._state_key(), message, "sha256")

    async def _state_key(self) -> bytes:
        """Return the MAC key: 32 random bytes under the service master key, made once and kept in the state bucket."""
        if self._mac_key is None:
            async with self._loading:
                if self._mac_key is None:
                    self._mac_key = await self._load_key()
        return self._mac_key

    async def _load_key(self) -> bytes:
        context = wrap_context(
            purpose="state", algorithm="", layout="", binding=Binding.BUCKET_KEY, bucket=self._bucket, key=_KEY_NAME
        )
        data = await self._get(_KEY_NAME)
        if data is None:
            key = secrets.token_bytes(32)
            wrapped = await self._kms.wrap(SERVICE_KEY_ALIAS, key, context)
            await self._put(_KEY_NAME, msgpack.packb([wrapped.key_id, wrapped.blob]), only_if_new=True)
            # Another process may have been faster: what is there now is what everybody uses.
            data = await self._get(_KEY_NAME)
        try:
            key_id, blob = msgpack.unpackb(data or b"")
            wrapped = WrappedKey(key_id=key_id, blob=blob)
        except (ValueError, TypeError) as cause:
            raise StateRejected(
                "The key of the state bucket is damaged; empty the state bucket to begin anew."
            ) from cause
        return await self._kms.unwrap(wrapped, context)

    async def _put(self, key: str, data: bytes, *, only_if_new: bool = False) -> None:
        request = self._request("PUT", key, body=data, length=len(data))
        if only_if_new:
            name, value = self._dialect.only_if_new_header
            request.headers[name] = value
        async with self._sent(request) as response:
            self._check(response, *((200, 409, 412) if only_if_new else (200,)))

    async def _get(self, key: str) -> bytes | None:
        async with self._sent(self._request("GET", key)) as response:
            if response.status == 404:
                return None
            self._check(response, 200)
            return await response.read(_MOST_RECORD)

    async def _status(self, method: str) -> int:
        request = UpstreamRequest(method=method, bucket=self._bucket, body=b"" if method == "PUT" else None)
        async with self._sent(request) as response:
            return response.status

    def _request(
        self, method: str, key: str, *, body: bytes | Body | None = None, length: int | None = None
    ) -> UpstreamRequest:
        return UpstreamRequest(
            method=method,
            bucket=self._bucket,
            raw_key=quote(self._prefix + key, safe="/-_.~"),
            body=body,
            content_length=length,
        )

    @asynccontextmanager
    async def _sent(self, request: UpstreamRequest) -> AsyncIterator[UpstreamResponse]:
        async with self._upstream.send(request) as response:
            yield response

    def _check(self, response: UpstreamResponse, *statuses: int) -> None:
        if response.status not in statuses:
            raise UpstreamUnavailable(
                f"The storage answered {response.status} for a record in the state bucket. Please try again."
            )


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")


def _content_md5(document: bytes) -> str:
    return b64encode(md5(document, usedforsecurity=False).digest()).decode()
