"""Entries in an SQLite file, which the processes of one host share and which survives a restart."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path

from sseproxy.errors import ConfigurationError
from sseproxy.ports import CacheUnavailable

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (name BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""
_BUSY_S = 0.5  # how long a lock of another process is waited for
_CLEARED = 0.9  # of the most entries stay when there are too many
_CHECKED_EVERY = 1000  # puts between two counts of the entries


class FileCache:
    """All access is in one thread, so that the event loop never waits for the file."""

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor, most: int) -> None:
        self._connection = connection
        self._thread = thread
        self._most = most
        self._puts = 0

    async def get_many(self, names: Sequence[bytes]) -> Sequence[bytes | None]:
        """Return what is kept under the names, None for those that are unknown. Raises `CacheUnavailable`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._get, names)

    async def put_many(self, entries: Mapping[bytes, bytes]) -> None:
        """Keep entries. Raises `CacheUnavailable`."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._put, entries)

    def _get(self, names: Sequence[bytes]) -> list[bytes | None]:
        try:
            cursor = self._connection.cursor()
            rows = [cursor.execute("SELECT value FROM entries WHERE name = ?", (name,)).fetchone() for name in names]
        except sqlite3.Error as cause:
            raise CacheUnavailable from cause
        return [None if row is None else row[0] for row in rows]

    def _put(self, entries: Mapping[bytes, bytes]) -> None:
        try:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?)", entries.items())
                self._puts += len(entries)
                if self._puts >= _CHECKED_EVERY:
                    self._puts = 0
                    self._make_room()
        except sqlite3.Error as cause:
            raise CacheUnavailable from cause

    def _make_room(self) -> None:
        """Remove entries where there are too many. Names are hashes: the first ones are any ones."""
        (count,) = self._connection.execute("SELECT count(*) FROM entries").fetchone()
        if count > self._most:
            excess = count - int(self._most * _CLEARED)
            self._connection.execute(
                "DELETE FROM entries WHERE name IN (SELECT name FROM entries ORDER BY name LIMIT ?)", (excess,)
            )


@asynccontextmanager
async def open_file_cache(path: Path, most: int) -> AsyncIterator[FileCache]:
    """Open the file, making it anew where it is damaged. Raises `ConfigurationError` where it cannot be written."""
    with ThreadPoolExecutor(1, thread_name_prefix="cache") as thread:
        connection = await asyncio.get_running_loop().run_in_executor(thread, _open_or_replace, path)
        with closing(connection):
            yield FileCache(connection, thread, most)


def _open_or_replace(path: Path) -> sqlite3.Connection:
    try:
        try:
            return _open(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            path.unlink()  # damaged, or no database: it is only a cache
            return _open(path)
    except (sqlite3.Error, OSError) as cause:
        raise ConfigurationError(
            f"The cache {path} cannot be used ({cause}): let the proxy write there, or set cache.entries_file to "
            "another place."
        ) from cause


def _open(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")  # what a power failure takes is looked up again
        connection.executescript(_SCHEMA)
        connection.execute("SELECT name, value FROM entries LIMIT 1").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection
