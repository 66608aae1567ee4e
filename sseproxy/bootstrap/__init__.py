"""The composition root: the one place that knows concrete adapters."""

from sseproxy.bootstrap.dev import DevOptions, running_dev
from sseproxy.bootstrap.failures import StartFailed
from sseproxy.bootstrap.probes import probe_services
from sseproxy.bootstrap.proxy import Addresses, running_proxy
from sseproxy.bootstrap.run import serve_dev, serve_settings
from sseproxy.bootstrap.telemetry import Telemetry, build_telemetry
from sseproxy.bootstrap.tools import run_with_keyring, run_with_tools
from sseproxy.bootstrap.worker import run_worker

__all__ = [
    "Addresses",
    "DevOptions",
    "StartFailed",
    "Telemetry",
    "build_telemetry",
    "probe_services",
    "run_with_keyring",
    "run_with_tools",
    "run_worker",
    "running_dev",
    "running_proxy",
    "serve_dev",
    "serve_settings",
]
