"""`sseproxy keys …` as typed: what it does, what it prints, its exit codes."""

import json
import os
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from typer.testing import CliRunner, Result

from sseproxy.cli.main import app

Keys = Callable[..., Result]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """What `sseproxy dev` leaves behind, as far as keys go."""
    directory = tmp_path / "dev"
    directory.mkdir()
    (directory / "root.key").touch(mode=0o600)
    (directory / "root.key").write_text(os.urandom(32).hex())
    return directory


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with keys of its own; no store is there."""
    (tmp_path / "root.key").touch(mode=0o600)
    (tmp_path / "root.key").write_text(os.urandom(32).hex())
    path = tmp_path / "sseproxy.toml"
    path.touch(mode=0o600)
    path.write_text(
        '[upstream]\nendpoint = "http://127.0.0.1:1"\naccess_key = "a"\nsecret_key = "s"\n'
        '[[clients.credentials]]\naccess_key = "app"\nsecret_key = "s"\n'
        f'[kms]\ndatabase = "{tmp_path}/kms.sqlite3"\nroot_key_file = "{tmp_path}/root.key"\n'
    )
    return path


@pytest.fixture(params=["data", "config"])
def place(request: pytest.FixtureRequest) -> tuple[str, str]:
    return f"--{request.param}", str(request.getfixturevalue(request.param))


@pytest.fixture
def keys(place: tuple[str, str]) -> Keys:
    """Run `sseproxy keys …` in a place."""
    return lambda *arguments: CliRunner().invoke(app, ["keys", *arguments, *place])


@pytest.fixture
def dev_keys(data: Path) -> Keys:
    return lambda *arguments: CliRunner().invoke(app, ["keys", *arguments, "--data", str(data)])


def _json(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_key_is_created_named_rotated_and_listed(keys: Keys) -> None:
    created = _json(keys("create", "--description", "for photos", "--json"))
    named = _json(keys("alias", created["key_id"], "alias/photos", "--json"))
    rotated = _json(keys("rotate", created["key_id"], "--json"))

    assert {name: created[name] for name in ("state", "origin", "aliases", "current_version", "description")} == {
        "state": "Enabled",
        "origin": "generated",
        "aliases": [],
        "current_version": 1,
        "description": "for photos",
    }
    assert (named["key_id"], named["aliases"]) == (created["key_id"], ["alias/photos"])
    assert (rotated["current_version"], [one["version"] for one in rotated["versions"]]) == (2, [1, 2])
    assert _json(keys("list", "--json")) == [rotated]
    assert _json(keys("describe", "alias/photos", "--json")) == rotated


def test_a_second_key_does_not_take_an_alias_away_in_silence(dev_keys: Keys) -> None:
    first = _json(dev_keys("create", "--alias", "alias/photos", "--json"))

    for origin in ("generated", "external"):
        again = dev_keys("create", "--alias", "alias/photos", "--origin", origin)
        assert (again.exit_code, again.stderr) == (
            1,
            f"sseproxy: The alias alias/photos names the CMK {first['key_id']} already: create one without it, and let "
            "`keys alias` move it.\n",
        )
    assert _json(dev_keys("list", "--json")) == [first]


def test_people_get_tables(dev_keys: Keys) -> None:
    key_id = _json(dev_keys("create", "--alias", "alias/photos", "--description", "a\x1b[31mb", "--json"))["key_id"]

    head, row = dev_keys("list").stdout.splitlines()
    described = dev_keys("describe", key_id).stdout

    assert head.split() == ["KEY", "ID", "STATE", "ORIGIN", "VERSION", "ALIASES", "CREATED", "DESCRIPTION"]
    assert row.split()[:5] == [key_id, "Enabled", "generated", "1", "alias/photos"]
    assert row.split()[6] == "a\N{REPLACEMENT CHARACTER}[31mb"
    lines = dict(line.strip().rsplit("  ", 1) for line in described.splitlines()[:5])
    assert {name.strip(): value.strip() for name, value in lines.items()} == {
        "key id": key_id,
        "state": "Enabled",
        "origin": "generated",
        "aliases": "alias/photos",
        "description": "a\N{REPLACEMENT CHARACTER}[31mb",
    }


def test_a_key_is_disabled_and_enabled(dev_keys: Keys) -> None:
    key_id = _json(dev_keys("create", "--json"))["key_id"]

    assert _json(dev_keys("disable", key_id, "--json"))["state"] == "Disabled"
    refused = dev_keys("rotate", key_id)
    assert _json(dev_keys("enable", key_id, "--json"))["state"] == "Enabled"

    assert (refused.exit_code, refused.stderr) == (
        1,
        "sseproxy: The request was rejected because the key state is Disabled.\n",
    )


def test_an_older_version_is_deleted_and_the_present_one_never(dev_keys: Keys) -> None:
    key_id = _json(dev_keys("create", "--json"))["key_id"]
    external = _json(dev_keys("create", "--origin", "external", "--json"))["key_id"]

    present = dev_keys("delete-version", key_id, "1", "--even-if-in-use")
    dev_keys("rotate", key_id)
    not_yet = dev_keys("delete-version", key_id, "1")
    deleted = _json(dev_keys("delete-version", key_id, "1", "--even-if-in-use", "--json"))
    again = dev_keys("delete-version", key_id, "1")
    unknown = dev_keys("delete-version", key_id, "3")
    imported = dev_keys("delete-version", external, "1")

    assert [one["present"] for one in deleted["versions"]] == [False, True]
    refused = (present, not_yet, again, unknown, imported)
    assert [done.exit_code for done in refused] == [1] * 5
    assert present.stderr == (
        "sseproxy: Version 1 is the present one, which new keys are wrapped by: rotate the CMK first.\n"
    )
    assert not_yet.stderr.startswith(f"sseproxy: Version 1 of the CMK {key_id} was the present one until ")
    assert again.stderr == f"sseproxy: Version 1 of the CMK {key_id} has been deleted already.\n"
    assert unknown.stderr == f"sseproxy: The CMK {key_id} has no version 3.\n"
    assert imported.stderr == f"sseproxy: The CMK {external} has no version 1.\n"


def test_a_key_of_ones_own_is_brought_and_taken_away(dev_keys: Keys, tmp_path: Path) -> None:
    key_id = _json(dev_keys("create", "--origin", "external", "--json"))["key_id"]
    public, token, wrapped = tmp_path / "public.der", tmp_path / "token", tmp_path / "wrapped"
    parameters = _json(
        dev_keys(
            "import-parameters", key_id, "--wrapping-key-spec", "RSA_2048", "--public-key", str(public),
            "--token", str(token), "--json",
        )
    )  # fmt: skip
    assert (parameters["wrapping_algorithm"], parameters["wrapping_key_spec"]) == ("RSAES_OAEP_SHA_256", "RSA_2048")
    assert b64decode(parameters["public_key"]) == public.read_bytes()
    assert parameters["import_token"] == token.read_text().strip()
    public_key = load_der_public_key(public.read_bytes())
    assert isinstance(public_key, rsa.RSAPublicKey)
    wrapped.write_bytes(public_key.encrypt(os.urandom(32), padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)))

    arguments = ["import", key_id, "--token", str(token), "--material", str(wrapped), "--expires", "2100-01-01"]
    imported = _json(dev_keys(*arguments, "--json"))
    again = dev_keys(*arguments)
    deleted = _json(dev_keys("delete-material", key_id, "--json"))

    assert (imported["state"], imported["origin"], imported["current_version"]) == ("Enabled", "external", 1)
    assert imported["material_expires"] == "2100-01-01T00:00:00+00:00"
    assert again.exit_code == 1
    assert again.stderr.startswith("sseproxy: The import token is not valid for this CMK, has been used")
    assert (deleted["state"], deleted["material_expires"]) == ("PendingImport", None)


def test_grants_are_given_and_taken_back(dev_keys: Keys) -> None:
    key_id = _json(dev_keys("create", "--json"))["key_id"]

    both = _json(dev_keys("grant", key_id, "--principal", "app", "--for", "encrypt,decrypt", "--json"))
    _json(dev_keys("grant", key_id, "--principal", "reader", "--for", "decrypt", "--json"))
    left = _json(dev_keys("revoke", key_id, "--principal", "app", "--for", "encrypt", "--json"))
    none = _json(dev_keys("revoke", key_id, "--principal", "reader", "--json"))
    again = dev_keys("revoke", key_id, "--principal", "reader")

    assert both["grants"] == [{"principal": "app", "for": ["decrypt", "encrypt"]}]
    assert left["grants"] == [{"principal": "app", "for": ["decrypt"]}, {"principal": "reader", "for": ["decrypt"]}]
    assert none["grants"] == [{"principal": "app", "for": ["decrypt"]}]
    assert (again.exit_code, again.stderr) == (
        1,
        "sseproxy: The access key reader has no such grant on this CMK.\n",
    )


def test_rotation_by_period_is_set_and_ended(dev_keys: Keys) -> None:
    key_id = _json(dev_keys("create", "--json"))["key_id"]

    every = _json(dev_keys("rotation", key_id, "--every", "90", "--json"))
    off = _json(dev_keys("rotation", key_id, "--off", "--json"))

    assert every["rotation_period"] == 90 * 86400
    assert (off["rotation_period"], off["next_rotation"]) == (None, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["describe", "nobody"], "The key nobody does not exist."),
        (["rotate", "alias/nobody"], "The key alias/nobody does not exist."),
        (["alias", "nobody", "alias/x"], "The key nobody does not exist."),
        (["create", "--alias", "alias/sp ace"], "An alias is `alias/` and 1 to 249 letters"),
    ],
)
def test_what_cannot_be_done_ends_with_code_1(dev_keys: Keys, arguments: list[str], message: str) -> None:
    assert dev_keys("create").exit_code == 0

    result = dev_keys(*arguments)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"sseproxy: {message}")
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["alias", "k", "photos"], "alias/NAME"),
        (["create", "--alias", "photos"], "alias/NAME"),
        (["create", "--origin", "found"], "external"),
        (["rotate"], "KEY_ID"),
        (["delete-version", "k"], "VERSION"),
        (["delete-version", "k", "0"], "VERSION"),
        (["rotation", "k"], "--every"),
        (["rotation", "k", "--every", "0"], "--every"),
        (["grant", "k", "--for", "encrypt"], "--principal"),
        (["grant", "k", "--principal", "app"], "--for"),
        (["grant", "k", "--principal", "app", "--for", "sign"], "encrypt,decrypt"),
        (["import", "k", "--token", "AAAA", "--material", "x", "--expires", "soon"], "2027-01-31T12:00:00Z"),
        (["import-parameters", "k", "--wrapping-key-spec", "RSA_1024"], "RSA_2048"),
    ],
)
def test_wrong_arguments_end_with_code_2(dev_keys: Keys, arguments: list[str], hint: str) -> None:
    result = dev_keys(*arguments)

    assert result.exit_code == 2
    assert hint in result.stderr


def test_one_place_is_needed() -> None:
    for arguments in ([], ["--data", ".", "--config", "x"]):
        result = CliRunner().invoke(app, ["keys", "list", *arguments])
        assert result.exit_code == 2
        assert "give either --config FILE, or --data DIR" in result.stderr


def test_nothing_but_create_begins_a_key_database(config: Path, data: Path) -> None:
    for place in (["--config", str(config)], ["--data", str(data)]):
        listed = CliRunner().invoke(app, ["keys", "list", *place])
        assert listed.exit_code == 2
        assert "does not exist: name the proxy's own, or begin it with `sseproxy keys create`." in listed.stderr
    assert not (config.parent / "kms.sqlite3").exists()
    assert not (data / "kms.sqlite3").exists()


def test_a_directory_without_a_root_key_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["keys", "create", "--data", str(tmp_path)])

    assert result.exit_code == 2
    assert result.stderr == (
        f"sseproxy: {tmp_path} is not the directory of a dev server; give the --data it was started with\n"
    )


def test_the_restore_drill(dev_keys: Keys, data: Path, tmp_path: Path) -> None:
    key_id = _json(dev_keys("create", "--json"))["key_id"]
    copy = tmp_path / "copy"

    assert _json(dev_keys("backup", "--to", str(copy), "--json")) == {"copy": str(copy), "keys": 1}
    again = dev_keys("backup", "--to", str(copy))
    there = dev_keys("restore", str(copy))
    for path in data.glob("kms.sqlite3*"):
        path.unlink()
    restored = dev_keys("restore", str(copy))

    assert (again.exit_code, again.stderr) == (1, f"sseproxy: {copy}: File exists\n")
    assert there.exit_code == 2
    assert "--replace" in there.stderr
    assert (restored.exit_code, restored.stdout) == (0, f"{data}/kms.sqlite3: 1 CMKs, all of them open\n")
    assert [key["key_id"] for key in _json(dev_keys("list", "--json"))] == [key_id]
    assert _json(dev_keys("restore", str(copy), "--replace", "--json"))["keys"] == 1


def test_the_root_key_is_changed(dev_keys: Keys, data: Path, tmp_path: Path) -> None:
    key_id = _json(dev_keys("create", "--json"))["key_id"]
    new = tmp_path / "new.key"
    new.touch(mode=0o600)
    new.write_text(os.urandom(32).hex())

    assert dev_keys("change-root-key").exit_code == 2
    changed = dev_keys("change-root-key", "--root-key-file", str(new))
    refused = dev_keys("list")
    new.replace(data / "root.key")

    assert (changed.exit_code, changed.stdout) == (
        0,
        f"{data}/kms.sqlite3 has another root key now: name it in the configuration before the next start\n",
    )
    assert refused.exit_code == 2
    assert "does not belong to this root key" in refused.stderr
    assert [key["key_id"] for key in _json(dev_keys("list", "--json"))] == [key_id]


def test_a_rotation_without_the_store_is_done_and_says_what_is_left(config: Path) -> None:
    place = ["--config", str(config)]
    key_id = _json(CliRunner().invoke(app, ["keys", "create", "--json", *place]))["key_id"]

    rotated = CliRunner().invoke(app, ["keys", "rotate", key_id, "--json", *place])

    assert _json(rotated)["current_version"] == 2
    assert rotated.stderr.startswith(
        "sseproxy: the CMK is rotated, but its bucket keys are still wrapped by the old version: "
    )
    assert rotated.stderr.rstrip().endswith(f"Run `sseproxy keys rewrap {key_id}` when the store can be reached.")


def test_re_wrapping_bucket_keys_needs_the_store(config: Path) -> None:
    place = ["--config", str(config)]
    key_id = _json(CliRunner().invoke(app, ["keys", "create", "--json", *place]))["key_id"]

    assert CliRunner().invoke(app, ["keys", "rewrap", key_id, *place]).exit_code == 1
