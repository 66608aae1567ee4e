"""`sseproxy worker`: one of the processes of `sseproxy serve --workers`, which starts it."""

from sseproxy.bootstrap import run_worker
from sseproxy.cli.failures import foreseeable_failures


def worker() -> None:
    """Serve as one of several processes; `sseproxy serve --workers` starts it, and nobody else can."""
    with foreseeable_failures():
        run_worker()
