"""Buckets: create, head, delete, their settings, and DeleteObjects."""

import re
from collections.abc import Iterator, Sequence

from aiohttp import web

from sseproxy.store.answers import answer, xml_answer
from sseproxy.store.faults import Fault
from sseproxy.store.index import NEWEST
from sseproxy.store.receive import read_document
from sseproxy.store.records import MARKER, BucketRow, Change
from sseproxy.store.service import Call, Service, now_ms
from sseproxy.store.target import name_bytes
from sseproxy.store.texts import Node, child, iso_date, parse_document, shown_name
from sseproxy.store.traits import acl_of
from sseproxy.store.versioning import delete, version_of
from sseproxy.store.wires import OWNER_ID

_S3_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9]|[.-](?![.-])|-){2,62}(?<![.-])", re.ASCII)
_OSS_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]){2,62}(?<!-)", re.ASCII)
_MOST_DELETED = 1000

SETTINGS = {
    "accelerate": "",
    "cors": "NoSuchCORSConfiguration",
    "encryption": "ServerSideEncryptionConfigurationNotFoundError",
    "lifecycle": "NoSuchLifecycleConfiguration",
    "logging": "",
    "notification": "",
    "object-lock": "ObjectLockConfigurationNotFoundError",
    "ownershipControls": "OwnershipControlsNotFoundError",
    "policy": "NoSuchBucketPolicy",
    "policyStatus": "NoSuchBucketPolicy",
    "publicAccessBlock": "NoSuchPublicAccessBlockConfiguration",
    "referer": "",
    "replication": "ReplicationConfigurationNotFoundError",
    "requestPayment": "",
    "tagging": "NoSuchTagSet",
    "website": "NoSuchWebsiteConfiguration",
}
"""Sub-resources of a bucket, and what GET answers before anybody PUT one; empty: 200 with an empty document."""

_EMPTY = {
    "accelerate": "AccelerateConfiguration",
    "logging": "BucketLoggingStatus",
    "notification": "NotificationConfiguration",
    "referer": "RefererConfiguration",
    "requestPayment": "RequestPaymentConfiguration",
}
_READ_ONLY = frozenset({"policyStatus"})
_REFUSED = frozenset({"encryption", "object-lock", "replication"})
_DIGESTED = frozenset({"cors", "lifecycle", "tagging"})


async def create_bucket(service: Service, call: Call) -> web.StreamResponse:
    """Create the bucket; on OSS doing so again is no error."""
    pattern = _S3_NAME if call.wire.name == "s3" else _OSS_NAME
    if not pattern.fullmatch(call.bucket):
        raise Fault("InvalidBucketName", details={"BucketName": call.bucket})
    body = await read_document(service, call)
    if body:
        parse_document(body, "CreateBucketConfiguration")
    acl = acl_of(call, call.wire.header("acl"))
    old = service.index.bucket(call.bucket)
    if old is not None and call.wire.name == "s3":
        raise Fault("BucketAlreadyOwnedByYou", details={"BucketName": call.bucket})
    created = old.created if old else now_ms()
    service.index.put_bucket(BucketRow(name=call.bucket, created=created, acl=acl or (old.acl if old else "")))
    return answer(call, headers={"Location": f"/{call.bucket}"} if call.wire.name == "s3" else None)


async def head_bucket(service: Service, call: Call) -> web.StreamResponse:
    """Answer whether the bucket exists."""
    service.bucket(call.bucket)
    name = "x-amz-bucket-region" if call.wire.name == "s3" else "x-oss-bucket-region"
    return answer(call, headers={name: service.region})


async def delete_bucket(service: Service, call: Call) -> web.StreamResponse:
    """Delete an empty bucket; its unfinished uploads go with it."""
    service.bucket(call.bucket)
    if call.wire.name == "oss" and next(service.index.uploads(call.bucket, b"", "", None), None) is not None:
        raise Fault("BucketNotEmpty", details={"BucketName": call.bucket})
    leftovers = [
        part.body
        for upload in service.index.uploads(call.bucket, b"", "", None)
        for part in service.index.parts(upload.upload)
    ]
    if not service.index.delete_bucket(call.bucket):
        raise Fault("BucketNotEmpty", details={"BucketName": call.bucket})
    service.files.remove(leftovers)
    return answer(call, 204)


async def get_location(service: Service, call: Call) -> web.StreamResponse:
    """Answer where the bucket is; S3 says nothing for us-east-1."""
    service.bucket(call.bucket)
    if call.wire.name == "oss":
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<LocationConstraint>oss-{service.region}</LocationConstraint>'
    else:
        region = "" if service.region == "us-east-1" else service.region
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<LocationConstraint xmlns="{call.wire.namespace}">{region}</LocationConstraint>'
        )
    return answer(call, headers={"Content-Type": "application/xml"}, body=body.encode())


async def get_info(service: Service, call: Call) -> web.StreamResponse:
    """OSS GetBucketInfo."""
    row = service.bucket(call.bucket)
    nodes: list[Node] = [
        ("CreationDate", iso_date(row.created)),
        ("ExtranetEndpoint", call.host),
        ("IntranetEndpoint", call.host),
        ("Location", f"oss-{service.region}"),
        ("StorageClass", "Standard"),
        ("TransferAcceleration", "Disabled"),
        ("CrossRegionReplication", "Disabled"),
        ("HierarchicalNamespace", "Disabled"),
        ("Name", row.name),
        ("Owner", [("DisplayName", OWNER_ID), ("ID", OWNER_ID)]),
        ("AccessControlList", [("Grant", row.acl or "private")]),
        *([("Versioning", row.versioning)] if row.versioning else []),
        ("Comment", ""),
        ("DataRedundancyType", "LRS"),
        ("BucketPolicy", [("LogBucket", ""), ("LogPrefix", "")]),
        ("ServerSideEncryptionRule", [("SSEAlgorithm", "None")]),
    ]
    return xml_answer(call, "BucketInfo", [("Bucket", nodes)])


async def get_stat(service: Service, call: Call) -> web.StreamResponse:
    """OSS GetBucketStat."""
    service.bucket(call.bucket)
    count = size = 0
    markers = 0
    for version in service.index.versions(call.bucket, b"", NEWEST, None):
        markers += version.row.kind == MARKER
        count += version.row.kind != MARKER
        size += version.row.size
    uploads = sum(1 for _ in service.index.uploads(call.bucket, b"", "", None))
    nodes: list[Node] = [
        ("Storage", size),
        ("ObjectCount", count),
        ("MultipartUploadCount", uploads),
        ("LiveChannelCount", 0),
        ("LastModifiedTime", now_ms() // 1000),
        ("StandardStorage", size),
        ("StandardObjectCount", count),
        ("DeleteMarkerCount", markers),
    ]
    return xml_answer(call, "BucketStat", nodes)


def setting_of(call: Call) -> str:
    """Return which sub-resource of the bucket the request is about; empty for none."""
    return next((name for name in SETTINGS if call.target.has(name)), "")


async def get_setting(service: Service, call: Call) -> web.StreamResponse:
    """Return a stored sub-resource, or the right kind of nothing."""
    service.bucket(call.bucket)
    name = setting_of(call)
    body = service.index.configuration(call.bucket, name)
    if body is not None:
        kind = "application/json" if name == "policy" else "application/xml"
        return answer(call, headers={"Content-Type": kind}, body=body)
    if SETTINGS[name] and not (name == "tagging" and call.wire.name == "oss"):
        raise Fault(SETTINGS[name], details={"BucketName": call.bucket})
    return xml_answer(call, _EMPTY.get(name, "Tagging"), [])


async def put_setting(service: Service, call: Call) -> web.StreamResponse:
    """Store a sub-resource as it was sent; what would change the store's ways is refused."""
    service.bucket(call.bucket)
    name = setting_of(call)
    if name in _REFUSED:
        raise Fault("NotImplemented", details={"Header": name})
    if name in _READ_ONLY:
        raise Fault("MethodNotAllowed", details={"Method": call.raw.method, "ResourceType": name.upper()})
    digest = call.wire.name == "s3" and name in _DIGESTED
    body = await read_document(service, call, digest=digest)
    if not body:
        raise Fault("MalformedXML")
    if name != "policy":
        parse_document(body, *_roots(body))
    service.index.put_configuration(call.bucket, name, body)
    return answer(call)


def _roots(body: bytes) -> Sequence[str]:
    """Any root will do for a document that is only kept; it must be XML."""
    found = re.search(rb"<([A-Za-z][A-Za-z0-9:]*)", body)
    return [found[1].decode().rpartition(":")[2]] if found else []


async def delete_setting(service: Service, call: Call) -> web.StreamResponse:
    """Forget a sub-resource."""
    service.bucket(call.bucket)
    name = setting_of(call)
    if name in _REFUSED:
        raise Fault("NotImplemented", details={"Header": name})
    service.index.delete_configuration(call.bucket, name)
    return answer(call, 204)


async def delete_objects(service: Service, call: Call) -> web.StreamResponse:
    """Delete up to 1,000 objects; a digest of the document is required."""
    service.bucket(call.bucket)
    root = parse_document(await read_document(service, call, digest=True), "Delete")
    entries = root.findall("Object")
    if not 0 < len(entries) <= _MOST_DELETED:
        raise Fault("MalformedXML")
    quiet = (child(root, "Quiet") or "").strip().lower() == "true"
    encode = call.wire.name == "oss" and call.query("encoding-type") == "url"
    nodes: list[Node] = [("EncodingType", "url")] if encode else []
    for entry in entries:
        text = child(entry, "Key")
        if not text:
            raise Fault("MalformedXML")
        key = name_bytes(text)
        version = child(entry, "VersionId")
        try:
            named = version_of(version) if version else None
        except Fault:
            nodes.append(_refused(call, key, version or "", encode=encode))
            continue
        change = delete(service, call.bucket, key, named, now_ms(), lambda _: None)
        if not quiet:
            nodes.append(("Deleted", [("Key", shown_name(key, encode=encode)), *_deleted(version, change)]))
    if quiet and call.wire.name == "oss" and not any(tag == "Error" for tag, _ in nodes):
        return answer(call)
    return xml_answer(call, "DeleteResult", nodes)


def _deleted(asked: str | None, change: Change) -> Iterator[Node]:
    if asked:
        yield "VersionId", asked
    if change.marker:
        yield "DeleteMarker", "true"
        yield "DeleteMarkerVersionId", change.version or ""


def _refused(call: Call, key: bytes, version: str, *, encode: bool) -> Node:
    nodes: list[Node] = [
        ("Key", shown_name(key, encode=encode)),
        ("VersionId", version),
        ("Code", "NoSuchVersion"),
        ("Message", call.wire.codes["NoSuchVersion"].message),
    ]
    return "Error", nodes
