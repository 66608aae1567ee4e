"""Everything an operation needs, in memory, and how to ask for it."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial

from multidict import CIMultiDict

from sseproxy.cache.memory import MemoryCache
from sseproxy.dialect.base import Dialect
from sseproxy.exchange import Body, Response
from sseproxy.format import Envelope, decode_envelope
from sseproxy.operations.bucket_defaults import BucketDefaults
from sseproxy.operations.bucket_states import BucketStates
from sseproxy.operations.condition_probe import KnownConditions
from sseproxy.operations.context import Services
from sseproxy.operations.dispatch import handle
from sseproxy.operations.kek_records import StateKekRecords
from sseproxy.operations.keks import KekLimits, Keks
from sseproxy.operations.keyring import Keyring
from sseproxy.operations.known_entries import KnownEntries
from sseproxy.operations.state_store import StateStore
from sseproxy.policy.encryption import EncryptionRule, rule_for
from sseproxy.ports import Upstream, UpstreamRequest
from sseproxy.settings import CacheSettings, EncryptionSettings, LimitsSettings, StateSettings
from sseproxy.stage import Buffer
from tests.operations.fakes import FakeClock, FakeKms, FakeObserver, Journal, make_request


@dataclass
class Answer:
    """A response whose body has been read."""

    status: int
    headers: dict[str, str]
    body: bytes
    content_length: int | None

    def __getitem__(self, name: str) -> str:
        return {given.lower(): value for given, value in self.headers.items()}[name.lower()]

    def __contains__(self, name: str) -> bool:
        return name.lower() in {given.lower() for given in self.headers}


@dataclass
class World:
    """A proxy without sockets: services over a storage in memory."""

    services: Services
    storage: Upstream
    journal: Journal
    kms: FakeKms
    clock: FakeClock
    observer: FakeObserver

    @property
    def dialect(self) -> Dialect:
        return self.services.dialect

    def name(self, header: str) -> str:
        """Return a header's full name in the world's dialect."""
        return self.dialect.header(header)

    async def do(
        self,
        method: str,
        target: str,
        body: bytes | Sequence[bytes] | Body = b"",
        headers: Mapping[str, str] | None = None,
        *,
        length: int | None = -1,
        trailers: dict[str, str] | None = None,
        signed: bool = True,
    ) -> Answer:
        """Send a request and read the whole answer. Header names: `_` stands for `-`, `own_` for the prefix."""
        named = {self._header(name): value for name, value in (headers or {}).items()}
        request = make_request(method, target, body, headers=named, length=length, trailers=trailers, signed=signed)
        begun = self.journal.open_exchanges
        try:
            return await read(await handle(self.services, request))
        finally:
            # Whatever happened, no exchange with the storage stays open.
            assert self.journal.open_exchanges == begun

    async def put(self, key: str, body: bytes, **headers: str) -> Answer:
        """Put an object into the bucket that is always there."""
        return await self.do("PUT", f"/bucket/{key}", body, headers)

    async def get(self, key: str, **headers: str) -> Answer:
        """Get an object from there."""
        return await self.do("GET", f"/bucket/{key}", headers=headers)

    async def head(self, key: str, **headers: str) -> Answer:
        """Ask for its headers."""
        return await self.do("HEAD", f"/bucket/{key}", headers=headers)

    async def stored(self, key: str) -> bytes:
        """Return the bytes that the storage holds of an object."""
        return (await self._past_the_proxy("GET", key))[1]

    async def stored_headers(self, key: str) -> CIMultiDict[str]:
        """Return the headers that the storage answers for an object."""
        return (await self._past_the_proxy("HEAD", key))[0]

    async def envelope(self, key: str) -> Envelope:
        """Return an object's envelope."""
        return decode_envelope((await self.stored_headers(key))[self.dialect.envelope_header])

    async def has(self, key: str) -> bool:
        """Whether the storage has an object."""
        request = UpstreamRequest(method="HEAD", bucket="bucket", raw_key=key)
        async with self.storage.send(request) as response:
            return response.status == 200

    async def seed(self, key: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Put an object into the storage, past the proxy."""
        await self._past_the_proxy("PUT", key, body, headers)

    async def reseed(self, key: str, body: bytes) -> None:
        """Change the stored bytes of an object, its metadata untouched."""
        headers = await self.stored_headers(key)
        meta = {name: value for name, value in headers.items() if name.lower().startswith(self.dialect.meta_prefix)}
        await self.seed(key, body, meta)

    async def copy_past_the_proxy(self, key: str, bucket: str) -> None:
        """Let the storage copy an object with its metadata into another bucket, as a backup tool does."""
        headers = CIMultiDict({self.name("copy-source"): f"/bucket/{key}"})
        request = UpstreamRequest(method="PUT", bucket=bucket, raw_key=key, headers=headers, body=b"")
        async with self.storage.send(request) as response:
            assert response.status == 200, response.status

    async def _past_the_proxy(
        self, method: str, key: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[CIMultiDict[str], bytes]:
        request = UpstreamRequest(
            method=method, bucket="bucket", raw_key=key, headers=CIMultiDict(headers or {}), body=body
        )
        async with self.storage.send(request) as response:
            assert response.status == 200, response.status
            content = b"" if method == "HEAD" else await response.read(64 * 1024 * 1024)
            return CIMultiDict(response.headers), content

    def other_process(self) -> "World":
        """Return a second proxy on the same storage and KMS, which knows nothing of what this one remembers."""
        services = _services(self.dialect, self.journal, self.kms, self.clock, self.observer, self.services.digest_pool)
        return replace(self, services=services)

    def _header(self, name: str) -> str:
        if name.startswith("own_"):
            return self.name(name.removeprefix("own_").replace("_", "-"))
        return name.replace("_", "-")


async def build_world(dialect: Dialect, storage: Upstream, pool: Executor) -> World:
    """Build a proxy over a storage and create what is always there: the state bucket, and a mixed `bucket`."""
    journal, kms, clock, observer = Journal(storage), FakeKms(), FakeClock(), FakeObserver()
    world = World(
        services=_services(dialect, journal, kms, clock, observer, pool),
        storage=storage,
        journal=journal,
        kms=kms,
        clock=clock,
        observer=observer,
    )
    await world.services.state.ensure_bucket(create=True)
    async with storage.send(UpstreamRequest(method="PUT", bucket="bucket", body=b"")) as response:
        assert response.status == 200, response.status
    journal.sent.clear()
    return world


def _services(
    dialect: Dialect, journal: Journal, kms: FakeKms, clock: FakeClock, observer: FakeObserver, pool: Executor
) -> Services:
    encryption, limits, state_settings = EncryptionSettings(), LimitsSettings(lookups=4), StateSettings()
    state = StateStore(journal, dialect, state_settings, kms)
    return Services(
        dialect=dialect,
        upstream=journal,
        state=state,
        keyring=_keyring(kms, state, clock, observer),
        bucket_defaults=BucketDefaults(state, clock, encryption.bucket_settings_lifetime),
        bucket_states=BucketStates(state, clock, encryption.bucket_settings_lifetime, observer),
        conditions=KnownConditions(journal, dialect, state_settings, observer, lacks=()),
        encryption=encryption,
        limits=limits,
        state_settings=state_settings,
        clock=clock,
        observer=observer,
        digest_pool=pool,
        known_entries=KnownEntries(
            MemoryCache(1000), partial(state.derive, "listing-entries"), clock=clock, observer=observer
        ),
        look_ups=asyncio.Semaphore(limits.lookups),
    )


def _keyring(kms: FakeKms, state: StateStore, clock: FakeClock, observer: FakeObserver) -> Keyring:
    def rule_of(bucket: str) -> EncryptionRule:
        return rule_for(EncryptionSettings(), bucket)

    cache = CacheSettings()
    keks = Keks(kms, StateKekRecords(state), KekLimits(86400, 1000), cache, clock=clock, observer=observer)
    return Keyring(kms, cache, rule_of, keks=keks, clock=clock, observer=observer)


async def read(response: Response) -> Answer:
    """Return a response with its body read to the end."""
    return Answer(
        status=response.status,
        headers=dict(response.headers),
        body=response.body if isinstance(response.body, bytes) else b"".join(await _all(response.body)),
        content_length=response.content_length,
    )


async def _all(body: Body) -> list[Buffer]:
    return [bytes(data) async for data in body]
