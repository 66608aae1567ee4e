"""OSS's documents (OSS dossier §2, §3.1, §6.2, §6.5). None of them has a namespace: SDKs do not find their elements."""

from functools import partial

from sseproxy.dialect import xml_listings, xml_shapes
from sseproxy.dialect.base import SseRequest, XmlShapes
from sseproxy.dialect.xml_reading import child, parse_xml, text_of
from sseproxy.dialect.xml_shapes import Manner
from sseproxy.dialect.xml_writing import document_of, element, group, optional
from sseproxy.errors import (
    InvalidArgument,
    MalformedXml,
    UnknownAlgorithm,
    UnknownDataAlgorithm,
    UnsupportedFeature,
)
from sseproxy.model import Algorithm

_MANNER = Manner(
    namespace=None,
    upper_etags=True,
    with_checksums=False,
    with_crc64=True,
    with_encoding_type=True,
    details_first=False,
    renamed_details={"AWSAccessKeyId": "OSSAccessKeyId"},
)
_APPLY = "ApplyServerSideEncryptionByDefault"
_WORDS = {"AES256": Algorithm.AES256, "KMS": Algorithm.KMS}


def parse_bucket_encryption(document: bytes) -> SseRequest:
    """Return a bucket's default encryption (OSS dossier §2.1 to §2.3).

    An empty key id is the default key, and a data cipher beside another algorithm than KMS is dropped, as OSS does.
    Raises `MalformedXml`, `UnknownAlgorithm`, `UnknownDataAlgorithm`, `UnsupportedFeature`, `InvalidArgument`.
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
    if algorithm is not Algorithm.KMS:
        if key_id is not None:
            raise InvalidArgument(
                "KMSMasterKeyID is not applicable if the default sse algorithm is not KMS",
                ArgumentName="KMSMasterKeyID",
            )
        return SseRequest(algorithm=algorithm)
    _check_data_algorithm(text_of(applied, "KMSDataEncryption").strip())
    return SseRequest(algorithm=algorithm, key_id=key_id)


def _check_data_algorithm(word: str) -> None:
    if not word:
        return
    if word != "SM4":
        raise UnknownDataAlgorithm(ArgumentName="KMSDataEncryption", ArgumentValue=word)
    raise UnsupportedFeature("KMSDataEncryption SM4 is not supported.")


def render_bucket_encryption(rule: SseRequest) -> bytes:
    """Return a bucket's default encryption as GET ?encryption shows it."""
    words = {algorithm: word for word, algorithm in _WORDS.items()}
    applied = group(_APPLY, element("SSEAlgorithm", words[rule.algorithm]), optional("KMSMasterKeyID", rule.key_id))
    return document_of("ServerSideEncryptionRule", None, [applied])


OSS_XML = XmlShapes(
    render_error=partial(xml_shapes.render_error, _MANNER),
    parse_error=xml_shapes.parse_error,
    parse_complete=xml_shapes.parse_complete,
    render_complete_request=partial(xml_shapes.render_complete_request, _MANNER),
    render_completed=partial(xml_shapes.render_completed, _MANNER),
    parse_completed=xml_shapes.parse_completed,
    render_created_upload=partial(xml_shapes.render_created_upload, _MANNER),
    parse_created_upload=xml_shapes.parse_created_upload,
    render_copied=partial(xml_shapes.render_copied, _MANNER),
    render_copied_part=partial(xml_shapes.render_copied_part, _MANNER),
    parse_copied=xml_shapes.parse_copied,
    parse_copied_part=xml_shapes.parse_copied_part,
    render_parts=partial(xml_shapes.render_parts, _MANNER),
    parse_parts=xml_shapes.parse_parts,
    parse_listing=xml_listings.parse_listing,
    render_listing=partial(xml_listings.render_listing, _MANNER),
    parse_keys=xml_listings.parse_keys,
    hide_bucket=xml_listings.hide_bucket,
    parse_bucket_encryption=parse_bucket_encryption,
    render_bucket_encryption=render_bucket_encryption,
    render_delete=partial(xml_shapes.render_delete, _MANNER),
)
