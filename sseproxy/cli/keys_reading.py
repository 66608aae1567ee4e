"""`sseproxy keys list|describe`: CMKs of the embedded KMS, and those of remote key services."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from sseproxy.bootstrap.keys import describe_anywhere, named_keys, run_with_keys
from sseproxy.cli.failures import FAILED, foreseeable_failures
from sseproxy.cli.keys_options import Json, KeyId
from sseproxy.cli.keys_showing import key_document, show_json, show_key, show_keys, show_remote_keys
from sseproxy.cli.places import ConfigPlace, DataPlace, place_of
from sseproxy.errors import KeyNotFound, KeyServiceError
from sseproxy.kms.details import KeyDetails
from sseproxy.model import KeyDescription
from sseproxy.settings import Settings


def list_keys(*, config: ConfigPlace = None, data: DataPlace = None, as_json: Json = False) -> None:
    """List the CMKs of the embedded KMS, oldest first, and those of remote ones that the configuration names."""
    with foreseeable_failures():
        place = place_of(config, data)
        own = _all_embedded(place)
        found, problems = _remote(place, own) if isinstance(place, Settings) else ([], [])
        if as_json:
            show_json([*map(key_document, own), *map(_document, found)])
        else:
            show_keys(own)
            show_remote_keys(found)
        for problem in problems:
            typer.echo(f"sseproxy: {problem}", err=True)
        if problems:
            raise typer.Exit(FAILED)


def describe(key_id: KeyId, *, config: ConfigPlace = None, data: DataPlace = None, as_json: Json = False) -> None:
    """Show everything about one CMK; of a remote key service, what that says of it."""
    with foreseeable_failures():
        place = place_of(config, data)
        own = _embedded(place, key_id)
        if own is not None:
            show_json(key_document(own)) if as_json else show_key(own)
            return
        if not isinstance(place, Settings) or not place.remote_kms.providers:
            raise KeyNotFound(f"The key {key_id} does not exist.")
        found = describe_anywhere(place, key_id)
        show_json(_document((key_id, found))) if as_json else show_remote_keys([(key_id, found)])


def _is_begun(place: Settings | Path) -> bool:
    """Whether the embedded KMS is to be asked; where nothing else is there, whatever is wrong with it is told."""
    if not isinstance(place, Settings) or not place.remote_kms.providers:
        return True
    return place.kms is not None and place.kms.database.exists()


def _all_embedded(place: Settings | Path) -> list[KeyDetails]:
    return run_with_keys(place, lambda kms: kms.all_details()) if _is_begun(place) else []


def _embedded(place: Settings | Path, key_id: str) -> KeyDetails | None:
    try:
        return run_with_keys(place, lambda kms: kms.details(key_id)) if _is_begun(place) else None
    except KeyNotFound:
        return None


def _remote(settings: Settings, own: list[KeyDetails]) -> tuple[list[tuple[str, KeyDescription]], list[str]]:
    """Return the remote CMKs that the configuration names, under those names, and what could not be told."""
    found: list[tuple[str, KeyDescription]] = []
    problems: list[str] = []
    known = {key.key_id for key in own} | {alias for key in own for alias in key.aliases}
    for name in named_keys(settings) if settings.remote_kms.providers else []:
        if name in known:
            continue
        try:
            found.append((name, describe_anywhere(settings, name)))
        except KeyServiceError as error:
            problems.append(f"{name}: {error.message}")
    return found, problems


def _document(named: tuple[str, KeyDescription]) -> dict[str, Any]:
    name, key = named
    return {**asdict(key), "aliases": [name] if name.startswith("alias/") else []}
