"""`sseproxy keys backup|restore|change-root-key`: what keeps the key database from being lost."""

from pathlib import Path
from typing import Annotated

import typer

from sseproxy.bootstrap.keys import embedded_settings, existing_database
from sseproxy.cli.failures import foreseeable_failures
from sseproxy.cli.keys_options import Json
from sseproxy.cli.keys_showing import show_json
from sseproxy.cli.places import ConfigPlace, DataPlace, place_of
from sseproxy.errors import ConfigurationError
from sseproxy.kms import change_root_key as change_root
from sseproxy.kms import root_secret
from sseproxy.kms.backup import back_up
from sseproxy.kms.backup import restore as restore_copy
from sseproxy.kms.root_key import Passphrase, RootSecret, read_root_key

To = Annotated[Path, typer.Option("--to", metavar="FILE", help="The copy; must not exist.")]
Copy = Annotated[Path, typer.Argument(metavar="FILE", help="The copy that `keys backup` made.")]
Replace = Annotated[bool, typer.Option("--replace", help="Also where there is a key database; what is in it is lost.")]
NewFile = Annotated[
    Path | None, typer.Option("--root-key-file", metavar="FILE", help="The new root key: a file as kms.root_key_file.")
]
NewPassphrase = Annotated[
    Path | None, typer.Option("--passphrase-file", metavar="FILE", help="The new passphrase is this file's first line.")
]


def backup(*, to: To, config: ConfigPlace = None, data: DataPlace = None, as_json: Json = False) -> None:
    """Copy the key database, also while proxies run, and check that everything in the copy opens.

    The root key is not in it: keep a copy of that elsewhere. One without the other is worth nothing.
    """
    with foreseeable_failures():
        settings = existing_database(place_of(config, data))
        count = back_up(settings.database, root_secret(settings), to)
        _tell({"copy": str(to), "keys": count}, f"{to}: {count} CMKs, all of them open", as_json=as_json)


def restore(
    copy: Copy, *, replace: Replace = False, config: ConfigPlace = None, data: DataPlace = None, as_json: Json = False
) -> None:
    """Put a copy in the place of the key database, once everything in it was opened with the root key."""
    with foreseeable_failures():
        settings = embedded_settings(place_of(config, data))
        if settings.database.exists() and not replace:
            raise typer.BadParameter(f"{settings.database} exists; give --replace if what is in it may be lost")
        count = restore_copy(copy, root_secret(settings), settings.database)
        document = {"database": str(settings.database), "keys": count}
        _tell(document, f"{settings.database}: {count} CMKs, all of them open", as_json=as_json)


def change_root_key(
    *,
    root_key_file: NewFile = None,
    passphrase_file: NewPassphrase = None,
    config: ConfigPlace = None,
    data: DataPlace = None,
    as_json: Json = False,
) -> None:
    """Seal the key database under another root key. Running proxies go on; their next start needs the new one.

    Copies from before still need the old root key.
    """
    if (root_key_file is None) == (passphrase_file is None):
        raise typer.BadParameter("give either --root-key-file or --passphrase-file")
    with foreseeable_failures():
        settings = existing_database(place_of(config, data))
        change_root(settings, _new_root(root_key_file, passphrase_file))
        text = f"{settings.database} has another root key now: name it in the configuration before the next start"
        _tell({"database": str(settings.database)}, text, as_json=as_json)


def _new_root(root_key_file: Path | None, passphrase_file: Path | None) -> RootSecret:
    if root_key_file is not None:
        return read_root_key(root_key_file)
    if passphrase_file is None:
        raise AssertionError("one of the two was just seen")
    try:
        return Passphrase(passphrase_file.read_text(encoding="utf-8").split("\n", 1)[0])
    except UnicodeDecodeError as cause:
        raise ConfigurationError(f"{passphrase_file} is not UTF-8 text.") from cause


def _tell(document: dict[str, object], text: str, *, as_json: bool) -> None:
    if as_json:
        show_json(document)
    else:
        typer.echo(text)
