"""Changes of CMKs: what creating, rotating and switching them off means, each inside one transaction of the caller's.

Errors are those of the `Kms` port, in the words of the CMK's state.
"""

import re
import secrets
import uuid
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from sseproxy.errors import (
    AliasNotFound,
    InvalidArgument,
    KeyDisabled,
    KeyNotFound,
    KeyPendingDeletion,
    KeyPendingImport,
    KeyStateRefused,
)
from sseproxy.kms.material import MATERIAL, SealingKey, material_hash, seal_material
from sseproxy.kms.rows import KeyRow, KeyState, Origin, Rows, VersionRow

_ALIAS = re.compile(r"alias/[A-Za-z0-9/_-]{1,249}")
_SOONEST_DELETION, _LATEST_DELETION = 7, 30  # days, as the services have it


def create_key(rows: Rows, sealing_key: SealingKey, now: datetime, *, description: str, alias: str | None) -> KeyRow:
    """Create a CMK with generated material, and let `alias` name it, which must be free."""
    key_id = _add_key(rows, now, KeyState.ENABLED, Origin.GENERATED, description=description, alias=alias)
    _add_version(rows, sealing_key, now, key_id, 1)
    return existing_key(rows, key_id)


def create_external_key(rows: Rows, now: datetime, *, description: str, alias: str | None) -> KeyRow:
    """Create a CMK that waits for its material, and let `alias` name it, which must be free."""
    key_id = _add_key(rows, now, KeyState.PENDING_IMPORT, Origin.EXTERNAL, description=description, alias=alias)
    return existing_key(rows, key_id)


def key_on_first_use(rows: Rows, sealing_key: SealingKey, now: datetime, alias: str) -> KeyRow:
    """Return the CMK that an alias names, created now unless another process was faster."""
    target = rows.alias_target(alias)
    if target is not None:
        return existing_key(rows, target)
    return create_key(rows, sealing_key, now, description=f"created on first use of {alias}", alias=alias)


def rotate_key(rows: Rows, sealing_key: SealingKey, now: datetime, key_id: str) -> KeyRow:
    """Give a CMK new material, which new wraps use; what was wrapped under older material still opens."""
    row = existing_key(rows, key_id)
    check_usable(row)
    if row.origin is not Origin.GENERATED:
        raise InvalidArgument("A CMK with imported material cannot be rotated.", ArgumentName="KeyId")
    _add_version(rows, sealing_key, now, row.key_id, row.current_version + 1)
    rows.set_rotated(row.key_id, now.isoformat())
    return existing_key(rows, row.key_id)


def name_key(rows: Rows, alias: str, key_id: str) -> None:
    """Let an alias name a CMK, whatever it named before."""
    _check_alias(alias)
    rows.set_alias(alias, existing_key(rows, key_id).key_id)


def enable_key(rows: Rows, key_id: str) -> None:
    """Let a disabled CMK be used again."""
    _move(rows, key_id, KeyState.ENABLED, from_states={KeyState.DISABLED, KeyState.ENABLED})


def disable_key(rows: Rows, key_id: str) -> None:
    """Let a CMK neither wrap nor unwrap."""
    _move(rows, key_id, KeyState.DISABLED, from_states={KeyState.DISABLED, KeyState.ENABLED})


def delete_version(rows: Rows, key_id: str, version: int) -> KeyRow:
    """Take the material of a version away, for ever: what it wrapped never opens again. Not of the present version.

    Its number is not used again. Raises `InvalidArgument`, `KeyPendingDeletion`.
    """
    row = existing_key(rows, key_id)
    if row.state is KeyState.PENDING_DELETION:
        raise state_refusal(row)
    if version == row.current_version:
        raise InvalidArgument(
            f"Version {version} is the present one, which new keys are wrapped by: rotate the CMK first."
            if row.origin is Origin.GENERATED
            else "A CMK with imported material has one version: delete its material, or schedule the CMK's deletion."
        )
    present = {one.version: one.sealed is not None for one in rows.versions_of(row.key_id)}
    if version not in present:
        raise InvalidArgument(f"The CMK {row.key_id} has no version {version}.")
    if not present[version]:
        raise InvalidArgument(f"Version {version} of the CMK {row.key_id} has been deleted already.")
    rows.set_material(row.key_id, version, None, None)
    return existing_key(rows, row.key_id)


def schedule_deletion(rows: Rows, now: datetime, key_id: str, *, days: int) -> None:
    """Let a CMK be deleted after 7 to 30 days. Until then it cannot be used, and the deletion can be cancelled."""
    if not _SOONEST_DELETION <= days <= _LATEST_DELETION:
        raise InvalidArgument(
            "A CMK is deleted after 7 to 30 days.", ArgumentName="PendingWindowInDays", ArgumentValue=str(days)
        )
    states = {KeyState.DISABLED, KeyState.ENABLED, KeyState.PENDING_IMPORT}
    _move(rows, key_id, KeyState.PENDING_DELETION, from_states=states, due=(now + timedelta(days=days)).isoformat())


def cancel_deletion(rows: Rows, key_id: str) -> None:
    """Take a deletion back. The CMK is disabled then, or waits for its material if it never had any."""
    row = existing_key(rows, key_id)
    has_material = rows.sealed_material(row.key_id, row.current_version) is not None
    target = KeyState.DISABLED if has_material else KeyState.PENDING_IMPORT
    _move(rows, key_id, target, from_states={KeyState.PENDING_DELETION})


def as_of(row: KeyRow, now: datetime) -> KeyRow | None:
    """Return a CMK as it stands at a moment, whether or not the database has heard of it yet.

    Material that has expired is gone, and so is a CMK whose waiting period is over: None then.
    """
    if row.state is KeyState.PENDING_DELETION:
        return None if _is_past(row.deletion_due, now) else row
    if row.state in {KeyState.ENABLED, KeyState.DISABLED} and _is_past(row.material_expires, now):
        return replace(row, state=KeyState.PENDING_IMPORT)
    return row


def settle(rows: Rows, now: datetime) -> None:
    """Do what time has brought: delete CMKs that are due, and material and wrapping keys that have expired."""
    for row in rows.all_keys():
        settled = as_of(row, now)
        if settled is None:
            rows.delete_key(row.key_id)
            continue
        if _is_past(row.material_expires, now):
            rows.set_material(row.key_id, row.current_version, None, None)
        if settled.state is not row.state:
            rows.set_state(row.key_id, settled.state)
    rows.delete_imports_before(now)


def is_unsettled(rows: Rows, now: datetime) -> bool:
    """Whether `settle` would change a CMK."""
    return any(as_of(row, now) != row or _is_past(row.material_expires, now) for row in rows.all_keys())


def _is_past(moment: str | None, now: datetime) -> bool:
    return moment is not None and datetime.fromisoformat(moment) <= now


def existing_key(rows: Rows, key_id: str) -> KeyRow:
    """Return a CMK by its id. Raises `KeyNotFound`."""
    row = rows.key(key_id)
    if row is None:
        raise not_found(key_id)
    return row


def local_name(name: str) -> str:
    """Return the id or alias that an ARN ends in, whatever account and region it names; anything else as it is."""
    if not name.startswith("arn:"):
        return name
    resource = name.split(":", 5)[-1]
    return resource.removeprefix("key/")


def not_found(name: str) -> KeyNotFound:
    """Return the error for an id or alias that is not there."""
    missing = AliasNotFound if name.startswith("alias/") else KeyNotFound
    return missing(f"The key {name} does not exist.")


def check_usable(row: KeyRow) -> None:
    """Return if a CMK may wrap and unwrap, else raise what its state demands."""
    if row.state is not KeyState.ENABLED:
        raise state_refusal(row)


def _move(
    rows: Rows, key_id: str, state: KeyState, *, from_states: Collection[KeyState], due: str | None = None
) -> None:
    row = existing_key(rows, key_id)
    if row.state not in from_states:
        raise state_refusal(row)
    rows.set_state(row.key_id, state, due)


def state_refusal(row: KeyRow) -> KeyStateRefused:
    """Return the error for a CMK whose state does not allow what was asked."""
    match row.state:
        case KeyState.DISABLED:
            return KeyDisabled()
        case KeyState.PENDING_DELETION:
            return KeyPendingDeletion()
        case KeyState.PENDING_IMPORT:
            return KeyPendingImport()
        case KeyState.ENABLED:
            return KeyStateRefused("The request was rejected because the key state is Enabled.")


def _add_key(rows: Rows, now: datetime, state: KeyState, origin: Origin, *, description: str, alias: str | None) -> str:
    if alias is not None:
        _check_free(rows, alias)
    key_id = str(uuid.uuid4())
    rows.add_key(
        KeyRow(
            key_id=key_id, state=state, origin=origin, description=description, created=now.isoformat(),
            current_version=0,
        )
    )  # fmt: skip
    if alias is not None:
        rows.set_alias(alias, key_id)
    return key_id


def _add_version(rows: Rows, sealing_key: SealingKey, now: datetime, key_id: str, version: int) -> None:
    material = secrets.token_bytes(MATERIAL)
    sealed = seal_material(sealing_key, key_id, version, material)
    hashed = material_hash(key_id, material)
    rows.add_version(
        key_id,
        VersionRow(version=version, sealed=sealed, created=now.isoformat(), expires=None, material_hash=hashed),
    )


def _check_free(rows: Rows, alias: str) -> None:
    """Raise `InvalidArgument` where an alias names a CMK already: creating another must not take it away in silence."""
    _check_alias(alias)
    target = rows.alias_target(alias)
    if target is not None:
        raise InvalidArgument(
            f"The alias {alias} names the CMK {target} already: create one without it, and let `keys alias` move it.",
            ArgumentName="AliasName",
            ArgumentValue=alias,
        )


def _check_alias(alias: str) -> None:
    if _ALIAS.fullmatch(alias) is None:
        raise InvalidArgument(
            "An alias is `alias/` and 1 to 249 letters, digits, slashes, underscores and hyphens.",
            ArgumentName="AliasName",
            ArgumentValue=alias,
        )
