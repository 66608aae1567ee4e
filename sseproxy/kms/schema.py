"""The tables of the KMS database, how an older one becomes a newer one, and which root key it belongs to.

    sealing key, sealed := wrap(root key, sealing key, label)

The root key opens nothing but the sealing key, so that it can be changed while proxies run.
"""

import secrets
import sqlite3
from pathlib import Path

from sseproxy.errors import ConfigurationError
from sseproxy.format.wrapping import WrapRejected, framed, unwrap, wrap
from sseproxy.kms.material import SealingKey, open_material, seal_material
from sseproxy.kms.root_key import Passphrase, RootKey, RootSecret, new_salt

SCHEMA_VERSION = 2
_SEALING = framed(b"sseproxy/kms/v2/sealing-key")
_FIRST_CHECK = framed(b"sseproxy/kms/v1/check")  # of version 1, where the root key sealed material itself
_KEY = 32

# Times are ISO 8601 in UTC. `sealed` is NULL where material was deleted or has expired. `meta` has `sealing-key`, and
# `scrypt-salt` where the root key is made of a passphrase.
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
_IMPORTS = """
CREATE TABLE imports (
    token_hash BLOB PRIMARY KEY, key_id TEXT NOT NULL REFERENCES keys ON DELETE CASCADE, algorithm TEXT NOT NULL,
    private_key BLOB NOT NULL, expires TEXT NOT NULL
) STRICT;
"""


def prepare_schema(connection: sqlite3.Connection, path: Path, root: RootSecret) -> SealingKey:
    """Create the tables, or bring them up to date, inside a transaction; return what material is sealed under.

    Raises `ConfigurationError` where the file is none of ours, of a later release, or of another root key.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if version == 0 and tables == 0:
        return _create(connection, root)
    if version == 1 and isinstance(root, RootKey):
        return _from_first(connection, path, root)
    if version != SCHEMA_VERSION:
        raise ConfigurationError(
            f"The file {path} is no KMS database of this release (schema {version}, expected {SCHEMA_VERSION})."
        )
    return open_sealing_key(connection, path, root)


def open_sealing_key(connection: sqlite3.Connection, path: Path, root: RootSecret) -> SealingKey:
    """Open the sealing key. Raises `ConfigurationError` where the root key is another one."""
    salt = _meta(connection, "scrypt-salt")
    if isinstance(root, Passphrase) != bool(salt):
        raise _other_root_key(path)
    root_key = root.root_key(salt) if isinstance(root, Passphrase) else root
    try:
        return SealingKey(unwrap(root_key.raw, _meta(connection, "sealing-key"), _SEALING))
    except WrapRejected as cause:
        raise _other_root_key(path) from cause


def put_sealing_key(connection: sqlite3.Connection, sealing_key: SealingKey, root: RootSecret) -> None:
    """Seal the sealing key under a root key, whatever it was sealed under before."""
    connection.execute("DELETE FROM meta WHERE name IN ('sealing-key', 'scrypt-salt')")
    if isinstance(root, Passphrase):
        salt = new_salt()
        connection.execute("INSERT INTO meta VALUES ('scrypt-salt', ?)", (salt,))
        root_key = root.root_key(salt)
    else:
        root_key = root
    sealed = wrap(root_key.raw, sealing_key.raw, _SEALING)
    connection.execute("INSERT INTO meta VALUES ('sealing-key', ?)", (sealed,))


def _create(connection: sqlite3.Connection, root: RootSecret) -> SealingKey:
    sealing_key = SealingKey(secrets.token_bytes(_KEY))
    _execute(connection, _SCHEMA + _IMPORTS)
    put_sealing_key(connection, sealing_key, root)
    return sealing_key


def _from_first(connection: sqlite3.Connection, path: Path, root_key: RootKey) -> SealingKey:
    """Put a sealing key between root key and material."""
    try:
        unwrap(root_key.raw, _meta(connection, "root-check"), _FIRST_CHECK)
    except WrapRejected as cause:
        raise _other_root_key(path) from cause
    before, sealing_key = SealingKey(root_key.raw), SealingKey(secrets.token_bytes(_KEY))
    _execute(connection, _IMPORTS)
    for key_id, version, sealed in connection.execute("SELECT key_id, version, sealed FROM versions").fetchall():
        material = open_material(before, key_id, version, sealed)
        connection.execute(
            "UPDATE versions SET sealed = ? WHERE key_id = ? AND version = ?",
            (seal_material(sealing_key, key_id, version, material), key_id, version),
        )
    connection.execute("DELETE FROM meta WHERE name = 'root-check'")
    put_sealing_key(connection, sealing_key, root_key)
    return sealing_key


def _execute(connection: sqlite3.Connection, statements: str) -> None:
    for statement in filter(str.strip, statements.split(";")):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _meta(connection: sqlite3.Connection, name: str) -> bytes:
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return row[0] if row else b""


def _other_root_key(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"The KMS database {path} does not belong to this root key: put the root key file back that it was made with."
    )
