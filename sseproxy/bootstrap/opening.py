"""Opening the adapters of a process, the same for a proxy and for a tool."""

import os
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

from sseproxy.bootstrap.adapters import Adapters, SystemClock, build_state, open_entry_cache, open_upstreams
from sseproxy.bootstrap.key_services import key_services_tls, open_key_services
from sseproxy.bootstrap.telemetry import Telemetry
from sseproxy.operations.state_store import StateStore
from sseproxy.settings import Settings
from sseproxy.upstream.tls import store_tls


async def open_adapters(
    stack: AsyncExitStack,
    settings: Settings,
    telemetry: Telemetry,
    *,
    dialects: Collection[str],
    see_to: Callable[[StateStore, Settings], Awaitable[None]],
) -> Adapters:
    """Open everything that a process works with; `stack` closes it.

    `dialects`: those that the storage is spoken to in. `see_to` looks after the state bucket before anything depends on
    it, and raises where it cannot be worked with. Raises `ConfigurationError` and what `see_to` does.
    """
    clock = SystemClock()
    key_tls = key_services_tls(settings)
    kms = await stack.enter_async_context(open_key_services(settings, clock, telemetry.observer, tls=key_tls))
    tls = store_tls(settings.upstream)
    upstreams = await open_upstreams(stack, settings, dialects, clock, telemetry.observer, tls=tls)
    state = build_state(settings, upstreams, kms)
    await see_to(state, settings)
    return Adapters(
        upstreams=upstreams,
        store_tls=tls,
        key_tls=key_tls,
        state=state,
        kms=kms,
        entries=await open_entry_cache(stack, settings),
        clock=clock,
        telemetry=telemetry,
        pool=stack.enter_context(ThreadPoolExecutor(max_workers=os.cpu_count(), thread_name_prefix="digest")),
    )
