"""ListBuckets and the object listings: v1, v2 and versions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aiohttp import web

from sseproxy.store.answers import xml_answer
from sseproxy.store.faults import Fault
from sseproxy.store.index import NEWEST
from sseproxy.store.pages import Page, after_marker, make_token, page_of, read_token, whole_number
from sseproxy.store.records import MARKER, ObjectRow, Version
from sseproxy.store.service import Call, Service
from sseproxy.store.target import name_bytes
from sseproxy.store.texts import Node, iso_date, shown_name
from sseproxy.store.traits import shown_class
from sseproxy.store.versioning import version_of
from sseproxy.store.wires import OWNER_ID

_MOST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What all three listings have in common."""

    prefix: bytes
    delimiter: bytes
    most: int
    encode: bool


def _asked(call: Call) -> Asked:
    encoding = call.query("encoding-type")
    if encoding not in (None, "", "url"):
        details = {"ArgumentName": "encoding-type", "ArgumentValue": encoding or ""}
        raise Fault("InvalidArgument", "Invalid Encoding Method specified in Request", details=details)
    most = whole_number(call, "max-keys", call.wire.page)
    if call.wire.name == "oss" and not 0 < most <= _MOST:
        details = {"ArgumentName": "max-keys", "ArgumentValue": str(most)}
        raise Fault("InvalidArgument", "Argument max-keys must be an integer between 1 and 1000.", details=details)
    return Asked(
        prefix=name_bytes(call.query("prefix") or ""),
        delimiter=name_bytes(call.query("delimiter") or ""),
        most=min(most, _MOST),
        encode=encoding == "url",
    )


def _page(service: Service, call: Call, asked: Asked, first: bytes) -> Page[ObjectRow]:
    def fetch(start: bytes, end: bytes | None) -> Iterator[ObjectRow]:
        return service.index.objects(call.bucket, start, end)

    return page_of(fetch, asked.prefix, asked.delimiter, first, asked.most)


def _common(call: Call, asked: Asked, page: Page[ObjectRow] | Page[Version]) -> list[Node]:
    nodes: list[Node] = [
        ("Name", call.bucket),
        ("Prefix", shown_name(asked.prefix, encode=asked.encode)),
        ("MaxKeys", asked.most),
    ]
    if asked.delimiter or call.wire.name == "oss":
        nodes.append(("Delimiter", shown_name(asked.delimiter, encode=asked.encode)))
    if asked.encode:
        nodes.append(("EncodingType", "url"))
    nodes.append(("IsTruncated", "true" if page.truncated else "false"))
    return nodes


def _entries(call: Call, asked: Asked, page: Page[ObjectRow], *, owner: bool) -> Iterator[Node]:
    for item in page.items:
        if isinstance(item, ObjectRow):
            yield "Contents", _entry(call, asked, item, owner=owner)
    yield from _prefixes(asked, page)


def _prefixes(asked: Asked, page: Page[ObjectRow] | Page[Version]) -> Iterator[Node]:
    for item in page.items:
        if isinstance(item, bytes):
            yield "CommonPrefixes", [("Prefix", shown_name(item, encode=asked.encode))]


def _entry(call: Call, asked: Asked, row: ObjectRow, *, owner: bool) -> Sequence[Node]:
    return [("Key", shown_name(row.key, encode=asked.encode)), *_described(call, row, owner=owner)]


def _version_entry(call: Call, asked: Asked, version: Version) -> Node:
    row = version.row
    nodes: list[Node] = [
        ("Key", shown_name(row.key, encode=asked.encode)),
        ("VersionId", row.version_id),
        ("IsLatest", "true" if version.latest else "false"),
    ]
    if row.kind == MARKER:
        return MARKER, [*nodes, ("LastModified", iso_date(row.modified)), ("Owner", _owner(call))]
    return "Version", [*nodes, *_described(call, row, owner=True)]


def _described(call: Call, row: ObjectRow, *, owner: bool) -> Sequence[Node]:
    nodes: list[Node] = [("LastModified", iso_date(row.modified)), ("ETag", call.wire.etag(row.etag))]
    if call.wire.name == "oss":
        nodes.append(("Type", row.kind))
    elif row.checksum_algorithm:
        nodes += [("ChecksumAlgorithm", row.checksum_algorithm.upper()), ("ChecksumType", row.checksum_type)]
    nodes += [("Size", row.size), ("StorageClass", shown_class(call.wire, row.storage_class))]
    if owner:
        nodes.append(("Owner", _owner(call)))
    return nodes


def _owner(call: Call) -> Sequence[Node]:
    return [("ID", OWNER_ID)] if call.wire.name == "s3" else [("ID", OWNER_ID), ("DisplayName", OWNER_ID)]


async def list_v1(service: Service, call: Call) -> web.StreamResponse:
    """ListObjects."""
    service.bucket(call.bucket)
    asked = _asked(call)
    marker = name_bytes(call.query("marker") or "")
    page = _page(service, call, asked, after_marker(marker, asked.prefix, asked.delimiter))
    nodes = _common(call, asked, page)
    nodes.append(("Marker", shown_name(marker, encode=asked.encode)))
    if page.truncated and (asked.delimiter or call.wire.name == "oss"):
        nodes.append(("NextMarker", shown_name(_last(page), encode=asked.encode)))
    nodes += _entries(call, asked, page, owner=True)
    return xml_answer(call, "ListBucketResult", nodes)


def _last(page: Page[ObjectRow]) -> bytes:
    last = page.items[-1]
    return last.key if isinstance(last, ObjectRow) else last


async def list_v2(service: Service, call: Call) -> web.StreamResponse:
    """ListObjectsV2."""
    service.bucket(call.bucket)
    asked = _asked(call)
    token, start_after = call.query("continuation-token"), call.query("start-after") or ""
    if token is not None and not (token == "" and call.wire.name == "oss"):
        first = read_token(token)
    else:
        first = after_marker(name_bytes(start_after), asked.prefix, asked.delimiter)
        token = None
    page = _page(service, call, asked, first)
    nodes = _common(call, asked, page)
    nodes.append(("KeyCount", len(page.items)))
    if start_after:
        nodes.append(("StartAfter", shown_name(name_bytes(start_after), encode=asked.encode)))
    if token is not None:
        nodes.append(("ContinuationToken", token))
    if page.truncated:
        nodes.append(("NextContinuationToken", make_token(page.resume)))
    nodes += _entries(call, asked, page, owner=call.query("fetch-owner") == "true")
    return xml_answer(call, "ListBucketResult", nodes)


async def list_versions(service: Service, call: Call) -> web.StreamResponse:
    """ListObjectVersions: by key, newest first; without versioning every object has the one version `null`."""
    service.bucket(call.bucket)
    asked = _asked(call)
    marker = name_bytes(call.query("key-marker") or "")
    version = call.query("version-id-marker") or ""
    if version and not marker:
        details = {"ArgumentName": "version-id-marker", "ArgumentValue": version}
        raise Fault("InvalidArgument", "A version-id marker cannot be specified without a key marker.", details=details)
    page = _version_page(service, call, asked, marker, version)
    nodes = _common(call, asked, page)
    nodes += [("KeyMarker", shown_name(marker, encode=asked.encode)), ("VersionIdMarker", version)]
    if page.truncated:
        last = page.items[-1]
        nodes.append(("NextKeyMarker", shown_name(last if isinstance(last, bytes) else last.key, encode=asked.encode)))
        if not isinstance(last, bytes):
            nodes.append(("NextVersionIdMarker", last.row.version_id))
    nodes += [_version_entry(call, asked, item) for item in page.items if not isinstance(item, bytes)]
    nodes += _prefixes(asked, page)
    return xml_answer(call, "ListVersionsResult", nodes)


def _version_page(service: Service, call: Call, asked: Asked, marker: bytes, version: str) -> Page[Version]:
    """Collect the page behind a version of the marker's key, or behind all versions of that key.

    Where that version was deleted meanwhile, the key's versions are listed again from the newest one on.
    """
    below, first = NEWEST, after_marker(marker, asked.prefix, asked.delimiter)
    if version:
        seen = service.index.version(call.bucket, marker, version_of(version, "version-id-marker"))
        left = next(service.index.versions(call.bucket, marker, NEWEST, marker + b"\0"), None)
        if seen is not None:
            below, first = seen.sequence, marker
        elif left is not None:
            first = marker

    def fetch(start: bytes, end: bytes | None) -> Iterator[Version]:
        return service.index.versions(call.bucket, start, below if start == marker else NEWEST, end)

    return page_of(fetch, asked.prefix, asked.delimiter, first, asked.most)


async def list_buckets(service: Service, call: Call) -> web.StreamResponse:
    """ListBuckets; with `max-buckets`, `max-keys` and markers ignored there is one page."""
    prefix = call.query("prefix") or ""
    rows = [row for row in service.index.buckets() if row.name.startswith(prefix)]
    if call.wire.name == "s3":
        buckets: list[Node] = [
            ("Bucket", [("Name", row.name), ("CreationDate", iso_date(row.created))]) for row in rows
        ]
        return xml_answer(call, "ListAllMyBucketsResult", [("Owner", _owner(call)), ("Buckets", buckets)])
    location = f"oss-{service.region}"
    buckets = [
        (
            "Bucket",
            [
                ("CreationDate", iso_date(row.created)),
                ("ExtranetEndpoint", call.host),
                ("IntranetEndpoint", call.host),
                ("Location", location),
                ("Name", row.name),
                ("Region", service.region),
                ("StorageClass", "Standard"),
            ],
        )
        for row in rows
    ]
    nodes: list[Node] = [("Owner", _owner(call)), ("IsTruncated", "false"), ("Buckets", buckets)]
    return xml_answer(call, "ListAllMyBucketsResult", nodes)
