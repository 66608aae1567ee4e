"""What the development server keeps in its directory, and the settings it runs with."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from sseproxy.bootstrap.dev import DevOptions, dev_settings, prepare_data
from sseproxy.bootstrap.failures import StartFailed


def test_the_first_start_makes_directory_and_root_key(tmp_path: Path) -> None:
    data = tmp_path / "deep" / "data"

    prepare_data(data)

    root_key = data / "root.key"
    assert root_key.stat().st_mode & 0o777 == 0o600
    assert len(bytes.fromhex(root_key.read_text().strip())) == 32


def test_a_later_start_leaves_the_root_key_as_it_is(tmp_path: Path) -> None:
    prepare_data(tmp_path)
    before = (tmp_path / "root.key").read_bytes()

    prepare_data(tmp_path)

    assert (tmp_path / "root.key").read_bytes() == before


def test_two_directories_have_different_root_keys(tmp_path: Path) -> None:
    prepare_data(tmp_path / "a")
    prepare_data(tmp_path / "b")

    assert (tmp_path / "a" / "root.key").read_bytes() != (tmp_path / "b" / "root.key").read_bytes()


def test_keys_without_their_root_key_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "kms.sqlite3").touch()

    with pytest.raises(StartFailed, match=r"root\.key is missing, and .*kms\.sqlite3 cannot be opened without it"):
        prepare_data(tmp_path)

    assert not (tmp_path / "root.key").exists()


def test_the_fixed_contract_is_the_default() -> None:
    options = DevOptions()

    assert (options.listen, options.data) == ("127.0.0.1:9000", Path("sseproxy-data"))
    assert (options.access_key, options.secret_key, options.region) == (
        "sseproxy-dev",
        "sseproxy-dev-secret",
        "us-east-1",
    )


def test_clients_never_hold_the_credentials_of_the_store(tmp_path: Path) -> None:
    settings = dev_settings(DevOptions(data=tmp_path), "http://127.0.0.1:1", "store-key", "store-secret")

    (client,) = settings.clients.credentials
    assert (client.access_key, client.secret_key.get_secret_value()) == ("sseproxy-dev", "sseproxy-dev-secret")
    assert (settings.upstream.access_key, settings.upstream.secret_key) == ("store-key", SecretStr("store-secret"))
    assert settings.upstream.endpoint == "http://127.0.0.1:1"
    assert settings.kms is not None
    assert settings.kms.database == tmp_path / "kms.sqlite3"
    assert settings.kms.root_key_file == tmp_path / "root.key"
