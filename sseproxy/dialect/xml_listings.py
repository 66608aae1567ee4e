"""Listings of the storage: what they say of each object, and the same listing with other sizes and ETags.

Does not know which dialect it serves. Everything that is not changed stays byte for byte: prefixes, tokens, owners,
delete markers, name spaces, and the percent-encoding of keys.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, unquote_plus
from xml.sax.saxutils import escape

from sseproxy.dialect.base import ListedEntry
from sseproxy.dialect.xml_scanning import Scanner, local_name, replaced
from sseproxy.dialect.xml_shapes import Manner, bare, is_true, read_time, whole_number
from sseproxy.errors import MalformedXml, UpstreamError

_OBJECTS = frozenset({"Contents", "Version"})
_LISTINGS = frozenset({"ListBucketResult", "ListVersionsResult"})
_CHECKSUMS = frozenset({"ChecksumAlgorithm", "ChecksumType"})
_CHANGEABLE = frozenset({"Size", "ETag"}) | _CHECKSUMS
_APPENDABLE, _LINK = "Appendable", "Symlink"
_QUOTES = {'"': "&quot;"}
_NEXT_BUCKETS = (("ContinuationToken", "continuation-token"), ("NextMarker", "marker"))  # S3's way and OSS's


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
                link=texts.get("Type") == _LINK,
                size=size,
                etag=etag,
                last_modified=texts.get("LastModified", ""),
                position=position,
                places=tuple(listed.places),
                place=listed.place,
            )
        )
    return entries


def render_listing(manner: Manner, document: bytes, entries: Sequence[ListedEntry]) -> bytes:
    """Return the listing with the sizes, ETags and checksums of the entries that `parse_listing` gave for it.

    The storage's checksums go, because they are of stored bytes, and entries that are gone, which are not counted.
    """
    edits = [edit for entry in entries for edit in _edits(manner, entry)]
    gone = sum(entry.is_gone for entry in entries)
    counted = _scanned(document).count_place if gone else None
    if counted is not None:
        count, start, end = counted
        edits.append((start, end, f"<KeyCount>{max(count - gone, 0)}</KeyCount>".encode()))
    return replaced(document, edits)


def _edits(manner: Manner, entry: ListedEntry) -> Iterator[tuple[int, int, bytes]]:
    if entry.is_gone:
        yield *entry.place, b""
        return
    for tag, start, end in entry.places:
        name = local_name(tag)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedVersion:
    """A version in a listing of versions; delete markers are none. `size` is in bytes, as stored."""

    key: str
    version_id: str
    is_latest: bool
    size: int
    last_modified: datetime


def parse_versions(document: bytes) -> tuple[list[ListedVersion], tuple[str, str] | None]:
    """Return the versions of a page, and the key and version behind which the next begins. Raises `UpstreamError`."""
    scan = _scanned(document)
    found = [
        ListedVersion(
            key=scan.key(listed),
            version_id=listed.texts.get("VersionId", "null"),
            is_latest=is_true(listed.texts.get("IsLatest")),
            size=whole_number(listed.texts.get("Size")),
            last_modified=read_time(listed.texts.get("LastModified")),
        )
        for listed in scan.objects
    ]
    if not is_true(scan.head.get("IsTruncated")):
        return found, None
    key = scan.decoded(scan.head.get("NextKeyMarker", ""))
    if not key:
        raise UpstreamError("The storage's listing goes on, but does not say where.")
    return found, (key, scan.head.get("NextVersionIdMarker", ""))


def hide_bucket(document: bytes, name: str) -> bytes:
    """Return a list of buckets without one name; other documents as they are. Raises `UpstreamError`."""
    scan = _Buckets(document)
    _run(scan)
    return replaced(document, ((start, end, b"") for found, start, end in scan.places if found == name))


def bucket_names(document: bytes) -> tuple[list[str], str | None]:
    """Return the names of a list of buckets, and the query that asks for the next ones. Raises `UpstreamError`."""
    scan = _Buckets(document)
    _run(scan)
    queries = (f"{name}={quote(scan.head[tag], safe='')}" for tag, name in _NEXT_BUCKETS if scan.head.get(tag))
    return [name for name, _, _ in scan.places], next(queries, None)


@dataclass(slots=True, eq=False)
class _Listed:
    texts: dict[str, str] = field(default_factory=dict)
    places: list[tuple[str, int, int]] = field(default_factory=list)
    place: tuple[int, int] = (0, 0)


class _Objects(Scanner):
    """The texts of a listing and of its objects, and the places of what can be changed."""

    def __init__(self, document: bytes) -> None:
        super().__init__(document)
        self.root = ""
        self.head: dict[str, str] = {}
        self.objects: list[_Listed] = []
        self.count_place: tuple[int, int, int] | None = None  # of KeyCount: its number, start and end
        self._listed: _Listed | None = None
        self._began = 0
        self._began_outside = 0

    def key(self, listed: _Listed) -> str:
        """Return an object's key, decoded where the listing says that keys are encoded.

        A blank may come as "+"; a plus sign never does.
        """
        return self.decoded(listed.texts.get("Key", ""))

    def decoded(self, text: str) -> str:
        """Return a name as `key` does."""
        encoded = self.head.get("EncodingType") == "url"
        return unquote_plus(text, errors="surrogateescape") if encoded else text

    def opened(self, tag: str, depth: int) -> None:
        if depth == 3:
            if self._listed is not None and local_name(tag) in _CHANGEABLE:
                self._began = self.position
        elif depth == 2:
            self._began_outside = self.position
            if local_name(tag) in _OBJECTS:
                self._listed = _Listed()
                self.objects.append(self._listed)
        elif depth == 1:
            self.root = local_name(tag)

    def closed(self, tag: str, depth: int, text: str) -> None:
        if depth == 3 and self._listed is not None:
            name = local_name(tag)
            self._listed.texts[name] = text
            if name in _CHANGEABLE:
                self._listed.places.append((tag, self._began, self.end_position(text)))
        elif depth == 2:
            if self._listed is not None:
                self._listed.place = (self._began_outside, self.end_of_tag(self.position))
                self._listed = None
            elif tag == "KeyCount":
                self.count_place = (whole_number(text), self._began_outside, self.end_position(text))
            self.head[local_name(tag)] = text


class _Buckets(Scanner):
    """The names and places of the buckets in a list of buckets."""

    def __init__(self, document: bytes) -> None:
        super().__init__(document)
        self.places: list[tuple[str, int, int]] = []
        self.head: dict[str, str] = {}
        self._path: list[str] = []
        self._name = ""
        self._began = 0

    def opened(self, tag: str, depth: int) -> None:
        self._path.append(local_name(tag))
        if self._path[1:] == ["Buckets", "Bucket"]:
            self._began, self._name = self.position, ""

    def closed(self, tag: str, depth: int, text: str) -> None:
        if self._path[1:] == ["Buckets", "Bucket", "Name"]:
            self._name = text.strip()
        elif self._path[1:] == ["Buckets", "Bucket"] and self._name:
            self.places.append((self._name, self._began, self.end_of_tag(self.position)))
        elif depth == 2:
            self.head[local_name(tag)] = text.strip()
        self._path.pop()


def _scanned(document: bytes) -> _Objects:
    scan = _Objects(document)
    _run(scan)
    if scan.root not in _LISTINGS:
        raise UpstreamError("The storage's answer is no listing.")
    return scan


def _run(scan: Scanner) -> None:
    try:
        scan.run()
    except MalformedXml:
        raise UpstreamError("The storage's answer could not be read.") from None
