"""Settings of the store behind the proxy, and of where the proxy's credentials at it come from."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from sseproxy.model import WriteCondition
from sseproxy.settings_base import Seconds, Secret, Section
from sseproxy.settings_lending import AlibabaLending, AwsLending, missing_settings

DialectName = Literal["s3", "oss"]
CredentialKind = Literal["static", "file", "web-identity", "container", "instance", "ram-role", "rrsa"]


def _endpoint(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("this is not the URL of a store; write for example https://s3.example.com")
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(
            "an endpoint has scheme, host and port only; buckets and credentials have settings of their own"
        )
    if parts.port == 0:
        raise ValueError("port 0 cannot be connected to")
    return value.rstrip("/")


Endpoint = Annotated[str, AfterValidator(_endpoint)]


class CredentialSource(Section):
    """Who has the proxy's credentials at the store; the settings of lenders come beside it."""

    source: CredentialKind = Field(
        default="static", description="`static`: access_key and secret_key; else who lends them, see below"
    )
    path: Path | None = Field(default=None, description="`file`: AWS's or Alibaba Cloud's shared format, or JSON")
    profile: str = Field(default="default", min_length=1, description="`file`: the section that counts")
    look_every: Seconds = Field(default=10, description="`file`: how often it is looked whether it is another one")
    timeout: Seconds = Field(default=10, description="longest wait for credentials that are lent")


class UpstreamCredentials(AlibabaLending, AwsLending, CredentialSource):
    """Where the proxy's credentials at the store come from."""

    @model_validator(mode="after")
    def _source_is_whole(self) -> Self:
        missing = "" if self.source == "static" else missing_settings(self, self.source)
        if missing:
            raise ValueError(f"the source `{self.source}` needs {missing}")
        return self


class UpstreamSettings(Section):
    """The store behind the proxy."""

    endpoint: Endpoint = Field(description="URL of the store, e.g. https://s3.example.com")
    dialect: DialectName = Field(default="s3", description="the protocol that store and clients speak")
    region: str = Field(default="us-east-1", description="region in the signatures towards the store")
    access_key: str | None = Field(
        default=None, min_length=1, description="the proxy's own access key at the store; needed unless it is lent"
    )
    secret_key: Secret | None = Field(default=None, description="its secret")
    security_token: Secret | None = Field(default=None, description="STS token of the access key, if it has one")
    addressing: Literal["path", "virtual"] = Field(default="path", description="where the bucket's name goes")
    ca_file: Path | None = Field(default=None, description="PEM file of the CA that signed the store's certificate")
    tls_cert: Path | None = Field(
        default=None, description="PEM certificate chain that the proxy shows to the store (mutual TLS)"
    )
    tls_key: Path | None = Field(default=None, description="PEM private key of tls_cert")
    tls_look_every: Seconds = Field(
        default=60, description="how often it is looked whether ca_file, tls_cert and tls_key are others"
    )
    trailing_checksum: bool = Field(
        default=False, description="send streamed ciphertext as aws-chunked with a CRC32C trailer (S3)"
    )
    lacks: tuple[WriteCondition, ...] | None = Field(
        default=None, description="conditions on writes that the store overlooks; absent: found out by trying"
    )
    connections: int = Field(
        default=2048, ge=1, description="most connections to the store at once; a request takes one or two"
    )
    connect_timeout: Seconds = Field(default=10, description="longest wait for a connection to the store")
    read_timeout: Seconds = Field(default=60, description="longest silence of the store within a request")
    credentials: UpstreamCredentials = UpstreamCredentials()

    @model_validator(mode="after")
    def _access_key_comes_from_one_place(self) -> Self:
        static = self.credentials.source == "static"
        given = [name for name in ("access_key", "secret_key", "security_token") if getattr(self, name) is not None]
        if static and (self.access_key is None or self.secret_key is None):
            raise ValueError("access_key and secret_key are missing; set them, or say in credentials.source who lends")
        if not static and given:
            raise ValueError(
                f"{' and '.join(given)} would not be used: credentials.source is `{self.credentials.source}`; "
                "remove one of the two"
            )
        return self

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("upstream.tls_cert and upstream.tls_key go together: set both or neither")
        if self.tls_cert is not None and not self.endpoint.startswith("https"):
            raise ValueError("upstream.tls_cert needs an https endpoint: there is no TLS without")
        return self
