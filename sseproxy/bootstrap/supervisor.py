"""Several processes on one data port: a supervisor that serves no requests itself but those of the admin port.

It binds the data port, so that nobody else gets it, and never listens there. Workers do, through sockets of their own
(SO_REUSEPORT): the kernel spreads connections over them.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import uvloop

from sseproxy import __version__
from sseproxy.bootstrap.binding import bind_all, require_free
from sseproxy.bootstrap.crew import Crew
from sseproxy.bootstrap.crew_reports import CrewReports
from sseproxy.bootstrap.listening import listening
from sseproxy.bootstrap.telemetry import Telemetry, build_telemetry
from sseproxy.server.admin import create_admin_server
from sseproxy.settings import Settings, split_address
from sseproxy.telemetry.lines import LineLock, open_line_lock
from sseproxy.telemetry.logs import route_standard_logging

_ADMIN_DRAIN_S = 1.0


def serve_with_workers(settings: Settings) -> int:
    """Serve with `listen.workers` processes until SIGTERM or SIGINT and return the exit code: 0 if all have drained.

    1 or 2 where a worker could not start, which has said why then. Raises `StartFailed` where the port is taken.
    """
    with open_line_lock() as line_lock, _reserved(settings) as bound:
        telemetry = build_telemetry(settings.logging, line_lock=line_lock)
        route_standard_logging(telemetry.logger)
        return uvloop.run(_supervise(bound, telemetry, line_lock))


@contextmanager
def _reserved(settings: Settings) -> Iterator[Settings]:
    """Hold the data port for workers, and yield the settings with its number. Raises `StartFailed`."""
    address = settings.listen.address
    host, port = split_address(address)
    require_free(address)  # two supervisors could share a port by mistake, and nobody would notice
    with ExitStack() as stack:
        sockets = [stack.enter_context(one) for one in bind_all(address, shared=True)]
        port = sockets[0].getsockname()[1]
        bound = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        yield settings.model_copy(update={"listen": settings.listen.model_copy(update={"address": bound})})


async def _supervise(settings: Settings, telemetry: Telemetry, line_lock: LineLock) -> int:
    logger = telemetry.logger
    crew = Crew(settings, line_lock.fd, telemetry)
    admin = create_admin_server(CrewReports(crew, telemetry))

    def stop() -> None:
        logger.info("draining")
        crew.end()

    _on_signals(stop, crew.kill, crew.reload if settings.listen.tls_cert is not None else None)
    async with listening(admin, settings.listen.admin_address, drain_timeout_s=_ADMIN_DRAIN_S) as admin_url:

        def announce(data: str) -> None:
            # `data` stands before `admin`: who waits for this line takes the first address in it.
            logger.info("ready", data=data, admin=admin_url, version=__version__, workers=settings.listen.workers)

        code = await crew.work(announce)
    logger.info("stopped", exit_code=code)
    return code


def _on_signals(stop: Callable[[], None], kill: Callable[[], None], reload: Callable[[], None] | None) -> None:
    """Stop on the first SIGTERM or SIGINT, kill on the second; reload on SIGHUP where there is something to reload."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)

    def stop_once() -> None:
        for number in numbers:
            loop.add_signal_handler(number, kill)
        stop()

    for number in numbers:
        loop.add_signal_handler(number, stop_once)
    if reload is not None:
        loop.add_signal_handler(signal.SIGHUP, reload)
