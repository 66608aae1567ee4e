"""The settings, one frozen model per component. Pure values: `config` reads files and the environment.

Unknown keys are refused. Secrets are `SecretStr`, so that no dump, log or exception shows them. Sizes are bytes,
durations seconds.
"""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    IPvAnyNetwork,
    ValidationInfo,
    field_validator,
    model_validator,
)

from sseproxy.model import Algorithm, Binding, EtagMode, KeyUse
from sseproxy.settings_audit import AuditSettings
from sseproxy.settings_base import Seconds, Secret, Section
from sseproxy.settings_remote_kms import RemoteKmsSettings
from sseproxy.settings_upstream import DialectName, UpstreamSettings


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of a `HOST:PORT`, an IPv6 host without its brackets; raises `ValueError`.

    Port 0 lets the system choose one.
    """
    host, _, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if not host or (":" in host) != bracketed or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"{address!r} is not HOST:PORT; write for example 127.0.0.1:9000 or [::1]:9000")
    return host, int(port)


def is_loopback(address: str) -> bool:
    """Tell whether a `HOST:PORT` can be reached from this host (or this pod) alone."""
    host, _ = split_address(address)
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(value: str) -> str:
    split_address(value)
    return value


def _host_name(value: str) -> str:
    if re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", value.lower()) is None:
        raise ValueError(f"{value!r} is not the name of a host; write it without scheme and port")
    return value.lower()


def _implemented(value: Algorithm) -> Algorithm:
    if value is Algorithm.CUSTOMER:
        raise ValueError("a customer's key comes with a request; choose AES256, KMS or SM4")
    return value


def _prefix(value: str) -> str:
    # No state key may be longer than 1,024 bytes (docs/format.md, "Upload records").
    if len(value.encode()) > 340 or not all(map(str.isprintable, value)):
        raise ValueError("a prefix has at most 340 bytes, all printable")
    return value


Address = Annotated[str, AfterValidator(_address)]
HostName = Annotated[str, AfterValidator(_host_name)]
Prefix = Annotated[str, AfterValidator(_prefix)]
DefaultAlgorithm = Annotated[Algorithm, AfterValidator(_implemented)]


class Listen(Section):
    """Where clients connect."""

    address: Address = Field(default="127.0.0.1:9000", description="HOST:PORT of the data port")
    admin_address: Address = Field(default="127.0.0.1:9001", description="HOST:PORT of health, readiness and metrics")
    workers: int = Field(
        default=1, ge=1, le=256, description="processes that serve the data port; one uses one processor core, mostly"
    )
    tls_cert: Path | None = Field(default=None, description="PEM certificate chain; with it the data port speaks HTTPS")
    tls_key: Path | None = Field(default=None, description="PEM private key of tls_cert")
    tls_minimum: Literal["1.2", "1.3"] = Field(default="1.2", description="least version of TLS that clients may speak")
    tls_ciphers: str | None = Field(
        default=None, min_length=1, description="OpenSSL's list of ciphers for TLS 1.2; absent: Python's"
    )
    tls_client_ca: Path | None = Field(
        default=None, description="PEM file of the CA that must have signed a client's certificate (mutual TLS)"
    )
    domains: tuple[str, ...] = Field(default=(), description="base domains of virtual-hosted style requests")
    hosts: dict[HostName, str] = Field(
        default_factory=dict, description="hosts that stand for one bucket each (CNAME), and that bucket"
    )
    unsigned_dialect: DialectName | None = Field(
        default=None, description="how requests without a signature are understood; absent: upstream.dialect"
    )
    tls_look_every: Seconds = Field(
        default=60, description="how often it is looked whether tls_cert, tls_key and tls_client_ca are others"
    )
    secure_transport_only: bool = Field(
        default=False, description="refuse plain HTTP with 403, as a policy on SecureTransport does"
    )
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="networks of proxies whose X-Forwarded-Proto tells whether a client spoke TLS"
    )

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("listen.tls_cert and listen.tls_key go together: set both or neither")
        if self.tls_cert is None and (self.tls_ciphers is not None or self.tls_client_ca is not None):
            raise ValueError(
                "listen.tls_ciphers and listen.tls_client_ca need listen.tls_cert: there is no TLS without"
            )
        return self

    @model_validator(mode="after")
    def _somebody_is_served(self) -> Self:
        if self.secure_transport_only and self.tls_cert is None and not self.trusted_proxies:
            raise ValueError(
                "listen.secure_transport_only would refuse every request; set listen.tls_cert, or name the TLS "
                "terminator in front in listen.trusted_proxies"
            )
        return self


class StateSettings(Section):
    """Where uploads in progress and bucket settings are kept."""

    bucket: str = Field(
        default="sseproxy-state",
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        description="the private bucket; hidden from clients and closed to them",
    )
    prefix: Prefix = Field(default="", description="prepended to every key in the state bucket")
    create: bool = Field(default=True, description="create the bucket at start if it is missing")
    replicas: int = Field(default=1, ge=1, description="how many proxies share the bucket, and so must share the keys")


class Client(Section):
    """One access key that clients may sign with."""

    access_key: str = Field(min_length=1, description="the name that the client signs with")
    secret_key: Secret = Field(description="its secret")
    security_token: Secret | None = Field(
        default=None, description="STS token that every request of temporary credentials must carry"
    )
    expires: AwareDatetime | None = Field(default=None, description="end of temporary credentials; absent: none")

    @model_validator(mode="after")
    def _only_temporary_ones_end(self) -> Self:
        if self.expires is not None and self.security_token is None:
            raise ValueError("expires is the end of temporary credentials: set security_token too")
        return self


class Grant(Section):
    """Which CMKs one access key may use."""

    principal: str = Field(min_length=1, description="the access key that the client signs with")
    keys: str = Field(min_length=1, description="pattern of CMK ids: `*` any characters, `?` any one")
    uses: tuple[KeyUse, ...] = Field(min_length=1, description="encrypt, decrypt or both")


class ClientsSettings(Section):
    """Who may use the proxy."""

    credentials: tuple[Client, ...] = Field(default=(), description="access keys; at least one unless trust_unsigned")
    allow_sigv2: bool = Field(
        default=True, description="accept S3's old signature too (version 2): boto3 still signs URLs with it by default"
    )
    trust_unsigned: bool = Field(default=False, description="serve unsigned requests; only for a sidecar on loopback")
    anonymous: Literal["refuse", "store"] = Field(
        default="refuse", description="unsigned requests: refuse them, or pass them on unsigned for the store to decide"
    )
    max_clock_skew: Seconds = Field(default=900, description="how far a client's clock may be off")
    require_grants: bool = Field(
        default=False, description="clients use CMKs only as granted; the service master key needs no grant"
    )
    grants: tuple[Grant, ...] = Field(default=(), description="beside those of `sseproxy keys grant`")

    @model_validator(mode="after")
    def _access_keys_are_unique(self) -> Self:
        names = [client.access_key for client in self.credentials]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"access key {twice[0]!r} is there twice; remove one of the two")
        return self

    @model_validator(mode="after")
    def _anonymous_clients_are_one_thing(self) -> Self:
        if self.trust_unsigned and self.anonymous != "refuse":
            raise ValueError(
                'trust_unsigned lets unsigned requests do everything, anonymous = "store" what the store allows '
                "everybody; set one of the two"
            )
        return self


class BucketRule(Section):
    """What one bucket does differently."""

    default_algorithm: DefaultAlgorithm | None = Field(default=None, description="absent: as for all buckets")
    default_key_id: str | None = Field(default=None, description="absent: as for all buckets")
    etag: EtagMode | None = Field(default=None, description="absent: as for all buckets")
    binding: Binding | None = Field(default=None, description="absent: as for all buckets")
    accept_bindings: tuple[Binding, ...] = Field(default=(), description="weaker bindings accepted here as well")
    sealed: bool = Field(default=False, description="refuse objects that are not sealed")
    allowed_keys: tuple[str, ...] | None = Field(
        default=None, description="CMKs that may open and seal here; absent: as for all buckets"
    )
    allowed_algorithms: tuple[Algorithm, ...] | None = Field(
        default=None, description="what may be written here; absent: as for all buckets"
    )


class EncryptionSettings(Section):
    """How objects are sealed where the request does not say."""

    default_algorithm: DefaultAlgorithm = Field(
        default=Algorithm.AES256, description="where neither request nor bucket say: AES256, KMS, or SM4 (OSS)"
    )
    default_key_id: str | None = Field(
        default=None, description="CMK for KMS without a key id; absent: the dialect's default alias"
    )
    etag: EtagMode | None = Field(default=None, description="absent: md5, but opaque for aws:kms on S3")
    binding: Binding = Field(default=Binding.BUCKET_KEY, description="the names a new object's key is bound to")
    accept_bindings: tuple[Binding, ...] = Field(default=(), description="weaker bindings that readers still accept")
    bucket_keys: tuple[DefaultAlgorithm, ...] = Field(
        default=(Algorithm.KMS,),
        description="algorithms that save KMS calls by a key per bucket where the request does not say; []: none",
    )
    bucket_key_lifetime: int = Field(
        default=24 * 60 * 60, ge=60, description="how long a bucket key seals new objects (it opens for ever)"
    )
    bucket_key_objects: int = Field(
        default=1_000_000, ge=1, description="most objects that one process seals under a bucket key"
    )
    customer_keys_over_http: bool = Field(
        default=False, description="take customers' keys (SSE-C) over plain HTTP too: TLS ends before the proxy"
    )
    misspelled_headers: bool = Field(
        default=True, description="hear OSS's old misspelling `…-server-side-encrpytion` too; false: overlook it"
    )
    client_key_files: tuple[Path, ...] = Field(
        default=(), description="PEM files of RSA keys: what SDKs encrypted for them at the client is read in the clear"
    )
    client_kms_keys: tuple[str, ...] = Field(
        default=(), description="ids of CMKs in Alibaba KMS: what SDKs encrypted under them is read in the clear"
    )
    client_kms_passphrases: tuple[Secret, ...] = Field(
        default=(), description="passphrases that oss2's AliKMSProvider may have wrapped with, beside none"
    )
    allowed_keys: tuple[str, ...] | None = Field(
        default=None, description="CMKs, by id or alias, that may open and seal; absent: all"
    )
    allowed_algorithms: tuple[Algorithm, ...] | None = Field(
        default=None,
        description="what may be written, whoever decided it: AES256, KMS, SM4, CUSTOMER (SSE-C); absent: all",
    )
    compat: Literal["aws", "ceph"] = Field(
        default="aws", description="whose answers, where S3's authorities disagree: see docs/dialects.md"
    )
    bucket_settings_lifetime: Seconds = Field(
        default=30, description="how long a bucket's default and state are cached"
    )
    buckets: dict[str, BucketRule] = Field(
        default_factory=dict, description="what single buckets do differently, by name"
    )


class EmbeddedKmsSettings(Section):
    """The KMS inside this process: one SQLite file, for one host."""

    kind: Literal["embedded"] = Field(default="embedded", description="the only one of this release")
    database: Path = Field(description="the SQLite file")
    root_key_file: Path | None = Field(
        default=None, description="32 bytes, raw or 64 hex digits, readable by the owner alone (mode 0600)"
    )
    root_key: Secret | None = Field(default=None, description="instead of the file: 64 hex digits, e.g. by variable")
    root_passphrase: Secret | None = Field(
        default=None, description="instead of the file: a passphrase of 20 characters or more (scrypt, once at start)"
    )
    service_key_period: Seconds = Field(
        default=365 * 86400, description="how often the service master key is rotated by itself"
    )

    @model_validator(mode="after")
    def _root_key_is_one(self) -> Self:
        given = [name for name in ("root_key_file", "root_key", "root_passphrase") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "kms needs exactly one of root_key_file, root_key and root_passphrase"
                + (f", not {' and '.join(given)}" if given else "")
            )
        return self


class CacheSettings(Section):
    """What may be kept in memory, and how long."""

    unwrapped_keys: int = Field(
        default=10_000, ge=0, description="most data keys kept once the KMS opened them; 0: none"
    )
    unwrapped_key_lifetime: Seconds = Field(
        default=60, description="how long an opened data key serves without asking the KMS again"
    )
    entries_url: Secret | None = Field(
        default=None, description="Valkey or Redis that keeps what listings show, for a fleet; absent: a file"
    )
    entries_file: Path | None = Field(
        default=None, description="SQLite file for it on one host; absent: beside `kms.database`, else in memory"
    )
    entries: int = Field(default=1_000_000, ge=1, description="most objects of which the file or memory keeps it")
    entries_lifetime: Seconds = Field(
        default=7 * 86400, description="how long the server keeps it after an object was written or listed"
    )


class LimitsSettings(Section):
    """Bounds on what one proxy takes at once."""

    requests: int = Field(default=1024, ge=1, description="requests in progress; beyond it 503 SlowDown")
    lookups: int = Field(default=32, ge=1, description="concurrent look-ups of all listings together")
    request_document: int = Field(
        default=4 * 1024 * 1024, ge=1024, description="longest request document (Complete, Delete, …)"
    )
    header_bytes: int = Field(default=32 * 1024, ge=8192, description="longest request line or header")
    body_timeout: Seconds = Field(default=300, description="longest silence of a client within a body")
    idle_timeout: Seconds = Field(default=75, description="how long an idle client connection stays open")
    drain_timeout: Seconds = Field(default=30, description="how long requests may go on after SIGTERM")


class LoggingSettings(Section):
    """The logs on standard error and the access log on standard output."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least level written to standard error"
    )
    access_log: bool = Field(default=True, description="write the access log")


class Settings(Section):
    """The whole configuration."""

    listen: Listen = Listen()
    upstream: UpstreamSettings
    state: StateSettings = StateSettings()
    clients: ClientsSettings = ClientsSettings()
    encryption: EncryptionSettings = EncryptionSettings()
    kms: EmbeddedKmsSettings | None = None
    remote_kms: RemoteKmsSettings = RemoteKmsSettings()
    cache: CacheSettings = CacheSettings()
    limits: LimitsSettings = LimitsSettings()
    logging: LoggingSettings = LoggingSettings()
    audit: AuditSettings = AuditSettings()

    @field_validator("remote_kms")
    @classmethod
    def _keys_have_a_place(cls, remote: RemoteKmsSettings, info: ValidationInfo) -> RemoteKmsSettings:
        if "kms" in info.data:
            remote.check(beside_embedded=info.data["kms"] is not None)
        if "encryption" in info.data and info.data["encryption"].client_kms_keys and not remote.alibaba:
            raise ValueError("encryption.client_kms_keys are CMKs of Alibaba Cloud KMS; add the table alibaba")
        return remote

    @model_validator(mode="after")
    def _replicas_share_keys(self) -> Self:
        if self.kms is not None and self.state.replicas > 1:
            raise ValueError(
                f"state.replicas is {self.state.replicas}, but the embedded KMS (section kms) is for one proxy on one "
                "host; use a key service that they share (section remote_kms), or one replica"
            )
        return self

    @model_validator(mode="after")
    def _clients_are_known(self) -> Self:
        if self.clients.trust_unsigned and not is_loopback(self.listen.address):
            raise ValueError(
                f"clients.trust_unsigned lets anybody in who reaches {self.listen.address}; "
                "set listen.address to a loopback address, or give the clients credentials"
            )
        if not self.clients.credentials and not self.clients.trust_unsigned:
            raise ValueError(
                "clients.credentials is empty, so that no request could be served; add at least one access key"
            )
        return self
