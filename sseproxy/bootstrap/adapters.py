"""Settings to adapters: clock, key service, storage, state."""

from collections.abc import Collection, Mapping
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sseproxy.bootstrap.telemetry import Telemetry
from sseproxy.cache.file import open_file_cache
from sseproxy.cache.memory import MemoryCache
from sseproxy.dialect import DIALECTS
from sseproxy.errors import ConfigurationError, KeyServiceError, UpstreamUnavailable
from sseproxy.kms import build_kms
from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.operations.counted_kms import CountedKms
from sseproxy.operations.kek_records import KekRecords
from sseproxy.operations.keks import KekLimits, Keks
from sseproxy.operations.state_store import StateStore
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS
from sseproxy.ports import Auditor, Clock, EntryCache, Kms, Observer, Upstream
from sseproxy.settings import Settings
from sseproxy.settings_audit import AuditSettings
from sseproxy.telemetry.audit import AuditLog
from sseproxy.tls import RenewableContext
from sseproxy.upstream.client import HttpUpstream, open_upstream

_ENTRIES_FILE = "entries.sqlite3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """What implements the ports for a process. `upstreams` by dialect; `pool` for what takes the processor longer.

    `store_tls` is what the upstreams speak TLS with, None over plain HTTP; `key_tls`, by name, what is spoken to key
    services with a CA of their own.
    """

    upstreams: Mapping[str, HttpUpstream]
    store_tls: RenewableContext | None
    key_tls: Mapping[str, RenewableContext]
    state: StateStore
    kms: Kms
    entries: EntryCache
    clock: Clock
    telemetry: Telemetry
    pool: Executor


class SystemClock:
    """The real time."""

    def now(self) -> datetime:
        """Return the present time in UTC."""
        return datetime.now(UTC)


def open_kms(settings: Settings, clock: Clock) -> EmbeddedKms:
    """Open the embedded KMS. Raises `ConfigurationError`; whoever opens it closes it."""
    if settings.kms is None:
        raise ConfigurationError("There is no embedded KMS: its keys are those of the section `kms`, which is not set.")
    aliases = {SERVICE_KEY_ALIAS, *(dialect.sse.default_key_alias for dialect in DIALECTS.values())}
    return build_kms(settings.kms, clock, created_on_first_use=aliases)


async def open_upstreams(
    stack: AsyncExitStack,
    settings: Settings,
    dialects: Collection[str],
    clock: Clock,
    observer: Observer,
    *,
    tls: RenewableContext | None = None,
) -> dict[str, HttpUpstream]:
    """Open the storage in each of the dialects; `stack` closes it. `tls` is shared by all; None: one for each."""
    return {
        name: await stack.enter_async_context(
            open_upstream(settings.upstream, DIALECTS[name], clock, observer, tls=tls)
        )
        for name in dialects
    }


def build_state(settings: Settings, upstreams: Mapping[str, Upstream], kms: Kms) -> StateStore:
    """Return the state store, which speaks the store's own dialect whatever clients speak."""
    name = settings.upstream.dialect
    return StateStore(upstreams[name], DIALECTS[name], settings.state, kms)


async def open_entry_cache(stack: AsyncExitStack, settings: Settings) -> EntryCache:
    """Open the cache of listings' entries; `stack` closes it. Raises `ConfigurationError` for an unusable file."""
    cache = settings.cache
    if cache.entries_url is not None:
        # A tenth of every start goes into importing its client, which few configurations need.
        from sseproxy.cache.server import open_server_cache

        server = open_server_cache(cache.entries_url.get_secret_value(), int(cache.entries_lifetime))
        return await stack.enter_async_context(server)
    path = cache.entries_file
    if path is None and settings.kms is not None:
        path = settings.kms.database.with_name(_ENTRIES_FILE)
    if path is None:
        return MemoryCache(cache.entries)
    return await stack.enter_async_context(open_file_cache(path, cache.entries))


def build_keks(settings: Settings, kms: Kms, records: KekRecords, clock: Clock, observer: Observer) -> Keks:
    """Return the bucket keys of this process."""
    limits = KekLimits(settings.encryption.bucket_key_lifetime, settings.encryption.bucket_key_objects)
    counted = CountedKms(kms, clock, observer)
    return Keks(counted, records, limits, settings.cache, clock=clock, observer=observer)


def build_auditor(settings: AuditSettings, clock: Clock, telemetry: Telemetry) -> Auditor | None:
    """Return the audit log, None where there is none. Raises `ConfigurationError` where it cannot be written."""
    if settings.path is None:
        return None
    return AuditLog(telemetry.output if settings.path == "-" else Path(settings.path), clock, telemetry.observer)


def unreachable(settings: Settings, error: UpstreamUnavailable) -> str:
    """Return what an operator is told when the storage gives no answer, or cannot be asked for lack of credentials."""
    if isinstance(error.__cause__, KeyServiceError):
        return f"nobody lends credentials for the store {settings.upstream.endpoint}: {error.__cause__.message}"
    reason = error.__cause__ if error.__cause__ is not None else error.message
    return (
        f"the store {settings.upstream.endpoint} cannot be reached ({reason}); check upstream.endpoint and the network"
    )


def other_keys(settings: Settings, error: KeyServiceError) -> str:
    """Return what an operator is told when the state bucket was begun under the keys of another KMS."""
    return (
        f"the state bucket {settings.state.bucket} cannot be opened with the keys of this KMS ({error.message}); "
        "put the right KMS database back, or give this proxy a state.bucket or state.prefix of its own"
    )
