from dataclasses import replace

import pytest

from sseproxy.dialect.base import Dialect, SseRequest
from sseproxy.dialect.oss import OSS
from sseproxy.dialect.s3 import S3
from sseproxy.errors import (
    CipherUnavailable,
    InvalidArgument,
    MalformedXml,
    SseProxyError,
    UnknownAlgorithm,
    UnknownDataAlgorithm,
    UnsupportedFeature,
    UpstreamError,
)
from sseproxy.model import Algorithm, Suite
from tests.support.ciphers import without_sm4

NS = "http://s3.amazonaws.com/doc/2006-03-01/"
AES = SseRequest(algorithm=Algorithm.AES256)
KMS = SseRequest(algorithm=Algorithm.KMS)
KMS_K = SseRequest(algorithm=Algorithm.KMS, key_id="k")
KMS_SM4 = SseRequest(algorithm=Algorithm.KMS, suite=Suite.SM4_GCM)
SM4 = SseRequest(algorithm=Algorithm.SM4, suite=Suite.SM4_GCM)
APPLY = "ApplyServerSideEncryptionByDefault"


def _s3(rule: str) -> bytes:
    return (
        f'<ServerSideEncryptionConfiguration xmlns="{NS}"><Rule>{rule}</Rule></ServerSideEncryptionConfiguration>'
    ).encode()


def _s3_default(applied: str) -> bytes:
    return _s3(f"<{APPLY}>{applied}</{APPLY}>")


def _blocked(word: str) -> str:
    return f"<BlockedEncryptionTypes><EncryptionType>{word}</EncryptionType></BlockedEncryptionTypes>"


def _oss(applied: str) -> bytes:
    return f"<ServerSideEncryptionRule>\n <{APPLY}>{applied}</{APPLY}>\n</ServerSideEncryptionRule>".encode()


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        (_s3_default("<SSEAlgorithm>AES256</SSEAlgorithm>"), AES),
        (_s3_default("<SSEAlgorithm>aws:kms</SSEAlgorithm>"), KMS),
        (_s3_default("<KMSMasterKeyID>k</KMSMasterKeyID><SSEAlgorithm>aws:kms</SSEAlgorithm>"), KMS_K),
        (_s3_default("<SSEAlgorithm>AES256</SSEAlgorithm>").replace(f' xmlns="{NS}"'.encode(), b""), AES),
        (
            _s3(f"<BucketKeyEnabled>true</BucketKeyEnabled><{APPLY}><SSEAlgorithm>aws:kms</SSEAlgorithm></{APPLY}>"),
            replace(KMS, bucket_key=True),
        ),
        (_s3("<BucketKeyEnabled>false</BucketKeyEnabled>"), replace(AES, bucket_key=False)),
        (_s3(_blocked("SSE-C")), replace(AES, customer_keys_blocked=True)),
        (_s3(_blocked("NONE")), replace(AES, customer_keys_blocked=False)),
    ],
)
def test_an_s3_rule_is_read(document: bytes, rule: SseRequest) -> None:
    assert S3.xml.parse_bucket_encryption(document) == rule


@pytest.mark.parametrize(
    ("applied", "rule"),
    [
        ("<SSEAlgorithm>AES256</SSEAlgorithm>", AES),
        ("<SSEAlgorithm>KMS</SSEAlgorithm><KMSMasterKeyID></KMSMasterKeyID>", KMS),
        ("<KMSMasterKeyID>k</KMSMasterKeyID><SSEAlgorithm>KMS</SSEAlgorithm>", KMS_K),
        ("<SSEAlgorithm>AES256</SSEAlgorithm><KMSDataEncryption>SM4</KMSDataEncryption>", AES),
        ("<SSEAlgorithm>KMS</SSEAlgorithm><KMSDataEncryption/>", KMS),
        ("<SSEAlgorithm>KMS</SSEAlgorithm><KMSMasterKeyID/>", KMS),
        ("<SSEAlgorithm>SM4</SSEAlgorithm>", SM4),
        ("<SSEAlgorithm>SM4</SSEAlgorithm><KMSDataEncryption>AES</KMSDataEncryption>", SM4),
        ("<SSEAlgorithm>KMS</SSEAlgorithm><KMSDataEncryption>SM4</KMSDataEncryption>", KMS_SM4),
    ],
)
def test_an_oss_rule_is_read(applied: str, rule: SseRequest) -> None:
    assert OSS.xml.parse_bucket_encryption(_oss(applied)) == rule


@pytest.mark.parametrize(
    ("dialect", "document", "error", "code"),
    [
        (S3, b"", MalformedXml, "MalformedXML"),
        (S3, b"<ServerSideEncryptionConfiguration/>", MalformedXml, "MalformedXML"),
        (S3, _s3(""), MalformedXml, "MalformedXML"),
        (S3, _s3("").replace(b"</Rule>", b"<A/></Rule><Rule><A/></Rule>"), MalformedXml, "MalformedXML"),
        (S3, _s3_default("<SSEAlgorithm>KMS</SSEAlgorithm>"), MalformedXml, "MalformedXML"),
        (S3, _s3_default(""), MalformedXml, "MalformedXML"),
        (S3, _s3("<BucketKeyEnabled>yes</BucketKeyEnabled>"), MalformedXml, "MalformedXML"),
        (S3, _oss("<SSEAlgorithm>AES256</SSEAlgorithm>"), MalformedXml, "MalformedXML"),
        (S3, _s3_default("<SSEAlgorithm>aws:kms:dsse</SSEAlgorithm>"), UnsupportedFeature, "NotImplemented"),
        (
            S3,
            _s3_default("<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>"),
            InvalidArgument,
            "InvalidArgument",
        ),
        (OSS, b"<ServerSideEncryptionRule/>", MalformedXml, "MalformedXML"),
        (OSS, _oss(""), MalformedXml, "MalformedXML"),
        (OSS, _s3_default("<SSEAlgorithm>AES256</SSEAlgorithm>"), MalformedXml, "MalformedXML"),
        (OSS, _oss("<SSEAlgorithm>aws:kms</SSEAlgorithm>"), UnknownAlgorithm, "InvalidEncryptionAlgorithmError"),
        (OSS, _oss("<SSEAlgorithm>SM3</SSEAlgorithm>"), UnknownAlgorithm, "InvalidEncryptionAlgorithmError"),
        (
            OSS,
            _oss("<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>"),
            InvalidArgument,
            "InvalidArgument",
        ),
        (
            OSS,
            _oss("<SSEAlgorithm>KMS</SSEAlgorithm><KMSDataEncryption>AES</KMSDataEncryption>"),
            UnknownDataAlgorithm,
            "InvalidDataEncryptionAlgorithmError",
        ),
    ],
)
def test_a_rule_that_cannot_be_kept_is_refused(
    dialect: Dialect, document: bytes, error: type[SseProxyError], code: str
) -> None:
    with pytest.raises(error) as raised:
        dialect.xml.parse_bucket_encryption(document)

    assert dialect.error_code(raised.value).code == code


def test_the_refusals_of_key_ids_have_the_services_words() -> None:
    with pytest.raises(InvalidArgument) as s3:
        S3.xml.parse_bucket_encryption(
            _s3_default("<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>")
        )
    with pytest.raises(InvalidArgument) as oss:
        OSS.xml.parse_bucket_encryption(_oss("<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>"))

    assert s3.value.message == (
        "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse"
    )
    assert s3.value.details == {"ArgumentName": APPLY}
    assert oss.value.message == "KMSMasterKeyID is not applicable if the default sse algorithm is not KMS"


def test_the_shown_rules() -> None:
    assert S3.xml.render_bucket_encryption(KMS_K).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<ServerSideEncryptionConfiguration xmlns="{NS}"><Rule><{APPLY}><SSEAlgorithm>aws:kms</SSEAlgorithm>'
        f"<KMSMasterKeyID>k</KMSMasterKeyID></{APPLY}><BucketKeyEnabled>false</BucketKeyEnabled></Rule>"
        "</ServerSideEncryptionConfiguration>"
    )
    assert OSS.xml.render_bucket_encryption(AES).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<ServerSideEncryptionRule><{APPLY}><SSEAlgorithm>AES256</SSEAlgorithm></{APPLY}></ServerSideEncryptionRule>"
    )


@pytest.mark.parametrize("dialect", [S3, OSS], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("rule", [AES, KMS, KMS_K])
def test_a_shown_rule_reads_as_itself(dialect: Dialect, rule: SseRequest) -> None:
    shown = rule if dialect is OSS else replace(rule, bucket_key=False)  # S3 always tells the flag

    assert dialect.xml.parse_bucket_encryption(dialect.xml.render_bucket_encryption(rule)) == shown


@pytest.mark.parametrize("blocked", [True, False, None])
@pytest.mark.parametrize("flag", [True, False])
def test_a_shown_s3_rule_tells_bucket_keys_and_blocks(blocked: bool | None, flag: bool) -> None:  # noqa: FBT001
    rule = replace(KMS_K, bucket_key=flag, customer_keys_blocked=blocked)

    assert S3.xml.parse_bucket_encryption(S3.xml.render_bucket_encryption(rule)) == rule


@pytest.mark.parametrize(
    "inner",
    [
        "",
        "<EncryptionType>SSE-KMS</EncryptionType>",
        "<EncryptionType>SSE-C</EncryptionType><EncryptionType>NONE</EncryptionType>",
        "<Other>SSE-C</Other>",
    ],
)
def test_a_block_of_something_else_is_malformed(inner: str) -> None:
    with pytest.raises(MalformedXml):
        S3.xml.parse_bucket_encryption(_s3(f"<BlockedEncryptionTypes>{inner}</BlockedEncryptionTypes>"))


@pytest.mark.parametrize("rule", [SM4, KMS_SM4])
def test_a_shown_rule_with_sm4_reads_as_itself(rule: SseRequest) -> None:
    assert OSS.xml.parse_bucket_encryption(OSS.xml.render_bucket_encryption(rule)) == rule


@pytest.mark.parametrize(
    "applied",
    [
        "<SSEAlgorithm>SM4</SSEAlgorithm>",
        "<SSEAlgorithm>KMS</SSEAlgorithm><KMSDataEncryption>SM4</KMSDataEncryption>",
    ],
)
def test_a_rule_with_a_cipher_that_the_host_lacks_is_refused(applied: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without_sm4(monkeypatch)

    with pytest.raises(CipherUnavailable) as raised:
        OSS.xml.parse_bucket_encryption(_oss(applied))

    code = OSS.error_code(raised.value)
    assert (code.code, code.status) == ("InvalidArgument", 400)
    assert raised.value.message == "SM4 is not applicable if user is not in white list."


INFO = b"<BucketInfo>\n <Bucket><Name>b</Name>%s<Owner><ID>1</ID></Owner></Bucket>\n</BucketInfo>"
NONE = b"<ServerSideEncryptionRule><SSEAlgorithm>None</SSEAlgorithm></ServerSideEncryptionRule>"


@pytest.mark.parametrize(
    ("rule", "shown"),
    [
        (None, b"<SSEAlgorithm>None</SSEAlgorithm>"),
        (AES, b"<SSEAlgorithm>AES256</SSEAlgorithm>"),
        (KMS_K, b"<SSEAlgorithm>KMS</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>"),
        (KMS_SM4, b"<SSEAlgorithm>KMS</SSEAlgorithm><KMSDataEncryption>SM4</KMSDataEncryption>"),
    ],
)
@pytest.mark.parametrize(
    "own",
    [
        NONE,
        b"<ServerSideEncryptionRule/>",
        b"<ServerSideEncryptionRule></ServerSideEncryptionRule>",
        b"<ServerSideEncryptionRule>\n<A><B/></A>\n</ServerSideEncryptionRule >",
    ],
)
def test_the_description_of_a_bucket_names_our_rule(rule: SseRequest | None, shown: bytes, own: bytes) -> None:
    ours = b"<ServerSideEncryptionRule>" + shown + b"</ServerSideEncryptionRule>"

    assert OSS.xml.render_bucket_info is not None
    assert OSS.xml.render_bucket_info(INFO % own, rule) == INFO % ours


def test_a_description_without_a_rule_gets_one_and_further_ones_go() -> None:
    assert OSS.xml.render_bucket_info is not None
    described = OSS.xml.render_bucket_info(INFO % b"", None)

    assert described == (INFO % b"").replace(b"</Bucket>", NONE + b"</Bucket>")
    assert OSS.xml.render_bucket_info(INFO % (NONE + NONE), None) == INFO % NONE


@pytest.mark.parametrize("document", [b"", b"<BucketInfo/>", b"<BucketInfo><Bucket>"])
def test_what_describes_no_bucket_is_an_error_of_the_storage(document: bytes) -> None:
    assert OSS.xml.render_bucket_info is not None
    with pytest.raises(UpstreamError):
        OSS.xml.render_bucket_info(document, None)
