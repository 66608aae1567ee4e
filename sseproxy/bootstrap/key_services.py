"""Settings to key services: the embedded one, remote ones with their connections, and what leads to each."""

from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, closing
from types import MappingProxyType

from sseproxy.bootstrap.adapters import open_kms
from sseproxy.credentials.http import Http, open_session, trusting
from sseproxy.kms.alibaba import AlibabaKms
from sseproxy.kms.aws import AwsKms
from sseproxy.kms.cloud_credentials import build_alibaba_credentials, build_aws_credentials
from sseproxy.kms.hsm import Pkcs11Kms
from sseproxy.kms.resilience import Endurance, ResilientClientKeyKms, ResilientKms
from sseproxy.kms.routing import RoutedKms, Way
from sseproxy.kms.vault import VaultKms
from sseproxy.kms.vault_login import VaultLogin
from sseproxy.ports import Clock, Kms, Observer
from sseproxy.settings import Settings
from sseproxy.settings_remote_kms import (
    EMBEDDED,
    AlibabaKmsSettings,
    AwsKmsSettings,
    HttpKeyServiceSettings,
    KeyServiceSettings,
    Pkcs11KmsSettings,
    VaultKmsSettings,
)
from sseproxy.tls import RenewableContext


@asynccontextmanager
async def open_key_services(
    settings: Settings, clock: Clock, observer: Observer, *, tls: Mapping[str, RenewableContext] = MappingProxyType({})
) -> AsyncGenerator[Kms, None]:
    """Open all key services as one. Nothing is asked before it is needed. Raises `ConfigurationError`.

    `tls`: what `key_services_tls` has returned, where somebody looks after it.
    """
    async with AsyncExitStack() as stack:
        services: dict[str, Kms] = {}
        if settings.kms is not None:
            services[EMBEDDED] = stack.enter_context(closing(open_kms(settings, clock)))
        for name, service in settings.remote_kms.providers.items():
            opening = open_key_service(name, service, clock, observer, tls=tls.get(name))
            services[name] = await stack.enter_async_context(opening)
        yield _routed(settings, services)


def key_services_tls(settings: Settings) -> dict[str, RenewableContext]:
    """Return what is spoken to key services with a CA of their own, by name. Raises `ConfigurationError`."""
    found = ((name, _own_tls(service)) for name, service in settings.remote_kms.providers.items())
    return {name: tls for name, tls in found if tls is not None}


def _own_tls(settings: KeyServiceSettings) -> RenewableContext | None:
    if not isinstance(settings, HttpKeyServiceSettings) or settings.ca_file is None:
        return None
    return trusting(settings.ca_file)


@asynccontextmanager
async def open_key_service(
    name: str,
    settings: KeyServiceSettings,
    clock: Clock,
    observer: Observer,
    *,
    tls: RenewableContext | None = None,
) -> AsyncGenerator[ResilientKms, None]:
    """Open a remote key service with its connections. Raises `ConfigurationError` for an unusable CA file."""
    async with _open_adapter(f"the key service {name}", settings, clock, observer, tls or _own_tls(settings)) as kms:
        endurance = Endurance(
            timeout_s=settings.timeout,
            attempts=settings.attempts,
            breaker_failures=settings.breaker_failures,
            breaker_pause_s=settings.breaker_pause,
        )
        if isinstance(kms, AlibabaKms):
            yield ResilientClientKeyKms(name, kms, endurance, clock=clock, observer=observer)
        else:
            yield ResilientKms(name, kms, endurance, clock=clock, observer=observer)


@asynccontextmanager
async def _open_adapter(
    service: str, settings: KeyServiceSettings, clock: Clock, observer: Observer, tls: RenewableContext | None
) -> AsyncGenerator[Kms, None]:
    if isinstance(settings, HttpKeyServiceSettings):
        async with open_session(tls, settings.connections) as session:
            yield _over_http(Http(session, service), settings, clock, observer)
    elif isinstance(settings, Pkcs11KmsSettings):
        with ThreadPoolExecutor(1, thread_name_prefix="pkcs11") as thread:
            hsm = Pkcs11Kms(service, settings, thread)
            try:
                yield hsm
            finally:
                await hsm.close()
    else:
        raise TypeError(f"{type(settings).__name__} has no adapter")


def _over_http(http: Http, settings: HttpKeyServiceSettings, clock: Clock, observer: Observer) -> Kms:
    match settings:
        case VaultKmsSettings():
            return VaultKms(http, settings, VaultLogin(http, settings, clock))
        case AwsKmsSettings():
            return AwsKms(http, settings, build_aws_credentials(http, settings, clock, observer), clock)
        case AlibabaKmsSettings():
            return AlibabaKms(http, settings, build_alibaba_credentials(http, settings, clock, observer), clock)
        case _:
            raise TypeError(f"{type(settings).__name__} has no adapter")


def _routed(settings: Settings, services: dict[str, Kms]) -> Kms:
    remote = settings.remote_kms
    if list(services) == [EMBEDDED] and remote.service_key is None:
        return services[EMBEDDED]
    return RoutedKms(
        services,
        [Way(route.keys, route.provider) for route in remote.routes],
        default=remote.default or next(iter(services)),
        service_key=remote.service_key,
    )
