"""A process's life: start, ready, signal, drain, end."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import uvloop

from sseproxy import __version__
from sseproxy.bootstrap.dev import DevOptions, running_dev
from sseproxy.bootstrap.process import prepare_process
from sseproxy.bootstrap.proxy import Addresses, running_proxy
from sseproxy.bootstrap.supervisor import serve_with_workers
from sseproxy.bootstrap.telemetry import build_telemetry
from sseproxy.settings import LoggingSettings, Settings
from sseproxy.telemetry.logs import EventLogger, route_standard_logging


def serve_settings(settings: Settings, *, workers: int | None = None) -> int:
    """Serve until SIGTERM or SIGINT, then drain. Raises `StartFailed` or an `SseProxyError` if it cannot start.

    `workers` overrides `listen.workers`. Returns the exit code, which can be another than 0 with several of them.
    """
    settings = settings if workers is None else with_workers(settings, workers)
    if settings.listen.workers > 1:
        return serve_with_workers(settings)
    telemetry = build_telemetry(settings.logging)
    route_standard_logging(telemetry.logger)
    uvloop.run(_serve(running_proxy(settings, telemetry), telemetry.logger, lambda _addresses: None))
    return 0


def with_workers(settings: Settings, workers: int) -> Settings:
    """Return the settings with another number of processes."""
    return settings.model_copy(update={"listen": settings.listen.model_copy(update={"workers": workers})})


def serve_dev(options: DevOptions, announce: Callable[[Addresses], None]) -> None:
    """Serve store, KMS and proxy on a directory until SIGTERM or SIGINT."""
    telemetry = build_telemetry(LoggingSettings())
    route_standard_logging(telemetry.logger)
    uvloop.run(_serve(running_dev(options, telemetry), telemetry.logger, announce))


async def _serve(
    proxy: AbstractAsyncContextManager[Addresses], logger: EventLogger, announce: Callable[[Addresses], None]
) -> None:
    prepare_process()
    stopped = asyncio.Event()
    async with proxy as addresses:
        _on_signals(stopped.set)
        # `data` stands before `admin`: who waits for this line takes the first address in it.
        logger.info("ready", data=addresses.data, admin=addresses.admin, version=__version__)
        announce(addresses)
        await stopped.wait()
        logger.info("draining")
    logger.info("stopped")


def _on_signals(stop: Callable[[], None]) -> None:
    """Call `stop` on the first SIGTERM or SIGINT; a second one has its usual effect and ends the process at once."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)

    def stop_once() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)
        stop()

    for number in numbers:
        loop.add_signal_handler(number, stop_once)
