"""Copies of the KMS database, back from a copy, and another root key: all while proxies have it open.

A copy is as good as the database, and as closed: it opens with the root key of its time alone.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from sseproxy.errors import ConfigurationError, KeyServiceError
from sseproxy.format.wrapping import WrapRejected
from sseproxy.kms.database import Database
from sseproxy.kms.material import SealingKey, open_material
from sseproxy.kms.root_key import RootSecret
from sseproxy.kms.rows import Rows

_TIMEOUT_S = 10.0


def back_up(database: Path, root: RootSecret, target: Path) -> int:
    """Copy a KMS database, whole and checked, to a file that did not exist; return how many CMKs are in it.

    Raises `ConfigurationError`, `KeyServiceError` where the copy is damaged, `FileExistsError` and other `OSError`s.
    """
    with closing(Database(database, root)):  # it is ours, of this release, and of this root key
        pass
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        _copy(database, target)
        count = check_copy(target, root)
        _to_disk(target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return count


def restore(copy: Path, root: RootSecret, database: Path) -> int:
    """Put a copy in the place of a KMS database, in one step; return how many CMKs are in it.

    What was in the database is gone then; proxies that have it open go on with what is in it now. Nothing is changed
    unless the copy opens with the root key, whole. Raises as `back_up` does.
    """
    if not copy.is_file():
        raise ConfigurationError(f"There is no copy {copy}.")
    with TemporaryDirectory(dir=database.parent, prefix=".restore-") as directory:
        staged = Path(directory) / "kms.sqlite3"
        _copy(copy, staged)
        count = check_copy(staged, root)
        database.touch(mode=0o600, exist_ok=True)
        _copy(staged, database)
    with closing(Database(database, root)):
        return count


def check_copy(path: Path, root: RootSecret) -> int:
    """Open everything in a KMS database; return how many CMKs are in it. Raises as `back_up` does."""
    with closing(Database(path, root)) as database, database.reading() as rows:
        keys = rows.all_keys()
        for key in keys:
            _check_key(rows, database.sealing_key, key.key_id)
        return len(keys)


def _check_key(rows: Rows, sealing_key: SealingKey, key_id: str) -> None:
    for version in rows.versions_of(key_id):
        if version.sealed is None:
            continue
        try:
            open_material(sealing_key, key_id, version.version, version.sealed)
        except WrapRejected as cause:
            raise KeyServiceError(f"The material of key {key_id}, version {version.version}, is damaged.") from cause


def _copy(source: Path, target: Path) -> None:
    """Copy a database as it stands, in one step for whoever has the target open."""
    try:
        with (
            closing(sqlite3.connect(f"file:{source.absolute()}?mode=ro", uri=True, timeout=_TIMEOUT_S)) as old,
            closing(sqlite3.connect(target, timeout=_TIMEOUT_S)) as new,
        ):
            old.backup(new)
    except sqlite3.Error as cause:
        raise ConfigurationError(f"The KMS database {source} cannot be copied to {target}: {cause}.") from cause


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
