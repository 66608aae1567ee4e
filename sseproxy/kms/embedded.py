"""The embedded KMS: CMKs with versions and states in one SQLite file, for one host.

Opened material stays in memory until the database changes; every call looks whether it has (`PRAGMA data_version`),
so a key that another process disables stops working with the next call.
"""

import asyncio
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from hashlib import sha256
from secrets import token_bytes
from struct import Struct
from typing import TypeVar

from sseproxy.errors import (
    InvalidArgument,
    KeyDisabled,
    KeyNotFound,
    KeyPendingDeletion,
    KeyPendingImport,
    WrappedKeyRejected,
)
from sseproxy.kms.database import Database, KeyRow
from sseproxy.kms.root_key import RootKey
from sseproxy.kms.wrapping import WrapRejected, framed, unwrap, wrap
from sseproxy.model import KeyDescription, WrapContext, WrappedKey
from sseproxy.ports import Clock

ENABLED, DISABLED, PENDING_DELETION, PENDING_IMPORT = "Enabled", "Disabled", "PendingDeletion", "PendingImport"
GENERATED, EXTERNAL = "generated", "external"

_BLOB = Struct(">B16sI")  # blob version, key id, key version; the wrap follows
_BLOB_VERSION = 1
_MATERIAL = 32
_REFUSED_STATES = {DISABLED: KeyDisabled, PENDING_DELETION: KeyPendingDeletion, PENDING_IMPORT: KeyPendingImport}

T = TypeVar("T")


@dataclass(slots=True)
class _Cache:
    """What was read from the database while `change_count` stood."""

    change_count: int
    keys: dict[str, KeyRow]
    aliases: dict[str, str]
    material: dict[tuple[str, int], bytes]


class EmbeddedKms:
    """The `Kms` port on a local database. `created_on_first_use` are aliases that get a CMK when first asked for.

    Every method of the port raises a `KeyServiceError`, and nothing else on purpose.
    """

    def __init__(
        self, database: Database, root_key: RootKey, clock: Clock, *, created_on_first_use: Collection[str] = ()
    ) -> None:
        self._database = database
        self._root_key = root_key
        self._clock = clock
        self._created_on_first_use = frozenset(created_on_first_use)
        self._cache = _Cache(-1, {}, {}, {})
        self._writing = asyncio.Lock()

    def __repr__(self) -> str:
        return "EmbeddedKms(<redacted>)"

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    async def generate(self, key_id: str, context: WrapContext, *, length: int = 32) -> tuple[bytes, WrappedKey]:
        """Draw a fresh data key and return it with its wrapped form."""
        key = token_bytes(length)
        return key, await self.wrap(key_id, key, context)

    async def wrap(self, key_id: str, key: bytes, context: WrapContext) -> WrappedKey:
        """Wrap a data key under the present version of a CMK."""
        row = await self._usable(key_id)
        version = row.current_version
        material = self._material(row.key_id, version)
        sealed = wrap(material, key, _wrap_info(row.key_id, version, context))
        return WrappedKey(
            key_id=row.key_id, blob=_BLOB.pack(_BLOB_VERSION, uuid.UUID(row.key_id).bytes, version) + sealed
        )

    async def unwrap(self, wrapped: WrappedKey, context: WrapContext) -> bytes:
        """Open a wrapped data key with the version of the CMK that it was wrapped under."""
        if len(wrapped.blob) < _BLOB.size:
            raise WrappedKeyRejected
        blob_version, key_id_bytes, version = _BLOB.unpack_from(wrapped.blob)
        key_id = str(uuid.UUID(bytes=key_id_bytes))
        if blob_version != _BLOB_VERSION or key_id != wrapped.key_id:
            raise WrappedKeyRejected
        row = await self._usable(key_id)
        material = self._material(row.key_id, version)
        try:
            return unwrap(material, wrapped.blob[_BLOB.size :], _wrap_info(key_id, version, context))
        except WrapRejected as cause:
            raise WrappedKeyRejected from cause

    async def describe(self, key_id: str) -> KeyDescription:
        """Resolve an id or alias; raises `KeyNotFound`."""
        row = await self._resolve(key_id)
        return KeyDescription(
            key_id=row.key_id, state=row.state, origin=row.origin, current_version=row.current_version
        )

    async def healthy(self) -> None:
        """Return if the database answers."""
        await self._in_thread(self._database.change_count)

    async def create_key(self, *, description: str = "", alias: str | None = None) -> KeyDescription:
        """Create a CMK with generated material, under an alias if one is given."""
        return _describe(await self._write(partial(self._create, description, alias)))

    async def list_keys(self) -> list[KeyDescription]:
        """Return all CMKs, oldest first."""
        return [_describe(row) for row in await self._in_thread(self._database.keys)]

    async def rotate(self, key_id: str) -> KeyDescription:
        """Give a CMK a new version: new wraps use it, old ones still open. Raises what its state demands."""
        row = await self._usable(key_id)
        if row.origin != GENERATED:
            raise InvalidArgument("A CMK with imported material cannot be rotated.", ArgumentName="KeyId")
        return _describe(await self._write(partial(self._rotate, row.key_id)))

    async def set_alias(self, alias: str, key_id: str) -> None:
        """Let an alias name a CMK."""
        if not alias.startswith("alias/") or not 6 < len(alias) <= 255:
            raise InvalidArgument(
                "An alias begins with `alias/` and has 7 to 255 characters.", ArgumentName="AliasName"
            )
        row = await self._resolve(key_id)
        await self._write(partial(self._database.set_alias, alias, row.key_id))

    async def enable(self, key_id: str) -> None:
        """Let a disabled CMK be used again."""
        await self._set_state(key_id, ENABLED, from_states={DISABLED, ENABLED})

    async def disable(self, key_id: str) -> None:
        """Let a CMK neither wrap nor unwrap."""
        await self._set_state(key_id, DISABLED, from_states={DISABLED, ENABLED})

    async def schedule_deletion(self, key_id: str, *, days: int) -> None:
        """Let a CMK be deleted after 7 to 30 days; until then it can be cancelled, and not be used."""
        if not 7 <= days <= 30:
            raise InvalidArgument("A CMK is deleted after 7 to 30 days.", ArgumentName="PendingWindowInDays")
        due = (self._clock.now() + timedelta(days=days)).isoformat()
        await self._set_state(key_id, PENDING_DELETION, from_states={DISABLED, ENABLED, PENDING_IMPORT}, due=due)

    async def cancel_deletion(self, key_id: str) -> None:
        """Take a deletion back; the CMK is disabled then."""
        await self._set_state(key_id, DISABLED, from_states={PENDING_DELETION})

    async def _set_state(
        self, key_id: str, state: str, *, from_states: Collection[str], due: str | None = None
    ) -> None:
        row = await self._resolve(key_id)
        if row.state not in from_states:
            raise _REFUSED_STATES.get(row.state, KeyDisabled)()
        await self._write(partial(self._database.set_state, row.key_id, state, due))

    async def _usable(self, key_id: str) -> KeyRow:
        row = await self._resolve(key_id)
        if row.state != ENABLED:
            raise _REFUSED_STATES.get(row.state, KeyDisabled)()
        return row

    async def _resolve(self, key_id: str) -> KeyRow:
        cache = self._fresh_cache()
        target = key_id
        if key_id.startswith("alias/"):
            found = cache.aliases.get(key_id) or self._database.alias_target(key_id)
            if found is None:
                if key_id not in self._created_on_first_use:
                    raise KeyNotFound(f"The alias {key_id} does not exist.")
                found = (await self._write(partial(self._create_for_alias, key_id))).key_id
            target = cache.aliases[key_id] = found
        row = cache.keys.get(target) or self._database.key(target)
        if row is None:
            raise KeyNotFound(f"The key {key_id} does not exist.")
        cache.keys[target] = row
        return row

    def _fresh_cache(self) -> _Cache:
        change_count = self._database.change_count()
        if change_count != self._cache.change_count:
            self._cache = _Cache(change_count, {}, {}, {})
        return self._cache

    def _material(self, key_id: str, version: int) -> bytes:
        known = self._cache.material.get((key_id, version))
        if known is None:
            sealed = self._database.sealed_material(key_id, version)
            if sealed is None:
                raise WrappedKeyRejected(f"The key {key_id} has no version {version}.")
            try:
                known = unwrap(self._root_key.raw, sealed, _material_info(key_id, version))
            except WrapRejected as cause:
                raise WrappedKeyRejected(f"The material of key {key_id} is damaged in the KMS database.") from cause
            self._cache.material[(key_id, version)] = known
        return known

    async def _write(self, change: Callable[[], T]) -> T:
        """Make a change in one transaction, off the event loop: another process may hold the lock."""
        async with self._writing:
            try:
                return await self._in_thread(partial(self._transact, change))
            finally:
                self._cache = _Cache(-1, {}, {}, {})

    def _transact(self, change: Callable[[], T]) -> T:
        with self._database.writing():
            return change()

    @staticmethod
    async def _in_thread(call: Callable[[], T]) -> T:
        return await asyncio.to_thread(call)

    def _create_for_alias(self, alias: str) -> KeyRow:
        present = self._database.alias_target(alias)  # another process may have been faster
        row = self._database.key(present) if present is not None else None
        return row or self._create(f"created on first use of {alias}", alias)

    def _create(self, description: str, alias: str | None) -> KeyRow:
        now = self._clock.now().isoformat()
        row = KeyRow(
            key_id=str(uuid.uuid4()), state=ENABLED, origin=GENERATED, description=description, created=now,
            current_version=0, deletion_due=None, rotation_period_s=None, rotated=None,
        )  # fmt: skip
        self._database.add_key(row)
        self._add_version(row.key_id, 1)
        if alias is not None:
            self._database.set_alias(alias, row.key_id)
        return self._existing(row.key_id)

    def _rotate(self, key_id: str) -> KeyRow:
        self._add_version(key_id, self._existing(key_id).current_version + 1)
        self._database.set_rotated(key_id, self._clock.now().isoformat())
        return self._existing(key_id)

    def _add_version(self, key_id: str, version: int) -> None:
        material = token_bytes(_MATERIAL)
        sealed = wrap(self._root_key.raw, material, _material_info(key_id, version))
        self._database.add_version(
            key_id,
            version,
            sealed,
            self._clock.now().isoformat(),
            sha256(_material_info(key_id, 0) + material).digest(),
        )

    def _existing(self, key_id: str) -> KeyRow:
        row = self._database.key(key_id)
        if row is None:
            raise KeyNotFound(f"The key {key_id} does not exist.")
        return row


def _describe(row: KeyRow) -> KeyDescription:
    return KeyDescription(key_id=row.key_id, state=row.state, origin=row.origin, current_version=row.current_version)


def _wrap_info(key_id: str, version: int, context: WrapContext) -> bytes:
    return framed(b"sseproxy/kms/v1/wrap", key_id.encode(), version.to_bytes(4, "big"), context.aad)


def _material_info(key_id: str, version: int) -> bytes:
    return framed(b"sseproxy/kms/v1/material", key_id.encode(), version.to_bytes(4, "big"))
