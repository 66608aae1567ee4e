"""The variables by which a platform tells a pod who lends it credentials."""

from pathlib import Path
from typing import Any

import pytest

from sseproxy.config import load_settings
from sseproxy.errors import ConfigurationError
from sseproxy.settings_lending import from_variables

RRSA = {
    "ALIBABA_CLOUD_ROLE_ARN": "acs:ram::1:role/r",
    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1:oidc-provider/p",
    "ALIBABA_CLOUD_OIDC_TOKEN_FILE": "/run/token",
}
IRSA = {"AWS_ROLE_ARN": "arn:aws:iam::1:role/r", "AWS_WEB_IDENTITY_TOKEN_FILE": "/run/token"}
CONFIG = """
[upstream]
endpoint = "https://oss-cn-hangzhou.aliyuncs.com"
dialect = "oss"
region = "cn-hangzhou"
[upstream.credentials]
source = "{source}"
{more}
[clients]
trust_unsigned = true
[remote_kms]
service_key = "k"
[remote_kms.{cloud}.main]
region = "r"
credentials = "{source}"
"""


def _config(directory: Path, source: str, cloud: str, more: str = "") -> Path:
    path = directory / "sseproxy.toml"
    path.write_text(CONFIG.format(source=source, cloud=cloud, more=more))
    return path


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests do not run in a pod."""
    for name in (*RRSA, *IRSA, "ALIBABA_CLOUD_ROLE_SESSION_NAME", "ALIBABA_CLOUD_STS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def test_in_a_pod_with_rrsa_its_name_is_enough_for_store_and_key_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in RRSA.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ALIBABA_CLOUD_STS_ENDPOINT", "sts-vpc.cn-hangzhou.aliyuncs.com")

    settings = load_settings(_config(tmp_path, "rrsa", "alibaba"))

    for lending in (settings.upstream.credentials, settings.remote_kms.alibaba["main"]):
        assert lending.role_arn == "acs:ram::1:role/r"
        assert lending.oidc_provider_arn == "acs:ram::1:oidc-provider/p"
        assert lending.oidc_token_file == Path("/run/token")
        assert lending.sts_endpoint == "https://sts-vpc.cn-hangzhou.aliyuncs.com"
        assert lending.role_session_name == "sseproxy"


def test_in_a_pod_with_irsa_its_name_is_enough_for_store_and_key_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in IRSA.items():
        monkeypatch.setenv(name, value)

    settings = load_settings(_config(tmp_path, "web-identity", "aws"))

    for lending in (settings.upstream.credentials, settings.remote_kms.aws["main"]):
        assert (lending.role_arn, lending.web_identity_token_file) == ("arn:aws:iam::1:role/r", Path("/run/token"))
        assert lending.sts_endpoint is None


def test_what_the_configuration_says_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in RRSA.items():
        monkeypatch.setenv(name, value)

    settings = load_settings(_config(tmp_path, "rrsa", "alibaba", 'role_arn = "acs:ram::1:role/other"'))

    assert settings.upstream.credentials.role_arn == "acs:ram::1:role/other"
    assert settings.remote_kms.alibaba["main"].role_arn == "acs:ram::1:role/r"


def test_outside_of_a_pod_it_is_told_what_is_missing_and_which_variables_would_say_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(_config(tmp_path, "rrsa", "alibaba", 'role_arn = "acs:ram::1:role/other"'))

    heading, *problems = map(str.strip, refused.value.message.splitlines())
    assert heading.endswith("2 problems in the configuration")
    assert problems == [
        "upstream.credentials: the source `rrsa` needs oidc_provider_arn and oidc_token_file; set it here, or by "
        "ALIBABA_CLOUD_OIDC_PROVIDER_ARN and ALIBABA_CLOUD_OIDC_TOKEN_FILE",
        "remote_kms.alibaba.main: the credentials `rrsa` need role_arn and oidc_provider_arn and oidc_token_file; set it "
        "here, or by ALIBABA_CLOUD_ROLE_ARN and ALIBABA_CLOUD_OIDC_PROVIDER_ARN and ALIBABA_CLOUD_OIDC_TOKEN_FILE",
    ]


def test_other_sources_take_nothing_from_the_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (RRSA | IRSA).items():
        monkeypatch.setenv(name, value)

    settings = load_settings(_config(tmp_path, "ram-role", "alibaba"))

    assert settings.upstream.credentials.role_arn is None
    assert settings.upstream.credentials.oidc_token_file is None


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        ({}, None),
        ({"ALIBABA_CLOUD_STS_REGION": "cn-beijing"}, "https://sts.cn-beijing.aliyuncs.com"),
        (
            {"ALIBABA_CLOUD_STS_REGION": "cn-beijing", "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED": "true"},
            "https://sts-vpc.cn-beijing.aliyuncs.com",
        ),
        (
            {"ALIBABA_CLOUD_STS_REGION": "cn-beijing", "ALIBABA_CLOUD_STS_ENDPOINT": "sts.aliyuncs.com"},
            "https://sts.aliyuncs.com",
        ),
        ({"ALIBABA_CLOUD_STS_ENDPOINT": "https://sts.aliyuncs.com"}, "https://sts.aliyuncs.com"),
    ],
)
def test_sts_is_the_one_that_the_cluster_names(environ: dict[str, str], endpoint: str | None) -> None:
    assert from_variables("rrsa", {}, environ).get("sts_endpoint") == endpoint


@pytest.mark.parametrize(
    ("kind", "environ", "found"),
    [
        (
            "container",
            {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/run/token",
            },
            {"container_url": "http://169.254.170.23/v1/credentials", "container_token_file": "/run/token"},
        ),
        ("web-identity", {"AWS_ROLE_SESSION_NAME": "pod", "AWS_ROLE_ARN": ""}, {"role_session_name": "pod"}),
        ("rrsa", {"ALIBABA_CLOUD_ROLE_SESSION_NAME": "pod"}, {"role_session_name": "pod"}),
        ("static", RRSA | IRSA, {}),
        ([], RRSA | IRSA, {}),
    ],
)
def test_each_lender_has_variables_of_its_own(kind: Any, environ: dict[str, str], found: dict[str, str]) -> None:
    assert from_variables(kind, {}, environ) == found
