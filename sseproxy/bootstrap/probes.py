"""Asking storage and key service whether they work, without serving."""

from contextlib import AsyncExitStack, closing

import uvloop

from sseproxy.bootstrap.adapters import SystemClock, open_kms, open_upstreams, unreachable
from sseproxy.bootstrap.telemetry import build_telemetry
from sseproxy.errors import KeyServiceError, UpstreamUnavailable
from sseproxy.format import wrap_context
from sseproxy.model import Binding
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS
from sseproxy.ports import Kms, Upstream, UpstreamRequest
from sseproxy.settings import Settings


def probe_services(settings: Settings) -> dict[str, str | None]:
    """Ask store and KMS whether they work, changing nothing at the store; what is wrong by name, None for nothing."""
    return uvloop.run(_probe(settings))


async def _probe(settings: Settings) -> dict[str, str | None]:
    clock = SystemClock()
    telemetry = build_telemetry(settings.logging)
    async with AsyncExitStack() as stack:
        kms = stack.enter_context(closing(open_kms(settings, clock)))
        upstreams = await open_upstreams(stack, settings, {settings.upstream.dialect}, clock, telemetry.observer)
        return {
            "storage": await _storage_problem(upstreams[settings.upstream.dialect], settings),
            "keys": await _key_problem(kms),
        }


async def _storage_problem(upstream: Upstream, settings: Settings) -> str | None:
    bucket = settings.state.bucket
    try:
        async with upstream.send(UpstreamRequest(method="HEAD", bucket=bucket)) as response:
            status = response.status
    except UpstreamUnavailable as error:
        return unreachable(settings, error)
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
