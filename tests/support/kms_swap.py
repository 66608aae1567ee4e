"""A KMS database in which the same keys exist with other material: what an attacker, or a mishap, could put there."""

import secrets
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sseproxy.kms import management
from sseproxy.kms.database import Database
from sseproxy.kms.material import MATERIAL, material_hash, open_material, seal_material
from sseproxy.kms.root_key import read_root_key

DATABASE, ROOT_KEY = "kms.sqlite3", "root.key"


def copy_keys(source: Path, target: Path) -> Path:
    """Copy database and root key of a stopped proxy to a directory that another one can be started with."""
    target.mkdir()
    shutil.copy2(source / ROOT_KEY, target / ROOT_KEY)
    with closing(sqlite3.connect(source / DATABASE)) as old, closing(sqlite3.connect(target / DATABASE)) as new:
        old.backup(new)
    return target


def replace_material(directory: Path) -> int:
    """Give every version of every key other material under the same root key; ids, aliases and states stay.

    Returns how many were replaced.
    """
    root_key = read_root_key(directory / ROOT_KEY)
    with closing(Database(directory / DATABASE, root_key)) as opened:
        sealing_key = opened.sealing_key
    with closing(sqlite3.connect(directory / DATABASE)) as database, database:
        rows = database.execute("SELECT key_id, version, sealed FROM versions").fetchall()
        for key_id, version, sealed in rows:
            old = open_material(sealing_key, key_id, version, sealed)  # the rows are what they are taken for
            material = secrets.token_bytes(MATERIAL)
            assert len(old) == MATERIAL
            database.execute(
                "UPDATE versions SET sealed = ?, material_hash = ? WHERE key_id = ? AND version = ?",
                (
                    seal_material(sealing_key, key_id, version, material),
                    material_hash(key_id, material),
                    key_id,
                    version,
                ),
            )
    return len(rows)


def set_state(directory: Path, key_id: str, state: str) -> None:
    """Change a key's state beside running proxies, as an operator's command in another process does."""
    with closing(sqlite3.connect(directory / DATABASE, timeout=10)) as database, database:
        changed = database.execute("UPDATE keys SET state = ? WHERE key_id = ?", (state, key_id)).rowcount
    assert changed == 1


def create_key(directory: Path, alias: str) -> str:
    """Create a CMK beside running proxies and return its id."""
    root_key = read_root_key(directory / ROOT_KEY)
    with closing(Database(directory / DATABASE, root_key)) as database, database.writing() as rows:
        return management.create_key(rows, database.sealing_key, datetime.now(UTC), description="", alias=alias).key_id


def key_ids(directory: Path) -> dict[str, str]:
    """Return key ids by their aliases."""
    with closing(sqlite3.connect(directory / DATABASE, timeout=10)) as database:
        return dict(database.execute("SELECT alias, key_id FROM aliases").fetchall())
