"""`sseproxy keys` beside running proxies: what clients of both dialects see with their very next request."""

import json
import os
import sqlite3
from base64 import b64decode
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from typer.testing import CliRunner

from sseproxy.cli.main import app
from sseproxy.format import decode_envelope
from sseproxy.kms.material import parse_blob
from sseproxy.store.locate import locate_object
from tests.support.raw_http import Answer, signed
from tests.support.servers import ACCESS_KEY, Launcher, Server

_BUCKET = "key-states"
_HEADER = {"s3": "x-amz-server-side-encryption", "oss": "x-oss-server-side-encryption"}
_KEY_HEADER = {"s3": f"{_HEADER['s3']}-aws-kms-key-id", "oss": f"{_HEADER['oss']}-key-id"}
_WORD = {"s3": "aws:kms", "oss": "KMS"}

both_dialects = pytest.mark.parametrize("dialect", ["s3", "oss"])


@dataclass(frozen=True)
class Site:
    """Proxies of both dialects in front of one store, with one KMS database; no opened key is kept, no bucket key used."""

    store: Server
    proxies: Mapping[str, Server]
    configs: Mapping[str, Path]

    def keys(self, *arguments: str) -> Any:
        """Run `sseproxy keys … --json` beside the proxies."""
        done = CliRunner().invoke(app, ["keys", *arguments, "--config", str(self.configs["s3"]), "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def put(self, dialect: str, key: str, body: bytes, key_id: str | None) -> Answer:
        headers = {_HEADER[dialect]: _WORD[dialect], _KEY_HEADER[dialect]: key_id} if key_id else {}
        return signed(self.proxies[dialect], "PUT", f"/{_BUCKET}/{key}", headers, body, dialect=dialect)

    def get(self, dialect: str, key: str) -> Answer:
        return signed(self.proxies[dialect], "GET", f"/{_BUCKET}/{key}", dialect=dialect)

    def age(self, statement: str, *values: str) -> None:
        """Let time have passed, by changing what the database says of it."""
        with closing(sqlite3.connect(self.proxies["s3"].data / "kms.sqlite3", timeout=10)) as database, database:
            assert database.execute(statement, values).rowcount == 1


def _site(launcher: Launcher, directory: Path, extra: str) -> Site:
    store = launcher.store()
    extra += "[cache]\nunwrapped_keys = 0\n[encryption]\nbucket_keys = []\n"
    proxies, configs = {}, {}
    for name in ("s3", "oss"):
        before = set(directory.glob("sseproxy-*.toml"))
        proxies[name] = launcher.proxy(store, directory, extra=extra, dialect=name)
        (configs[name],) = set(directory.glob("sseproxy-*.toml")) - before
    assert signed(proxies["s3"], "PUT", f"/{_BUCKET}").status == 200
    return Site(store, proxies, configs)


@pytest.fixture(scope="module")
def site(launcher: Launcher, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return _site(launcher, tmp_path_factory.mktemp("states"), "")


@pytest.fixture(scope="module")
def granting(launcher: Launcher, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The same, where clients use CMKs as granted."""
    rule = (
        "[[clients.grants]]\n"
        f'principal = "{ACCESS_KEY}"\nkeys = "0*"\nuses = ["decrypt"]\n[clients]\nrequire_grants = true\n'
    )
    return _site(launcher, tmp_path_factory.mktemp("grants"), rule)


def _refused(dialect: str, state: str) -> tuple[int, str, str]:
    message = f"The request was rejected because the key state is {state}."
    if dialect == "oss":
        return 409, f"Key{state}", message
    return 400, "KMS.DisabledException" if state == "Disabled" else "KMS.KMSInvalidStateException", message


def _check_refused(site: Site, dialect: str, key: str, key_id: str, expected: tuple[int, str, str]) -> None:
    assert site.get(dialect, key).error == expected
    head = signed(site.proxies[dialect], "HEAD", f"/{_BUCKET}/{key}", dialect=dialect)
    assert (head.status, head.body) == (expected[0], b"")
    assert site.put(dialect, "not-written", b"new", key_id).error == expected


@both_dialects
def test_a_key_that_is_disabled_is_refused_until_it_is_enabled(site: Site, dialect: str) -> None:
    key_id = site.keys("create")["key_id"]
    assert site.put(dialect, "disabled", b"body", key_id).status == 200

    site.keys("disable", key_id)
    _check_refused(site, dialect, "disabled", key_id, _refused(dialect, "Disabled"))
    site.keys("enable", key_id)

    assert site.get(dialect, "disabled").body == b"body"


@both_dialects
def test_a_key_that_waits_for_its_deletion_is_refused_and_then_not_there(site: Site, dialect: str) -> None:
    key_id = site.keys("create")["key_id"]
    assert site.put(dialect, "deleted", b"body", key_id).status == 200

    site.keys("schedule-deletion", key_id, "--days", "7", "--even-if-in-use")
    _check_refused(site, dialect, "deleted", key_id, _refused(dialect, "PendingDeletion"))
    assert site.keys("cancel-deletion", key_id)["state"] == "Disabled"
    site.keys("enable", key_id)
    assert site.get(dialect, "deleted").body == b"body"

    site.keys("schedule-deletion", key_id, "--days", "30", "--even-if-in-use")
    site.age("UPDATE keys SET deletion_due = '2020-01-01T00:00:00+00:00' WHERE key_id = ?", key_id)
    missing = {
        "s3": (400, "KMS.NotFoundException", f"The key {key_id} does not exist."),
        "oss": (404, "KeyNotFound", "The specified parameter KMS keyId is not found."),
    }
    _check_refused(site, dialect, "deleted", key_id, missing[dialect])


@both_dialects
def test_a_key_that_an_object_is_under_is_not_deleted_unless_told_twice(site: Site, dialect: str) -> None:
    run = CliRunner().invoke
    unused, used = (site.keys("create")["key_id"] for _ in range(2))
    assert site.put(dialect, "in-the-way", b"body", used).status == 200

    refused = run(app, ["keys", "schedule-deletion", used, "--config", str(site.configs[dialect])])
    service = run(app, ["keys", "schedule-deletion", "alias/sseproxy/service", "--config", str(site.configs[dialect])])
    free = site.keys("schedule-deletion", unused)

    assert (refused.exit_code, refused.stderr) == (
        1,
        f"sseproxy: The CMK {used} is in use: {_BUCKET}/in-the-way is under it, and perhaps more. Say --even-if-in-use "
        "to schedule its deletion all the same; what is under it will never open again.\n",
    )
    assert service.exit_code == 1
    assert "is the service master key" in service.stderr
    assert (free["state"], site.get(dialect, "in-the-way").body) == ("PendingDeletion", b"body")


def _import(site: Site, key_id: str, material: bytes, directory: Path) -> None:
    parameters = site.keys("import-parameters", key_id, "--wrapping-key-spec", "RSA_2048")
    public_key = load_der_public_key(b64decode(parameters["public_key"]))
    assert isinstance(public_key, rsa.RSAPublicKey)
    wrapped = directory / "wrapped"
    wrapped.write_bytes(public_key.encrypt(material, padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)))
    token, until = parameters["import_token"], "2100-01-01T00:00:00Z"
    imported = site.keys("import", key_id, "--token", token, "--material", str(wrapped), "--expires", until)
    assert imported["state"] == "Enabled"


@both_dialects
def test_material_of_ones_own_serves_until_it_expires_or_is_deleted(site: Site, dialect: str, tmp_path: Path) -> None:
    key_id, material = site.keys("create", "--origin", "external")["key_id"], os.urandom(32)
    pending = _refused(dialect, "PendingImport")
    assert site.put(dialect, "imported", b"too early", key_id).error == pending
    _import(site, key_id, material, tmp_path)
    assert site.put(dialect, "imported", b"body", key_id).status == 200
    assert site.get(dialect, "imported").body == b"body"

    site.age("UPDATE versions SET expires = '2020-01-01T00:00:00+00:00' WHERE key_id = ?", key_id)
    _check_refused(site, dialect, "imported", key_id, pending)
    _import(site, key_id, material, tmp_path)
    assert site.get(dialect, "imported").body == b"body"
    site.keys("delete-material", key_id)
    _check_refused(site, dialect, "imported", key_id, pending)
    _import(site, key_id, material, tmp_path)

    assert site.get(dialect, "imported").body == b"body"


def _version(site: Site, key: str) -> int:
    document = json.loads(locate_object(site.store.data, _BUCKET, key).metadata.read_bytes())
    envelope = decode_envelope(document["user"]["sseproxy"])
    return parse_blob(envelope.wrapped_key).version


@both_dialects
def test_after_a_rotation_new_objects_use_the_new_version_and_old_ones_open(site: Site, dialect: str) -> None:
    key_id = site.keys("create", "--alias", f"alias/rotated-{dialect}")["key_id"]
    assert site.put(dialect, "old", b"old", f"alias/rotated-{dialect}").status == 200

    assert site.keys("rotate", key_id)["current_version"] == 2
    assert site.put(dialect, "new", b"new", f"alias/rotated-{dialect}").status == 200

    assert (_version(site, "old"), _version(site, "new")) == (1, 2)
    assert [site.get(dialect, key).body for key in ("old", "new")] == [b"old", b"new"]


_FORBIDDEN = (403, "AccessDenied", "This request is forbidden by kms.")


@both_dialects
def test_where_grants_are_required_each_use_needs_its_own(granting: Site, dialect: str) -> None:
    key_id = _created_with(granting, "1", "f")
    assert granting.put(dialect, "granted", b"body", key_id).error == _FORBIDDEN

    granting.keys("grant", key_id, "--principal", "somebody-else", "--for", "encrypt,decrypt")
    assert granting.put(dialect, "granted", b"body", key_id).error == _FORBIDDEN
    granting.keys("grant", key_id, "--principal", ACCESS_KEY, "--for", "encrypt")
    assert granting.put(dialect, "granted", b"body", key_id).status == 200
    assert granting.get(dialect, "granted").error == _FORBIDDEN
    granting.keys("grant", key_id, "--principal", ACCESS_KEY, "--for", "decrypt")
    assert granting.get(dialect, "granted").body == b"body"
    granting.keys("revoke", key_id, "--principal", ACCESS_KEY, "--for", "decrypt")
    assert granting.get(dialect, "granted").error == _FORBIDDEN
    assert granting.put(dialect, "granted", b"again", key_id).status == 200


@both_dialects
def test_a_grant_of_the_configuration_counts_for_the_keys_that_its_pattern_names(granting: Site, dialect: str) -> None:
    key_id = _created_with(granting, "0", "0")
    granting.keys("grant", key_id, "--principal", ACCESS_KEY, "--for", "encrypt")

    assert granting.put(dialect, "by-pattern", b"body", key_id).status == 200

    assert granting.get(dialect, "by-pattern").body == b"body"


def _created_with(site: Site, first: str, last: str) -> str:
    """Create a CMK whose id begins with a digit of a range."""
    while True:
        key_id: str = site.keys("create")["key_id"]
        if first <= key_id[0] <= last:
            return key_id


@both_dialects
def test_the_service_master_key_needs_no_grant(granting: Site, dialect: str) -> None:
    assert granting.put(dialect, "of-the-service", b"body", None).status == 200

    assert granting.get(dialect, "of-the-service").body == b"body"


def test_the_restore_drill_brings_objects_back(launcher: Launcher, tmp_path: Path) -> None:
    site = _site(launcher, tmp_path / "drill", "")
    key_id = site.keys("create")["key_id"]
    assert site.put("s3", "drilled", b"body", key_id).status == 200
    assert site.put("s3", "of-the-service", b"body", None).status == 200
    assert site.keys("backup", "--to", str(tmp_path / "copy"))["keys"] == 2
    for proxy in site.proxies.values():
        proxy.stop()
    for path in (tmp_path / "drill").glob("kms.sqlite3*"):
        path.unlink()

    assert site.keys("restore", str(tmp_path / "copy"))["keys"] == 2
    again = launcher.proxy(site.store, tmp_path / "drill")

    bodies = [signed(again, "GET", f"/{_BUCKET}/{key}").body for key in ("drilled", "of-the-service")]
    assert bodies == [b"body", b"body"]
