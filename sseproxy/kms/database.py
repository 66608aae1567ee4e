"""The embedded KMS's SQLite file: keys, versions, aliases, grants. Key material in it is sealed under the root key."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sseproxy.errors import ConfigurationError, KeyServiceUnavailable
from sseproxy.format.wrapping import WrapRejected, framed, unwrap, wrap
from sseproxy.kms.root_key import RootKey
from sseproxy.kms.rows import Rows

_SCHEMA_VERSION = 1
_OLDEST_SQLITE = (3, 37, 0)  # STRICT tables
_WRITE_TIMEOUT_S = 10.0
_READ_TIMEOUT_S = 0.25  # in WAL mode a reader waits for nobody, except while the log is being recovered
_PAUSE_S = 0.02  # between attempts to switch the journal
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


class Database:
    """An open database, with one connection to read and one to write, so that reading never waits for a writer.

    Raises `ConfigurationError` where the file is none of ours, is of another release, or belongs to another root
    key; nothing is created in it then.
    """

    def __init__(self, path: Path, root_key: RootKey) -> None:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise ConfigurationError("The embedded KMS needs SQLite 3.37 or later; this Python has an older one.")
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        try:
            path.touch(mode=0o600, exist_ok=True)  # the log beside it takes the same mode
            path.chmod(0o600)
            self._writer = _connect(path, _WRITE_TIMEOUT_S)
            _prepare(self._writer, path, root_key)
            self._reader = _connect(path, _READ_TIMEOUT_S)
        except (sqlite3.Error, OSError) as cause:
            self.close()
            raise ConfigurationError(f"The KMS database {path} cannot be used: {cause}.") from cause
        except ConfigurationError:
            self.close()
            raise

    def __repr__(self) -> str:
        return "Database(<redacted>)"

    def close(self) -> None:
        """Close the file. Closing again does nothing."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None

    def change_count(self) -> int:
        """Return a number that differs whenever the database has changed, by whatever process. Costs microseconds."""
        with _as_key_service_errors():
            (number,) = _opened(self._reader).execute("PRAGMA data_version").fetchone()
        return int(number)

    @contextmanager
    def reading(self) -> Iterator[Rows]:
        """Read. Raises `KeyServiceUnavailable` where the file cannot be read."""
        with _as_key_service_errors():
            yield Rows(_opened(self._reader))

    @contextmanager
    def writing(self) -> Iterator[Rows]:
        """Hold the write lock; everything inside happens, or nothing. From one thread at a time.

        Waits for another process for 10 seconds at most. Raises `KeyServiceUnavailable` where it cannot be done.
        """
        with _as_key_service_errors():
            connection = _opened(self._writer)
            with _transaction(connection):
                yield Rows(connection)


def _connect(path: Path, timeout_s: float) -> sqlite3.Connection:
    # Made in one thread and used in another, never by two at once.
    connection = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")  # a CMK is on the disk before anything is wrapped under it
    return connection


def _opened(connection: sqlite3.Connection | None) -> sqlite3.Connection:
    if connection is None:
        raise KeyServiceUnavailable("The KMS database is closed.")
    return connection


@contextmanager
def _as_key_service_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as cause:
        raise KeyServiceUnavailable(f"The KMS database cannot be used: {cause}.") from cause


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _prepare(connection: sqlite3.Connection, path: Path, root_key: RootKey) -> None:
    with _transaction(connection):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if version == 0 and tables == 0:
            _create(connection, root_key)
        elif version != _SCHEMA_VERSION:
            raise ConfigurationError(
                f"The file {path} is no KMS database of this release (schema {version}, expected {_SCHEMA_VERSION})."
            )
    _check_root_key(connection, path, root_key)
    if _write_ahead(connection) != "wal":
        raise ConfigurationError(
            f"The KMS database {path} lies on a file system without shared memory: put it on a local disk."
        )


def _write_ahead(connection: sqlite3.Connection) -> str:
    """Switch to write-ahead logging and return the mode that is in force then.

    SQLite does not wait here where several processes switch a new file at once: it says at once that it is locked.
    """
    deadline = time.monotonic() + _WRITE_TIMEOUT_S
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
        else:
            return str(mode)


def _create(connection: sqlite3.Connection, root_key: RootKey) -> None:
    for statement in filter(str.strip, _SCHEMA.split(";")):
        connection.execute(statement)
    check = wrap(root_key.raw, _CHECK, _CHECK_INFO)
    connection.execute("INSERT INTO meta VALUES ('root-check', ?)", (check,))
    connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


def _check_root_key(connection: sqlite3.Connection, path: Path, root_key: RootKey) -> None:
    row = connection.execute("SELECT value FROM meta WHERE name = 'root-check'").fetchone()
    try:
        unwrap(root_key.raw, row[0] if row else b"", _CHECK_INFO)
    except WrapRejected as cause:
        raise ConfigurationError(
            f"The KMS database {path} does not belong to this root key: put the root key file back that it was made "
            "with."
        ) from cause
