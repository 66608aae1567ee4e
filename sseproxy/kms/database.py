"""The embedded KMS's SQLite file, open: one connection to read, one to write, and what its material is sealed under."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sseproxy.errors import ConfigurationError, KeyServiceUnavailable
from sseproxy.kms.material import SealingKey
from sseproxy.kms.root_key import RootSecret
from sseproxy.kms.rows import Rows
from sseproxy.kms.schema import prepare_schema, put_sealing_key

_OLDEST_SQLITE = (3, 37, 0)  # STRICT tables
_WRITE_TIMEOUT_S = 10.0
_READ_TIMEOUT_S = 0.25  # in WAL mode a reader waits for nobody, except while the log is being recovered
_PAUSE_S = 0.02  # between attempts to switch the journal


class Database:
    """An open database, with one connection to read and one to write, so that reading never waits for a writer.

    Raises `ConfigurationError` where the file is none of ours, is of another release, or belongs to another root
    key; nothing is created in it then. `sealing_key` is what its material is sealed under.
    """

    def __init__(self, path: Path, root: RootSecret) -> None:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise ConfigurationError("The embedded KMS needs SQLite 3.37 or later; this Python has an older one.")
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        try:
            path.touch(mode=0o600, exist_ok=True)  # the log beside it takes the same mode
            path.chmod(0o600)
            self._writer = _connect(path, _WRITE_TIMEOUT_S)
            self.sealing_key = _prepare(self._writer, path, root)
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

    def change_root(self, root: RootSecret) -> None:
        """Seal the sealing key under another root key; open connections go on. Raises `KeyServiceUnavailable`."""
        with _as_key_service_errors():
            connection = _opened(self._writer)
            with _transaction(connection):
                put_sealing_key(connection, self.sealing_key, root)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the old seal leaves the log

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
    connection.execute("PRAGMA secure_delete = ON")  # deleted material is overwritten, sealed as it is
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


def _prepare(connection: sqlite3.Connection, path: Path, root: RootSecret) -> SealingKey:
    with _transaction(connection):
        sealing_key = prepare_schema(connection, path, root)
    if _write_ahead(connection) != "wal":
        raise ConfigurationError(
            f"The KMS database {path} lies on a file system without shared memory: put it on a local disk."
        )
    return sealing_key


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
