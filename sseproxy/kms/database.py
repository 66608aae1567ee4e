"""The embedded KMS's SQLite file: keys, versions, aliases, grants. Key material in it is sealed under the root key."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sseproxy.errors import ConfigurationError
from sseproxy.kms.root_key import RootKey
from sseproxy.kms.wrapping import WrapRejected, framed, unwrap, wrap

_SCHEMA_VERSION = 1
_BUSY_TIMEOUT_S = 10
_CHECK_INFO = framed(b"sseproxy/kms/v1/check")
_CHECK = b"this database belongs to this root key"

# Times are ISO 8601 in UTC. `sealed` is NULL where material was never imported, was deleted or has expired.
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE keys (
    key_id TEXT PRIMARY KEY, state TEXT NOT NULL, origin TEXT NOT NULL, description TEXT NOT NULL,
    created TEXT NOT NULL, current_version INTEGER NOT NULL, deletion_due TEXT, rotation_period_s INTEGER, rotated TEXT
) STRICT;
CREATE TABLE versions (
    key_id TEXT NOT NULL REFERENCES keys ON DELETE CASCADE, version INTEGER NOT NULL, sealed BLOB,
    created TEXT NOT NULL, expires TEXT, material_hash BLOB NOT NULL, PRIMARY KEY (key_id, version)
) STRICT;
CREATE TABLE aliases (alias TEXT PRIMARY KEY, key_id TEXT NOT NULL REFERENCES keys ON DELETE CASCADE) STRICT;
CREATE TABLE grants (
    key_id TEXT NOT NULL REFERENCES keys ON DELETE CASCADE, principal TEXT NOT NULL, operation TEXT NOT NULL,
    PRIMARY KEY (key_id, principal, operation)
) STRICT;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A CMK as it stands in the database."""

    key_id: str
    state: str
    origin: str
    description: str
    created: str
    current_version: int
    deletion_due: str | None
    rotation_period_s: int | None
    rotated: str | None


class Database:
    """An open database. Calls block for as long as another process writes, 10 seconds at most.

    Raises `ConfigurationError` where the file is none of ours, is of a later release, or belongs to another root key.
    """

    def __init__(self, path: Path, root_key: RootKey) -> None:
        try:
            # The connection is used by one thread at a time: the adapter sees to it.
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            path.chmod(0o600)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._prepare(path, root_key)
        except (sqlite3.Error, OSError) as cause:
            raise ConfigurationError(f"The KMS database {path} cannot be used: {cause}.") from cause

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def change_count(self) -> int:
        """Return a number that differs whenever another connection has changed the database."""
        (number,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(number)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the write lock; everything inside happens, or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def add_key(self, row: KeyRow) -> None:
        """Add a CMK without material."""
        self._connection.execute(
            "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                row.key_id, row.state, row.origin, row.description, row.created, row.current_version, row.deletion_due,
                row.rotation_period_s, row.rotated,
            ),
        )  # fmt: skip

    def add_version(self, key_id: str, version: int, sealed: bytes, created: str, material_hash: bytes) -> None:
        """Add material and make it the one that new wraps use."""
        self._connection.execute(
            "INSERT INTO versions VALUES (?, ?, ?, ?, NULL, ?)", (key_id, version, sealed, created, material_hash)
        )
        self._connection.execute("UPDATE keys SET current_version = ? WHERE key_id = ?", (version, key_id))

    def key(self, key_id: str) -> KeyRow | None:
        """Return a CMK."""
        row = self._connection.execute("SELECT * FROM keys WHERE key_id = ?", (key_id,)).fetchone()
        return None if row is None else _key_row(row)

    def keys(self) -> list[KeyRow]:
        """Return all CMKs, oldest first."""
        rows = self._connection.execute("SELECT * FROM keys ORDER BY created, key_id").fetchall()
        return [_key_row(row) for row in rows]

    def set_state(self, key_id: str, state: str, deletion_due: str | None = None) -> None:
        """Change where a CMK stands."""
        self._connection.execute(
            "UPDATE keys SET state = ?, deletion_due = ? WHERE key_id = ?", (state, deletion_due, key_id)
        )

    def set_rotated(self, key_id: str, moment: str) -> None:
        """Note when a CMK got its present version."""
        self._connection.execute("UPDATE keys SET rotated = ? WHERE key_id = ?", (moment, key_id))

    def sealed_material(self, key_id: str, version: int) -> bytes | None:
        """Return sealed material, None where there is none."""
        row = self._connection.execute(
            "SELECT sealed FROM versions WHERE key_id = ? AND version = ?", (key_id, version)
        ).fetchone()
        return None if row is None else row[0]

    def alias_target(self, alias: str) -> str | None:
        """Return the CMK that an alias names."""
        row = self._connection.execute("SELECT key_id FROM aliases WHERE alias = ?", (alias,)).fetchone()
        return None if row is None else str(row[0])

    def set_alias(self, alias: str, key_id: str) -> None:
        """Let an alias name a CMK, whatever it named before."""
        self._connection.execute("INSERT OR REPLACE INTO aliases VALUES (?, ?)", (alias, key_id))

    def aliases_of(self, key_id: str) -> list[str]:
        """Return the aliases of a CMK."""
        rows = self._connection.execute("SELECT alias FROM aliases WHERE key_id = ? ORDER BY alias", (key_id,))
        return [str(row[0]) for row in rows]

    def _prepare(self, path: Path, root_key: RootKey) -> None:
        with self.writing():
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    self._connection.execute(statement)
                check = wrap(root_key.raw, _CHECK, _CHECK_INFO)
                self._connection.execute("INSERT INTO meta VALUES ('root-check', ?)", (check,))
                self._connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
            elif version != _SCHEMA_VERSION:
                raise ConfigurationError(f"The KMS database {path} was written by another release (schema {version}).")
        (check,) = self._connection.execute("SELECT value FROM meta WHERE name = 'root-check'").fetchone()
        try:
            unwrap(root_key.raw, check, _CHECK_INFO)
        except WrapRejected as cause:
            raise ConfigurationError(
                f"The KMS database {path} does not belong to this root key: "
                "put the root key file back that it was made with."
            ) from cause


def _key_row(row: tuple[str, str, str, str, str, int, str | None, int | None, str | None]) -> KeyRow:
    return KeyRow(
        key_id=row[0], state=row[1], origin=row[2], description=row[3], created=row[4], current_version=row[5],
        deletion_due=row[6], rotation_period_s=row[7], rotated=row[8],
    )  # fmt: skip
