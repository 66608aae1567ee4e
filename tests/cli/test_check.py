"""What `sseproxy check` shows of a configuration."""

import re
import tomllib

from sseproxy.cli.check import show_settings
from sseproxy.settings import Settings
from tests.test_settings import every_setting

SETTINGS = Settings.model_validate(
    {
        "upstream": {"endpoint": "https://h", "access_key": "proxy", "secret_key": "upstream-secret", "security_token": "tok-en"},
        "clients": {
            "credentials": [{"access_key": "app", "secret_key": "app-secret"}],
            "grants": [{"principal": "app", "keys": "*", "uses": ["decrypt"]}],
        },
        "encryption": {"buckets": {"photos": {"etag": "opaque"}}, "client_kms_passphrases": ["pass-1", "pass-2"]},
        "kms": {"database": "k", "root_key_file": "r"},
        "remote_kms": {
            "default": "embedded",
            "routes": [{"keys": "team-*", "provider": "one"}],
            "vault": {"one": {"address": "https://v", "token": "vault-tok"}},
            "aws": {"two": {"region": "r", "access_key": "AK", "secret_key": "aws-secret"}},
            "pkcs11": {"four": {"module": "m", "token": "t", "pin": "hsm-pin"}},
            "alibaba": {"three": {"region": "r", "access_key": "AK", "secret_key": "ali-secret"}},
        },
    }
)  # fmt: skip

TABLES = {
    "listen.hosts",
    "clients.credentials",
    "clients.grants",
    "encryption.buckets",
    "remote_kms.routes",
    "remote_kms.vault",
    "remote_kms.aws",
    "remote_kms.alibaba",
    "remote_kms.pkcs11",
}


def test_every_setting_is_shown_and_no_secret() -> None:
    lines = list(show_settings(SETTINGS))

    names = {
        re.sub(r"\.(photos|one|two|three|four)\.", ".NAME.", line.replace("[0]", "[]")).split(" ")[0] for line in lines
    }
    assert names == {key for key, _ in every_setting()} - TABLES
    assert not any(
        secret in line
        for line in lines
        for secret in (
            "upstream-secret",
            "app-secret",
            "tok-en",
            "vault-tok",
            "aws-secret",
            "ali-secret",
            "hsm-pin",
            "pass-1",
        )
    )
    assert "upstream.secret_key = [redacted]" in lines
    assert "clients.credentials[0].secret_key = [redacted]" in lines
    assert "encryption.client_kms_passphrases = [[redacted], [redacted]]" in lines


def test_values_are_shown_as_a_configuration_would_state_them() -> None:
    stated = [
        line
        for line in show_settings(SETTINGS)
        if line.startswith(("listen.", "limits.", "logging.")) and " = " in line
    ]

    shown = tomllib.loads("\n".join(stated))
    assert shown["listen"]["address"] == "127.0.0.1:9000"
    assert shown["limits"]["requests"] == 1024
    assert shown["logging"]["access_log"] is True
    assert "listen.tls_cert is absent" in list(show_settings(SETTINGS))
