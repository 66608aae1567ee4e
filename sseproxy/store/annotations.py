"""What can be changed on an object without writing it: tags and ACL; and OSS symlinks, GetObjectMeta, attributes."""

import os
from collections.abc import Sequence
from urllib.parse import quote_from_bytes, unquote_to_bytes

from aiohttp import web

from sseproxy.store.answers import answer, xml_answer
from sseproxy.store.conditions import write_check
from sseproxy.store.faults import Fault
from sseproxy.store.receive import read_document
from sseproxy.store.records import BucketRow, Metadata, ObjectRow
from sseproxy.store.service import Call, Service, now_ms
from sseproxy.store.texts import Node, child, http_date, parse_document
from sseproxy.store.traits import OSS_ACLS, acl_of, check_tags, dump_tags, load_tags, read_traits, shown_class
from sseproxy.store.versioning import change_headers, discard, find, version_headers
from sseproxy.store.wires import OWNER_ID

_ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
_AUTHENTICATED = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
_FROZEN = frozenset({"GLACIER", "DEEP_ARCHIVE", "Archive", "ColdArchive", "DeepColdArchive"})
_PUBLIC: dict[str, Sequence[tuple[str, str]]] = {
    "public-read": [(_ALL_USERS, "READ")],
    "public-read-write": [(_ALL_USERS, "READ"), (_ALL_USERS, "WRITE")],
    "authenticated-read": [(_AUTHENTICATED, "READ")],
}


async def get_tags(service: Service, call: Call) -> web.StreamResponse:
    """GetObjectTagging."""
    row = find(service, call)
    tags: list[Node] = [("Tag", [("Key", key), ("Value", value)]) for key, value in load_tags(row.tags)]
    return xml_answer(call, "Tagging", [("TagSet", tags)], version_headers(service, call, row))


async def put_tags(service: Service, call: Call) -> web.StreamResponse:
    """PutObjectTagging."""
    row = find(service, call)
    root = parse_document(await read_document(service, call, digest=call.wire.name == "s3"), "Tagging")
    tag_set = root.find("TagSet")
    if tag_set is None:
        raise Fault("MalformedXML")
    tags = [(child(tag, "Key") or "", child(tag, "Value") or "") for tag in tag_set.findall("Tag")]
    check_tags(tags)
    service.index.annotate(row, tags=dump_tags(tags))
    return answer(call, headers=version_headers(service, call, row))


async def delete_tags(service: Service, call: Call) -> web.StreamResponse:
    """DeleteObjectTagging."""
    row = find(service, call)
    service.index.annotate(row, tags="")
    return answer(call, 204, version_headers(service, call, row))


async def get_object_acl(service: Service, call: Call) -> web.StreamResponse:
    """GetObjectAcl."""
    acl = find(service, call).acl
    return _acl_answer(call, acl or ("default" if call.wire.name == "oss" else "private"))


async def get_bucket_acl(service: Service, call: Call) -> web.StreamResponse:
    """GetBucketAcl."""
    return _acl_answer(call, service.bucket(call.bucket).acl or "private")


def _acl_answer(call: Call, acl: str) -> web.StreamResponse:
    owner: list[Node] = [("ID", OWNER_ID), ("DisplayName", OWNER_ID)]
    if call.wire.name == "oss":
        shown = acl if acl in OSS_ACLS else "private"
        return xml_answer(call, "AccessControlPolicy", [("Owner", owner), ("AccessControlList", [("Grant", shown)])])
    grants = [_grant('xsi:type="CanonicalUser"', [("ID", OWNER_ID)], "FULL_CONTROL")]
    grants += [_grant('xsi:type="Group"', [("URI", group)], what) for group, what in _PUBLIC.get(acl, ())]
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<AccessControlPolicy xmlns="{call.wire.namespace}"><Owner><ID>{OWNER_ID}</ID></Owner>'
        f"<AccessControlList>{''.join(grants)}</AccessControlList></AccessControlPolicy>"
    )
    return answer(call, headers={"Content-Type": "application/xml"}, body=body.encode())


def _grant(kind: str, who: Sequence[tuple[str, str]], permission: str) -> str:
    """Return a grant; its type is an attribute, which is why this is not a `Node`."""
    inner = "".join(f"<{tag}>{text}</{tag}>" for tag, text in who)
    return (
        f'<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" {kind}>{inner}</Grantee>'
        f"<Permission>{permission}</Permission></Grant>"
    )


async def put_object_acl(service: Service, call: Call) -> web.StreamResponse:
    """PutObjectAcl: a canned ACL, or a document that grants the owner alone."""
    row = find(service, call)
    acl = await _sent_acl(service, call, call.wire.object_acl)
    service.index.annotate(row, acl=acl)
    return answer(call, headers=version_headers(service, call, row))


async def put_bucket_acl(service: Service, call: Call) -> web.StreamResponse:
    """PutBucketAcl."""
    row = service.bucket(call.bucket)
    acl = await _sent_acl(service, call, call.wire.header("acl"))
    service.index.put_bucket(BucketRow(name=row.name, created=row.created, acl=acl))
    return answer(call)


async def _sent_acl(service: Service, call: Call, header: str) -> str:
    body = await read_document(service, call)
    acl = acl_of(call, header)
    if acl:
        return acl
    if call.wire.name == "oss" or not body:
        raise Fault("MalformedACLError" if call.wire.name == "s3" else "InvalidArgument")
    root = parse_document(body, "AccessControlPolicy", name="MalformedACLError")
    groups = {(grant.findtext("Grantee/URI"), grant.findtext("Permission")) for grant in root.iter("Grant")}
    groups = {found for found in groups if found[0]}
    for canned, grants in (("private", ()), *_PUBLIC.items()):
        if groups == set(grants):
            return canned
    raise Fault("NotImplemented", details={"Header": "AccessControlPolicy"})


async def get_object_meta(service: Service, call: Call) -> web.StreamResponse:
    """OSS GetObjectMeta: size, ETag, date and CRC, nothing else."""
    row = find(service, call)
    headers = {
        **version_headers(service, call, row),
        "ETag": call.wire.etag(row.etag),
        "Last-Modified": http_date(row.modified),
        "Content-Length": str(row.size),
        "x-oss-hash-crc64ecma": str(service.metadata(row).crc64),
    }
    if call.raw.method != "HEAD":
        del headers["Content-Length"]
    return answer(call, headers=headers)


async def get_attributes(service: Service, call: Call) -> web.StreamResponse:
    """GetObjectAttributes."""
    row = find(service, call)
    metadata = service.metadata(row)
    wanted = {item.strip() for value in call.headers.getall("x-amz-object-attributes", []) for item in value.split(",")}
    if not wanted - {""}:
        raise Fault("InvalidArgument", "x-amz-object-attributes header is required")
    checksums: list[Node] = [
        (f"Checksum{name.upper()}", text.partition("-")[0]) for name, text in metadata.checksums.items()
    ]
    parts: list[Node] = [
        (
            "Part",
            [
                ("PartNumber", piece.number),
                ("Size", piece.size),
                *((f"Checksum{name.upper()}", text) for name, text in piece.checksums.items()),
            ],
        )
        for piece in metadata.parts
        if piece.checksums
    ]
    offered: dict[str, Sequence[Node]] = {
        "ETag": [("ETag", row.etag)],
        "Checksum": [("Checksum", [*checksums, ("ChecksumType", row.checksum_type)])],
        "ObjectParts": [("ObjectParts", [("TotalPartsCount", len(metadata.parts)), *parts])] if metadata.parts else [],
        "StorageClass": [("StorageClass", shown_class(call.wire, row.storage_class))],
        "ObjectSize": [("ObjectSize", row.size)],
    }
    if not wanted <= offered.keys():
        raise Fault("InvalidArgument", "Invalid attribute name specified.")
    nodes = [node for name, part in offered.items() if name in wanted for node in part]
    headers = {"Last-Modified": http_date(row.modified), **version_headers(service, call, row)}
    return xml_answer(call, "GetObjectAttributesResponse", nodes, headers)


async def restore_object(service: Service, call: Call) -> web.StreamResponse:
    """RestoreObject: an error for a class that is never frozen; of the others nothing is frozen here, so 200."""
    row = find(service, call)
    body = await read_document(service, call)
    if body:
        parse_document(body, "RestoreRequest")
    if row.storage_class not in _FROZEN:
        raise Fault("InvalidObjectState")
    return answer(call, headers=version_headers(service, call, row))


async def put_symlink(service: Service, call: Call) -> web.StreamResponse:
    """OSS PutSymlink: an object without bytes that stands for another key of the bucket."""
    bucket = service.bucket(call.bucket)
    target = unquote_to_bytes(call.header("symlink-target") or "")
    if not target:
        raise Fault("InvalidArgument", details={"ArgumentName": "x-oss-symlink-target", "ArgumentValue": ""})
    await read_document(service, call)
    traits, check = read_traits(call), write_check(call, bucket)
    name, descriptor = service.files.begin()
    try:
        service.files.keep(name, descriptor)
    finally:
        os.close(descriptor)
    text = target.decode("utf-8", "surrogateescape")
    metadata = Metadata(headers=traits.headers, user=traits.user, symlink=text)
    row = ObjectRow(
        bucket=call.bucket,
        key=call.key,
        body=name,
        meta=service.files.write_metadata(metadata),
        size=0,
        etag="d41d8cd98f00b204e9800998ecf8427e",
        modified=now_ms(),
        kind="Symlink",
        storage_class=traits.storage_class,
        checksum_algorithm="",
        checksum_type="",
        acl=traits.acl,
        tags=traits.tags,
    )
    change = service.index.put_object(row, check)
    discard(service, change)
    return answer(call, headers={"ETag": call.wire.etag(row.etag), **change_headers(call, change)})


async def get_symlink(service: Service, call: Call) -> web.StreamResponse:
    """OSS GetSymlink."""
    row = find(service, call)
    target = service.metadata(row).symlink
    if target is None:
        raise Fault("NotSymlink")
    shown = quote_from_bytes(target.encode("utf-8", "surrogateescape"), safe="/")
    headers = {
        **version_headers(service, call, row),
        "ETag": call.wire.etag(row.etag),
        "Last-Modified": http_date(row.modified),
        "x-oss-symlink-target": shown,
    }
    return answer(call, headers=headers)
