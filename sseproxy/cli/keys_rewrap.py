"""`sseproxy keys rewrap`, and the same behind `keys rotate`: the bucket keys under a CMK get its newest version."""

from pathlib import Path
from typing import Annotated

import typer

from sseproxy.bootstrap import StartFailed
from sseproxy.bootstrap.tools import run_with_tools
from sseproxy.bulk.context import Tools
from sseproxy.bulk.kept_keys import rewrap_kept_keys
from sseproxy.cli.failures import describe, foreseeable_failures
from sseproxy.cli.keys_options import Json, KeyId
from sseproxy.cli.keys_showing import show_json
from sseproxy.cli.places import ConfigPlace, DataPlace, place_of
from sseproxy.errors import SseProxyError
from sseproxy.settings import Settings

Bucket = Annotated[str | None, typer.Option("--bucket", metavar="NAME", help="Those of one bucket alone.")]


def rewrap(
    key_id: KeyId,
    *,
    bucket: Bucket = None,
    config: ConfigPlace = None,
    data: DataPlace = None,
    as_json: Json = False,
) -> None:
    """Wrap the bucket keys under a CMK again, under its newest version. No object is touched."""
    with foreseeable_failures():
        renewed = _rewrapped(place_of(config, data), key_id, bucket)
        if as_json:
            show_json({"key_id": key_id, "rewrapped": renewed})
        else:
            typer.echo(_told(renewed))


def rewrap_after_rotation(place: Settings | Path, key_id: str) -> None:
    """Do the same for a CMK that was rotated just now; where the store is away, say what is left to do."""
    try:
        _rewrapped(place, key_id, None)
    except (SseProxyError, StartFailed, OSError) as error:
        typer.echo(
            "sseproxy: the CMK is rotated, but its bucket keys are still wrapped by the old version: "
            f"{describe(error)} Run `sseproxy keys rewrap {key_id}` when the store can be reached.",
            err=True,
        )


def _rewrapped(place: Settings | Path, key_id: str, bucket: str | None) -> int:
    async def work(tools: Tools) -> int:
        return await rewrap_kept_keys(tools, key_id, bucket)

    return run_with_tools(place, work)


def _told(renewed: int) -> str:
    if renewed == 0:
        return "All bucket keys are wrapped by the newest version."
    return f"{renewed} bucket key{'s were' if renewed > 1 else ' was'} wrapped again, by the newest version."
