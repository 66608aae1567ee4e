"""The state bucket: small records, MACed, and the sealed bytes of parts that wait for Complete.

Private, unversioned, never reachable through the data port. A record names what it is for: its MAC covers purpose,
bucket, state key and payload, so that no record passes for another.
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
from sseproxy.dialect.xml_reading import children, parse_xml, text_of
from sseproxy.errors import ConfigurationError, MalformedXml, StateRejected, UpstreamUnavailable
from sseproxy.exchange import Body
from sseproxy.format import lp, wrap_context
from sseproxy.format.derivation import hkdf
from sseproxy.model import Binding, WrapContext, WrappedKey, name_bytes
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS
from sseproxy.ports import Kms, Upstream, UpstreamRequest, UpstreamResponse
from sseproxy.settings import StateSettings

_KEY_NAME = "state-key"
_MAC = 32  # bytes of HMAC-SHA256
_VERSION = b"\x01"  # of a record: version, MAC, payload
_MOST_RECORD = 64 * 1024  # bytes
_MOST_DOCUMENT = 64 * 1024  # bytes of an answer that is only looked at
_PAGE = 1000  # keys of a listing, and of a DeleteObjects
_MOST_PAGE = 4 * 1024 * 1024  # bytes of a listing
_DAMAGED_KEY = "The key of the state bucket is damaged; empty the state bucket to begin anew."


@dataclass(frozen=True, slots=True)
class StateEntry:
    """A key of the state bucket, without the configured prefix."""

    key: str
    size: int
    last_modified: datetime


class StateStore:
    """Records under `settings.prefix` in `settings.bucket`, through the storage's own dialect.

    Every method raises `UpstreamUnavailable` where the storage does not do what it is asked. What reads or writes a
    MAC may raise a `KeyServiceError` as well, the first time: the MAC key lies in the bucket itself, wrapped under the
    service master key.
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
        status = await self._bucket_status("HEAD")
        if status == 404 and create:
            made = await self._bucket_status("PUT")
            status = await self._bucket_status("HEAD")
            if status == 404:
                raise ConfigurationError(
                    f"The state bucket {self._bucket} cannot be created (the storage answered {made}): create it, "
                    "and let the proxy's access key read and write it."
                )
        if status == 404:
            raise ConfigurationError(
                f"The state bucket {self._bucket} does not exist: create it, or set state.create = true."
            )
        if status != 200:
            raise ConfigurationError(
                f"The state bucket {self._bucket} cannot be used (the storage answered {status}): let the proxy's "
                "access key read and write it, or name another one in state.bucket."
            )

    # ---- records ----

    async def open_key(self, *, create: bool = True) -> None:
        """Make sure that records can be authenticated: open the state bucket's key, or make it if there is none yet.

        Raises a `KeyServiceError` where the bucket belongs to a proxy with other keys, `StateRejected`,
        `UpstreamUnavailable`.
        """
        if create or await self._get(_KEY_NAME) is not None:
            await self._state_key()

    async def wrapped_key(self) -> WrappedKey | None:
        """Return the state bucket's key as it lies there; None where there is none yet. Raises `StateRejected`."""
        data = await self._get(_KEY_NAME)
        return None if data is None else _parse_key(data)

    async def rewrap_key(self) -> None:
        """Wrap the state bucket's key again, under the newest version of the service master key.

        Raises what `open_key` does. The key stays the same one, so that whoever else does this does no harm.
        """
        wrapped = await self._kms.wrap(SERVICE_KEY_ALIAS, await self._state_key(), self._key_context)
        await self._put(_KEY_NAME, msgpack.packb([wrapped.key_id, wrapped.blob]))

    async def put(self, key: str, payload: bytes, *, purpose: str, bucket: str) -> None:
        """Write a record about a bucket of the clients'."""
        mac = await self._mac(key, payload, purpose, bucket)
        await self._put(key, _VERSION + mac + payload)

    async def put_new(self, key: str, payload: bytes, *, purpose: str, bucket: str) -> bytes:
        """Write a record unless there is one. Returns the record that is there now, which all who do this agree on."""
        mac = await self._mac(key, payload, purpose, bucket)
        await self._put(key, _VERSION + mac + payload, only_if_new=True)
        present = await self.get(key, purpose=purpose, bucket=bucket)
        if present is None:
            raise UpstreamUnavailable("A record in the state bucket was gone as soon as it was written.")
        return present

    async def get(self, key: str, *, purpose: str, bucket: str) -> bytes | None:
        """Read a record, None where there is none. Raises `StateRejected` where its MAC is wrong."""
        data = await self._get(key)
        if data is None:
            return None
        mac, payload = data[1 : 1 + _MAC], data[1 + _MAC :]
        if data[:1] != _VERSION or not hmac.compare_digest(mac, await self._mac(key, payload, purpose, bucket)):
            raise StateRejected
        return payload

    async def get_unverified(self, key: str) -> bytes | None:
        """Read a record whose MAC cannot be checked yet, because it itself says which bucket it is about.

        Only for finding out what to `get`.
        """
        data = await self._get(key)
        return None if data is None else data[1 + _MAC :]

    async def put_marker(self, key: str) -> None:
        """Write a record that travels in its key, and authenticates itself."""
        await self._put(key, b"")

    async def put_stream(self, key: str, body: Body, length: int | None) -> None:
        """Write sealed bytes, `length` of them where it is known. What the body raises is raised."""
        async with self._upstream.send(self._request("PUT", key, body=body, length=length)) as response:
            await self._expect(response, 200)

    @asynccontextmanager
    async def get_stream(self, key: str) -> AsyncIterator[Body | None]:
        """Open sealed bytes; None where there are none."""
        async with self._upstream.send(self._request("GET", key)) as response:
            if await self._is_absent(response):
                yield None
                return
            self._check(response, 200)
            async with aclosing(response.stream()) as body:
                yield body

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove keys, at most 1,000; those that are not there count as removed."""
        if len(keys) == 1:
            async with self._upstream.send(self._request("DELETE", keys[0])) as response:
                await self._expect(response, 200, 204, 404)
            return
        document = self._dialect.xml.render_delete([self._prefix + key for key in keys])
        headers = CIMultiDict({"Content-Type": "application/xml", "Content-MD5": _content_md5(document)})
        request = UpstreamRequest(
            method="POST",
            bucket=self._bucket,
            raw_query="delete",
            headers=headers,
            body=document,
            content_length=len(document),
        )
        async with self._upstream.send(request) as response:
            self._check(response, 200)
            _check_deleted(await response.read(_MOST_PAGE))

    async def list(self, prefix: str, *, start_after: str = "") -> AsyncGenerator[StateEntry]:
        """Yield the keys that begin with `prefix` and come after `start_after`, in order, 1,000 a page."""
        token: str | None = None
        while True:
            query = f"list-type=2&encoding-type=url&max-keys={_PAGE}&prefix={_quoted(self._prefix + prefix)}"
            if start_after:
                query += f"&start-after={_quoted(self._prefix + start_after)}"
            if token is not None:
                query += f"&continuation-token={_quoted(token)}"
            request = UpstreamRequest(method="GET", bucket=self._bucket, raw_query=query)
            async with self._upstream.send(request) as response:
                self._check(response, 200)
                found, token = self._dialect.xml.parse_keys(await response.read(_MOST_PAGE))
            for key, size, last_modified in found:
                yield StateEntry(key.removeprefix(self._prefix), size, last_modified)
            if token is None:
                return

    # ---- the MAC ----

    async def _mac(self, key: str, payload: bytes, purpose: str, bucket: str) -> bytes:
        parts = (purpose.encode(), name_bytes(bucket), name_bytes(key), payload)
        return hmac.digest(await self._state_key(), b"".join(map(lp, parts)), "sha256")

    async def _state_key(self) -> bytes:
        """Return the MAC key: 32 random bytes, made once for all processes."""
        if self._mac_key is None:
            async with self._loading:
                if self._mac_key is None:
                    self._mac_key = await self._load_key()
        return self._mac_key

    async def _load_key(self) -> bytes:
        data = await self._get(_KEY_NAME)
        if data is None:
            wrapped = await self._kms.wrap(SERVICE_KEY_ALIAS, secrets.token_bytes(_MAC), self._key_context)
            await self._put(_KEY_NAME, msgpack.packb([wrapped.key_id, wrapped.blob]), only_if_new=True)
            # Another process may have been faster: what is there now is what everybody uses.
            data = await self._get(_KEY_NAME)
        return await self._kms.unwrap(_parse_key(data), self._key_context)

    @property
    def _key_context(self) -> WrapContext:
        return wrap_context(
            purpose="state", algorithm="", layout="", binding=Binding.BUCKET_KEY, bucket=self._bucket, key=_KEY_NAME
        )

    async def derive(self, purpose: str) -> bytes:
        """Return 32 bytes that all proxies on this state bucket derive alike, and that open no record."""
        return hkdf(await self._state_key(), None, f"sseproxy/state/{purpose}".encode(), _MAC)

    # ---- the storage ----

    async def _put(self, key: str, data: bytes, *, only_if_new: bool = False) -> None:
        request = self._request("PUT", key, body=data, length=len(data))
        if only_if_new:
            name, value = self._dialect.only_if_new_header
            request.headers[name] = value
        async with self._upstream.send(request) as response:
            await self._expect(response, *((200, 409, 412) if only_if_new else (200,)))

    async def _get(self, key: str) -> bytes | None:
        async with self._upstream.send(self._request("GET", key)) as response:
            if await self._is_absent(response):
                return None
            self._check(response, 200)
            return await response.read(_MOST_RECORD)

    async def _bucket_status(self, method: str) -> int:
        """Return what the storage says of the bucket. Raises `UpstreamUnavailable` where it fails."""
        request = UpstreamRequest(method=method, bucket=self._bucket, body=b"" if method == "PUT" else None)
        async with self._upstream.send(request) as response:
            if response.status >= 500:
                raise UpstreamUnavailable(
                    f"The storage answered {response.status} for the state bucket {self._bucket}. Please try again."
                )
            return response.status

    def _request(
        self, method: str, key: str, *, body: bytes | Body | None = None, length: int | None = None
    ) -> UpstreamRequest:
        raw_key = quote(name_bytes(self._prefix + key), safe="/-_.~")
        return UpstreamRequest(method=method, bucket=self._bucket, raw_key=raw_key, body=body, content_length=length)

    async def _is_absent(self, response: UpstreamResponse) -> bool:
        """Whether a key is not there. A whole bucket that is not there is a failure, never an empty answer."""
        if response.status != 404:
            return False
        code, _, _ = self._dialect.xml.parse_error(await response.read(_MOST_DOCUMENT))
        if code == "NoSuchBucket":
            raise UpstreamUnavailable(f"The state bucket {self._bucket} is gone.")
        return True

    async def _expect(self, response: UpstreamResponse, *statuses: int) -> None:
        """Check the status of an answer and read it to its end, so that the connection serves again."""
        self._check(response, *statuses)
        await response.read(_MOST_DOCUMENT)

    def _check(self, response: UpstreamResponse, *statuses: int) -> None:
        if response.status not in statuses:
            raise UpstreamUnavailable(
                f"The storage answered {response.status} for a record in the state bucket. Please try again."
            )


def _parse_key(data: bytes | None) -> WrappedKey:
    """Return the wrapped MAC key. Raises `StateRejected`."""
    try:
        fields = msgpack.unpackb(data or b"")
    except (ValueError, msgpack.UnpackException) as cause:
        raise StateRejected(_DAMAGED_KEY) from cause
    match fields:
        case [str(key_id), bytes(blob)]:
            return WrappedKey(key_id=key_id, blob=blob)
        case _:
            raise StateRejected(_DAMAGED_KEY)


def _check_deleted(document: bytes) -> None:
    """Raise `UpstreamUnavailable` where a quiet DeleteObjects, which answers failures alone, names one."""
    if not document.strip():
        return
    try:
        failed = {text_of(error, "Code") for error in children(parse_xml(document), "Error")}
    except MalformedXml as cause:
        raise UpstreamUnavailable("The storage's answer could not be read.") from cause
    if failed - {"NoSuchKey"}:
        raise UpstreamUnavailable("The storage did not remove all records. Please try again.")


def _quoted(text: str) -> str:
    return quote(name_bytes(text), safe="-_.~")


def _content_md5(document: bytes) -> str:
    return b64encode(md5(document, usedforsecurity=False).digest()).decode()
