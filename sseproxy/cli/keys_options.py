"""What the commands of `sseproxy keys` share: options, and running something on the embedded KMS."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from sseproxy.bootstrap.keys import run_with_keys
from sseproxy.cli.failures import foreseeable_failures
from sseproxy.cli.keys_showing import key_document, show_json, show_key
from sseproxy.cli.places import place_of
from sseproxy.kms.details import KeyDetails
from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.model import KeyUse

KeyId = Annotated[str, typer.Argument(metavar="KEY_ID", help="The CMK, by its id or an alias.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")]
Principal = Annotated[
    str, typer.Option("--principal", metavar="ACCESS_KEY", help="The access key that a client signs with.")
]


def uses_in(text: str) -> tuple[KeyUse, ...]:
    """Return what `encrypt,decrypt` names. Raises `BadParameter`."""
    try:
        return tuple(KeyUse(name.strip()) for name in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not encrypt, decrypt or encrypt,decrypt") from None


def alias_in(text: str) -> str:
    """Return an alias that begins like one. Raises `BadParameter`."""
    if not text.startswith("alias/"):
        raise typer.BadParameter(f"{text!r} is not an alias: write alias/NAME")
    return text


def moment_in(text: str) -> datetime:
    """Return a time; UTC where it does not say. Raises `BadParameter`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time: write for example 2027-01-31T12:00:00Z") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def change_known_key(
    config: Path | None,
    data: Path | None,
    key_id: str,
    change: Callable[[EmbeddedKms], Awaitable[object]],
    *,
    as_json: bool,
) -> None:
    """Do something with a CMK that the command names and show how it stands then."""

    async def work(kms: EmbeddedKms) -> str:
        await change(kms)
        return key_id

    change_key(config, data, work, as_json=as_json)


def change_key(
    config: Path | None,
    data: Path | None,
    change: Callable[[EmbeddedKms], Awaitable[str]],
    *,
    as_json: bool,
    create: bool = False,
) -> None:
    """Do something with a CMK and show how it stands then. `change` returns which one it was."""

    async def work(kms: EmbeddedKms) -> KeyDetails:
        return await kms.details(await change(kms))

    with foreseeable_failures():
        key = run_with_keys(place_of(config, data), work, create=create)
        if as_json:
            show_json(key_document(key))
        else:
            show_key(key)
