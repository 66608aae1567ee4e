"""The settings, one frozen model per component. Pure values: `config` reads files and the environment.

Unknown keys are refused. Secrets are `SecretStr`, so that no dump, log or exception shows them. Sizes are bytes,
durations seconds.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from sseproxy.model import Algorithm, Binding, EtagMode

DialectName = Literal["s3", "oss"]
Seconds = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """What every section has in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Listen(Section):
    """Where clients connect."""

    address: str = Field("127.0.0.1:9000", description="HOST:PORT of the data port")
    admin_address: str = Field("127.0.0.1:9001", description="HOST:PORT of health, readiness and metrics")
    tls_cert: Path | None = Field(None, description="PEM certificate chain; with tls_key the data port speaks HTTPS")
    tls_key: Path | None = Field(None, description="PEM private key of tls_cert")
    domains: tuple[str, ...] = Field((), description="base domains of virtual-hosted style requests")
    unsigned_dialect: DialectName = Field("s3", description="how requests without a signature are understood")

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("listen.tls_cert and listen.tls_key go together: set both or neither")
        return self


class UpstreamSettings(Section):
    """The store behind the proxy."""

    endpoint: str = Field(description="URL of the store, e.g. https://s3.example.com")
    dialect: DialectName = Field("s3", description="the protocol that store and clients speak")
    region: str = Field("us-east-1", description="region in the signatures towards the store")
    access_key: str = Field(description="the proxy's own access key at the store")
    secret_key: SecretStr = Field(description="its secret")
    security_token: SecretStr | None = Field(None, description="STS token of the access key, if it has one")
    addressing: Literal["path", "virtual"] = Field("path", description="where the bucket's name goes")
    ca_file: Path | None = Field(None, description="PEM file of the CA that signed the store's certificate")
    trailing_checksum: bool = Field(
        False, description="send streamed ciphertext as aws-chunked with a CRC32C trailer (S3)"
    )
    connections: int = Field(256, ge=1, description="most connections to the store at once")
    connect_timeout: Seconds = 10
    read_timeout: Seconds = Field(60, description="longest silence of the store within a request")


class StateSettings(Section):
    """Where uploads in progress and bucket settings are kept."""

    bucket: str = Field("sseproxy-state", min_length=3, max_length=63)
    prefix: str = Field("", description="prepended to every key in the state bucket")
    create: bool = Field(True, description="create the bucket at start if it is missing")


class Client(Section):
    """One access key that clients may sign with."""

    access_key: str = Field(min_length=1)
    secret_key: SecretStr


class ClientsSettings(Section):
    """Who may use the proxy."""

    credentials: tuple[Client, ...] = ()
    allow_sigv2: bool = Field(False, description="accept the old `Authorization: AWS …` signatures of S3")
    trust_unsigned: bool = Field(False, description="serve unsigned requests; only for a sidecar on loopback")
    max_clock_skew: Seconds = 900


class BucketRule(Section):
    """What one bucket does differently."""

    default_algorithm: Algorithm | None = None
    default_key_id: str | None = None
    etag: EtagMode | None = None
    binding: Binding | None = None
    accept_bindings: tuple[Binding, ...] = ()
    sealed: bool = Field(False, description="refuse objects that are not sealed")
    allowed_keys: tuple[str, ...] | None = Field(None, description="CMK ids that may open and seal here; absent: all")


class EncryptionSettings(Section):
    """How objects are sealed where the request does not say."""

    default_algorithm: Algorithm = Algorithm.AES256
    default_key_id: str | None = Field(
        None, description="CMK for KMS without a key id; absent: the dialect's default alias"
    )
    etag: EtagMode | None = Field(None, description="absent: md5, but opaque for aws:kms on S3")
    binding: Binding = Binding.BUCKET_KEY
    accept_bindings: tuple[Binding, ...] = Field((), description="weaker bindings that readers still accept")
    bucket_settings_lifetime: Seconds = Field(30, description="how long a bucket's default encryption may be cached")
    buckets: dict[str, BucketRule] = Field(default_factory=dict)


class EmbeddedKmsSettings(Section):
    """The KMS inside this process: one SQLite file, for one host."""

    kind: Literal["embedded"] = "embedded"
    database: Path = Field(description="the SQLite file")
    root_key_file: Path = Field(description="32 bytes, raw or 64 hex digits, readable by the owner alone (mode 0600)")


class CacheSettings(Section):
    """What may be kept in memory, and how long."""

    unwrapped_keys: int = Field(10_000, ge=0, description="most data keys kept after the KMS opened them; 0: none")
    unwrapped_key_lifetime: Seconds = Field(
        60, description="how long an opened data key serves without asking the KMS again"
    )


class LimitsSettings(Section):
    """Bounds on what one proxy takes at once."""

    requests: int = Field(1024, ge=1, description="requests in progress; beyond it 503 SlowDown")
    lookups: int = Field(32, ge=1, description="concurrent look-ups of one listing")
    request_document: int = Field(
        4 * 1024 * 1024, ge=1024, description="longest request document (Complete, Delete, …)"
    )
    header_bytes: int = Field(32 * 1024, ge=8192, description="longest request line or header")
    body_timeout: Seconds = Field(300, description="longest silence of a client within a body")
    idle_timeout: Seconds = Field(75, description="how long an idle client connection stays open")
    drain_timeout: Seconds = Field(30, description="how long requests may go on after SIGTERM")


class LoggingSettings(Section):
    """The logs on standard error and the access log on standard output."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    access_log: bool = True


class Settings(Section):
    """The whole configuration."""

    listen: Listen = Field(default_factory=Listen)
    upstream: UpstreamSettings
    state: StateSettings = Field(default_factory=StateSettings)
    clients: ClientsSettings = Field(default_factory=ClientsSettings)
    encryption: EncryptionSettings = Field(default_factory=EncryptionSettings)
    kms: EmbeddedKmsSettings
    cache: CacheSettings = Field(default_factory=CacheSettings)
    limits: LimitsSettings = Field(default_factory=LimitsSettings)
    logging: LoggingSettings = Field(default_factory=LoggingSettings)
