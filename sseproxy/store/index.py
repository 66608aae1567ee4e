"""The index of the store: which buckets, objects, uploads and parts there are, in SQLite.

What GET shows of a key lies in `objects`; older versions and delete markers lie in `history`. A row naming immutable
files is what makes a version visible; files without a row are leftovers. All calls are synchronous and short (no
`fsync` unless `durable`), so the event loop makes them itself, and every method is one transaction: what it checks
still holds when it writes, and a process that is killed leaves either state.
"""

import json
import secrets
import sqlite3
import string
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sseproxy.store.records import (
    ENABLED,
    MARKER,
    NULL,
    BucketRow,
    Change,
    ObjectRow,
    PartRow,
    UploadRow,
    Version,
)
from sseproxy.store.schema import prepare

_OBJECT = (
    "bucket, key, body, meta, size, etag, modified, kind, storage_class, checksum_algorithm, checksum_type, acl, tags,"
    " version, sequence"
)
_PART = "upload, number, body, size, md5, crc64, modified, checksums"
_VERSION_LETTERS = string.ascii_letters + string.digits
NEWEST = 2**62
"""A sequence above that of any version."""
FINISHED_KEPT_MS = 24 * 3600 * 1000


class Index:
    """The database at `path`. `durable` makes every commit survive a loss of power."""

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
        self._db.execute("PRAGMA cache_size=-65536")
        prepare(self._db)

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
        row = self._db.execute("SELECT created, acl, versioning FROM buckets WHERE name=?", (name,)).fetchone()
        return None if row is None else BucketRow(name=name, created=row[0], acl=row[1], versioning=row[2])

    def buckets(self) -> Sequence[BucketRow]:
        """Return all buckets in order of their names."""
        rows = self._db.execute("SELECT name, created, acl, versioning FROM buckets ORDER BY name")
        return [BucketRow(name=row[0], created=row[1], acl=row[2], versioning=row[3]) for row in rows]

    def put_bucket(self, bucket: BucketRow) -> None:
        """Create the bucket or change its ACL; versioning stays as it is."""
        self._db.execute(
            "INSERT INTO buckets (name, created, acl) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET acl=excluded.acl",
            (bucket.name, bucket.created, bucket.acl),
        )

    def put_versioning(self, bucket: str, state: str) -> None:
        """Set versioning to `ENABLED` or `SUSPENDED`; there is no way back to neither."""
        self._db.execute("UPDATE buckets SET versioning=? WHERE name=?", (state, bucket))

    def delete_bucket(self, name: str) -> bool:
        """Delete an empty bucket with its settings and unfinished uploads; False where versions are left."""
        with self._transaction() as db:
            left = "SELECT 1 FROM objects WHERE bucket=? UNION ALL SELECT 1 FROM history WHERE bucket=? LIMIT 1"
            if db.execute(left, (name, name)).fetchone():
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

    def version(self, bucket: str, key: bytes, version: str) -> ObjectRow | None:
        """Return the version or delete marker with this id, empty for the null one, or None."""
        query = (
            f"SELECT {_OBJECT} FROM objects WHERE bucket=?1 AND key=?2 AND version=?3"  # noqa: S608
            f" UNION ALL SELECT {_OBJECT} FROM history WHERE bucket=?1 AND key=?2 AND version=?3"
        )
        row = self._db.execute(query, (bucket, key, version)).fetchone()
        return None if row is None else _object(row)

    def newest_hidden(self, bucket: str, key: bytes) -> ObjectRow | None:
        """Return the newest version that is not an object's present state: a delete marker where there is no object."""
        query = f"SELECT {_OBJECT} FROM history WHERE bucket=? AND key=? ORDER BY sequence DESC LIMIT 1"  # noqa: S608
        row = self._db.execute(query, (bucket, key)).fetchone()
        return None if row is None else _object(row)

    def versions(self, bucket: str, first: bytes, below: int, end: bytes | None) -> Iterator[Version]:
        """Yield the versions with first <= key < end by key, newest first; of `first` those older than `below`."""
        latest = (
            "NOT EXISTS (SELECT 1 FROM objects o WHERE o.bucket=h.bucket AND o.key=h.key) AND"
            " h.sequence=(SELECT max(n.sequence) FROM history n WHERE n.bucket=h.bucket AND n.key=h.key)"
        )
        where = "bucket=?1 AND key>=?2 AND (?3 IS NULL OR key<?3) AND (key>?2 OR sequence<?4)"
        query = (
            f"SELECT {_OBJECT}, 1 FROM objects WHERE {where}"  # noqa: S608 - texts from this file
            f" UNION ALL SELECT {_OBJECT}, {latest} FROM history h WHERE {where} ORDER BY 2, 15 DESC"
        )
        for row in self._db.execute(query, (bucket, first, end, below)):
            yield Version(_object(row[:-1]), latest=bool(row[-1]))

    def put_object(
        self, row: ObjectRow, check: Callable[[ObjectRow | None], None], *, in_place: bool = False
    ) -> Change:
        """Make the object visible as a version of its own; `check` sees what it hides first and may raise.

        `in_place` keeps the version of the object that is there, or begins a null version.
        """
        with self._transaction():
            check(self.object(row.bucket, row.key))
            return self._write_object(row, in_place=in_place)

    def delete_object(self, bucket: str, key: bytes, moment: int, check: Callable[[ObjectRow | None], None]) -> Change:
        """Delete the object, or hide it behind a delete marker of `moment`; `check` sees it first and may raise."""
        with self._transaction() as db:
            old = self.object(bucket, key)
            check(old)
            state = self._versioning(bucket)
            if not state:
                db.execute("DELETE FROM objects WHERE bucket=? AND key=?", (bucket, key))
                return Change(gone=old)
            version = new_version() if state == ENABLED else ""
            gone = self._make_room(bucket, key, version)
            row = _marker(bucket, key, moment, version, self._next_sequence(bucket, key))
            self._insert("history", row)
        return Change(version=row.version_id, marker=True, gone=gone)

    def delete_version(
        self, bucket: str, key: bytes, version: str, check: Callable[[ObjectRow | None], None]
    ) -> Change:
        """Remove one version for good; what it hid is visible again. `check` sees the version first and may raise."""
        with self._transaction():
            found = self.version(bucket, key, version)
            check(found)
            shown = (version or NULL) if self._versioning(bucket) else None
            if found is None:
                return Change(version=shown)
            self._remove(found)
            newest = self.newest_hidden(bucket, key)
            if newest is not None and newest.kind != MARKER and self.object(bucket, key) is None:
                self._remove(newest)
                self._insert("objects", newest)
        return Change(version=shown, marker=found.kind == MARKER, gone=found)

    def annotate(self, row: ObjectRow, *, acl: str | None = None, tags: str | None = None) -> None:
        """Change a version's ACL or tags; nothing else of it moves."""
        for table in ("objects", "history"):
            query = f"UPDATE {table} SET acl=coalesce(?, acl), tags=coalesce(?, tags)"  # noqa: S608 - names from above
            place = (row.bucket, row.key, row.version)
            self._db.execute(f"{query} WHERE bucket=? AND key=? AND version=?", (acl, tags, *place))

    def _write_object(self, row: ObjectRow, *, in_place: bool = False) -> Change:
        state = self._versioning(row.bucket)
        old = self.object(row.bucket, row.key)
        if not state or (in_place and old):
            kept = replace(row, version=old.version, sequence=old.sequence) if old else row
            self._insert("objects", kept)
            return Change(version=kept.version_id if state else None, gone=old)
        version = new_version() if state == ENABLED and not in_place else ""
        gone = self._make_room(row.bucket, row.key, version)
        new = replace(row, version=version, sequence=self._next_sequence(row.bucket, row.key))
        self._insert("objects", new)
        return Change(version=new.version_id, gone=gone)

    def _make_room(self, bucket: str, key: bytes, version: str) -> ObjectRow | None:
        """Let `version` come: a null version is replaced, and returned; the present object becomes an older version."""
        replaced = None if version else self.version(bucket, key, version)
        if replaced is not None:
            self._remove(replaced)
        old = self.object(bucket, key)
        if old is not None:
            self._remove(old)
            self._insert("history", old)
        return replaced

    def _versioning(self, bucket: str) -> str:
        found = self.bucket(bucket)
        return found.versioning if found else ""

    def _next_sequence(self, bucket: str, key: bytes) -> int:
        query = (
            "SELECT max(sequence) FROM (SELECT sequence FROM objects WHERE bucket=?1 AND key=?2"
            " UNION ALL SELECT sequence FROM history WHERE bucket=?1 AND key=?2)"
        )
        (newest,) = self._db.execute(query, (bucket, key)).fetchone()
        return 0 if newest is None else int(newest) + 1

    def _remove(self, row: ObjectRow) -> None:
        for table in ("objects", "history"):
            query = f"DELETE FROM {table} WHERE bucket=? AND key=? AND version=?"  # noqa: S608 - names from above
            self._db.execute(query, (row.bucket, row.key, row.version))

    def _insert(self, table: str, row: ObjectRow) -> None:
        values = tuple(getattr(row, name) for name in ObjectRow.__slots__)
        places = ", ".join("?" * len(values))
        self._db.execute(f"INSERT OR REPLACE INTO {table} ({_OBJECT}) VALUES ({places})", values)  # noqa: S608

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
        memory: tuple[bytes, Callable[[Change], str]],
    ) -> tuple[Change | None, Sequence[str]]:
        """Turn an upload into its object.

        Returns what that changed, None where the upload or `used` parts are no longer the same, and all bodies of
        parts. `memory` (digest of the request, answer) lets a repeat of the request be answered again.
        """
        with self._transaction() as db:
            present = {part.number: part.body for part in self.parts(upload)}
            if any(present.get(part.number) != part.body for part in used):
                return None, ()
            check(self.object(row.bucket, row.key))
            change = self._write_object(row)
            self._drop_upload(upload)
            db.execute("DELETE FROM finished WHERE moment<?", (row.modified - FINISHED_KEPT_MS,))
            values = (upload, row.bucket, row.key, memory[0], memory[1](change), row.modified)
            db.execute("INSERT OR REPLACE INTO finished VALUES (?, ?, ?, ?, ?, ?)", values)
        return change, list(present.values())

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
        tables = ("objects", "history")
        queries = [f"SELECT {column} FROM {table}" for table in tables for column in ("body", "meta")]  # noqa: S608
        query = " UNION ".join([*queries, "SELECT body FROM parts"])
        return {name for (name,) in self._db.execute(query)}


def new_version() -> str:
    """Return a version id: 32 letters and digits that tell nothing."""
    return "".join(secrets.choice(_VERSION_LETTERS) for _ in range(32))


def _marker(bucket: str, key: bytes, moment: int, version: str, sequence: int) -> ObjectRow:
    return ObjectRow(
        bucket=bucket, key=key, body="", meta="", size=0, etag="", modified=moment, kind=MARKER, storage_class="",
        checksum_algorithm="", checksum_type="", acl="", tags="", version=version, sequence=sequence,
    )  # fmt: skip


def _object(row: tuple[Any, ...]) -> ObjectRow:
    return ObjectRow(
        bucket=row[0], key=row[1], body=row[2], meta=row[3], size=row[4], etag=row[5], modified=row[6], kind=row[7],
        storage_class=row[8], checksum_algorithm=row[9], checksum_type=row[10], acl=row[11], tags=row[12],
        version=row[13], sequence=row[14],
    )  # fmt: skip


def _upload(row: tuple[str, str, bytes, int, str]) -> UploadRow:
    return UploadRow(upload=row[0], bucket=row[1], key=row[2], initiated=row[3], settings=json.loads(row[4]))


def _part(row: tuple[str, int, str, int, str, str, int, str]) -> PartRow:
    return PartRow(
        upload=row[0], number=row[1], body=row[2], size=row[3], md5=row[4], crc64=int(row[5]), modified=row[6],
        checksums=json.loads(row[7]),
    )  # fmt: skip
