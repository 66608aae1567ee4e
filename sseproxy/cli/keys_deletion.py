"""`sseproxy keys schedule-deletion`: refused while a look at the buckets finds objects under the CMK."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from sseproxy.bootstrap import StartFailed, run_with_tools
from sseproxy.bootstrap.keys import run_with_keys
from sseproxy.bulk.usage import find_use
from sseproxy.cli.failures import describe, foreseeable_failures
from sseproxy.cli.keys_options import Json, KeyId, change_key
from sseproxy.cli.keys_showing import printable
from sseproxy.cli.places import ConfigPlace, DataPlace, place_of
from sseproxy.errors import InvalidRequest, KeyServiceError, UpstreamError
from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS
from sseproxy.settings import Settings

Days = Annotated[int, typer.Option("--days", min=7, max=30, help="How long it can be taken back.")]
EvenIfInUse = Annotated[
    bool, typer.Option("--even-if-in-use", help="Do not look whether objects are under it: they will be lost.")
]
_INSISTING = "Say --even-if-in-use to schedule its deletion all the same; what is under it will never open again."


def schedule_deletion(
    key_id: KeyId,
    *,
    days: Days = 30,
    even_if_in_use: EvenIfInUse = False,
    config: ConfigPlace = None,
    data: DataPlace = None,
    as_json: Json = False,
) -> None:
    """Let a CMK be deleted after 7 to 30 days. From now on it cannot be used; cancel-deletion takes it back.

    Looks at all objects first, and refuses where one is under this CMK.
    """

    async def change(kms: EmbeddedKms) -> str:
        await kms.schedule_deletion(key_id, days=days)
        return key_id

    if not even_if_in_use:
        with foreseeable_failures():
            _check_unused(place_of(config, data), key_id)
    change_key(config, data, change, as_json=as_json)


def _check_unused(place: Settings | Path, key_id: str) -> None:
    """Raise `InvalidRequest` unless nothing is under the CMK."""
    key = run_with_keys(place, lambda kms: kms.details(key_id))
    if SERVICE_KEY_ALIAS in key.aliases:
        raise InvalidRequest(
            f"The CMK {key.key_id} is the service master key: AES256 objects and the state bucket are under it. "
            + _INSISTING
        )
    try:
        used = run_with_tools(place, partial(find_use, key_id=key.key_id))
    except (UpstreamError, KeyServiceError, StartFailed) as error:
        raise InvalidRequest(
            f"It cannot be said whether the CMK {key.key_id} is in use ({describe(error)}). " + _INSISTING
        ) from error
    if used is not None:
        raise InvalidRequest(
            f"The CMK {key.key_id} is in use: {printable(f'{used.bucket}/{used.key}')} is under it, and perhaps more. "
            + _INSISTING
        )
