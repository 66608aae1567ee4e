"""The document of GetObjectAttributes (S3 dossier §1.8)."""

from sseproxy.dialect.base import AttributesView, ListedPart, PartsOfObject
from sseproxy.dialect.xml_shapes import Manner, checksum_elements
from sseproxy.dialect.xml_writing import document_of, element, group, optional


def render_attributes(manner: Manner, view: AttributesView) -> bytes:
    """Return the document. The ETag has no quotes here, and a composite checksum no part count."""
    checksum = group("Checksum", checksum_elements(manner, view.checksum)) if view.checksum is not None else ""
    return document_of(
        "GetObjectAttributesResponse",
        manner.namespace,
        [
            optional("ETag", view.etag),
            checksum,
            _parts(manner, view.parts) if view.parts is not None else "",
            optional("StorageClass", view.storage_class),
            optional("ObjectSize", view.size),
        ],
    )


def _parts(manner: Manner, parts: PartsOfObject) -> str:
    count = element("PartsCount", parts.count)
    if not parts.most:
        return group("ObjectParts", count)
    return group(
        "ObjectParts",
        count,
        element("PartNumberMarker", parts.marker),
        element("NextPartNumberMarker", parts.next_marker),
        element("MaxParts", parts.most),
        element("IsTruncated", "true" if parts.truncated else "false"),
        *(_part(manner, part) for part in parts.parts),
    )


def _part(manner: Manner, part: ListedPart) -> str:
    return group(
        "Part",
        checksum_elements(manner, part.checksum, with_type=False),
        element("PartNumber", part.number),
        element("Size", part.plaintext_size),
    )
