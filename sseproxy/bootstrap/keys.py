"""What `sseproxy keys` runs with: the embedded KMS alone, beside whatever proxies have it open."""

from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import uvloop

from sseproxy.bootstrap.adapters import SystemClock
from sseproxy.bootstrap.dev import DevOptions, dev_settings
from sseproxy.bootstrap.key_services import open_key_services
from sseproxy.bootstrap.telemetry import build_telemetry
from sseproxy.errors import ConfigurationError
from sseproxy.kms import build_kms
from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.model import KeyDescription
from sseproxy.settings import EmbeddedKmsSettings, LoggingSettings, Settings

T = TypeVar("T")
_NOWHERE = "http://127.0.0.1:1"  # no store is asked
Place = Settings | Path  # a configuration, or the directory of a dev server


def run_with_keys(place: Place, work: Callable[[EmbeddedKms], Awaitable[T]], *, create: bool = False) -> T:
    """Open the embedded KMS of a place, do something with it and return the result.

    Raises `ConfigurationError` where there is none, unless it is to be created, and whatever `work` raises.
    """
    settings = embedded_settings(place) if create else existing_database(place)

    async def run() -> T:
        with closing(build_kms(settings, SystemClock(), created_on_first_use=())) as kms:
            return await work(kms)

    return uvloop.run(run())


def describe_anywhere(settings: Settings, name: str) -> KeyDescription:
    """Return what the key service says that has a CMK. Raises `KeyServiceError`s."""

    async def run() -> KeyDescription:
        observer = build_telemetry(LoggingSettings(level="error", access_log=False)).observer
        async with open_key_services(settings, SystemClock(), observer) as services:
            return await services.describe(name)

    return uvloop.run(run())


def named_keys(settings: Settings) -> list[str]:
    """Return the CMKs, by id or alias, that a configuration names."""
    encryption = settings.encryption
    buckets = encryption.buckets.values()
    names = {settings.remote_kms.service_key, encryption.default_key_id, *(rule.default_key_id for rule in buckets)}
    names.update(encryption.allowed_keys or (), *(rule.allowed_keys or () for rule in buckets))
    return sorted(name for name in names if name is not None)


def embedded_settings(place: Place) -> EmbeddedKmsSettings:
    """Return the settings of a place's embedded KMS. Raises `ConfigurationError` where it has none."""
    if isinstance(place, Path) and not (place / "root.key").exists():
        raise ConfigurationError(f"{place} is not the directory of a dev server; give the --data it was started with")
    settings = dev_settings(DevOptions(data=place), _NOWHERE, "none", "none") if isinstance(place, Path) else place
    if settings.kms is None:
        raise ConfigurationError(
            "There is no embedded KMS in this configuration: CMKs of a remote key service are looked after there; "
            "`keys list` and `keys describe` show them."
        )
    return settings.kms


def existing_database(place: Place) -> EmbeddedKmsSettings:
    """Return the settings of a place's embedded KMS. Raises `ConfigurationError` where it has no database yet."""
    settings = embedded_settings(place)
    if not settings.database.exists():
        raise ConfigurationError(
            f"The key database {settings.database} does not exist: name the proxy's own, or begin it with "
            "`sseproxy keys create`."
        )
    return settings
