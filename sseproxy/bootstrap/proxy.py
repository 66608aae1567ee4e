"""The proxy as a whole: settings to a running data port and admin port."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from sseproxy.bootstrap.adapters import Adapters, build_auditor, build_keks, other_keys, unreachable
from sseproxy.bootstrap.certificates import reloading, renewed, tls_context
from sseproxy.bootstrap.client_keys import build_client_kms, load_client_keys
from sseproxy.bootstrap.failures import StartFailed
from sseproxy.bootstrap.key_care import build_grants, maintained
from sseproxy.bootstrap.listening import listening
from sseproxy.bootstrap.opening import open_adapters
from sseproxy.bootstrap.telemetry import Telemetry
from sseproxy.dialect import DIALECTS, configured_dialect
from sseproxy.errors import ConfigurationError, KeyServiceError, KeyServiceUnavailable, UpstreamUnavailable
from sseproxy.operations.audited_keyring import AuditedKeyring
from sseproxy.operations.bucket_defaults import BucketDefaults
from sseproxy.operations.bucket_states import BucketStates
from sseproxy.operations.condition_probe import KnownConditions
from sseproxy.operations.context import Services
from sseproxy.operations.dispatch import handle
from sseproxy.operations.kek_records import StateKekRecords
from sseproxy.operations.keyring import Keyring
from sseproxy.operations.known_entries import KnownEntries
from sseproxy.operations.state_store import StateStore
from sseproxy.policy.encryption import rule_for
from sseproxy.server.admin import Reports, create_admin_server
from sseproxy.server.app import create_server
from sseproxy.server.gateway import Backing
from sseproxy.server.readiness import ProcessReports, Readiness
from sseproxy.settings import Settings

Admin = Callable[[Reports], AbstractAsyncContextManager[str]]  # reports while it is open, and says where

_ADMIN_DRAIN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a running proxy is reached, as URLs; also where port 0 was asked for."""

    data: str
    admin: str


@asynccontextmanager
async def running_proxy(
    settings: Settings, telemetry: Telemetry, *, dialects: Collection[str] = (), admin: Admin | None = None
) -> AsyncGenerator[Addresses, None]:
    """Run the proxy while the context is open; leaving it drains.

    `dialects`: those that are served, by default only the store's. `admin`: where this process reports, by default on
    the admin port. Raises `StartFailed`, `ConfigurationError` or `StateRejected` where it cannot start.
    """
    tls = tls_context(settings.listen)
    async with AsyncExitStack() as stack:
        adapters = await open_adapters(
            stack, settings, telemetry, dialects=dialects or {settings.upstream.dialect}, see_to=_open_state
        )
        state, kms = adapters.state, adapters.kms
        looks = {"storage": lambda: state.ensure_bucket(create=False), "keys": kms.healthy}
        readiness = Readiness(looks, adapters.clock)
        reports = ProcessReports(readiness, telemetry.metrics.render)
        admin_url = await stack.enter_async_context((admin or _admin_port(settings))(reports))
        services = build_services(settings, adapters)
        data = create_server(_backing(settings, adapters, services))
        data_url = await stack.enter_async_context(
            listening(
                data,
                settings.listen.address,
                tls=tls,
                drain_timeout_s=settings.limits.drain_timeout,
                shared=settings.listen.workers > 1,
            )
        )
        contexts = renewed(settings, tls, adapters.store_tls, adapters.key_tls)
        await stack.enter_async_context(reloading(contexts, telemetry.logger))
        await stack.enter_async_context(maintained(kms, telemetry.observer, _keyring_of(services).rewrap_keks))
        stack.callback(readiness.drain)
        telemetry.observer.count("workers")
        yield Addresses(data=data_url, admin=admin_url)


def _admin_port(settings: Settings) -> Admin:
    """Return what reports on the admin port."""

    def serve(reports: Reports) -> AbstractAsyncContextManager[str]:
        return listening(create_admin_server(reports), settings.listen.admin_address, drain_timeout_s=_ADMIN_DRAIN_S)

    return serve


def _keyring_of(services: Mapping[str, Services]) -> Keyring:
    """Return the keyring; all dialects have the same one."""
    return next(iter(services.values())).keyring


def _backing(settings: Settings, adapters: Adapters, services: Mapping[str, Services]) -> Backing:
    return Backing(
        handlers={name: partial(handle, one) for name, one in services.items()},
        listen=settings.listen,
        clients=settings.clients,
        limits=settings.limits,
        clock=adapters.clock,
        observer=adapters.telemetry.observer,
        access_log=adapters.telemetry.access_log,
        digest_pool=adapters.pool,
    )


async def _open_state(state: StateStore, settings: Settings) -> None:
    """See to it that the state bucket is there and ours: better a start that fails than every upload later."""
    try:
        await state.ensure_bucket(create=settings.state.create)
        await state.open_key()
    except UpstreamUnavailable as cause:
        raise StartFailed(unreachable(settings, cause)) from cause
    except KeyServiceUnavailable as cause:
        raise StartFailed(cause.message) from cause
    except KeyServiceError as cause:
        raise ConfigurationError(other_keys(settings, cause)) from cause


def build_services(settings: Settings, adapters: Adapters) -> dict[str, Services]:
    """Return what operations need, for each dialect of the storage."""
    clock, observer, state = adapters.clock, adapters.telemetry.observer, adapters.state
    keyring = Keyring(
        adapters.kms,
        settings.cache,
        lambda bucket: rule_for(settings.encryption, bucket),
        keks=build_keks(settings, adapters.kms, StateKekRecords(state), clock, observer),
        clock=clock,
        observer=observer,
        grants=build_grants(settings.clients, adapters.kms),
    )
    auditor = build_auditor(settings.audit, clock, adapters.telemetry)
    if auditor is not None:
        keyring = AuditedKeyring(keyring, auditor)
    secret = partial(state.derive, "listing-entries")
    known_entries = KnownEntries(adapters.entries, secret, clock=clock, observer=observer)
    look_ups = asyncio.Semaphore(settings.limits.lookups)
    client_keys = load_client_keys(settings.encryption.client_key_files)
    client_kms = build_client_kms(settings, adapters.kms, clock, observer)
    defaults = BucketDefaults(state, clock, settings.encryption.bucket_settings_lifetime)
    states = BucketStates(state, clock, settings.encryption.bucket_settings_lifetime, observer)
    return {
        name: Services(
            dialect=configured_dialect(DIALECTS[name], settings.encryption),
            upstream=upstream,
            state=state,
            keyring=keyring,
            bucket_defaults=defaults,
            bucket_states=states,
            conditions=KnownConditions(
                upstream, DIALECTS[name], settings.state, observer, lacks=settings.upstream.lacks
            ),
            encryption=settings.encryption,
            limits=settings.limits,
            state_settings=settings.state,
            clock=clock,
            observer=observer,
            digest_pool=adapters.pool,
            look_ups=look_ups,
            known_entries=known_entries,
            client_keys=client_keys,
            client_kms=client_kms,
            public=upstream.unsigned() if settings.clients.anonymous == "store" else None,
        )
        for name, upstream in adapters.upstreams.items()
    }
