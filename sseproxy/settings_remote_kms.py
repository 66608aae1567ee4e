"""Settings of the key services outside of this process, and of which CMK lives in which (docs/kms-providers.md)."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from sseproxy.settings_base import Seconds, Secret, Section, ServiceUrl
from sseproxy.settings_lending import AlibabaLending, AwsLending, missing_settings

EMBEDDED = "embedded"  # how routes name the KMS of the section `kms`


def _path(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*", value):
        raise ValueError("a mount is the path between /v1/ and the operation, without slashes at its ends")
    return value


def _is_this_host(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


MountPath = Annotated[str, AfterValidator(_path)]


class KeyServiceSettings(Section):
    """What every remote key service has."""

    timeout: Seconds = Field(default=5, description="longest time for a call, its repetitions included")
    attempts: int = Field(default=3, ge=1, le=10, description="how often a call is tried at most")
    breaker_failures: int = Field(
        default=5, ge=0, description="failed calls, one after the other, before it is left alone; 0: never"
    )
    breaker_pause: Seconds = Field(default=5, description="how long it is left alone before it is tried again")

    @property
    def files(self) -> Mapping[str, Path | None]:
        """The files that must be there when the proxy starts, by setting."""
        return {}


class HttpKeyServiceSettings(KeyServiceSettings):
    """What every one has that is reached over HTTP."""

    connections: int = Field(default=64, ge=1, description="most connections to it at once")
    ca_file: Path | None = Field(default=None, description="PEM file of the CA that signed its certificate")
    tls_look_every: Seconds = Field(default=60, description="how often it is looked whether ca_file is another")

    @property
    def files(self) -> Mapping[str, Path | None]:
        """The files that must be there when the proxy starts, by setting."""
        return {"ca_file": self.ca_file}


class VaultKmsSettings(HttpKeyServiceSettings):
    """The transit engine of a HashiCorp Vault or OpenBao server."""

    address: ServiceUrl = Field(description="URL of the server, e.g. https://vault.example.com:8200")
    mount: MountPath = Field(default="transit", description="where the transit engine is mounted")
    namespace: str = Field(default="", pattern=r"^[!-~]*$", description="namespace of mount and login; empty: none")
    login: Literal["token", "approle", "kubernetes"] = Field(default="token", description="how the proxy logs in")
    login_mount: MountPath | None = Field(default=None, description="where the method is mounted; absent: its own name")
    token: Secret | None = Field(default=None, description="login `token`: the token; it is renewed while it can be")
    token_file: Path | None = Field(
        default=None, description="login `token`: a file with the token instead, read again when it changes"
    )
    role_id: str | None = Field(default=None, min_length=1, description="login `approle`: the role")
    secret_id: Secret | None = Field(default=None, description="login `approle`: its secret id")
    role: str | None = Field(default=None, min_length=1, description="login `kubernetes`: the role")
    jwt_file: Path = Field(
        default=Path("/var/run/secrets/kubernetes.io/serviceaccount/token"),
        description="login `kubernetes`: the service account's token",
    )

    @model_validator(mode="after")
    def _login_is_whole(self) -> Self:
        if self.login == "token" and (self.token is None) == (self.token_file is None):
            raise ValueError("the login `token` needs one of token and token_file")
        if self.login == "approle" and (self.role_id is None or self.secret_id is None):
            raise ValueError("the login `approle` needs role_id and secret_id")
        if self.login == "kubernetes" and self.role is None:
            raise ValueError("the login `kubernetes` needs a role")
        return self


class CloudKmsSettings(HttpKeyServiceSettings):
    """The key service of a cloud in one region."""

    region: str = Field(pattern=r"^[a-z0-9-]+$", description="region of KMS, e.g. eu-central-1 or cn-hangzhou")
    endpoint: ServiceUrl | None = Field(
        default=None, description="URL of the service, e.g. that of a VPC; absent: the public one of the region"
    )
    credentials: str = Field(default="static", description="where the proxy's credentials come from")
    access_key: Secret | None = Field(default=None, description="`static`: the access key, or a reference to it")
    secret_key: Secret | None = Field(default=None, description="`static`: its secret")
    security_token: Secret | None = Field(default=None, description="`static`: its session token, if it has one")

    @field_validator("endpoint")
    @classmethod
    def _keys_come_over_tls(cls, value: str | None) -> str | None:
        """Refuse what sends data keys over a network as they are: these services speak HTTPS (OSS dossier §7.1)."""
        parts = urlsplit(value or "")
        if parts.scheme == "http" and not _is_this_host(parts.hostname or ""):
            raise ValueError("data keys come from there as they are: use https, or a service on loopback")
        return value

    @model_validator(mode="after")
    def _credentials_are_whole(self) -> Self:
        if missing := missing_settings(self, self.credentials):
            raise ValueError(f"the credentials `{self.credentials}` need {missing}")
        return self


class AwsKmsSettings(AwsLending, CloudKmsSettings):
    """AWS KMS in one region, or a service that speaks its protocol."""

    credentials: Literal["static", "web-identity", "container", "instance"] = Field(
        default="static", description="where the proxy's credentials come from"
    )


class AlibabaKmsSettings(AlibabaLending, CloudKmsSettings):
    """Alibaba Cloud KMS in one region."""

    credentials: Literal["static", "ram-role", "rrsa"] = Field(
        default="static", description="where the proxy's credentials come from"
    )


class Pkcs11KmsSettings(KeyServiceSettings):
    """A hardware security module, or another token, behind a PKCS#11 library."""

    module: Path = Field(description="the PKCS#11 library, e.g. /usr/lib/softhsm/libsofthsm2.so")
    token: str = Field(min_length=1, description="label of the token")
    pin: Secret = Field(description="the user PIN")

    @property
    def files(self) -> Mapping[str, Path | None]:
        """The files that must be there when the proxy starts, by setting."""
        return {"module": self.module}


class Route(Section):
    """Which CMKs a key service has."""

    keys: str = Field(min_length=1, description="pattern of ids and aliases: `*` any characters, `?` any one")
    provider: str = Field(min_length=1, description="the key service's name; `embedded` is that of the section `kms`")


class RemoteKmsSettings(Section):
    """Key services outside of this process, and which CMK lives in which."""

    default: str | None = Field(
        default=None, description="the key service of ids that no route matches; needed where there are several"
    )
    service_key: str | None = Field(
        default=None, min_length=1, description="CMK of AES256 and the state bucket; absent: the embedded KMS has one"
    )
    routes: tuple[Route, ...] = Field(default=(), description="the first one that matches counts")
    vault: dict[str, VaultKmsSettings] = Field(
        default_factory=dict, description="HashiCorp Vault and OpenBao servers, by name"
    )

    aws: dict[str, AwsKmsSettings] = Field(default_factory=dict, description="AWS KMS in one region each, by name")

    alibaba: dict[str, AlibabaKmsSettings] = Field(
        default_factory=dict, description="Alibaba Cloud KMS in one region each, by name"
    )

    pkcs11: dict[str, Pkcs11KmsSettings] = Field(
        default_factory=dict, description="hardware security modules behind PKCS#11, by name"
    )

    @property
    def tables(self) -> Mapping[str, Mapping[str, KeyServiceSettings]]:
        """The key services by kind and name."""
        return {"vault": self.vault, "aws": self.aws, "alibaba": self.alibaba, "pkcs11": self.pkcs11}

    @property
    def providers(self) -> dict[str, KeyServiceSettings]:
        """The key services by name alone."""
        return {name: settings for table in self.tables.values() for name, settings in table.items()}

    @property
    def names(self) -> list[str]:
        """The names of all of them, one that is there twice as well."""
        return [name for table in self.tables.values() for name in table]

    def check(self, *, beside_embedded: bool) -> None:
        """Return if every CMK has one place. Raises `ValueError`."""
        names = [*([EMBEDDED] if beside_embedded else []), *self.names]
        if not names:
            raise ValueError(
                "there is no key service; set kms.database and kms.root_key_file, or one of the tables in here"
            )
        if len(set(names)) != len(names):
            raise ValueError(f"two key services have the same name; rename one of {', '.join(sorted(names))}")
        for what, name in [("default", self.default), *(("a route", route.provider) for route in self.routes)]:
            if name is not None and name not in names:
                raise ValueError(f"{what} names the key service {name!r}, which is not there; correct it")
        if self.default is None and len(names) > 1:
            raise ValueError("there are several key services; name the one of ids that no route matches in default")
        if self.service_key is None and (self.default or names[0]) != EMBEDDED:
            raise ValueError("service_key is missing; name the CMK that AES256 runs under")
