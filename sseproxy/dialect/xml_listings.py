"""Listings of the storage: what they say of each object, and the same listing with other sizes and ETags.

Does not know which dialect it serves. Everything that is not changed stays byte for byte: prefixes, tokens, owners,
delete markers, name spaces, and the percent-encoding of keys.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from xml.sax.saxutils import escape

from sseproxy.dialect.base import ListedEntry
from sseproxy.dialect.xml_document import Element, replaced
from sseproxy.dialect.xml_shapes import Manner, bare, is_true, read_time, stored, stored_key, whole_number
from sseproxy.errors import UpstreamError

_OBJECTS = frozenset({"Contents", "Version"})
_LISTINGS = frozenset({"ListBucketResult", "ListVersionsResult"})
_CHECKSUMS = frozenset({"ChecksumAlgorithm", "ChecksumType"})
_APPENDABLE = "Appendable"
_QUOTES = {'"': "&quot;"}


def parse_listing(document: bytes) -> list[ListedEntry]:
    """Return the objects (and versions) of a listing in its order; delete markers and prefixes are none.

    Raises `UpstreamError` where it is no listing.
    """
    root = stored(document)
    return [_entry(root, listed, position) for position, listed in enumerate(_objects(root))]


def _entry(root: Element, listed: Element, position: int) -> ListedEntry:
    texts = {child.name: child.text for child in listed.children}
    etag = bare(texts.get("ETag", ""))
    size = whole_number(texts.get("Size"))
    return ListedEntry(
        key=stored_key(root, texts.get("Key", "")),
        version_id=texts.get("VersionId"),
        stored_etag=etag,
        stored_size=size,
        appendable=texts.get("Type", "").strip() == _APPENDABLE,
        size=size,
        etag=etag,
        position=position,
    )


def render_listing(manner: Manner, document: bytes, entries: Sequence[ListedEntry]) -> bytes:
    """Return the listing with the sizes, ETags and checksums of the entries, by their positions.

    The storage's checksums go, because they are of stored bytes. Raises `UpstreamError`.
    """
    objects = list(_objects(stored(document)))
    edits = [edit for entry in entries for edit in _edits(manner, objects[entry.position], entry)]
    return replaced(document, edits)


def _edits(manner: Manner, listed: Element, entry: ListedEntry) -> Iterator[tuple[Element, bytes]]:
    for child in listed.children:
        if child.name == "Size":
            yield child, _again(child, str(entry.size))
        elif child.name == "ETag":
            yield child, _again(child, manner.etag(entry.etag)) + _checksum(manner, child, entry)
        elif child.name in _CHECKSUMS:
            yield child, b""


def _checksum(manner: Manner, beside: Element, entry: ListedEntry) -> bytes:
    if entry.checksum is None or not manner.with_checksums:
        return b""
    prefix = beside.tag.removesuffix(beside.name)
    named = {"ChecksumAlgorithm": entry.checksum.algorithm.value, "ChecksumType": entry.checksum.type.value}
    return "".join(f"<{prefix}{name}>{text}</{prefix}{name}>" for name, text in named.items()).encode()


def _again(element: Element, text: str) -> bytes:
    return f"<{element.tag}>{escape(text, _QUOTES)}</{element.tag}>".encode()


def parse_keys(document: bytes) -> tuple[list[tuple[str, int, datetime]], str | None]:
    """Return key, size and time of the objects of a version-2 listing, and its next token. Raises `UpstreamError`."""
    root = stored(document)
    found = [
        (
            stored_key(root, listed.value("Key") or ""),
            whole_number(listed.value("Size")),
            read_time(listed.value("LastModified")),
        )
        for listed in _objects(root)
    ]
    token = root.value("NextContinuationToken") if is_true(root.value("IsTruncated")) else None
    return found, token


def hide_bucket(document: bytes, name: str) -> bytes:
    """Return a list of buckets without one name; other documents as they are. Raises `UpstreamError`."""
    buckets = stored(document).find("Buckets")
    if buckets is None:
        return document
    hidden = [bucket for bucket in buckets.all("Bucket") if (bucket.value("Name") or "").strip() == name]
    return replaced(document, ((bucket, b"") for bucket in hidden))


def _objects(root: Element) -> Iterator[Element]:
    if root.name not in _LISTINGS:
        raise UpstreamError("The storage's answer is no listing.")
    return (child for child in root.children if child.name in _OBJECTS)
