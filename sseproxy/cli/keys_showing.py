"""How CMKs are shown: tables for people, JSON for scripts."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sseproxy.kms.details import KeyDetails
from sseproxy.model import KeyDescription

_WIDE = 240  # columns where nobody looks: nothing is cut off in a pipe
_DAY = timedelta(days=1)


def key_document(key: KeyDetails) -> dict[str, Any]:
    """Return a CMK as scripts see it. Times are ISO 8601 in UTC, periods seconds."""
    document = {name: _plain(value) for name, value in asdict(key).items() if name not in {"versions", "grants"}}
    document["versions"] = [{name: _plain(value) for name, value in asdict(one).items()} for one in key.versions]
    document["grants"] = [{"principal": principal, "for": list(uses)} for principal, uses in key.grants]
    return document


def show_json(document: object) -> None:
    """Write JSON to standard output."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def show_key(key: KeyDetails) -> None:
    """Write everything about one CMK as a table."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _fields(key):
        table.add_row(name, Text(value))
    _console().print(table)


def show_keys(keys: Sequence[KeyDetails]) -> None:
    """Write one line per CMK."""
    table = Table("KEY ID", "STATE", "ORIGIN", "VERSION", "ALIASES", "CREATED", "DESCRIPTION", box=None, pad_edge=False)
    for key in keys:
        cells = (
            key.key_id, key.state, key.origin, str(key.current_version), ", ".join(key.aliases),
            f"{key.created:%Y-%m-%d}", printable(key.description),
        )  # fmt: skip
        table.add_row(*map(Text, cells))
    _console().print(table)


def show_remote_keys(keys: Sequence[tuple[str, KeyDescription]]) -> None:
    """Write one line per CMK of remote key services, with the name that it was asked for by."""
    if not keys:
        return
    table = Table("NAME", "KEY ID", "STATE", "ORIGIN", "VERSION", box=None, pad_edge=False)
    for name, key in keys:
        table.add_row(*map(Text, (name, key.key_id, key.state, key.origin, str(key.current_version))))
    _console().print(table)


def printable(text: str) -> str:
    """Return text that cannot play with a terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)


def _fields(key: KeyDetails) -> list[tuple[str, str]]:
    fields = [
        ("key id", key.key_id),
        ("state", key.state),
        ("origin", key.origin),
        ("aliases", ", ".join(key.aliases) or "-"),
        ("description", printable(key.description) or "-"),
        ("created", _time(key.created)),
        ("current version", str(key.current_version)),
    ]
    fields += [
        (f"  version {one.version}", _time(one.created) + ("" if one.present else ", material is not there"))
        for one in key.versions
    ]
    if key.rotation_period is not None and key.next_rotation is not None:
        fields.append(("rotation", f"every {key.rotation_period / _DAY:g} days, next {_time(key.next_rotation)}"))
    if key.material_expires is not None:
        fields.append(("material expires", _time(key.material_expires)))
    if key.deletion_due is not None:
        fields.append(("deletion", _time(key.deletion_due)))
    fields += [(f"  granted to {printable(principal)}", ", ".join(uses)) for principal, uses in key.grants]
    return fields


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    return list(value) if isinstance(value, tuple) else value


def _console() -> Console:
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=_WIDE)
