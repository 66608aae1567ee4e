"""`sseproxy buckets …`: what is recorded of buckets, and taking it back."""

import json
from functools import partial
from typing import Annotated

import typer

from sseproxy.bootstrap import run_with_tools
from sseproxy.bulk.marking import Mark, mark, states
from sseproxy.cli.failures import foreseeable_failures
from sseproxy.cli.objects_options import Bucket
from sseproxy.cli.places import ConfigPlace, DataPlace, place_of

Wanted = Annotated[Mark, typer.Argument(metavar="mixed|sealed", help="What it is to be marked as.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON instead of lines for people.")]

app = typer.Typer(
    name="buckets",
    help="See and change what is recorded of buckets: mixed, sealed, sealed with opaque ETags.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command("list")
def list_states(*, config: ConfigPlace = None, data: DataPlace = None, as_json: Json = False) -> None:
    """Show every bucket that is not mixed, and its state.

    Exit codes: 0 done, 1 store or keys are away, 2 wrong arguments or configuration.
    """
    with foreseeable_failures():
        found = run_with_tools(place_of(config, data), states)
    if as_json:
        typer.echo(json.dumps(dict(found), indent=2))
    else:
        for bucket, state in found.items():
            typer.echo(f"{bucket}  {state}")


@app.command("mark")
def mark_bucket(*, wanted: Wanted, bucket: Bucket, config: ConfigPlace = None, data: DataPlace = None) -> None:
    """Mark a bucket as mixed, so that objects without an envelope are served again, or as sealed without opaque ETags.

    `mixed` is for a bucket into which something else than the proxy writes: logs, replicas, a bucket made anew at the
    store. `sealed` shows objects by the ETags that they were written with; listings then look at objects again.

    Exit codes: 0 done, 1 store or keys are away, 2 wrong arguments or configuration, or the bucket is mixed.
    """
    with foreseeable_failures():
        state = run_with_tools(place_of(config, data), partial(mark, bucket=bucket, wanted=wanted))
    typer.echo(f"{bucket} is now marked as {state}; proxies that run see it after encryption.bucket_settings_lifetime")
