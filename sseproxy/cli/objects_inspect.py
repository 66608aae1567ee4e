"""`sseproxy objects inspect`: what one object is, without secrets."""

import json
from functools import partial
from typing import Annotated, Any

import typer

from sseproxy.bootstrap import run_with_tools
from sseproxy.bulk.finding import address_in
from sseproxy.bulk.inspection import Inspection, inspect_object
from sseproxy.cli.failures import FAILED, foreseeable_failures
from sseproxy.cli.objects_options import Bucket, Key
from sseproxy.cli.places import ConfigPlace, DataPlace, place_of

Version = Annotated[str | None, typer.Option("--version-id", metavar="ID", help="A version; absent: the present one.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON instead of lines for people.")]


def inspect(
    *,
    bucket: Bucket,
    key: Key,
    version_id: Version = None,
    config: ConfigPlace = None,
    data: DataPlace = None,
    as_json: Json = False,
) -> None:
    """Show one object's envelope, footer and recovery record. Shows no key and no wrapped key.

    Exit codes: 0 the object opens or is not sealed, 1 it does not open or is not there, 2 wrong arguments.
    """
    address = address_in(bucket, key, version_id)
    with foreseeable_failures():
        place = place_of(config, data)
        found = run_with_tools(place, partial(inspect_object, address=address))
    typer.echo(json.dumps(_document(found), indent=2) if as_json else "\n".join(_lines(found)))
    if found.problems:
        raise typer.Exit(FAILED)


def _document(found: Inspection) -> dict[str, Any]:
    return {**found.sections, "problems": found.problems}


def _lines(found: Inspection) -> list[str]:
    lines = []
    for section, fields in found.sections.items():
        lines.append(section)
        lines += [f"  {name.replace('_', ' '):28} {_shown(value)}" for name, value in fields.items()]
    lines += [f"problem: {problem}" for problem in found.problems]
    return lines


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
