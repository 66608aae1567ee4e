"""The embedded KMS: CMKs with versions and states in one SQLite file, for one host.

Rows and opened material stay in memory until the database changes, and every call looks whether it has: a CMK that any
process disables stops working with the next call. That is this adapter's revocation bound; what the keyring above
keeps has its own.
"""

import asyncio
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

from sseproxy.errors import WrappedKeyRejected
from sseproxy.format.wrapping import WrapRejected
from sseproxy.kms import grants, importing, management, rotation
from sseproxy.kms.database import Database
from sseproxy.kms.details import KeyDetails, details_of
from sseproxy.kms.importing import Import, ImportParameters, WrappingAlgorithm, WrappingKeySpec
from sseproxy.kms.management import as_of, check_usable, local_name, not_found, settle
from sseproxy.kms.material import open_data_key, open_material, parse_blob, wrap_data_key
from sseproxy.kms.rows import KeyRow, Rows
from sseproxy.model import KeyDescription, KeyUse, WrapContext, WrappedKey
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS
from sseproxy.ports import Clock

T = TypeVar("T")

DEFAULT_SERVICE_KEY_PERIOD = timedelta(days=365)
_NEVER = -1  # no database has this change count


@dataclass(slots=True, repr=False)
class _Known:
    """What was read from the database while its change count stood."""

    change_count: int
    keys: dict[str, KeyRow] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)  # alias to key id
    material: dict[tuple[str, int], bytes] = field(default_factory=dict)
    grants: dict[str, frozenset[tuple[str, str]]] = field(default_factory=dict)


class EmbeddedKms:
    """The ports `Kms` and `Grants` on a local database.

    `created_on_first_use` are aliases that get a CMK when first asked for; `service_key_period` is how often the
    service master key is rotated.

    Reading happens on the event loop, from memory or with statements that wait for nobody; changes happen in a thread,
    one at a time, because another process may hold the lock.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        created_on_first_use: Collection[str] = (),
        service_key_period: timedelta = DEFAULT_SERVICE_KEY_PERIOD,
    ) -> None:
        self._database = database
        self._sealing_key = database.sealing_key
        self._clock = clock
        self._created_on_first_use = frozenset(created_on_first_use)
        self._service_key_period = service_key_period
        self._known = _Known(_NEVER)
        self._changing = asyncio.Lock()

    def __repr__(self) -> str:
        return "EmbeddedKms(<redacted>)"

    def close(self) -> None:
        """Forget the material and close the database."""
        self._known = _Known(_NEVER)
        self._database.close()

    # ---- the port ----

    async def generate(self, key_id: str, context: WrapContext, *, length: int = 32) -> tuple[bytes, WrappedKey]:
        """Draw a fresh data key and return it with its wrapped form."""
        key = secrets.token_bytes(length)
        return key, await self.wrap(key_id, key, context)

    async def wrap(self, key_id: str, key: bytes, context: WrapContext) -> WrappedKey:
        """Wrap a data key under the present version of a CMK. Takes an alias as well."""
        row = await self._resolve(key_id)
        check_usable(row)
        material = self._material(row.key_id, row.current_version)
        blob = wrap_data_key(material, row.key_id, row.current_version, key, context)
        return WrappedKey(key_id=row.key_id, blob=blob)

    async def unwrap(self, wrapped: WrappedKey, context: WrapContext) -> bytes:
        """Open a wrapped data key with the version of the CMK that it was wrapped under."""
        try:
            blob = parse_blob(wrapped.blob)
            if blob.key_id != wrapped.key_id:
                raise WrappedKeyRejected("The wrapped key belongs to another master key than the envelope says.")
            row = self._find(blob.key_id)
            if row is None:
                raise not_found(blob.key_id)
            check_usable(row)
            return open_data_key(self._material(row.key_id, blob.version), blob, context)
        except WrapRejected as cause:
            raise WrappedKeyRejected from cause

    async def describe(self, key_id: str) -> KeyDescription:
        """Resolve an id or alias; raises `KeyNotFound`."""
        return _description(await self._resolve(key_id))

    def version_of(self, wrapped: WrappedKey) -> str | None:
        """Return the CMK's version that a wrapped key names; None where it is none of ours."""
        try:
            return str(parse_blob(wrapped.blob).version)
        except WrapRejected:
            return None

    async def healthy(self) -> None:
        """Return if the database can be read."""
        with self._database.reading() as rows:
            rows.all_keys()

    def allows(self, principal: str, key_id: str, use: KeyUse) -> bool:
        """Whether a principal may use a CMK, as the database stands now."""
        known = self._up_to_date()
        if key_id not in known.grants:
            with self._database.reading() as rows:
                known.grants[key_id] = rows.grants_of(key_id)
        return (principal, use.value) in known.grants[key_id]

    # ---- management ----

    async def create_key(self, *, description: str = "", alias: str | None = None) -> KeyDescription:
        """Create a CMK with generated material, under an alias if one is given."""
        change = partial(
            management.create_key,
            sealing_key=self._sealing_key,
            now=self._clock.now(),
            description=description,
            alias=alias,
        )
        return _description(await self._change(change))

    async def create_external_key(self, *, description: str = "", alias: str | None = None) -> KeyDescription:
        """Create a CMK that waits for its material, under an alias if one is given."""
        change = partial(management.create_external_key, now=self._clock.now(), description=description, alias=alias)
        return _description(await self._change(change))

    async def import_parameters(
        self, key_id: str, algorithm: WrappingAlgorithm, spec: WrappingKeySpec
    ) -> ImportParameters:
        """Make a wrapping key for a CMK's material, good for 24 hours. Raises `InvalidArgument`."""
        target = (await self._resolve(key_id)).key_id
        wrapping_key = await asyncio.to_thread(importing.make_wrapping_key, spec)
        change = partial(
            importing.offer_import,
            sealing_key=self._sealing_key,
            now=self._clock.now(),
            key_id=target,
            algorithm=algorithm,
            wrapping_key=wrapping_key,
        )
        return await self._change(change)

    async def import_material(self, wanted: Import) -> KeyDescription:
        """Put material into a CMK. Raises `InvalidArgument`."""
        target = replace(wanted, key_id=(await self._resolve(wanted.key_id)).key_id)
        change = partial(importing.import_material, sealing_key=self._sealing_key, now=self._clock.now(), wanted=target)
        return _description(await self._change(change))

    async def delete_material(self, key_id: str) -> KeyDescription:
        """Take imported material away; the CMK waits for the same material then. Raises `InvalidArgument`."""
        target = (await self._resolve(key_id)).key_id
        return _description(await self._change(partial(importing.delete_material, key_id=target)))

    async def list_keys(self) -> list[KeyDescription]:
        """Return all CMKs, oldest first."""
        with self._database.reading() as rows:
            standing = [as_of(row, self._clock.now()) for row in rows.all_keys()]
        return [_description(row) for row in standing if row is not None]

    async def aliases_of(self, key_id: str) -> list[str]:
        """Return the aliases of a CMK."""
        row = await self._resolve(key_id)
        with self._database.reading() as rows:
            return rows.aliases_of(row.key_id)

    async def set_alias(self, alias: str, key_id: str) -> None:
        """Let an alias name a CMK, whatever it named before."""
        target = (await self._resolve(key_id)).key_id
        await self._change(partial(management.name_key, alias=alias, key_id=target))

    async def rotate(self, key_id: str) -> KeyDescription:
        """Give a CMK a new version: new wraps use it, older ones still open. Raises what its state demands."""
        target = (await self._resolve(key_id)).key_id
        change = partial(management.rotate_key, sealing_key=self._sealing_key, now=self._clock.now(), key_id=target)
        return _description(await self._change(change))

    async def enable(self, key_id: str) -> None:
        """Let a disabled CMK be used again."""
        target = (await self._resolve(key_id)).key_id
        await self._change(partial(management.enable_key, key_id=target))

    async def disable(self, key_id: str) -> None:
        """Let a CMK neither wrap nor unwrap, in any process, from its next call on."""
        target = (await self._resolve(key_id)).key_id
        await self._change(partial(management.disable_key, key_id=target))

    async def schedule_deletion(self, key_id: str, *, days: int) -> None:
        """Let a CMK be deleted after 7 to 30 days; until then it cannot be used, and this can be cancelled."""
        target = (await self._resolve(key_id)).key_id
        change = partial(management.schedule_deletion, now=self._clock.now(), key_id=target, days=days)
        await self._change(change)

    async def cancel_deletion(self, key_id: str) -> None:
        """Take a deletion back; the CMK is disabled then."""
        target = (await self._resolve(key_id)).key_id
        await self._change(partial(management.cancel_deletion, key_id=target))

    async def delete_version(self, key_id: str, version: int) -> None:
        """Take an older version's material away, for ever. Raises `InvalidArgument`, and what its state demands."""
        target = (await self._resolve(key_id)).key_id
        await self._change(partial(management.delete_version, key_id=target, version=version))

    async def set_rotation_period(self, key_id: str, period: timedelta | None) -> None:
        """Let a CMK be rotated by itself, or no longer. Raises `InvalidArgument`."""
        target = (await self._resolve(key_id)).key_id
        await self._change(partial(rotation.set_rotation_period, key_id=target, period=period))

    async def grant(self, key_id: str, principal: str, uses: Collection[KeyUse]) -> None:
        """Let a principal use a CMK."""
        target = (await self._resolve(key_id)).key_id
        await self._change(partial(grants.grant_key, key_id=target, principal=principal, uses=uses))

    async def revoke(self, key_id: str, principal: str, uses: Collection[KeyUse]) -> None:
        """Take grants back, in every process, from its next call on. Raises `InvalidArgument` where there is none."""
        target = (await self._resolve(key_id)).key_id
        await self._change(partial(grants.revoke_key, key_id=target, principal=principal, uses=uses))

    async def details(self, key_id: str) -> KeyDetails:
        """Return everything there is to say of a CMK. Raises `KeyNotFound`."""
        row = self._find(key_id)
        if row is None:
            raise not_found(key_id)
        with self._database.reading() as rows:
            return self._details(rows, row)

    async def all_details(self) -> list[KeyDetails]:
        """Return everything there is to say of every CMK, oldest first."""
        with self._database.reading() as rows:
            standing = [as_of(row, self._clock.now()) for row in rows.all_keys()]
            return [self._details(rows, row) for row in standing if row is not None]

    def _details(self, rows: Rows, row: KeyRow) -> KeyDetails:
        is_service_key = rows.alias_target(SERVICE_KEY_ALIAS) == row.key_id
        return details_of(rows, row, self._service_key_period if is_service_key else None)

    async def maintain(self) -> list[str]:
        """Do what time has brought: delete what is due, rotate what has served long enough; return what was rotated.

        To be called now and then by any number of processes: each rotation happens once.
        """
        change = partial(
            rotation.rotate_due,
            sealing_key=self._sealing_key,
            now=self._clock.now(),
            service_key_period=self._service_key_period,
        )
        return await self._change(change) if self._is_due() else []

    def _is_due(self) -> bool:
        """Whether a write is worth its lock."""
        now = self._clock.now()
        with self._database.reading() as rows:
            return management.is_unsettled(rows, now) or bool(rotation.due_keys(rows, now, self._service_key_period))

    # ---- what is known ----

    async def _resolve(self, name: str) -> KeyRow:
        row = self._find(name)
        if row is None and local_name(name) in self._created_on_first_use:
            change = partial(
                management.key_on_first_use,
                sealing_key=self._sealing_key,
                now=self._clock.now(),
                alias=local_name(name),
            )
            row = await self._change(change)
        if row is None:
            raise not_found(name)
        return row

    def _find(self, name: str) -> KeyRow | None:
        """Return the CMK with an id or alias as it stands in the database now."""
        known = self._up_to_date()
        name = local_name(name)
        key_id = self._target(known, name) if name.startswith("alias/") else name
        if key_id is None:
            return None
        if key_id not in known.keys:
            with self._database.reading() as rows:
                row = rows.key(key_id)
            if row is None:
                return None
            known.keys[key_id] = row
        return as_of(known.keys[key_id], self._clock.now())

    def _target(self, known: _Known, alias: str) -> str | None:
        if alias not in known.targets:
            with self._database.reading() as rows:
                target = rows.alias_target(alias)
            if target is None:
                return None
            known.targets[alias] = target
        return known.targets[alias]

    def _material(self, key_id: str, version: int) -> bytes:
        """Return a version's material. Raises `WrappedKeyRejected` where there is none or it is damaged."""
        known = self._up_to_date()
        if (key_id, version) not in known.material:
            with self._database.reading() as rows:
                sealed = rows.sealed_material(key_id, version)
            if sealed is None:
                raise WrappedKeyRejected(f"The key {key_id} has no version {version}.")
            try:
                known.material[key_id, version] = open_material(self._sealing_key, key_id, version, sealed)
            except WrapRejected as cause:
                raise WrappedKeyRejected(f"The material of key {key_id} is damaged in the KMS database.") from cause
        return known.material[key_id, version]

    def _up_to_date(self) -> _Known:
        """Return what is known, nothing of it older than the database's last change.

        The count is read first: what is read after it can only be newer than the count says.
        """
        change_count = self._database.change_count()
        if change_count != self._known.change_count:
            self._known = _Known(change_count)
        return self._known

    async def _change(self, change: Callable[[Rows], T]) -> T:
        async with self._changing:
            return await asyncio.to_thread(self._transact, change)

    def _transact(self, change: Callable[[Rows], T]) -> T:
        with self._database.writing() as rows:
            settle(rows, self._clock.now())
            return change(rows)


def _description(row: KeyRow) -> KeyDescription:
    return KeyDescription(
        key_id=row.key_id, state=row.state.value, origin=row.origin.value, current_version=row.current_version
    )
