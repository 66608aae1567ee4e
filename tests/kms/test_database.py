"""The KMS database: whose it is, what lies in it, and what is refused before anything is created."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from sseproxy.errors import ConfigurationError, KeyNotFound, KeyServiceUnavailable
from sseproxy.format.wrapping import framed, wrap
from sseproxy.kms import build_kms
from sseproxy.kms.database import Database
from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.kms.material import SealingKey, open_material, seal_material
from sseproxy.kms.root_key import RootKey, create_root_key
from sseproxy.settings import EmbeddedKmsSettings
from tests.kms.conftest import root_key_of
from tests.kms.suite import CONTEXT
from tests.support.fake_clock import FakeClock


@pytest.fixture
def root_key(settings: EmbeddedKmsSettings) -> RootKey:
    return root_key_of(settings)


def _open(settings: EmbeddedKmsSettings) -> EmbeddedKms:
    return build_kms(settings, FakeClock(), created_on_first_use=())


def _content(path: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT * FROM meta").fetchall() + connection.execute("SELECT * FROM keys").fetchall()
    connection.close()
    return rows


async def test_another_root_key_is_refused_and_changes_nothing(settings: EmbeddedKmsSettings, tmp_path: Path) -> None:
    kms = _open(settings)
    await kms.create_key()
    kms.close()
    before = _content(settings.database)
    create_root_key(tmp_path / "other.key")

    with pytest.raises(ConfigurationError, match="does not belong to this root key"):
        _open(settings.model_copy(update={"root_key_file": tmp_path / "other.key"}))

    assert _content(settings.database) == before
    _open(settings).close()


async def test_material_lies_sealed_in_the_files(settings: EmbeddedKmsSettings) -> None:
    kms = _open(settings)
    key_id = (await kms.create_key()).key_id
    material = kms._material(key_id, 1)
    kms.close()

    assert len(material) == 32
    for path in settings.database.parent.iterdir():
        assert material not in path.read_bytes()
        assert material.hex().encode() not in path.read_bytes()


async def test_the_files_are_their_owners_alone(settings: EmbeddedKmsSettings) -> None:
    kms = _open(settings)
    await kms.create_key()

    names = {path.name: stat.S_IMODE(path.stat().st_mode) for path in settings.database.parent.glob("kms.*")}
    kms.close()

    assert names == {"kms.sqlite3": 0o600, "kms.sqlite3-wal": 0o600, "kms.sqlite3-shm": 0o600}


def test_a_database_that_others_could_read_is_closed_to_them(settings: EmbeddedKmsSettings, root_key: RootKey) -> None:
    Database(settings.database, root_key).close()
    settings.database.chmod(0o644)

    Database(settings.database, root_key).close()

    assert stat.S_IMODE(settings.database.stat().st_mode) == 0o600


def test_the_schema_has_a_version_and_carries_what_keys_will_need(
    settings: EmbeddedKmsSettings, root_key: RootKey
) -> None:
    Database(settings.database, root_key).close()

    connection = sqlite3.connect(settings.database)
    version = connection.execute("PRAGMA user_version").fetchone()
    mode = connection.execute("PRAGMA journal_mode").fetchone()
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    connection.close()

    assert (version, mode) == ((2,), ("wal",))
    assert tables == {"meta", "keys", "versions", "aliases", "grants", "imports"}


@pytest.mark.parametrize("schema", [3, 7])
def test_a_database_of_another_release_is_refused(
    settings: EmbeddedKmsSettings, root_key: RootKey, schema: int
) -> None:
    Database(settings.database, root_key).close()
    connection = sqlite3.connect(settings.database)
    connection.execute(f"PRAGMA user_version = {schema}")
    connection.close()

    with pytest.raises(ConfigurationError, match=f"schema {schema}"):
        Database(settings.database, root_key)


def test_somebody_elses_database_is_left_alone(settings: EmbeddedKmsSettings, root_key: RootKey) -> None:
    connection = sqlite3.connect(settings.database)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()

    with pytest.raises(ConfigurationError, match="no KMS database"):
        Database(settings.database, root_key)

    connection = sqlite3.connect(settings.database)
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]
    connection.close()


def test_a_file_that_is_no_database_is_refused(settings: EmbeddedKmsSettings, root_key: RootKey) -> None:
    settings.database.write_bytes(b"something else entirely, and long enough to be looked at " * 4)

    with pytest.raises(ConfigurationError, match="cannot be used"):
        Database(settings.database, root_key)


def test_a_directory_that_is_not_there_is_named(root_key: RootKey, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        Database(tmp_path / "nowhere" / "kms.sqlite3", root_key)


def test_a_lost_check_value_is_a_wrong_root_key(settings: EmbeddedKmsSettings, root_key: RootKey) -> None:
    Database(settings.database, root_key).close()
    connection = sqlite3.connect(settings.database, isolation_level=None)
    connection.execute("DELETE FROM meta")
    connection.close()

    with pytest.raises(ConfigurationError, match="root key"):
        Database(settings.database, root_key)


def test_a_change_that_fails_leaves_nothing_behind(settings: EmbeddedKmsSettings, root_key: RootKey) -> None:
    database = Database(settings.database, root_key)

    def change() -> None:
        with database.writing() as rows:
            rows._connection.execute("INSERT INTO meta VALUES ('mark', x'00')")
            raise KeyNotFound

    with pytest.raises(KeyNotFound):
        change()

    with database.reading() as rows:
        marks = rows._connection.execute("SELECT count(*) FROM meta WHERE name = 'mark'").fetchone()
    database.close()
    assert marks == (0,)


def test_an_alias_cannot_name_what_is_not_there(settings: EmbeddedKmsSettings, root_key: RootKey) -> None:
    database = Database(settings.database, root_key)

    with pytest.raises(KeyServiceUnavailable, match="FOREIGN KEY"), database.writing() as rows:
        rows.set_alias("alias/x", "nothing")
    database.close()


def test_nothing_in_it_shows(settings: EmbeddedKmsSettings, root_key: RootKey) -> None:
    database = Database(settings.database, root_key)

    assert repr(database) == "Database(<redacted>)"
    database.close()
    database.close()


async def test_a_database_of_the_first_schema_is_brought_up_to_date_with_its_keys(
    settings: EmbeddedKmsSettings, root_key: RootKey
) -> None:
    kms = _open(settings)
    key_id = (await kms.create_key(alias="alias/old")).key_id
    key, wrapped = await kms.generate(key_id, CONTEXT)
    sealing_key = kms._database.sealing_key
    kms.close()
    _make_first(settings.database, root_key, sealing_key)

    kms = _open(settings)

    assert await kms.unwrap(wrapped, CONTEXT) == key
    assert (await kms.describe("alias/old")).key_id == key_id
    assert kms._database.sealing_key.raw not in {sealing_key.raw, root_key.raw}
    kms.close()


def test_a_database_of_the_first_schema_is_not_changed_under_another_root_key(
    settings: EmbeddedKmsSettings, root_key: RootKey, tmp_path: Path
) -> None:
    database = Database(settings.database, root_key)
    database.close()
    _make_first(settings.database, root_key, database.sealing_key)
    before = _content(settings.database)

    with pytest.raises(ConfigurationError, match="does not belong to this root key"):
        Database(settings.database, create_root_key(tmp_path / "other.key"))

    assert _content(settings.database) == before


def _make_first(path: Path, root_key: RootKey, sealing_key: SealingKey) -> None:
    """Make of a database what the first schema was: material sealed under the root key itself."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for key_id, version, sealed in connection.execute("SELECT key_id, version, sealed FROM versions").fetchall():
            material = open_material(sealing_key, key_id, version, sealed)
            as_it_was = seal_material(SealingKey(root_key.raw), key_id, version, material)
            connection.execute("UPDATE versions SET sealed = ? WHERE key_id = ?", (as_it_was, key_id))
        connection.execute("DELETE FROM meta")
        check = wrap(root_key.raw, b"this database belongs to this root key", framed(b"sseproxy/kms/v1/check"))
        connection.execute("INSERT INTO meta VALUES ('root-check', ?)", (check,))
        connection.execute("DROP TABLE imports")
        connection.execute("PRAGMA user_version = 1")
