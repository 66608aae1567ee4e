"""The statements of the embedded KMS: what is read from its database, and what is changed in it."""

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# A CMK with the day on which its present material expires.
_KEYS = """
SELECT keys.*, versions.expires FROM keys
LEFT JOIN versions ON versions.key_id = keys.key_id AND versions.version = keys.current_version
"""


class KeyState(StrEnum):
    """Where a CMK stands, in the words of the services (OSS dossier §7)."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    PENDING_DELETION = "PendingDeletion"
    PENDING_IMPORT = "PendingImport"


class Origin(StrEnum):
    """Where a CMK's material comes from."""

    GENERATED = "generated"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A CMK as it stands in the database. Times are ISO 8601 in UTC."""

    key_id: str
    state: KeyState
    origin: Origin
    description: str
    created: str
    current_version: int  # the one that new wraps use; 0 where there is no material yet
    deletion_due: str | None = None
    rotation_period_s: int | None = None
    rotated: str | None = None
    material_expires: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class VersionRow:
    """A version of a CMK. `sealed` is None where its material was deleted or has expired."""

    version: int
    sealed: bytes | None
    created: str
    expires: str | None
    material_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ImportRow:
    """A wrapping key that waits for a CMK's material. `private_key` is sealed."""

    key_id: str
    algorithm: str
    private_key: bytes
    expires: str


class Rows:
    """The rows, through one connection. Raises `sqlite3.Error`; the changing methods belong into a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def key(self, key_id: str) -> KeyRow | None:
        """Return a CMK."""
        row = self._connection.execute(f"{_KEYS} WHERE keys.key_id = ?", (key_id,)).fetchone()
        return None if row is None else _key_row(row)

    def all_keys(self) -> list[KeyRow]:
        """Return all CMKs, oldest first."""
        rows = self._connection.execute(f"{_KEYS} ORDER BY keys.created, keys.key_id").fetchall()
        return [_key_row(row) for row in rows]

    def sealed_material(self, key_id: str, version: int) -> bytes | None:
        """Return sealed material, None where there is none."""
        row = self._connection.execute(
            "SELECT sealed FROM versions WHERE key_id = ? AND version = ?", (key_id, version)
        ).fetchone()
        return None if row is None else row[0]

    def versions_of(self, key_id: str) -> list[VersionRow]:
        """Return all versions of a CMK, oldest first."""
        rows = self._connection.execute(
            "SELECT version, sealed, created, expires, material_hash FROM versions WHERE key_id = ? ORDER BY version",
            (key_id,),
        )
        return [
            VersionRow(version=version, sealed=sealed, created=created, expires=expires, material_hash=hashed)
            for version, sealed, created, expires, hashed in rows.fetchall()
        ]

    def alias_target(self, alias: str) -> str | None:
        """Return the id of the CMK that an alias names."""
        row = self._connection.execute("SELECT key_id FROM aliases WHERE alias = ?", (alias,)).fetchone()
        return None if row is None else str(row[0])

    def aliases_of(self, key_id: str) -> list[str]:
        """Return the aliases of a CMK, in order."""
        rows = self._connection.execute("SELECT alias FROM aliases WHERE key_id = ? ORDER BY alias", (key_id,))
        return [str(row[0]) for row in rows.fetchall()]

    def add_key(self, row: KeyRow) -> None:
        """Add a CMK without material."""
        self._connection.execute(
            "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                row.key_id, row.state.value, row.origin.value, row.description, row.created, row.current_version,
                row.deletion_due, row.rotation_period_s, row.rotated,
            ),
        )  # fmt: skip

    def add_version(self, key_id: str, version: VersionRow) -> None:
        """Add material and make it the one that new wraps use."""
        self._connection.execute(
            "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?)",
            (key_id, version.version, version.sealed, version.created, version.expires, version.material_hash),
        )
        self._connection.execute("UPDATE keys SET current_version = ? WHERE key_id = ?", (version.version, key_id))

    def set_material(self, key_id: str, version: int, sealed: bytes | None, expires: str | None) -> None:
        """Put sealed material into a version that is there, or take it away."""
        self._connection.execute(
            "UPDATE versions SET sealed = ?, expires = ? WHERE key_id = ? AND version = ?",
            (sealed, expires, key_id, version),
        )

    def delete_key(self, key_id: str) -> None:
        """Delete a CMK with its versions, aliases, grants and imports."""
        self._connection.execute("DELETE FROM keys WHERE key_id = ?", (key_id,))

    def set_state(self, key_id: str, state: KeyState, deletion_due: str | None = None) -> None:
        """Change where a CMK stands."""
        self._connection.execute(
            "UPDATE keys SET state = ?, deletion_due = ? WHERE key_id = ?", (state.value, deletion_due, key_id)
        )

    def set_rotated(self, key_id: str, moment: str) -> None:
        """Note when a CMK got its present version."""
        self._connection.execute("UPDATE keys SET rotated = ? WHERE key_id = ?", (moment, key_id))

    def set_rotation_period(self, key_id: str, seconds: int | None) -> None:
        """Change how often a CMK is rotated by itself; None: never."""
        self._connection.execute("UPDATE keys SET rotation_period_s = ? WHERE key_id = ?", (seconds, key_id))

    def set_alias(self, alias: str, key_id: str) -> None:
        """Let an alias name a CMK, whatever it named before."""
        self._connection.execute("INSERT OR REPLACE INTO aliases VALUES (?, ?)", (alias, key_id))

    # ---- imports ----

    def add_import(self, token_hash: bytes, row: ImportRow) -> None:
        """Add a wrapping key."""
        self._connection.execute(
            "INSERT INTO imports VALUES (?, ?, ?, ?, ?)",
            (token_hash, row.key_id, row.algorithm, row.private_key, row.expires),
        )

    def find_import(self, token_hash: bytes) -> ImportRow | None:
        """Return the wrapping key that a token stands for."""
        row = self._connection.execute(
            "SELECT key_id, algorithm, private_key, expires FROM imports WHERE token_hash = ?", (token_hash,)
        ).fetchone()
        return None if row is None else ImportRow(key_id=row[0], algorithm=row[1], private_key=row[2], expires=row[3])

    def delete_imports(self, key_id: str) -> None:
        """Delete the wrapping keys of a CMK."""
        self._connection.execute("DELETE FROM imports WHERE key_id = ?", (key_id,))

    def delete_imports_before(self, moment: datetime) -> None:
        """Delete the wrapping keys whose time is over."""
        late = [
            token
            for token, expires in self._connection.execute("SELECT token_hash, expires FROM imports").fetchall()
            if datetime.fromisoformat(expires) <= moment
        ]
        self._connection.executemany("DELETE FROM imports WHERE token_hash = ?", [(token,) for token in late])

    # ---- grants ----

    def grants_of(self, key_id: str) -> frozenset[tuple[str, str]]:
        """Return who may do what with a CMK: principals and operations."""
        rows = self._connection.execute("SELECT principal, operation FROM grants WHERE key_id = ?", (key_id,))
        return frozenset((str(principal), str(operation)) for principal, operation in rows.fetchall())

    def add_grants(self, key_id: str, principal: str, operations: Collection[str]) -> None:
        """Let a principal do more with a CMK."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO grants VALUES (?, ?, ?)", [(key_id, principal, name) for name in sorted(operations)]
        )

    def delete_grants(self, key_id: str, principal: str, operations: Collection[str]) -> int:
        """Let a principal do less with a CMK; returns how many grants there were."""
        return self._connection.executemany(
            "DELETE FROM grants WHERE key_id = ? AND principal = ? AND operation = ?",
            [(key_id, principal, name) for name in sorted(operations)],
        ).rowcount


_KeyColumns = tuple[str, str, str, str, str, int, str | None, int | None, str | None, str | None]


def _key_row(row: _KeyColumns) -> KeyRow:
    return KeyRow(
        key_id=row[0], state=KeyState(row[1]), origin=Origin(row[2]), description=row[3], created=row[4],
        current_version=row[5], deletion_due=row[6], rotation_period_s=row[7], rotated=row[8],
        material_expires=row[9],
    )  # fmt: skip
