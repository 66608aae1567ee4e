"""Listings of the storage: what they say of each object, and the same listing with other sizes and ETags.

Does not know which dialect it serves. Everything that is not changed stays byte for byte: prefixes, tokens, owners,
delete markers, name spaces, and the percent-encoding of keys. A listing is read in one pass that notes where the
changeable elements stand, because a page has ten thousand elements and passes through the event loop.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import unquote_plus
from xml.sax.saxutils import escape

from sseproxy.dialect.base import ListedEntry
from sseproxy.dialect.xml_document import end_of, expat_parser, replaced, run
from sseproxy.dialect.xml_shapes import Manner, bare, is_true, read_time, stored, whole_number
from sseproxy.errors import MalformedXml, UpstreamError

_OBJECTS = frozenset({"Contents", "Version"})
_LISTINGS = frozenset({"ListBucketResult", "ListVersionsResult"})
_CHECKSUMS = frozenset({"ChecksumAlgorithm", "ChecksumType"})
_CHANGEABLE = frozenset({"Size", "ETag"}) | _CHECKSUMS
_APPENDABLE = "Appendable"
_QUOTES = {'"': "&quot;"}


def parse_listing(document: bytes) -> list[ListedEntry]:
    """Return the objects (and versions) of a listing in its order; delete markers and prefixes are none.

    Raises `UpstreamError` where it is no listing.
    """
    scan = _scanned(document)
    entries = []
    for position, listed in enumerate(scan.objects):
        texts = listed.texts
        etag = bare(texts.get("ETag", ""))
        size = whole_number(texts.get("Size"))
        entries.append(
            ListedEntry(
                key=scan.key(listed),
                version_id=texts.get("VersionId"),
                stored_etag=etag,
                stored_size=size,
                appendable=texts.get("Type") == _APPENDABLE,
                size=size,
                etag=etag,
                position=position,
                places=tuple(listed.places),
            )
        )
    return entries


def render_listing(manner: Manner, document: bytes, entries: Sequence[ListedEntry]) -> bytes:
    """Return the listing with the sizes, ETags and checksums of the entries that `parse_listing` gave for it.

    The storage's checksums go, because they are of stored bytes.
    """
    return replaced(document, (edit for entry in entries for edit in _edits(manner, entry)))


def _edits(manner: Manner, entry: ListedEntry) -> Iterator[tuple[int, int, bytes]]:
    for tag, start, end in entry.places:
        name = _local(tag)
        if name == "Size":
            yield start, end, f"<{tag}>{entry.size}</{tag}>".encode()
        elif name == "ETag":
            etag = escape(manner.etag(entry.etag), _QUOTES)
            yield start, end, f"<{tag}>{etag}</{tag}>{_checksum(manner, tag, entry)}".encode()
        else:
            yield start, end, b""


def _checksum(manner: Manner, beside: str, entry: ListedEntry) -> str:
    if entry.checksum is None or not manner.with_checksums:
        return ""
    prefix = beside.removesuffix("ETag")
    named = {"ChecksumAlgorithm": entry.checksum.algorithm.value, "ChecksumType": entry.checksum.type.value}
    return "".join(f"<{prefix}{name}>{text}</{prefix}{name}>" for name, text in named.items())


def parse_keys(document: bytes) -> tuple[list[tuple[str, int, datetime]], str | None]:
    """Return key, size and time of the objects of a version-2 listing, and its next token. Raises `UpstreamError`."""
    scan = _scanned(document)
    found = [
        (scan.key(listed), whole_number(listed.texts.get("Size")), read_time(listed.texts.get("LastModified")))
        for listed in scan.objects
    ]
    token = scan.head.get("NextContinuationToken") if is_true(scan.head.get("IsTruncated")) else None
    return found, token


def hide_bucket(document: bytes, name: str) -> bytes:
    """Return a list of buckets without one name; other documents as they are. Raises `UpstreamError`."""
    buckets = stored(document).find("Buckets")
    if buckets is None:
        return document
    hidden = [bucket for bucket in buckets.all("Bucket") if (bucket.value("Name") or "").strip() == name]
    return replaced(document, ((bucket.start, bucket.end, b"") for bucket in hidden))


@dataclass(slots=True, eq=False)
class _Listed:
    texts: dict[str, str] = field(default_factory=dict)
    places: list[tuple[str, int, int]] = field(default_factory=list)


class _Scan:
    """One pass over a listing: the texts two levels deep, and the places of what can be changed."""

    def __init__(self, document: bytes) -> None:
        self.root = ""
        self.head: dict[str, str] = {}
        self.objects: list[_Listed] = []
        self._document = document
        self._depth = 0
        self._listed: _Listed | None = None
        self._text = ""
        self._start_at = 0
        self._parser = expat_parser()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._data
        run(self._parser, document)

    def key(self, listed: _Listed) -> str:
        """Return an object's key, decoded where the listing says that keys are encoded.

        A blank may come as "+"; a plus sign never does.
        """
        key = listed.texts.get("Key", "")
        encoded = self.head.get("EncodingType") == "url"
        return unquote_plus(key, errors="surrogateescape") if encoded else key

    def _start(self, tag: str, _attributes: object) -> None:
        self._depth += 1
        self._text = ""
        if self._depth == 3:
            if tag in _CHANGEABLE or ":" in tag:
                self._start_at = self._parser.CurrentByteIndex
        elif self._depth == 2 and _local(tag) in _OBJECTS:
            self._listed = _Listed()
            self.objects.append(self._listed)
        elif self._depth == 1:
            self.root = _local(tag)

    def _data(self, data: str) -> None:
        self._text += data

    def _end(self, tag: str) -> None:
        depth = self._depth
        self._depth = depth - 1
        if depth == 3 and self._listed is not None:
            name = _local(tag)
            self._listed.texts[name] = self._text
            if name in _CHANGEABLE:
                at = self._parser.CurrentByteIndex
                end = end_of(self._document, at) if not self._text else self._document.index(b">", at) + 1
                self._listed.places.append((tag, self._start_at, end))
        elif depth == 2:
            self._listed = None
            self.head[_local(tag)] = self._text


def _scanned(document: bytes) -> _Scan:
    try:
        scan = _Scan(document)
    except MalformedXml:
        raise UpstreamError("The storage's answer could not be read.") from None
    if scan.root not in _LISTINGS:
        raise UpstreamError("The storage's answer is no listing.")
    return scan


def _local(tag: str) -> str:
    return tag[tag.find(":") + 1 :]
