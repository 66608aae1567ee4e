"""How a new object is encrypted: request over bucket default over configuration. Decisions are values."""

from dataclasses import dataclass
from typing import TypeVar

from sseproxy.dialect.base import Dialect, SseRequest
from sseproxy.dialect.sse_headers import asked_key_id
from sseproxy.errors import AccessRefused, UnsupportedFeature
from sseproxy.format import CUSTOMER_KEY_ID
from sseproxy.model import Algorithm, Binding, CustomerKey, EtagMode, Suite
from sseproxy.settings import BucketRule, EncryptionSettings

SERVICE_KEY_ALIAS = "alias/sseproxy/service"  # the service master key that AES256 runs under

T = TypeVar("T")

_NO_RULE = BucketRule()


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionRule:
    """What the configuration says for one bucket.

    `default_key_id` None: the dialect's default alias; `etag` None: by algorithm; `allowed_keys` None: all,
    `allowed_algorithms` likewise.
    """

    default_algorithm: Algorithm = Algorithm.AES256
    default_key_id: str | None = None
    etag: EtagMode | None = None
    binding: Binding = Binding.BUCKET_KEY
    accept_bindings: frozenset[Binding] = frozenset()
    sealed: bool = False
    allowed_algorithms: frozenset[Algorithm] | None = None
    allowed_keys: frozenset[str] | None = None
    bucket_keys: frozenset[Algorithm] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionDecision:
    """How one object is to be sealed. `key_id` is an id or alias to ask the KMS for."""

    algorithm: Algorithm
    key_id: str
    etag_mode: EtagMode
    binding: Binding
    caller_context: bytes = b""  # what the client binds the wrap to besides
    bucket_key: bool = False  # the flag that clients see
    under_kek: bool = False  # whether a KEK, which is a bucket key, stands between CMK and data key
    suite: Suite = Suite.AES_256_GCM  # the cipher of the data
    customer_key: CustomerKey | None = None  # with `Algorithm.CUSTOMER`: what stands in the place of the CMK


def rule_for(settings: EncryptionSettings, bucket: str) -> EncryptionRule:
    """Return the rule of a bucket: what its own section leaves open is taken from the general one."""
    own = settings.buckets.get(bucket, _NO_RULE)
    return EncryptionRule(
        default_algorithm=own.default_algorithm or settings.default_algorithm,
        default_key_id=own.default_key_id or settings.default_key_id,
        etag=own.etag or settings.etag,
        binding=own.binding or settings.binding,
        accept_bindings=frozenset(own.accept_bindings or settings.accept_bindings),
        sealed=own.sealed,
        allowed_algorithms=_set(own.allowed_algorithms, settings.allowed_algorithms),
        allowed_keys=_set(own.allowed_keys, settings.allowed_keys),
        bucket_keys=frozenset(settings.bucket_keys),
    )


def _set(own: tuple[T, ...] | None, general: tuple[T, ...] | None) -> frozenset[T] | None:
    chosen = general if own is None else own
    return None if chosen is None else frozenset(chosen)


def check_algorithm(algorithm: Algorithm | None, rule: EncryptionRule) -> None:
    """Raise `AccessRefused` where the configuration does not let objects be written so; None: by no known algorithm."""
    if rule.allowed_algorithms is None or algorithm in rule.allowed_algorithms:
        return
    allowed = ", ".join(sorted(one.value for one in rule.allowed_algorithms))
    raise AccessRefused(f"This endpoint is configured to take objects into this bucket with {allowed} alone.")


def decide(
    requested: SseRequest | None, bucket_default: SseRequest | None, rule: EncryptionRule, dialect: Dialect
) -> EncryptionDecision:
    """Decide how an object is sealed (S3 dossier §2.3).

    KMS without a key id uses the key of the bucket's default only where that default is KMS too, and where the dialect
    has it so (not OSS: dossier §1.1). The request goes before the default as a whole, cipher included. Raises
    `UnsupportedFeature` for an algorithm that this dialect cannot name in its answers.
    """
    chosen = requested or bucket_default or SseRequest(algorithm=rule.default_algorithm)
    if chosen.algorithm not in dialect.sse.words:
        raise UnsupportedFeature(f"Encryption with {chosen.algorithm.value} is not supported.")
    return EncryptionDecision(
        algorithm=chosen.algorithm,
        key_id=_key_id(chosen, bucket_default, rule, dialect),
        etag_mode=_etag_mode(chosen.algorithm, rule, dialect),
        binding=rule.binding,
        caller_context=chosen.context,
        bucket_key=_bucket_key(chosen, bucket_default),
        under_kek=_under_kek(requested, bucket_default, chosen, rule),
        suite=Suite.SM4_GCM if chosen.algorithm is Algorithm.SM4 else chosen.suite,
    )


def decide_for_customer(customer_key: CustomerKey, rule: EncryptionRule) -> EncryptionDecision:
    """Decide how an object under a client's own key is sealed: no default applies (S3 dossier §2.3).

    Its ETag is opaque whatever the configuration says: listings, which have no key, must show the same one.
    """
    return EncryptionDecision(
        algorithm=Algorithm.CUSTOMER,
        key_id=CUSTOMER_KEY_ID,
        etag_mode=EtagMode.OPAQUE,
        binding=rule.binding,
        customer_key=customer_key,
    )


def _bucket_key(chosen: SseRequest, bucket_default: SseRequest | None) -> bool:
    """Return the request's own flag, else the bucket's; only objects under KMS have one."""
    if chosen.algorithm is not Algorithm.KMS:
        return False
    inherited = bucket_default.bucket_key if bucket_default is not None else None
    return bool(inherited if chosen.bucket_key is None else chosen.bucket_key)


def _under_kek(
    requested: SseRequest | None, bucket_default: SseRequest | None, chosen: SseRequest, rule: EncryptionRule
) -> bool:
    """Say whether a KEK is used: as the request says; where it does not, the bucket and the configuration may ask.

    A bucket whose default does not name the flag shows it as false, so a false there forbids nothing.
    """
    if chosen.algorithm is Algorithm.KMS:
        if requested is not None and requested.bucket_key is not None:
            return requested.bucket_key
        if bucket_default is not None and bucket_default.bucket_key:
            return True
    return chosen.algorithm in rule.bucket_keys


def _key_id(chosen: SseRequest, bucket_default: SseRequest | None, rule: EncryptionRule, dialect: Dialect) -> str:
    if chosen.algorithm is not Algorithm.KMS:
        return SERVICE_KEY_ALIAS
    inherited = None
    if dialect.sse.default_key_inherited and bucket_default and bucket_default.algorithm is Algorithm.KMS:
        inherited = bucket_default.key_id
    named = chosen.key_id or inherited or rule.default_key_id or dialect.sse.default_key_alias
    return asked_key_id(named, dialect.sse)


def _etag_mode(algorithm: Algorithm, rule: EncryptionRule, dialect: Dialect) -> EtagMode:
    if rule.etag is not None:
        return rule.etag
    opaque = algorithm is Algorithm.KMS and dialect.kms_default_etag_opaque
    return EtagMode.OPAQUE if opaque else EtagMode.MD5
