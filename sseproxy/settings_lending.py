"""Settings of who lends the proxy credentials, and the variables in which a platform tells a pod about them.

Kubernetes services of both clouds set variables for every program in a pod: AWS's for IRSA and Pod Identity, Alibaba
Cloud's for RRSA. What the configuration leaves out is taken from them, by `from_variables`.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import Field

from sseproxy.settings_base import Section, ServiceUrl

_NEEDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "static": ("access_key", "secret_key"),
        "file": ("path",),
        "web-identity": ("role_arn", "web_identity_token_file"),
        "container": ("container_url",),
        "rrsa": ("role_arn", "oidc_provider_arn", "oidc_token_file"),
    }
)
_VARIABLES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "web-identity": {
            "role_arn": "AWS_ROLE_ARN",
            "role_session_name": "AWS_ROLE_SESSION_NAME",
            "web_identity_token_file": "AWS_WEB_IDENTITY_TOKEN_FILE",
        },
        "container": {
            "container_url": "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "container_token_file": "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        },
        "rrsa": {
            "role_arn": "ALIBABA_CLOUD_ROLE_ARN",
            "role_session_name": "ALIBABA_CLOUD_ROLE_SESSION_NAME",
            "oidc_provider_arn": "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
            "oidc_token_file": "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
        },
    }
)


class Lending(Section):
    """What lenders of both clouds have."""

    role_arn: str | None = Field(default=None, min_length=1, description="`web-identity`, `rrsa`: the role to take on")
    role_session_name: str = Field(
        default="sseproxy",
        pattern=r"^[A-Za-z0-9_+=,.@-]{2,64}$",
        description="`web-identity`, `rrsa`: how the clouds' audit logs name the proxy",
    )
    sts_endpoint: ServiceUrl | None = Field(
        default=None, description="`web-identity`, `rrsa`: URL of STS; absent: that of the cloud in the region"
    )
    metadata_endpoint: ServiceUrl | None = Field(
        default=None, description="`instance`, `ram-role`: URL of the metadata service; absent: that of the cloud"
    )


class AwsLending(Lending):
    """What AWS's lenders have."""

    web_identity_token_file: Path | None = Field(default=None, description="`web-identity`: the file with the token")
    container_url: str | None = Field(
        default=None, pattern=r"^https?://\S+$", description="`container`: URL of the agent that lends credentials"
    )
    container_token_file: Path | None = Field(
        default=None, description="`container`: file with the token for the agent, if it wants one"
    )


class AlibabaLending(Lending):
    """What Alibaba Cloud's lenders have."""

    role_name: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9.@_-]+$", description="`ram-role`: the role; absent: the instance's own"
    )
    oidc_provider_arn: str | None = Field(
        default=None, min_length=1, description="`rrsa`: the cluster's OIDC provider in RAM"
    )
    oidc_token_file: Path | None = Field(default=None, description="`rrsa`: the file with the service account's token")


def missing_settings(section: Section, kind: str) -> str:
    """Return what credentials of a kind need and `section` lacks, as the end of a message; "" where it is whole."""
    missing = [name for name in _NEEDED.get(kind, ()) if getattr(section, name) is None]
    known = _VARIABLES.get(kind, {})
    variables = [known[name] for name in missing if name in known]
    hint = f"; set it here, or by {' and '.join(variables)}" if variables else ""
    return " and ".join(missing) + hint


def from_variables(kind: object, given: Mapping[str, object], environ: Mapping[str, str]) -> dict[str, object]:
    """Return what the platform's variables add to the settings `given` of a lender; what is given counts."""
    known = _VARIABLES.get(kind, {}) if isinstance(kind, str) else {}
    found = {name: environ.get(variable) for name, variable in known.items()}
    if kind == "rrsa":
        found["sts_endpoint"] = _alibaba_sts(environ)
    return {name: value for name, value in found.items() if value and name not in given}


def _alibaba_sts(environ: Mapping[str, str]) -> str | None:
    """Return the URL of STS that a cluster of Alibaba Cloud names, which is that of its VPC where it has one."""
    if host := environ.get("ALIBABA_CLOUD_STS_ENDPOINT"):
        return f"https://{host.removeprefix('https://')}"
    if region := environ.get("ALIBABA_CLOUD_STS_REGION"):
        within_vpc = environ.get("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", "").lower() == "true"
        return f"https://{'sts-vpc' if within_vpc else 'sts'}.{region}.aliyuncs.com"
    return None
