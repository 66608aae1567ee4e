"""S3's documents (S3 dossier §2, §6.2, §7.2, §11)."""

import re
from dataclasses import replace
from functools import partial
from xml.etree.ElementTree import Element

from sseproxy.dialect.base import SseRequest
from sseproxy.dialect.xml_attributes import render_attributes
from sseproxy.dialect.xml_common import common_shapes
from sseproxy.dialect.xml_reading import child, children, parse_xml, text_of
from sseproxy.dialect.xml_shapes import Manner
from sseproxy.dialect.xml_writing import document_of, element, group, optional
from sseproxy.errors import InvalidArgument, InvalidRequest, MalformedXml, UnsupportedFeature
from sseproxy.model import Algorithm

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

_MANNER = Manner(
    namespace=NAMESPACE,
    upper_etags=False,
    with_checksums=True,
    with_crc64=False,
    with_encoding_type=False,
    details_first=True,
    renamed_details={},
    client_encryption={},
)
_APPLY = "ApplyServerSideEncryptionByDefault"
_WORDS = {"AES256": Algorithm.AES256, "aws:kms": Algorithm.KMS}
_KEY_ARN = re.compile(r"arn:[^:\s]+:kms:[^:\s]*:[^:\s]*:key/\S{1,256}")
_FLAGS = frozenset({"true", "false"})


def parse_bucket_encryption(document: bytes) -> SseRequest:
    """Return a bucket's default encryption (S3 dossier §2.1, §2.2).

    A rule that only blocks encryption types, or only speaks of bucket keys, leaves the default AES256. Raises
    `MalformedXml`, `InvalidArgument`, `UnsupportedFeature`.
    """
    root = parse_xml(document)
    rules = list(children(root, "Rule"))
    if root.tag != "ServerSideEncryptionConfiguration" or len(rules) != 1 or len(rules[0]) == 0:
        raise MalformedXml
    applied = child(rules[0], _APPLY)
    rule = SseRequest(algorithm=Algorithm.AES256) if applied is None else _applied(applied)
    return replace(rule, bucket_key=_bucket_key(rules[0]), customer_keys_blocked=_customer_keys_blocked(rules[0]))


def _bucket_key(rule: Element) -> bool | None:
    if child(rule, "BucketKeyEnabled") is None:
        return None
    flag = text_of(rule, "BucketKeyEnabled").strip().lower()
    if flag not in _FLAGS:
        raise MalformedXml
    return flag == "true"


def _customer_keys_blocked(rule: Element) -> bool | None:
    """Return whether SSE-C is blocked; None where the rule does not say, which leaves it as it was."""
    blocked = child(rule, "BlockedEncryptionTypes")
    if blocked is None:
        return None
    words = [(one.text or "").strip() for one in children(blocked, "EncryptionType")]
    if len(words) != len(blocked) or words not in (["SSE-C"], ["NONE"]):
        raise MalformedXml
    return words == ["SSE-C"]


def _applied(applied: Element) -> SseRequest:
    word = text_of(applied, "SSEAlgorithm").strip()
    key_id = text_of(applied, "KMSMasterKeyID").strip() or None
    if word == "aws:kms:dsse":
        raise UnsupportedFeature("Dual-layer encryption (aws:kms:dsse) is not supported.")
    if word not in _WORDS:
        raise MalformedXml
    if key_id is not None and _WORDS[word] is not Algorithm.KMS:
        raise InvalidArgument(
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
            ArgumentName=_APPLY,
        )
    return SseRequest(algorithm=_WORDS[word], key_id=key_id)


def parse_object_encryption(document: bytes) -> SseRequest:
    """Return what UpdateObjectEncryption asks for: always KMS, by the key's full ARN (S3 dossier §1.7).

    Raises `MalformedXml`, `InvalidRequest`.
    """
    root = parse_xml(document)
    asked = child(root, "SSE-KMS")
    if root.tag != "ObjectEncryption" or asked is None or len(root) != 1:
        raise MalformedXml
    key_id = text_of(asked, "KMSKeyArn").strip()
    flag = text_of(asked, "BucketKeyEnabled", "false").strip().lower()
    if not key_id:
        raise MalformedXml
    if flag not in _FLAGS:
        raise InvalidRequest("The BucketKeyEnabled value must be true or false.")
    if not _KEY_ARN.fullmatch(key_id):
        raise InvalidRequest("The KMSKeyArn must be the full ARN of a key; neither a bare key id nor an alias is one.")
    return SseRequest(algorithm=Algorithm.KMS, key_id=key_id, bucket_key=flag == "true")


def render_bucket_encryption(rule: SseRequest) -> bytes:
    """Return a bucket's default encryption as GET ?encryption shows it."""
    words = {algorithm: word for word, algorithm in _WORDS.items()}
    applied = group(_APPLY, element("SSEAlgorithm", words[rule.algorithm]), optional("KMSMasterKeyID", rule.key_id))
    return document_of(
        "ServerSideEncryptionConfiguration",
        NAMESPACE,
        [group("Rule", applied, element("BucketKeyEnabled", "true" if rule.bucket_key else "false"), _blocked(rule))],
    )


def _blocked(rule: SseRequest) -> str:
    if rule.customer_keys_blocked is None:
        return ""
    word = "SSE-C" if rule.customer_keys_blocked else "NONE"
    return group("BlockedEncryptionTypes", element("EncryptionType", word))


S3_XML = replace(
    common_shapes(
        _MANNER,
        parse_bucket_encryption=parse_bucket_encryption,
        render_bucket_encryption=render_bucket_encryption,
    ),
    render_attributes=partial(render_attributes, _MANNER),
    parse_object_encryption=parse_object_encryption,
)
