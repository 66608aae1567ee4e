"""`sseproxy serve`: run in front of a real store."""

from pathlib import Path
from typing import Annotated

import typer

from sseproxy.bootstrap import serve_settings
from sseproxy.cli.failures import foreseeable_failures
from sseproxy.config import load_settings

ConfigOption = Annotated[Path, typer.Option("--config", metavar="FILE", help="The configuration (TOML).")]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=1, max=256, help="Processes that serve; overrides listen.workers."),
]


def serve(config: ConfigOption, workers: WorkersOption = None) -> None:
    """Serve until SIGTERM or SIGINT, then let requests in progress end.

    Exit codes: 0 stopped by a signal, 1 could not start, or a worker did not end by itself, 2 wrong configuration.
    """
    with foreseeable_failures():
        code = serve_settings(load_settings(config), workers=workers)
    if code:
        raise typer.Exit(code)
