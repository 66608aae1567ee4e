"""Where a command finds the store and the keys: a configuration, or the directory of a dev server."""

from pathlib import Path
from typing import Annotated

import typer

from sseproxy.cli.failures import foreseeable_failures
from sseproxy.config import load_settings
from sseproxy.settings import Settings

ConfigPlace = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="The proxy's configuration (TOML).")]
DataPlace = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="The directory of `sseproxy dev`.")]


def place_of(config: Path | None, data: Path | None) -> Settings | Path:
    """Return what the command works with, or end it with a line that says what is wrong with the configuration.

    Raises `BadParameter` unless exactly one is given.
    """
    if (config is None) == (data is None):
        raise typer.BadParameter("give either --config FILE, or --data DIR of a dev server")
    if config is not None:
        with foreseeable_failures():
            return load_settings(config)
    if data is None:
        raise AssertionError("one of the two was just seen")
    return data
