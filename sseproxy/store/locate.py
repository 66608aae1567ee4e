"""Where an object lies on the disk, for tests that play the adversary who owns the backend.

All functions work beside a running store. They change what the store would serve and nothing that it checks: the store
verifies nothing on reading, so that whoever reads has to.
"""

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class StoredFiles:
    """An object's files: `size` bytes of body from `offset` on in `body`, and its metadata as JSON in `metadata`.

    In the metadata `user` has the user metadata by name without prefix. Files are shared by copies of an object: write
    with `replace_body`, or in place where no copy exists.
    """

    body: Path
    offset: int
    size: int
    metadata: Path


class NoSuchObject(LookupError):
    """The index has no such object."""


def locate_object(data_dir: Path, bucket: str, key: str | bytes) -> StoredFiles:
    """Return where an object lies; raises `NoSuchObject`. Every write of the object moves it elsewhere."""
    with _index(data_dir) as db:
        query = "SELECT body, meta, size FROM objects WHERE bucket=? AND key=?"
        row = db.execute(query, (bucket, _bytes(key))).fetchone()
    if row is None:
        raise NoSuchObject(f"{bucket}/{key!r}")
    body, meta, size = row
    return StoredFiles(body=_path(data_dir, body), offset=0, size=size, metadata=_path(data_dir, meta))


def replace_body(data_dir: Path, bucket: str, key: str | bytes, body: bytes) -> None:
    """Give an object another body, of any size; its ETag, date and metadata stay."""
    old = locate_object(data_dir, bucket, key)
    name = secrets.token_hex(16) + ".body"
    path = _path(data_dir, name)
    path.write_bytes(body)
    with _index(data_dir) as db:
        query = "UPDATE objects SET body=?, size=? WHERE bucket=? AND key=?"
        db.execute(query, (name, len(body), bucket, _bytes(key)))
    old.body.unlink()


def replace_metadata(data_dir: Path, bucket: str, key: str | bytes, document: bytes) -> None:
    """Give an object another metadata document, whatever that is; everything else stays."""
    path = locate_object(data_dir, bucket, key).metadata
    aside = path.with_suffix(".aside")
    aside.write_bytes(document)
    os.replace(aside, path)


def describe_object(data_dir: Path, bucket: str, key: str | bytes) -> Mapping[str, Any]:
    """Return an object's row of the index by column."""
    with _index(data_dir) as db:
        db.row_factory = sqlite3.Row
        row = db.execute("SELECT * FROM objects WHERE bucket=? AND key=?", (bucket, _bytes(key))).fetchone()
    if row is None:
        raise NoSuchObject(f"{bucket}/{key!r}")
    return dict(row)


def _index(data_dir: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(data_dir / "index.sqlite3", isolation_level=None, timeout=10.0))


def _path(data_dir: Path, name: str) -> Path:
    return data_dir / "objects" / name[:2] / name


def _bytes(key: str | bytes) -> bytes:
    return key if isinstance(key, bytes) else key.encode("utf-8", "surrogateescape")
