"""`sseproxy keys …`: the CMKs of the embedded KMS, beside the proxies that use them.

Exit codes of all: 0 done, 1 it could not be done, 2 wrong arguments or configuration.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from sseproxy.cli.examples import example
from sseproxy.cli.keys_backup import backup, change_root_key, restore
from sseproxy.cli.keys_deletion import delete_version, schedule_deletion
from sseproxy.cli.keys_import import delete_material, import_material, import_parameters
from sseproxy.cli.keys_options import Json, KeyId, Principal, alias_in, change_key, change_known_key, uses_in
from sseproxy.cli.keys_reading import describe, list_keys
from sseproxy.cli.keys_rewrap import rewrap, rewrap_after_rotation
from sseproxy.cli.places import ConfigPlace, DataPlace, place_of
from sseproxy.kms.embedded import EmbeddedKms

app = typer.Typer(
    name="keys",
    help="Look after the CMKs of the embedded KMS, also while proxies use them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


class _Origin(StrEnum):
    GENERATED = "generated"
    EXTERNAL = "external"


Description = Annotated[str, typer.Option("--description", metavar="TEXT", help="What the CMK is for.")]
Alias = Annotated[str | None, typer.Option("--alias", metavar="alias/NAME", help="A name for it.")]
Origin = Annotated[_Origin, typer.Option("--origin", help="external: the material is imported afterwards.")]
Every = Annotated[
    int | None, typer.Option("--every", metavar="DAYS", min=1, max=3650, help="Rotate by itself, every so many days.")
]
Off = Annotated[bool, typer.Option("--off", help="No longer rotate by itself.")]
For = Annotated[str, typer.Option("--for", metavar="USES", help="encrypt, decrypt or encrypt,decrypt.")]


@app.command(epilog=example("keys create --alias alias/photos --description 'Photos of customers' --config FILE"))
def create(
    *,
    description: Description = "",
    alias: Alias = None,
    origin: Origin = _Origin.GENERATED,
    config: ConfigPlace = None,
    data: DataPlace = None,
    as_json: Json = False,
) -> None:
    """Create a CMK. The key database is begun where there is none yet."""
    name = None if alias is None else alias_in(alias)

    async def change(kms: EmbeddedKms) -> str:
        create_one = kms.create_external_key if origin is _Origin.EXTERNAL else kms.create_key
        return (await create_one(description=description, alias=name)).key_id

    change_key(config, data, change, as_json=as_json, create=True)


@app.command(epilog=example("keys alias 860e2b20-c8f1-4bf4-936d-4d25ad44a63c alias/photos --config FILE"))
def alias(
    key_id: KeyId,
    name: Annotated[str, typer.Argument(metavar="alias/NAME", help="The alias.")],
    *,
    config: ConfigPlace = None,
    data: DataPlace = None,
    as_json: Json = False,
) -> None:
    """Let an alias name a CMK, whatever it named before."""
    checked = alias_in(name)
    change_known_key(config, data, checked, lambda kms: kms.set_alias(checked, key_id), as_json=as_json)


@app.command(epilog=example("keys rotate alias/photos --config FILE"))
def rotate(key_id: KeyId, *, config: ConfigPlace = None, data: DataPlace = None, as_json: Json = False) -> None:
    """Give a CMK a new version now: new keys and the bucket keys are wrapped by it, older versions still open."""
    change_known_key(config, data, key_id, lambda kms: kms.rotate(key_id), as_json=as_json)
    rewrap_after_rotation(place_of(config, data), key_id)


@app.command(epilog=example("keys rotation alias/photos --every 90 --config FILE"))
def rotation(
    key_id: KeyId,
    *,
    every: Every = None,
    off: Off = False,
    config: ConfigPlace = None,
    data: DataPlace = None,
    as_json: Json = False,
) -> None:
    """Let a CMK be rotated by itself while a proxy runs, or no longer."""
    if (every is None) != off:
        raise typer.BadParameter("give either --every DAYS or --off")
    period = None if every is None else timedelta(days=every)
    change_known_key(config, data, key_id, lambda kms: kms.set_rotation_period(key_id, period), as_json=as_json)


@app.command(epilog=example("keys enable alias/photos --config FILE"))
def enable(key_id: KeyId, *, config: ConfigPlace = None, data: DataPlace = None, as_json: Json = False) -> None:
    """Let a disabled CMK be used again."""
    change_known_key(config, data, key_id, lambda kms: kms.enable(key_id), as_json=as_json)


@app.command(epilog=example("keys disable alias/photos --config FILE"))
def disable(key_id: KeyId, *, config: ConfigPlace = None, data: DataPlace = None, as_json: Json = False) -> None:
    """Let a CMK neither wrap nor unwrap; running proxies follow within cache.unwrapped_key_lifetime."""
    change_known_key(config, data, key_id, lambda kms: kms.disable(key_id), as_json=as_json)


@app.command(
    "cancel-deletion", epilog=example("keys cancel-deletion 860e2b20-c8f1-4bf4-936d-4d25ad44a63c --config FILE")
)
def cancel_deletion(
    key_id: KeyId, *, config: ConfigPlace = None, data: DataPlace = None, as_json: Json = False
) -> None:
    """Take a scheduled deletion back. The CMK is disabled then."""
    change_known_key(config, data, key_id, lambda kms: kms.cancel_deletion(key_id), as_json=as_json)


@app.command(epilog=example("keys grant alias/photos --principal ACCESS_KEY --for encrypt,decrypt --config FILE"))
def grant(
    key_id: KeyId,
    *,
    principal: Principal,
    uses: For,
    config: ConfigPlace = None,
    data: DataPlace = None,
    as_json: Json = False,
) -> None:
    """Let a client use a CMK. Counts where the configuration says clients.require_grants = true."""
    wanted = uses_in(uses)
    change_known_key(config, data, key_id, lambda kms: kms.grant(key_id, principal, wanted), as_json=as_json)


@app.command(epilog=example("keys revoke alias/photos --principal ACCESS_KEY --config FILE"))
def revoke(
    key_id: KeyId,
    *,
    principal: Principal,
    uses: For = "encrypt,decrypt",
    config: ConfigPlace = None,
    data: DataPlace = None,
    as_json: Json = False,
) -> None:
    """Take grants of a client back; without --for all of them."""
    wanted = uses_in(uses)
    change_known_key(config, data, key_id, lambda kms: kms.revoke(key_id, principal, wanted), as_json=as_json)


app.command("list", epilog=example("keys list --config FILE --json"))(list_keys)
app.command(epilog=example("keys describe alias/photos --config FILE"))(describe)
app.command("rewrap", epilog=example("keys rewrap alias/photos --config FILE"))(rewrap)
app.command(
    "schedule-deletion",
    epilog=example("keys schedule-deletion 860e2b20-c8f1-4bf4-936d-4d25ad44a63c --days 30 --config FILE"),
)(schedule_deletion)
app.command("delete-version", epilog=example("keys delete-version alias/photos 1 --config FILE"))(delete_version)
app.command(
    "import-parameters",
    epilog=example("keys import-parameters alias/mine --public-key public.der --token token --config FILE"),
)(import_parameters)
app.command(
    "import",
    epilog=example(
        "keys import alias/mine --token token --material wrapped --expires 2027-01-31T12:00:00Z --config FILE"
    ),
)(import_material)
app.command("delete-material", epilog=example("keys delete-material alias/mine --config FILE"))(delete_material)
app.command("backup", epilog=example("keys backup --to /backup/kms-2026-11-21 --config FILE"))(backup)
app.command("restore", epilog=example("keys restore /backup/kms-2026-11-21 --config FILE"))(restore)
app.command("change-root-key", epilog=example("keys change-root-key --root-key-file new.key --config FILE"))(
    change_root_key
)
