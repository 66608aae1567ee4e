"""Asking storage and key service whether they work, without serving."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

import uvloop

from sseproxy.bootstrap.adapters import (
    SystemClock,
    build_state,
    open_upstreams,
    other_keys,
    unreachable,
)
from sseproxy.bootstrap.certificates import tls_context
from sseproxy.bootstrap.client_keys import build_client_kms, load_client_keys
from sseproxy.bootstrap.key_services import open_key_service, open_key_services
from sseproxy.bootstrap.telemetry import build_telemetry
from sseproxy.dialect import DIALECTS
from sseproxy.errors import KeyServiceError, SseProxyError, UpstreamUnavailable
from sseproxy.format import wrap_context
from sseproxy.model import Binding
from sseproxy.operations.condition_probe import KnownConditions
from sseproxy.operations.state_store import StateStore
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS
from sseproxy.ports import Clock, Kms, Observer, Upstream, UpstreamRequest
from sseproxy.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What came of asking: `problems` by name, None for nothing wrong; `notes` are worth knowing, by name."""

    problems: Mapping[str, str | None]
    notes: Mapping[str, str]


def probe_services(settings: Settings) -> Probed:
    """Ask store and KMS whether they work; nothing stays at the store.

    Where the state bucket is there, a small object in it is written, copied and removed. Raises `StartFailed` where the
    certificate cannot be used, `ConfigurationError`, also for clients' keys.
    """
    tls_context(settings.listen)
    return uvloop.run(_probe(settings))


async def _probe(settings: Settings) -> Probed:
    clock = SystemClock()
    telemetry = build_telemetry(settings.logging)
    async with AsyncExitStack() as stack:
        kms = await stack.enter_async_context(open_key_services(settings, clock, telemetry.observer))
        load_client_keys(settings.encryption.client_key_files)
        build_client_kms(settings, kms, clock, telemetry.observer)
        upstreams = await open_upstreams(stack, settings, {settings.upstream.dialect}, clock, telemetry.observer)
        status, storage = await _storage_problem(upstreams[settings.upstream.dialect], settings)
        keys = await _key_problem(kms)
        if keys is None and status == 200:
            keys = await _state_key_problem(build_state(settings, upstreams, kms), settings)
        services = await _key_service_problems(settings, clock, telemetry.observer)
        notes = {}
        if storage is None:
            notes["conditions on writes"] = await _conditions(upstreams, settings, telemetry.observer, status)
        return Probed(problems={"storage": storage, "keys": keys, **services}, notes=notes)


async def _conditions(upstreams: Mapping[str, Upstream], settings: Settings, observer: Observer, status: int) -> str:
    """Say which conditions on writes the storage overlooks. `status` is what it answers for the state bucket."""
    name = settings.upstream.dialect
    if settings.upstream.lacks is None and status != 200:
        return "not tried, as the state bucket is not there yet"
    known = KnownConditions(upstreams[name], DIALECTS[name], settings.state, observer, lacks=settings.upstream.lacks)
    try:
        lacks = (await known.get()).lacks
    except UpstreamUnavailable as error:
        return f"could not be tried: {error.message}"
    overlooked = ", ".join(sorted(condition.value for condition in lacks))
    return f"the storage overlooks {overlooked} (docs/interop.md)" if lacks else "the storage keeps them all"


async def _key_service_problems(settings: Settings, clock: Clock, observer: Observer) -> dict[str, str | None]:
    """Ask every remote key service whether it works: `keys` above asks only the one of the service key."""
    problems: dict[str, str | None] = {}
    for name, service in settings.remote_kms.providers.items():
        async with open_key_service(name, service, clock, observer) as kms:
            try:
                await kms.healthy()
                problems[f"remote_kms {name}"] = None
            except KeyServiceError as error:
                problems[f"remote_kms {name}"] = error.message
    return problems


async def _storage_problem(upstream: Upstream, settings: Settings) -> tuple[int, str | None]:
    """Ask for the state bucket; return the status, 0 without an answer, and what is wrong."""
    try:
        async with upstream.send(UpstreamRequest(method="HEAD", bucket=settings.state.bucket)) as response:
            return response.status, _meaning(response.status, settings)
    except UpstreamUnavailable as error:
        return 0, unreachable(settings, error)


def _meaning(status: int, settings: Settings) -> str | None:
    bucket = settings.state.bucket
    match status:
        case 200:
            return None
        case 404 if settings.state.create:
            return None  # it answers, and the bucket comes at the first start
        case 404:
            return f"the state bucket {bucket} does not exist; create it, or set state.create = true"
        case 400 | 401 | 403:
            return (
                f"the store refuses the proxy's signed request for the state bucket {bucket} ({status}); check "
                "upstream.access_key, secret_key, region and addressing, the rights of that key, and the clock"
            )
        case _:
            return f"the store answers {status} for the state bucket {bucket}; check upstream.endpoint and dialect"


async def _key_problem(kms: Kms) -> str | None:
    context = wrap_context(
        purpose="dek", algorithm="", layout="", binding=Binding.NONE, bucket="", key="sseproxy check"
    )
    try:
        key, wrapped = await kms.generate(SERVICE_KEY_ALIAS, context)
        opened = await kms.unwrap(wrapped, context)
    except KeyServiceError as error:
        return f"{error.message} ({SERVICE_KEY_ALIAS})"
    return None if opened == key else "a data key that was just wrapped opens as another one"


async def _state_key_problem(state: StateStore, settings: Settings) -> str | None:
    """Say whether the state bucket, if it is there already, belongs to other keys."""
    try:
        await state.open_key(create=False)
    except KeyServiceError as error:
        return other_keys(settings, error)
    except SseProxyError as error:
        return error.message
    return None
