"""OSS's documents (OSS dossier §2, §3.1, §6.2, §6.5). None of them has a namespace: SDKs do not find their elements."""

from dataclasses import replace
from xml.etree.ElementTree import Element

from sseproxy.dialect import xml_buckets
from sseproxy.dialect.base import SseRequest
from sseproxy.dialect.xml_common import common_shapes
from sseproxy.dialect.xml_reading import child, parse_xml, text_of
from sseproxy.dialect.xml_shapes import Manner
from sseproxy.dialect.xml_writing import document_of, element, group, optional
from sseproxy.errors import (
    InvalidArgument,
    MalformedXml,
    UnknownAlgorithm,
    UnknownDataAlgorithm,
)
from sseproxy.format import check_available
from sseproxy.model import Algorithm, Suite

_MANNER = Manner(
    namespace=None,
    upper_etags=True,
    with_checksums=False,
    with_crc64=True,
    with_encoding_type=True,
    details_first=False,
    renamed_details={"AWSAccessKeyId": "OSSAccessKeyId"},
    client_encryption={  # OSS dossier §6.2
        "key": "ClientEncryptionKey",
        "start": "ClientEncryptionStart",
        "cek-alg": "ClientEncryptionCekAlg",
        "wrap-alg": "ClientEncryptionWrapAlg",
        "data-size": "ClientEncryptionDataSize",
        "part-size": "ClientEncryptionPartSize",
    },
)
_SM4 = "SM4"
_APPLY = "ApplyServerSideEncryptionByDefault"
_WORDS = {"AES256": Algorithm.AES256, "KMS": Algorithm.KMS, "SM4": Algorithm.SM4}


def parse_bucket_encryption(document: bytes) -> SseRequest:
    """Return a bucket's default encryption (OSS dossier §2.1 to §2.3).

    An empty key id is the default key, and a data cipher beside another algorithm than KMS is dropped, as OSS does.
    Raises `MalformedXml`, `UnknownAlgorithm`, `UnknownDataAlgorithm`, `CipherUnavailable`, `InvalidArgument`.
    """
    root = parse_xml(document)
    applied = child(root, _APPLY)
    if root.tag != "ServerSideEncryptionRule" or applied is None:
        raise MalformedXml
    word = text_of(applied, "SSEAlgorithm").strip()
    if not word:
        raise MalformedXml
    if word not in _WORDS:
        raise UnknownAlgorithm(ArgumentName="SSEAlgorithm", ArgumentValue=word)
    algorithm = _WORDS[word]
    key_id = text_of(applied, "KMSMasterKeyID").strip() or None
    if algorithm is not Algorithm.KMS and key_id is not None:
        raise InvalidArgument(
            "KMSMasterKeyID is not applicable if the default sse algorithm is not KMS",
            ArgumentName="KMSMasterKeyID",
            ArgumentValue=key_id,
        )
    return SseRequest(algorithm=algorithm, key_id=key_id, suite=_suite(algorithm, applied))


def _suite(algorithm: Algorithm, applied: Element) -> Suite:
    word = text_of(applied, "KMSDataEncryption").strip() if algorithm is Algorithm.KMS else ""
    if word not in {"", _SM4}:
        raise UnknownDataAlgorithm(ArgumentName="KMSDataEncryption", ArgumentValue=word)
    suite = Suite.SM4_GCM if word or algorithm is Algorithm.SM4 else Suite.AES_256_GCM
    check_available(suite)
    return suite


def render_bucket_encryption(rule: SseRequest) -> bytes:
    """Return a bucket's default encryption as GET ?encryption shows it: only what is set."""
    return document_of("ServerSideEncryptionRule", None, [group(_APPLY, *_rule_elements(rule))])


def render_bucket_info(document: bytes, rule: SseRequest | None) -> bytes:
    """Return the storage's GetBucketInfo with our rule in the place of its own (OSS dossier §2.4).

    Raises `UpstreamError` where it is no such document.
    """
    elements = _rule_elements(rule) if rule is not None else [element("SSEAlgorithm", "None")]
    return xml_buckets.with_rule(document, group("ServerSideEncryptionRule", *elements).encode())


def _rule_elements(rule: SseRequest) -> list[str]:
    words = {algorithm: word for word, algorithm in _WORDS.items()}
    is_sm4_under_kms = rule.algorithm is Algorithm.KMS and rule.suite is Suite.SM4_GCM
    return [
        element("SSEAlgorithm", words[rule.algorithm]),
        optional("KMSMasterKeyID", rule.key_id),
        optional("KMSDataEncryption", _SM4 if is_sm4_under_kms else None),
    ]


OSS_XML = replace(
    common_shapes(
        _MANNER,
        parse_bucket_encryption=parse_bucket_encryption,
        render_bucket_encryption=render_bucket_encryption,
    ),
    render_bucket_info=render_bucket_info,
)
