"""The statements of the embedded KMS: what is read from its database, and what is changed in it."""

import sqlite3
from dataclasses import dataclass
from enum import StrEnum


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


class Rows:
    """The rows, through one connection. Raises `sqlite3.Error`; the changing methods belong into a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def key(self, key_id: str) -> KeyRow | None:
        """Return a CMK."""
        row = self._connection.execute("SELECT * FROM keys WHERE key_id = ?", (key_id,)).fetchone()
        return None if row is None else _key_row(row)

    def all_keys(self) -> list[KeyRow]:
        """Return all CMKs, oldest first."""
        rows = self._connection.execute("SELECT * FROM keys ORDER BY created, key_id").fetchall()
        return [_key_row(row) for row in rows]

    def sealed_material(self, key_id: str, version: int) -> bytes | None:
        """Return sealed material, None where there is none."""
        row = self._connection.execute(
            "SELECT sealed FROM versions WHERE key_id = ? AND version = ?", (key_id, version)
        ).fetchone()
        return None if row is None else row[0]

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

    def add_version(self, key_id: str, version: int, sealed: bytes, created: str, material_hash: bytes) -> None:
        """Add material and make it the one that new wraps use."""
        self._connection.execute(
            "INSERT INTO versions VALUES (?, ?, ?, ?, NULL, ?)", (key_id, version, sealed, created, material_hash)
        )
        self._connection.execute("UPDATE keys SET current_version = ? WHERE key_id = ?", (version, key_id))

    def set_state(self, key_id: str, state: KeyState, deletion_due: str | None = None) -> None:
        """Change where a CMK stands."""
        self._connection.execute(
            "UPDATE keys SET state = ?, deletion_due = ? WHERE key_id = ?", (state.value, deletion_due, key_id)
        )

    def set_rotated(self, key_id: str, moment: str) -> None:
        """Note when a CMK got its present version."""
        self._connection.execute("UPDATE keys SET rotated = ? WHERE key_id = ?", (moment, key_id))

    def set_alias(self, alias: str, key_id: str) -> None:
        """Let an alias name a CMK, whatever it named before."""
        self._connection.execute("INSERT OR REPLACE INTO aliases VALUES (?, ?)", (alias, key_id))


def _key_row(row: tuple[str, str, str, str, str, int, str | None, int | None, str | None]) -> KeyRow:
    return KeyRow(
        key_id=row[0], state=KeyState(row[1]), origin=Origin(row[2]), description=row[3], created=row[4],
        current_version=row[5], deletion_due=row[6], rotation_period_s=row[7], rotated=row[8],
    )  # fmt: skip
