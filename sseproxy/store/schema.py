"""The tables of the index, and how those of an older directory become today's."""

import sqlite3

_OBJECT_COLUMNS = """
    bucket TEXT NOT NULL, key BLOB NOT NULL, body TEXT NOT NULL, meta TEXT NOT NULL, size INTEGER NOT NULL,
    etag TEXT NOT NULL, modified INTEGER NOT NULL, kind TEXT NOT NULL, storage_class TEXT NOT NULL,
    checksum_algorithm TEXT NOT NULL, checksum_type TEXT NOT NULL, acl TEXT NOT NULL, tags TEXT NOT NULL,
"""
_VERSION_COLUMNS = "version TEXT NOT NULL DEFAULT '', sequence INTEGER NOT NULL DEFAULT 0"
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS buckets (
    name TEXT PRIMARY KEY, created INTEGER NOT NULL, acl TEXT NOT NULL, versioning TEXT NOT NULL DEFAULT ''
    ) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects (
    {_OBJECT_COLUMNS} {_VERSION_COLUMNS}, PRIMARY KEY (bucket, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (
    {_OBJECT_COLUMNS} {_VERSION_COLUMNS}, PRIMARY KEY (bucket, key, sequence DESC)) WITHOUT ROWID;
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
_ADDED = {
    "buckets": ("versioning TEXT NOT NULL DEFAULT ''",),
    "objects": tuple(column.strip() for column in _VERSION_COLUMNS.split(", ")),
}
"""Columns that directories of before versioning do not have."""


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables where they are not there, and add the columns that an older directory lacks."""
    db.executescript(_SCHEMA)
    db.execute("BEGIN IMMEDIATE")
    for table, columns in _ADDED.items():
        present = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
        for column in columns:
            if column.split()[0] not in present:
                db.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    db.execute("COMMIT")
