"""`sseproxy keys` where CMKs live in a remote key service: it shows them, and refuses the rest clearly."""

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from sseproxy.cli.main import app
from tests.support.moto_kms import MotoKms
from tests.support.servers import REGION


def _run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["keys", *arguments, "--config", str(config)])


def test_remote_keys_are_listed_and_described_and_nothing_else(moto_kms: MotoKms, tmp_path: Path) -> None:
    client = moto_kms.client()
    arn = client.create_key()["KeyMetadata"]["Arn"]
    client.create_alias(AliasName="alias/remote-keys", TargetKeyId=arn)
    config = tmp_path / "sseproxy.toml"
    config.touch(mode=0o600)
    config.write_text(
        '[upstream]\nendpoint = "http://127.0.0.1:1"\naccess_key = "a"\nsecret_key = "s"\n'
        '[[clients.credentials]]\naccess_key = "app"\nsecret_key = "s"\n'
        '[encryption]\ndefault_key_id = "alias/nobody"\nallowed_keys = ["alias/remote-keys"]\n'
        f'[remote_kms]\nservice_key = "{arn}"\n'
        f'[remote_kms.aws.main]\nregion = "{REGION}"\nendpoint = "{moto_kms.address}"\n'
        'access_key = "proxy"\nsecret_key = "proxy-secret"\n'
    )

    listed = _run(config, "list", "--json")
    described = _run(config, "describe", "alias/remote-keys", "--json")
    table = _run(config, "describe", arn)
    refused = _run(config, "rotate", arn)

    assert listed.exit_code == 1  # one of those that the configuration names is not there
    assert listed.stderr.startswith("sseproxy: alias/nobody: ")
    assert [(key["key_id"], key["aliases"]) for key in json.loads(listed.stdout)] == [
        (arn, ["alias/remote-keys"]),
        (arn, []),
    ]
    assert described.exit_code == 0, described.output
    found = json.loads(described.stdout)
    assert {name: found[name] for name in ("key_id", "state", "aliases")} == {
        "key_id": arn,
        "state": "Enabled",
        "aliases": ["alias/remote-keys"],
    }
    assert {"origin", "current_version"} <= set(found)
    assert table.exit_code == 0
    assert arn in table.stdout
    assert refused.exit_code == 2
    assert refused.stderr == (
        "sseproxy: There is no embedded KMS in this configuration: CMKs of a remote key service are looked after there; "
        "`keys list` and `keys describe` show them.\n"
    )
