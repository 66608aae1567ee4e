from dataclasses import replace

import pytest

from sseproxy.dialect.base import Dialect, SseRequest
from sseproxy.dialect.oss import OSS
from sseproxy.dialect.s3 import S3
from sseproxy.errors import UnsupportedFeature
from sseproxy.model import Algorithm, Binding, EtagMode, Suite
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS, EncryptionRule, decide, rule_for
from sseproxy.settings import BucketRule, EncryptionSettings

AES = SseRequest(algorithm=Algorithm.AES256)
KMS = SseRequest(algorithm=Algorithm.KMS)
BOTH = pytest.mark.parametrize("dialect", [S3, OSS], ids=lambda dialect: dialect.name)


def _kms(key_id: str) -> SseRequest:
    return SseRequest(algorithm=Algorithm.KMS, key_id=key_id)


def _key(requested: SseRequest | None, default: SseRequest | None, dialect: Dialect, **rule: str) -> str:
    configured = EncryptionRule(default_algorithm=Algorithm.KMS, default_key_id=rule.get("key"))
    return decide(requested, default, configured, dialect).key_id


@BOTH
@pytest.mark.parametrize(
    ("requested", "default", "configured", "expected"),
    [
        (AES, KMS, Algorithm.KMS, Algorithm.AES256),
        (KMS, AES, Algorithm.AES256, Algorithm.KMS),
        (None, KMS, Algorithm.AES256, Algorithm.KMS),
        (None, AES, Algorithm.KMS, Algorithm.AES256),
        (None, None, Algorithm.KMS, Algorithm.KMS),
        (None, None, Algorithm.AES256, Algorithm.AES256),
    ],
)
def test_the_request_goes_before_the_bucket_and_the_bucket_before_the_configuration(
    dialect: Dialect,
    requested: SseRequest | None,
    default: SseRequest | None,
    configured: Algorithm,
    expected: Algorithm,
) -> None:
    decision = decide(requested, default, EncryptionRule(default_algorithm=configured), dialect)

    assert decision.algorithm is expected


@BOTH
def test_aes256_always_runs_under_the_service_key(dialect: Dialect) -> None:
    rule = EncryptionRule(default_key_id="configured")

    assert decide(AES, _kms("bucket"), rule, dialect).key_id == SERVICE_KEY_ALIAS
    assert decide(None, None, rule, dialect).key_id == SERVICE_KEY_ALIAS


@pytest.mark.parametrize(
    ("requested", "default", "configured", "expected"),
    [
        (_kms("asked"), _kms("bucket"), "configured", "asked"),
        (KMS, _kms("bucket"), "configured", "bucket"),
        (None, _kms("bucket"), "configured", "bucket"),
        (KMS, AES, "configured", "configured"),
        (KMS, KMS, "configured", "configured"),
        (None, None, "configured", "configured"),
    ],
)
def test_the_key_of_kms_comes_from_the_nearest_that_names_one(
    requested: SseRequest | None, default: SseRequest | None, configured: str, expected: str
) -> None:
    assert _key(requested, default, S3, key=configured) == expected


@pytest.mark.parametrize(("dialect", "alias"), [(S3, "alias/aws/s3"), (OSS, "alias/acs/oss")])
def test_kms_without_any_key_id_uses_the_dialects_default_key(dialect: Dialect, alias: str) -> None:
    assert _key(KMS, None, dialect) == _key(None, KMS, dialect) == _key(None, None, dialect) == alias


@pytest.mark.parametrize(
    ("dialect", "requested", "configured", "expected"),
    [
        (S3, AES, None, EtagMode.MD5),
        (S3, KMS, None, EtagMode.OPAQUE),
        (OSS, AES, None, EtagMode.MD5),
        (OSS, KMS, None, EtagMode.MD5),
        (S3, KMS, EtagMode.MD5, EtagMode.MD5),
        (S3, AES, EtagMode.OPAQUE, EtagMode.OPAQUE),
        (OSS, KMS, EtagMode.OPAQUE, EtagMode.OPAQUE),
    ],
)
def test_etags_are_md5_but_opaque_for_kms_on_s3_unless_configured(
    dialect: Dialect, requested: SseRequest, configured: EtagMode | None, expected: EtagMode
) -> None:
    assert decide(requested, None, EncryptionRule(etag=configured), dialect).etag_mode is expected


def test_an_algorithm_without_a_word_in_the_dialect_is_refused() -> None:
    with pytest.raises(UnsupportedFeature):
        decide(None, None, EncryptionRule(default_algorithm=Algorithm.SM4), S3)


KMS_SM4 = SseRequest(algorithm=Algorithm.KMS, suite=Suite.SM4_GCM)


@pytest.mark.parametrize(
    ("requested", "default", "configured", "expected"),
    [
        (None, None, Algorithm.AES256, Suite.AES_256_GCM),
        (None, None, Algorithm.SM4, Suite.SM4_GCM),
        (SseRequest(algorithm=Algorithm.SM4), None, Algorithm.AES256, Suite.SM4_GCM),
        (None, SseRequest(algorithm=Algorithm.SM4), Algorithm.AES256, Suite.SM4_GCM),
        (None, KMS_SM4, Algorithm.AES256, Suite.SM4_GCM),
        (KMS, KMS_SM4, Algorithm.AES256, Suite.AES_256_GCM),
        (KMS_SM4, KMS, Algorithm.SM4, Suite.SM4_GCM),
    ],
)
def test_the_cipher_is_the_one_of_whoever_decides_the_algorithm(
    requested: SseRequest | None, default: SseRequest | None, configured: Algorithm, expected: Suite
) -> None:
    assert decide(requested, default, EncryptionRule(default_algorithm=configured), OSS).suite is expected


def test_sm4_runs_under_the_service_key() -> None:
    assert decide(SseRequest(algorithm=Algorithm.SM4), None, EncryptionRule(), OSS).key_id == SERVICE_KEY_ALIAS


def test_oss_takes_the_default_key_where_a_request_names_none_whatever_the_bucket_has() -> None:
    assert _key(KMS, _kms("bucket"), OSS) == "alias/acs/oss"
    assert _key(KMS, _kms("bucket"), OSS, key="configured") == "configured"
    assert _key(None, _kms("bucket"), OSS, key="configured") == "bucket"


def test_the_binding_is_the_configured_one() -> None:
    assert decide(None, None, EncryptionRule(binding=Binding.KEY), S3).binding is Binding.KEY


def test_a_bucket_without_a_section_has_the_general_rule() -> None:
    settings = EncryptionSettings(
        default_algorithm=Algorithm.KMS,
        default_key_id="k",
        etag=EtagMode.OPAQUE,
        binding=Binding.KEY,
        accept_bindings=(Binding.NONE,),
        buckets={"other": BucketRule(sealed=True)},
    )

    assert rule_for(settings, "b") == EncryptionRule(
        default_algorithm=Algorithm.KMS,
        default_key_id="k",
        etag=EtagMode.OPAQUE,
        binding=Binding.KEY,
        accept_bindings=frozenset({Binding.NONE}),
        bucket_keys=frozenset({Algorithm.KMS}),
    )


def test_a_buckets_section_goes_before_the_general_one() -> None:
    rule = BucketRule(
        default_algorithm=Algorithm.AES256,
        default_key_id="own",
        etag=EtagMode.MD5,
        binding=Binding.BUCKET_KEY,
        accept_bindings=(Binding.KEY,),
        sealed=True,
        allowed_keys=("own",),
    )
    settings = EncryptionSettings(
        default_algorithm=Algorithm.KMS, default_key_id="k", etag=EtagMode.OPAQUE, buckets={"b": rule}
    )

    assert rule_for(settings, "b") == EncryptionRule(
        default_algorithm=Algorithm.AES256,
        default_key_id="own",
        etag=EtagMode.MD5,
        binding=Binding.BUCKET_KEY,
        accept_bindings=frozenset({Binding.KEY}),
        sealed=True,
        allowed_keys=frozenset({"own"}),
        bucket_keys=frozenset({Algorithm.KMS}),
    )


def test_what_a_section_leaves_open_is_taken_from_the_general_one() -> None:
    settings = EncryptionSettings(
        default_algorithm=Algorithm.KMS,
        default_key_id="k",
        accept_bindings=(Binding.NONE,),
        buckets={"b": BucketRule()},
    )

    rule = rule_for(settings, "b")

    assert (rule.default_algorithm, rule.default_key_id, rule.accept_bindings) == (
        Algorithm.KMS,
        "k",
        frozenset({Binding.NONE}),
    )


def test_an_empty_list_of_allowed_keys_allows_none() -> None:
    settings = EncryptionSettings(buckets={"b": BucketRule(allowed_keys=())})

    assert rule_for(settings, "b").allowed_keys == frozenset()


@pytest.mark.parametrize(
    ("requested", "default", "configured", "expected"),
    [
        (KMS, None, True, True),
        (KMS, None, False, False),
        (replace(KMS, bucket_key=False), None, True, False),
        (replace(KMS, bucket_key=True), None, False, True),
        (None, replace(KMS, bucket_key=True), False, True),
        (KMS, replace(KMS, bucket_key=True), False, True),
        (replace(KMS, bucket_key=False), replace(KMS, bucket_key=True), True, False),
        (None, replace(KMS, bucket_key=False), True, True),  # a default that does not name the flag shows it so
        (SseRequest(algorithm=Algorithm.AES256), None, True, False),
    ],
)
def test_a_kek_is_used_as_request_else_bucket_or_configuration_ask(
    requested: SseRequest | None, default: SseRequest | None, *, configured: bool, expected: bool
) -> None:
    rule = EncryptionRule(bucket_keys=frozenset({Algorithm.KMS} if configured else ()))

    assert decide(requested, default, rule, S3).under_kek is expected


def test_the_configuration_may_save_calls_for_the_service_key_too() -> None:
    rule = EncryptionRule(bucket_keys=frozenset({Algorithm.AES256}))

    decision = decide(None, None, rule, S3)

    assert (decision.under_kek, decision.bucket_key) == (True, False)
