"""The command line: `sseproxy serve`, `dev`, `check`, `keys …`, `objects …`, `buckets …`."""

from typing import Annotated

import typer

from sseproxy import __version__
from sseproxy.cli.buckets import app as buckets
from sseproxy.cli.check import check
from sseproxy.cli.dev import dev
from sseproxy.cli.keys import app as keys
from sseproxy.cli.objects import app as objects
from sseproxy.cli.serve import serve
from sseproxy.cli.worker import worker

app = typer.Typer(
    name="sseproxy",
    help="Server-side encryption in front of any S3 or Alibaba OSS store.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(check)
app.command()(dev)
app.command(hidden=True)(worker)
app.add_typer(keys)
app.add_typer(objects)
app.add_typer(buckets)


def _show_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"sseproxy {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Server-side encryption in front of any S3 or Alibaba OSS store."""


def main() -> None:
    """Run the command line; ends the process with the command's exit code."""
    app()
