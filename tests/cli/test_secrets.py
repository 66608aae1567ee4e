"""Nothing that `sseproxy keys` prints shows a key: neither the root key, nor material, nor what it is sealed under."""

import os
import sqlite3
from base64 import b64encode
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from typer.testing import CliRunner

from sseproxy.cli.main import app
from sseproxy.kms.database import Database
from sseproxy.kms.material import open_material
from sseproxy.kms.root_key import read_root_key


def _secrets(data: Path) -> list[bytes]:
    """Return every secret that the key database knows, and its root key."""
    root = read_root_key(data / "root.key")
    with closing(Database(data / "kms.sqlite3", root)) as database:
        sealing_key = database.sealing_key
    with closing(sqlite3.connect(data / "kms.sqlite3")) as connection:
        rows = connection.execute("SELECT key_id, version, sealed FROM versions WHERE sealed IS NOT NULL").fetchall()
    opened = [open_material(sealing_key, key_id, version, sealed) for key_id, version, sealed in rows]
    return [root.raw, sealing_key.raw, *opened]


def _ways(secret: bytes) -> list[str]:
    return [secret.hex(), secret.hex().upper(), b64encode(secret).decode().rstrip("="), repr(secret)[2:-1]]


@pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["table", "json"])
def test_no_command_over_keys_prints_a_key(
    tmp_path: Path, as_json: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    data, said = tmp_path / "dev", []
    data.mkdir()
    (data / "root.key").touch(mode=0o600)
    (data / "root.key").write_text(os.urandom(32).hex())
    material, files = os.urandom(32), [str(tmp_path / name) for name in ("public", "token", "wrapped", "copy")]
    public, token, wrapped, copy = files

    def run(*arguments: str, code: int = 0) -> None:
        done = CliRunner().invoke(app, ["keys", *arguments, "--data", str(data), *as_json])
        assert done.exit_code == code, done.output
        said.append(done.output)

    run("create", "--alias", "alias/a")
    run("rotate", "alias/a")
    run("create", "--origin", "external", "--alias", "alias/b")
    parameters = ("--wrapping-key-spec", "RSA_2048", "--public-key", public, "--token", token)
    run("import-parameters", "alias/b", *parameters)
    key = load_der_public_key(Path(public).read_bytes())
    assert isinstance(key, rsa.RSAPublicKey)
    Path(wrapped).write_bytes(key.encrypt(material, padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)))
    run("import", "alias/b", "--token", token, "--material", wrapped)
    run("import", "alias/b", "--token", token, "--material", wrapped, code=1)
    run("grant", "alias/a", "--principal", "app", "--for", "encrypt")
    run("describe", "alias/a")
    run("list")
    run("disable", "alias/a")
    run("rotate", "alias/a", code=1)
    run("backup", "--to", copy)
    run("restore", copy, "--replace")

    text, secrets = "\n".join([*said, caplog.text]), _secrets(data)
    assert material in secrets
    assert len(secrets) == 5  # root key, sealing key, two versions of one CMK, one of the other
    assert [way for secret in secrets for way in _ways(secret) if way in text] == []
    assert "alias/a" in text  # the search looks at what was printed
