"""`sseproxy keys schedule-deletion|delete-version`: refused while a look at the store finds what is under the key."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from sseproxy.bootstrap import StartFailed, run_with_tools
from sseproxy.bootstrap.keys import run_with_keys
from sseproxy.bulk.context import Tools
from sseproxy.bulk.usage import Count, LookedAt, Thing, count_uses, find_use
from sseproxy.cli.failures import describe, foreseeable_failures
from sseproxy.cli.keys_options import Json, KeyId, change_known_key
from sseproxy.cli.keys_showing import printable
from sseproxy.cli.objects_progress import progress_bar
from sseproxy.cli.places import ConfigPlace, DataPlace, place_of
from sseproxy.errors import InvalidRequest, KeyServiceError, StateRejected, UpstreamError
from sseproxy.kms.details import KeyDetails
from sseproxy.model import ObjectRef
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS
from sseproxy.settings import Settings

T = TypeVar("T")

Days = Annotated[int, typer.Option("--days", min=7, max=30, help="How long it can be taken back.")]
EvenIfInUse = Annotated[
    bool, typer.Option("--even-if-in-use", help="Do not look whether objects are under it: they will be lost.")
]
Version = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="An older version, as describe shows it.")]

_INSISTING = "Say --even-if-in-use to schedule its deletion all the same; what is under it will never open again."
_INSISTING_ON_VERSION = "Say --even-if-in-use to delete it all the same; what only it opens will never open again."
_LEAVING_VERSION = "`sseproxy objects rewrap` and `sseproxy keys rewrap` wrap by the newest version. "
_ON_THE_WAY = timedelta(hours=24)  # for writes that began under a version to end


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

    Looks at all objects and uploads in progress first, and refuses where one is under this CMK.
    """
    if not even_if_in_use:
        with foreseeable_failures():
            _check_unused(place_of(config, data), key_id)
    change_known_key(config, data, key_id, lambda kms: kms.schedule_deletion(key_id, days=days), as_json=as_json)


def delete_version(
    key_id: KeyId,
    version: Version,
    *,
    even_if_in_use: EvenIfInUse = False,
    config: ConfigPlace = None,
    data: DataPlace = None,
    as_json: Json = False,
) -> None:
    """Delete an older version of a CMK, at once and for ever. Never the present one: rotate first.

    Counts first what is wrapped by it: objects, uploads in progress, bucket keys, the key of the state bucket. Refuses
    where there is something, and for a day after the version was replaced, while writes may be on their way.
    """
    if not even_if_in_use:
        with foreseeable_failures():
            _check_version_unused(place_of(config, data), key_id, version)
    change_known_key(config, data, key_id, lambda kms: kms.delete_version(key_id, version), as_json=as_json)


def _check_unused(place: Settings | Path, key_id: str) -> None:
    """Raise `InvalidRequest` unless nothing is under the CMK."""
    key = run_with_keys(place, lambda kms: kms.details(key_id))
    if SERVICE_KEY_ALIAS in key.aliases:
        raise InvalidRequest(
            f"The CMK {key.key_id} is the service master key: AES256 objects and the state bucket are under it. "
            + _INSISTING
        )
    used = _looked(place, partial(find_use, key_id=key.key_id), f"the CMK {key.key_id}", _INSISTING)
    if used is not None:
        kind = "" if used.thing is Thing.OBJECT else f"the {used.thing.value} "
        raise InvalidRequest(
            f"The CMK {key.key_id} is in use: {kind}{_name(used.ref)} is under it, and perhaps more. " + _INSISTING
        )


def _check_version_unused(place: Settings | Path, key_id: str, version: int) -> None:
    """Raise `InvalidRequest` unless nothing is, and nothing can come to be, under the version."""
    key = run_with_keys(place, lambda kms: kms.details(key_id))
    if version == key.current_version or version not in {one.version for one in key.versions if one.present}:
        return  # the KMS itself refuses
    what = f"version {version} of the CMK {key.key_id}"
    since = _replaced(key, version)
    if datetime.now(UTC) - since < _ON_THE_WAY:
        raise InvalidRequest(
            f"V{what[1:]} was the present one until {since:%Y-%m-%d %H:%M:%S} UTC: for a day, writes that began before "
            "may still be on their way. " + _INSISTING_ON_VERSION
        )
    count = partial(count_uses, key_id=key.key_id, version=str(version))
    found = _looked(place, count, what, _INSISTING_ON_VERSION)
    if found:
        told = ", ".join(_counted(thing, count) for thing, count in found.items())
        raise InvalidRequest(f"There is still under {what}: {told}. " + _LEAVING_VERSION + _INSISTING_ON_VERSION)


def _replaced(key: KeyDetails, version: int) -> datetime:
    """Return when a version stopped being the present one."""
    return min(one.created for one in key.versions if one.version > version)


def _looked(place: Settings | Path, look: Callable[[Tools, LookedAt], Awaitable[T]], what: str, insisting: str) -> T:
    """Look at the store. Raises `InvalidRequest` where that cannot be done."""
    try:
        with progress_bar("objects looked at") as bar:
            return run_with_tools(place, lambda tools: look(tools, bar.looked_at))
    except (UpstreamError, KeyServiceError, StateRejected, StartFailed) as error:
        raise InvalidRequest(f"It cannot be said whether {what} is in use ({describe(error)}). " + insisting) from error


def _counted(thing: Thing, found: Count) -> str:
    if thing is Thing.STATE_KEY:
        return f"the {thing.value}"
    plural = {Thing.OBJECT: "objects", Thing.UPLOAD: "uploads in progress", Thing.BUCKET_KEY: "bucket keys"}[thing]
    words = f"1 {thing.value}" if found.count == 1 else f"{found.count:,} {plural}"
    first = f"of {printable(found.first.ref.bucket)}" if thing is Thing.BUCKET_KEY else _name(found.first.ref)
    return f"{words} ({first}{'' if found.count == 1 else ', …'})"


def _name(ref: ObjectRef) -> str:
    version = "" if ref.version_id is None else f" (version {ref.version_id})"
    return printable(f"{ref.bucket}/{ref.key}") + version
