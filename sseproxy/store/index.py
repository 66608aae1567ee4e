"""The index of the store: which buckets, objects, uploads and parts there are, in SQLite.

A row naming immutable files is what makes an object visible; files without a row are leftovers. All calls are
synchronous and short (no `fsync` unless `durable`), so the event loop makes them itself, and every method is one
transaction: what it checks still holds when it writes.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sseproxy.store.records import BucketRow, ObjectRow, PartRow, UploadRow

_SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY, created INTEGER NOT NULL, acl TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL, key BLOB NOT NULL, body TEXT NOT NULL, meta TEXT NOT NULL, size INTEGER NOT NULL,
    etag TEXT NOT NULL, modified INTEGER NOT NULL, kind TEXT NOT NULL, storage_class TEXT NOT NULL,
    checksum_algorithm TEXT NOT NULL, checksum_type TEXT NOT NULL, acl TEXT NOT NULL, tags TEXT NOT NULL,
    PRIMARY KEY (bucket, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uploads (
    upload TEXT PRIMARY KEY, bucket TEXT NOT NULL, key BLOB NOT NULL, initiated INTEGER NOT NULL,
    settings TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS uploads_by_key ON uploads (bucket, key, upload);
CREATE TABLE IF NOT EXISTS parts (
    upload TEXT NOT NULL, number INTEGER NOT NULL, body TEXT NOT NULL, size INTEGER NOT NULL, md5 TEXT NOT NULL,
    crc64 TEXT NOT NULL, modified INTEGER NOT NULL, checksums TEXT NOT NULL,
    PRIMARY KEY (upload, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS finished (
    upload TEXT PRIMARY KEY, bucket TEXT NOT NULL, key BLOB NOT NULL, request BLOB NOT NULL, answer TEXT NOT NULL,
    moment INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS configurations (
    bucket TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (bucket, name)) WITHOUT ROWID;
"""
_OBJECT = (
    "bucket, key, body, meta, size, etag, modified, kind, storage_class, checksum_algorithm, checksum_type, acl, tags"
)
_PART = "upload, number, body, size, md5, crc64, modified, checksums"
FINISHED_KEPT_MS = 24 * 3600 * 1000


class Index:
    """The database at `path`. `durable` makes every commit survive a loss of power."""

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
        self._db.execute("PRAGMA cache_size=-65536")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # Buckets

    def bucket(self, name: str) -> BucketRow | None:
        """Return the bucket, or None where there is none."""
        row = self._db.execute("SELECT created, acl FROM buckets WHERE name=?", (name,)).fetchone()
        return None if row is None else BucketRow(name=name, created=row[0], acl=row[1])

    def buckets(self) -> Sequence[BucketRow]:
        """Return all buckets in order of their names."""
        rows = self._db.execute("SELECT name, created, acl FROM buckets ORDER BY name")
        return [BucketRow(name=name, created=created, acl=acl) for name, created, acl in rows]

    def put_bucket(self, bucket: BucketRow) -> None:
        """Create the bucket or change its ACL."""
        self._db.execute(
            "INSERT INTO buckets VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET acl=excluded.acl",
            (bucket.name, bucket.created, bucket.acl),
        )

    def delete_bucket(self, name: str) -> bool:
        """Delete an empty bucket with its settings and unfinished uploads; False where objects are left."""
        with self._transaction() as db:
            if db.execute("SELECT 1 FROM objects WHERE bucket=? LIMIT 1", (name,)).fetchone():
                return False
            db.execute("DELETE FROM parts WHERE upload IN (SELECT upload FROM uploads WHERE bucket=?)", (name,))
            for table in ("uploads", "configurations", "finished"):
                db.execute(f"DELETE FROM {table} WHERE bucket=?", (name,))  # noqa: S608 - names from this line
            db.execute("DELETE FROM buckets WHERE name=?", (name,))
        return True

    def configuration(self, bucket: str, name: str) -> bytes | None:
        """Return the stored document of a bucket's sub-resource, or None."""
        query = "SELECT body FROM configurations WHERE bucket=? AND name=?"
        row = self._db.execute(query, (bucket, name)).fetchone()
        return None if row is None else bytes(row[0])

    def put_configuration(self, bucket: str, name: str, body: bytes) -> None:
        """Store the document of a bucket's sub-resource."""
        self._db.execute("INSERT OR REPLACE INTO configurations VALUES (?, ?, ?)", (bucket, name, body))

    def delete_configuration(self, bucket: str, name: str) -> None:
        """Forget the document of a bucket's sub-resource."""
        self._db.execute("DELETE FROM configurations WHERE bucket=? AND name=?", (bucket, name))

    # Objects

    def object(self, bucket: str, key: bytes) -> ObjectRow | None:
        """Return the object, or None where there is none."""
        row = self._db.execute(f"SELECT {_OBJECT} FROM objects WHERE bucket=? AND key=?", (bucket, key)).fetchone()  # noqa: S608
        return None if row is None else _object(row)

    def objects(self, bucket: str, first: bytes, end: bytes | None) -> Iterator[ObjectRow]:
        """Yield the objects with first <= key < end by the bytes of their keys, read as they are asked for."""
        query = f"SELECT {_OBJECT} FROM objects WHERE bucket=? AND key>=?"  # noqa: S608 - columns from this file
        if end is None:
            rows = self._db.execute(query + " ORDER BY key", (bucket, first))
        else:
            rows = self._db.execute(query + " AND key<? ORDER BY key", (bucket, first, end))
        return map(_object, rows)

    def put_object(self, row: ObjectRow, check: Callable[[ObjectRow | None], None]) -> ObjectRow | None:
        """Make the object visible and return the one it replaced; `check` sees that one first and may raise."""
        with self._transaction():
            old = self.object(row.bucket, row.key)
            check(old)
            self._write_object(row)
        return old

    def delete_object(self, bucket: str, key: bytes, check: Callable[[ObjectRow | None], None]) -> ObjectRow | None:
        """Delete the object and return it; `check` sees it first and may raise."""
        with self._transaction() as db:
            old = self.object(bucket, key)
            check(old)
            db.execute("DELETE FROM objects WHERE bucket=? AND key=?", (bucket, key))
        return old

    def annotate(self, bucket: str, key: bytes, *, acl: str | None = None, tags: str | None = None) -> None:
        """Change an object's ACL or tags; nothing else of it moves."""
        query = "UPDATE objects SET acl=coalesce(?, acl), tags=coalesce(?, tags) WHERE bucket=? AND key=?"
        self._db.execute(query, (acl, tags, bucket, key))

    def _write_object(self, row: ObjectRow) -> None:
        values = tuple(getattr(row, name) for name in ObjectRow.__slots__)
        self._db.execute(f"INSERT OR REPLACE INTO objects VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608

    # Uploads

    def put_upload(self, row: UploadRow) -> None:
        """Begin a multipart upload."""
        values = (row.upload, row.bucket, row.key, row.initiated, json.dumps(row.settings))
        self._db.execute("INSERT INTO uploads VALUES (?, ?, ?, ?, ?)", values)

    def upload(self, bucket: str, key: bytes, upload: str) -> UploadRow | None:
        """Return the upload if it belongs to this key, else None."""
        query = "SELECT upload, bucket, key, initiated, settings FROM uploads WHERE upload=? AND bucket=? AND key=?"
        row = self._db.execute(query, (upload, bucket, key)).fetchone()
        return None if row is None else _upload(row)

    def uploads(self, bucket: str, first: bytes, after: str, end: bytes | None) -> Iterator[UploadRow]:
        """Yield the uploads behind (`first`, `after`), by key and then by upload id."""
        query = (
            "SELECT upload, bucket, key, initiated, settings FROM uploads WHERE bucket=? AND (key, upload) > (?, ?)"
            " AND (? IS NULL OR key<?) ORDER BY key, upload"
        )
        return map(_upload, self._db.execute(query, (bucket, first, after, end, end)))

    def put_part(self, row: PartRow) -> tuple[bool, str | None]:
        """Store a part; return whether its upload still exists, and the body that the part replaced."""
        with self._transaction() as db:
            if db.execute("SELECT 1 FROM uploads WHERE upload=?", (row.upload,)).fetchone() is None:
                return False, None
            query = "SELECT body FROM parts WHERE upload=? AND number=?"
            old = db.execute(query, (row.upload, row.number)).fetchone()
            values = (row.upload, row.number, row.body, row.size, row.md5, str(row.crc64), row.modified)
            checksums = json.dumps(dict(row.checksums))
            db.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, checksums))
        return True, old and old[0]

    def parts(self, upload: str, after: int = 0, limit: int = -1) -> Sequence[PartRow]:
        """Return the parts with a number above `after`, ascending."""
        query = f"SELECT {_PART} FROM parts WHERE upload=? AND number>? ORDER BY number LIMIT ?"  # noqa: S608
        return [_part(row) for row in self._db.execute(query, (upload, after, limit))]

    def finish_upload(
        self,
        row: ObjectRow,
        upload: str,
        used: Sequence[PartRow],
        check: Callable[[ObjectRow | None], None],
        memory: tuple[bytes, str],
    ) -> tuple[bool, ObjectRow | None, Sequence[str]]:
        """Turn an upload into its object.

        Returns whether upload and `used` parts were still the same, the object replaced, and all bodies of parts.
        `memory` (digest of the request, answer) lets a repeat of the request be answered again.
        """
        with self._transaction() as db:
            present = {part.number: part.body for part in self.parts(upload)}
            if any(present.get(part.number) != part.body for part in used):
                return False, None, ()
            old = self.object(row.bucket, row.key)
            check(old)
            self._write_object(row)
            self._drop_upload(upload)
            db.execute("DELETE FROM finished WHERE moment<?", (row.modified - FINISHED_KEPT_MS,))
            values = (upload, row.bucket, row.key, *memory, row.modified)
            db.execute("INSERT OR REPLACE INTO finished VALUES (?, ?, ?, ?, ?, ?)", values)
        return True, old, list(present.values())

    def finished(self, bucket: str, key: bytes, upload: str) -> tuple[bytes, str] | None:
        """Return what `finish_upload` was told to remember, or None."""
        query = "SELECT request, answer FROM finished WHERE upload=? AND bucket=? AND key=?"
        row = self._db.execute(query, (upload, bucket, key)).fetchone()
        return None if row is None else (bytes(row[0]), row[1])

    def abort_upload(self, upload: str) -> Sequence[str]:
        """Forget an upload; return the bodies of its parts."""
        with self._transaction():
            bodies = [part.body for part in self.parts(upload)]
            self._drop_upload(upload)
        return bodies

    def _drop_upload(self, upload: str) -> None:
        self._db.execute("DELETE FROM parts WHERE upload=?", (upload,))
        self._db.execute("DELETE FROM uploads WHERE upload=?", (upload,))

    def files(self) -> set[str]:
        """Return the names of all files that some row needs."""
        query = "SELECT body FROM objects UNION SELECT meta FROM objects UNION SELECT body FROM parts"
        return {name for (name,) in self._db.execute(query)}


def _object(row: tuple[str, bytes, str, str, int, str, int, str, str, str, str, str, str]) -> ObjectRow:
    return ObjectRow(
        bucket=row[0], key=row[1], body=row[2], meta=row[3], size=row[4], etag=row[5], modified=row[6], kind=row[7],
        storage_class=row[8], checksum_algorithm=row[9], checksum_type=row[10], acl=row[11], tags=row[12],
    )  # fmt: skip


def _upload(row: tuple[str, str, bytes, int, str]) -> UploadRow:
    return UploadRow(upload=row[0], bucket=row[1], key=row[2], initiated=row[3], settings=json.loads(row[4]))


def _part(row: tuple[str, int, str, int, str, str, int, str]) -> PartRow:
    return PartRow(
        upload=row[0], number=row[1], body=row[2], size=row[3], md5=row[4], crc64=int(row[5]), modified=row[6],
        checksums=json.loads(row[7]),
    )  # fmt: skip
