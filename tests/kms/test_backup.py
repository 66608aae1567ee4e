"""The restore drill, and another root key, with a proxy's KMS open all the time."""

import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from sseproxy.errors import ConfigurationError, InvalidArgument, KeyServiceError
from sseproxy.kms import build_kms, change_root_key
from sseproxy.kms.backup import back_up, check_copy, restore
from sseproxy.kms.database import Database
from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.kms.root_key import Passphrase, create_root_key, parse_root_key
from sseproxy.settings import EmbeddedKmsSettings
from tests.kms.conftest import root_key_of
from tests.kms.suite import CONTEXT
from tests.support.fake_clock import FakeClock

_PASSPHRASE = "correct horse battery staple, said the clerk"


async def test_a_database_that_was_lost_comes_back_with_everything_that_it_wrapped(
    settings: EmbeddedKmsSettings, kms: EmbeddedKms, tmp_path: Path
) -> None:
    root_key = root_key_of(settings)
    key_id = (await kms.create_key(alias="alias/photos")).key_id
    old_key, old = await kms.generate(key_id, CONTEXT)
    await kms.rotate(key_id)
    new_key, new = await kms.generate(key_id, CONTEXT)

    assert back_up(settings.database, root_key, tmp_path / "copy") == 1
    kms.close()
    for path in tmp_path.glob("kms.sqlite3*"):
        path.unlink()
    assert restore(tmp_path / "copy", root_key, settings.database) == 1

    again = build_kms(settings, FakeClock(), created_on_first_use=())
    assert await again.unwrap(old, CONTEXT) == old_key
    assert await again.unwrap(new, CONTEXT) == new_key
    assert (await again.describe("alias/photos")).current_version == 2
    again.close()


async def test_a_restore_over_an_open_database_is_noticed_with_the_next_call(
    settings: EmbeddedKmsSettings, kms: EmbeddedKms, tmp_path: Path
) -> None:
    root_key = root_key_of(settings)
    key_id = (await kms.create_key()).key_id
    key, wrapped = await kms.generate(key_id, CONTEXT)
    back_up(settings.database, root_key, tmp_path / "copy")
    await kms.disable(key_id)
    later = (await kms.create_key()).key_id

    restore(tmp_path / "copy", root_key, settings.database)

    assert await kms.unwrap(wrapped, CONTEXT) == key
    assert [one.key_id for one in await kms.list_keys()] == [key_id]
    with pytest.raises(KeyServiceError):
        await kms.describe(later)
    await kms.create_key()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".restore")) == []


async def test_a_copy_is_its_owners_alone_and_never_written_over(
    settings: EmbeddedKmsSettings, kms: EmbeddedKms, tmp_path: Path
) -> None:
    root_key = root_key_of(settings)
    await kms.create_key()
    back_up(settings.database, root_key, tmp_path / "copy")

    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        back_up(settings.database, root_key, tmp_path / "copy")
    assert check_copy(tmp_path / "copy", root_key) == 1


async def test_a_backup_of_damaged_material_is_refused_and_leaves_no_copy(
    settings: EmbeddedKmsSettings, kms: EmbeddedKms, tmp_path: Path
) -> None:
    key_id, foreign = (await kms.create_key()).key_id, (await kms.create_key()).key_id
    with closing(Database(settings.database, root_key_of(settings))) as database, database.writing() as rows:
        swap = "UPDATE versions SET sealed = (SELECT sealed FROM versions WHERE key_id = ?) WHERE key_id = ?"
        rows._connection.execute(swap, (foreign, key_id))

    with pytest.raises(KeyServiceError, match=f"material of key {key_id}, version 1, is damaged"):
        back_up(settings.database, root_key_of(settings), tmp_path / "copy")

    assert not (tmp_path / "copy").exists()


async def test_a_version_that_was_deleted_is_in_no_way_of_a_backup_and_stays_deleted(
    settings: EmbeddedKmsSettings, kms: EmbeddedKms, tmp_path: Path
) -> None:
    root_key = root_key_of(settings)
    key_id = (await kms.create_key()).key_id
    _, old = await kms.generate(key_id, CONTEXT)
    await kms.rotate(key_id)
    key, new = await kms.generate(key_id, CONTEXT)
    await kms.delete_version(key_id, 1)

    assert back_up(settings.database, root_key, tmp_path / "copy") == 1
    assert restore(tmp_path / "copy", root_key, settings.database) == 1

    assert await kms.unwrap(new, CONTEXT) == key
    with pytest.raises(KeyServiceError):
        await kms.unwrap(old, CONTEXT)
    for version, message in ((1, "has been deleted already"), (3, "has no version 3")):
        with pytest.raises(InvalidArgument, match=message):
            await kms.delete_version(key_id, version)


async def test_a_copy_that_does_not_open_changes_nothing(
    settings: EmbeddedKmsSettings, kms: EmbeddedKms, tmp_path: Path
) -> None:
    root_key = root_key_of(settings)
    key_id = (await kms.create_key()).key_id
    back_up(settings.database, root_key, tmp_path / "copy")
    damaged = (tmp_path / "copy").read_bytes()
    with kms._database.reading() as rows:
        sealed = rows.sealed_material(key_id, 1) or b""
    assert damaged.count(sealed) == 1
    (tmp_path / "damaged").write_bytes(damaged.replace(sealed, sealed[:-1] + bytes([sealed[-1] ^ 1])))
    (tmp_path / "none").write_bytes(b"not a database, but long enough to be read as one" * 100)

    with pytest.raises(KeyServiceError, match=f"material of key {key_id}, version 1, is damaged"):
        restore(tmp_path / "damaged", root_key, settings.database)
    with pytest.raises(ConfigurationError, match="does not belong to this root key"):
        restore(tmp_path / "copy", create_root_key(tmp_path / "other.key"), settings.database)
    with pytest.raises(ConfigurationError, match="cannot be copied"):
        restore(tmp_path / "none", root_key, settings.database)
    with pytest.raises(ConfigurationError, match="There is no copy"):
        restore(tmp_path / "missing", root_key, settings.database)

    assert (await kms.describe(key_id)).state == "Enabled"
    await kms.generate(key_id, CONTEXT)


async def test_the_root_key_is_changed_while_a_proxy_goes_on(
    settings: EmbeddedKmsSettings, open_kms: Callable[[], EmbeddedKms], tmp_path: Path
) -> None:
    running = open_kms()
    key_id = (await running.create_key()).key_id
    key, wrapped = await running.generate(key_id, CONTEXT)

    change_root_key(settings, create_root_key(tmp_path / "new.key"))

    assert await running.unwrap(wrapped, CONTEXT) == key
    await running.rotate(key_id)
    with pytest.raises(ConfigurationError, match="does not belong to this root key"):
        Database(settings.database, root_key_of(settings))
    again = build_kms(
        settings.model_copy(update={"root_key_file": tmp_path / "new.key"}), FakeClock(), created_on_first_use=()
    )
    assert await again.unwrap(wrapped, CONTEXT) == key
    assert await again.unwrap((await running.generate(key_id, CONTEXT))[1], CONTEXT)
    again.close()


async def test_a_passphrase_or_a_variable_opens_the_database_as_well(
    settings: EmbeddedKmsSettings, tmp_path: Path
) -> None:
    key = "8f1d2e6b90a4c75342fe0b68d9137ca5e2476809bd31f5ac5e80971c62db04f3"
    by_passphrase = EmbeddedKmsSettings(database=tmp_path / "p.sqlite3", root_passphrase=SecretStr(_PASSPHRASE))
    by_variable = EmbeddedKmsSettings(database=tmp_path / "p.sqlite3", root_key=SecretStr(key))
    kms = build_kms(by_passphrase, FakeClock(), created_on_first_use=())
    key_id = (await kms.create_key()).key_id
    kms.close()

    for refused in (Passphrase(_PASSPHRASE + "."), parse_root_key(key)):
        with pytest.raises(ConfigurationError, match="does not belong to this root key"):
            Database(tmp_path / "p.sqlite3", refused)
    build_kms(by_passphrase, FakeClock(), created_on_first_use=()).close()
    change_root_key(by_passphrase, parse_root_key(key))
    kms = build_kms(by_variable, FakeClock(), created_on_first_use=())

    assert (await kms.describe(key_id)).state == "Enabled"
    kms.close()
    assert _PASSPHRASE not in repr(Passphrase(_PASSPHRASE))


@pytest.mark.parametrize("text", ["", "short", "x" * 100, "abcabcabc" * 10])
def test_a_weak_passphrase_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="The passphrase is too weak"):
        Passphrase(text)


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 32, "zz" * 32, "correct horse"])
def test_a_root_key_in_a_variable_has_256_random_bits(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_root_key(text)
