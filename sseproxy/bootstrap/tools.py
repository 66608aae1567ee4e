"""What bulk tools run with: the operations' services without a server, from a configuration or a dev directory."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import uvloop

from sseproxy.bootstrap.adapters import SystemClock, build_keks, other_keys, unreachable
from sseproxy.bootstrap.dev import DevOptions, dev_settings
from sseproxy.bootstrap.dev_store import reaching_store
from sseproxy.bootstrap.failures import StartFailed
from sseproxy.bootstrap.key_services import open_key_services
from sseproxy.bootstrap.opening import open_adapters
from sseproxy.bootstrap.proxy import build_services
from sseproxy.bootstrap.telemetry import build_telemetry
from sseproxy.bulk.context import Tools
from sseproxy.errors import ConfigurationError, KeyServiceError, UpstreamUnavailable
from sseproxy.format import Envelope
from sseproxy.model import Binding, WrappedKey
from sseproxy.operations.kek_records import NoKekRecords
from sseproxy.operations.keyring import Keyring
from sseproxy.operations.state_store import StateStore
from sseproxy.policy.encryption import EncryptionRule
from sseproxy.ports import Kms
from sseproxy.settings import LoggingSettings, Settings

T = TypeVar("T")
Place = Settings | Path  # a configuration, or the directory of a dev server

_QUIET = LoggingSettings(level="error", access_log=False)


def run_with_tools(place: Place, work: Callable[[Tools], Awaitable[T]]) -> T:
    """Run a bulk tool to its end and return its result.

    Raises `ConfigurationError`, `StartFailed`, and whatever `work` raises.
    """

    async def run() -> T:
        async with _settings_of(place) as settings, _open_tools(settings) as tools:
            return await work(tools)

    return uvloop.run(run())


def run_with_keyring(place: Place, work: Callable[[Keyring], Awaitable[T]]) -> T:
    """Run a tool that needs the key service alone, no store: every binding is accepted, every CMK allowed.

    Raises `ConfigurationError`, and whatever `work` raises.
    """
    settings = _offline(place) if isinstance(place, Path) else place
    _check_database(settings)
    rule = EncryptionRule(accept_bindings=frozenset(Binding))

    async def run() -> T:
        clock = SystemClock()
        observer = build_telemetry(_QUIET).observer
        async with open_key_services(settings, clock, observer) as kms:
            keks = build_keks(settings, kms, NoKekRecords(), clock, observer)
            keyring = Keyring(kms, settings.cache, lambda _bucket: rule, keks=keks, clock=clock, observer=observer)
            return await work(keyring)

    return uvloop.run(run())


def _offline(data: Path) -> Settings:
    """Return a dev server's settings without its store."""
    _check_directory(data)
    return dev_settings(DevOptions(data=data), "http://127.0.0.1:1", "none", "none")


def _check_directory(data: Path) -> None:
    if not (data / "root.key").exists():
        raise ConfigurationError(f"{data} is not the directory of a dev server; give the --data it was started with")


@asynccontextmanager
async def _settings_of(place: Place) -> AsyncGenerator[Settings, None]:
    if isinstance(place, Settings):
        yield place
        return
    _check_directory(place)
    options = DevOptions(data=place)
    async with reaching_store(place, options.region) as store:
        yield dev_settings(options, store.endpoint, store.access_key, store.secret_key)


@asynccontextmanager
async def _open_tools(settings: Settings) -> AsyncGenerator[Tools, None]:
    _check_database(settings)
    name = settings.upstream.dialect
    async with AsyncExitStack() as stack:
        adapters = await open_adapters(stack, settings, build_telemetry(_QUIET), dialects={name}, see_to=_check_state)
        services = build_services(settings, adapters)[name]
        yield Tools(
            services=services,
            key_version=partial(_key_version, adapters.kms),
            wrap_version=adapters.kms.version_of,
            describe_key=adapters.kms.describe,
        )


def _check_database(settings: Settings) -> None:
    """Refuse to begin a new key database: whoever works on sealed objects has one."""
    if settings.kms is not None and not settings.kms.database.exists():
        raise ConfigurationError(
            f"The key database {settings.kms.database} does not exist: name the proxy's own in kms.database."
        )


async def _check_state(state: StateStore, settings: Settings) -> None:
    """See that the state bucket, if it was begun, belongs to these keys. Changes nothing."""
    try:
        await state.open_key(create=False)
    except KeyServiceError as cause:
        raise ConfigurationError(other_keys(settings, cause)) from cause
    except UpstreamUnavailable as cause:
        if cause.__cause__ is None:
            raise
        raise StartFailed(unreachable(settings, cause)) from cause


def _key_version(kms: Kms, envelope: Envelope) -> str | None:
    """Return the version of the CMK that an envelope's outermost wrap names, None where it does not show it."""
    if envelope.key_version is not None:
        return envelope.key_version
    blob = envelope.wrapped_key if envelope.wrapped_kek is None else envelope.wrapped_kek
    return kms.version_of(WrappedKey(key_id=envelope.key_id, blob=blob))
