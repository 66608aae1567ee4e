"""Rules of the section remote_kms: every CMK has one place, and every login is whole."""

from typing import Any

import pytest
from pydantic import ValidationError

from sseproxy.settings import Settings
from sseproxy.settings_remote_kms import AlibabaKmsSettings, AwsKmsSettings, CloudKmsSettings, VaultKmsSettings

EMBEDDED = {"database": "k", "root_key_file": "r"}
VAULT = {"address": "https://vault:8200", "token": "t"}
AWS = {"region": "r", "access_key": "a", "secret_key": "s"}


def settings(kms: Any = None, **remote: Any) -> Settings:
    return Settings.model_validate(
        {
            "upstream": {"endpoint": "https://h", "access_key": "a", "secret_key": "s"},
            "clients": {"trust_unsigned": True},
            **({"kms": kms} if kms else {}),
            "remote_kms": remote,
        }
    )


def test_a_single_key_service_needs_no_route_and_no_default() -> None:
    assert settings(EMBEDDED).remote_kms.names == []
    assert settings(vault={"v": VAULT}, service_key="s").kms is None


def test_an_embedded_kms_that_is_the_default_has_a_service_key_of_its_own() -> None:
    assert settings(EMBEDDED, vault={"v": VAULT}, default="embedded").remote_kms.service_key is None


@pytest.mark.parametrize(
    ("kms", "remote", "message"),
    [
        (None, {}, "there is no key service; set kms.database and kms.root_key_file, or one of the tables in here"),
        (None, {"vault": {"v": VAULT}}, "service_key is missing; name the CMK that AES256 runs under"),
        (EMBEDDED, {"vault": {"v": VAULT}}, "there are several key services; name the one of ids that no route matches in default"),
        (EMBEDDED, {"vault": {"v": VAULT}, "default": "v"}, "service_key is missing"),
        (None, {"vault": {"v": VAULT}, "default": "w", "service_key": "s"}, "default names the key service 'w', which is not there"),
        (None, {"vault": {"v": VAULT}, "default": "embedded", "service_key": "s"}, "default names the key service 'embedded'"),
        (EMBEDDED, {"routes": [{"keys": "*", "provider": "w"}]}, "a route names the key service 'w', which is not there"),
        (None, {"vault": {"v": VAULT}, "aws": {"v": AWS}, "default": "v", "service_key": "s"}, "two key services have the same name"),
        (EMBEDDED, {"vault": {"embedded": VAULT}, "default": "embedded"}, "two key services have the same name"),
    ],
)  # fmt: skip
def test_what_leaves_a_key_without_a_place_or_with_two_is_refused(
    kms: dict[str, str] | None, remote: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(kms, **remote)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "needs one of token and token_file"),
        ({"token": "t", "token_file": "f"}, "needs one of token and token_file"),
        ({"login": "approle", "role_id": "r"}, "needs role_id and secret_id"),
        ({"login": "kubernetes"}, "needs a role"),
        ({"token": "t", "mount": "/transit"}, "a mount is the path between /v1/ and the operation"),
        ({"token": "t", "mount": "tran?sit"}, "a mount is the path between /v1/ and the operation"),
        ({"token": "t", "address": "vault:8200"}, "this is not the URL of a key service"),
        ({"token": "t", "address": "https://vault/v1"}, "has scheme, host and port only"),
        ({"token": "t", "timeout": 0}, "greater than 0"),
    ],
)
def test_a_vault_that_could_not_be_used_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        VaultKmsSettings.model_validate({"address": "https://vault:8200", **fields})


@pytest.mark.parametrize("cloud", [AwsKmsSettings, AlibabaKmsSettings])
def test_a_clouds_kms_is_asked_over_https_but_for_one_on_this_host(cloud: type[CloudKmsSettings]) -> None:
    given = {"region": "r", "access_key": "a", "secret_key": "s"}
    for endpoint in (
        None,
        "https://kms-vpc.r.aliyuncs.com",
        "http://127.0.0.1:4566",
        "http://[::1]:1",
        "http://localhost:1",
    ):
        assert cloud.model_validate({**given, "endpoint": endpoint}).endpoint == endpoint

    for endpoint in ("http://kms.r.aliyuncs.com", "http://10.0.0.1", "http://localhost.example.com"):
        with pytest.raises(ValidationError, match="data keys come from there as they are: use https"):
            cloud.model_validate({**given, "endpoint": endpoint})


def test_clients_keys_in_a_kms_need_the_one_that_they_are_in() -> None:
    encryption = {"client_kms_keys": ["k"]}
    upstream = {"endpoint": "http://s:1", "access_key": "a", "secret_key": "s"}

    with pytest.raises(ValidationError, match="client_kms_keys are CMKs of Alibaba Cloud KMS; add the table alibaba"):
        Settings.model_validate({"upstream": upstream, "kms": EMBEDDED, "encryption": encryption})
