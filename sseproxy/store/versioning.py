"""Versions: which one a request means, what answers say of it, and the switch of a bucket.

A bucket that never had versioning knows only the version `null`. Once enabled, every write makes a version and every
delete a delete marker; suspended, both replace the version `null` (S3 dossier §11, OSS dossier §6.6 and §6.7).
"""

import re
from collections.abc import Callable

from aiohttp import web

from sseproxy.store.answers import answer, xml_answer
from sseproxy.store.faults import Fault
from sseproxy.store.receive import read_document
from sseproxy.store.records import ENABLED, MARKER, NULL, SUSPENDED, Change, ObjectRow
from sseproxy.store.service import Call, Service
from sseproxy.store.texts import Node, child, http_date, parse_document

_FORM = re.compile(r"[A-Za-z0-9]{32}", re.ASCII)


def version_of(text: str, argument: str = "versionId") -> str:
    """Return a version as the index names it; raises `Fault` for what no version can be called."""
    if text == NULL:
        return ""
    if _FORM.fullmatch(text):
        return text
    message = None if text else "Version id cannot be the empty string"
    raise Fault("InvalidVersionId", message, details={"ArgumentName": argument, "ArgumentValue": text})


def asked_version(call: Call) -> str | None:
    """Return the version that the request is about, None where it names none."""
    text = call.query("versionId")
    return None if text is None else version_of(text)


def find(service: Service, call: Call) -> ObjectRow:
    """Return the object, or the version of it, that the request names; raises `Fault` where it has no bytes."""
    return find_object(service, call, call.bucket, call.key, asked_version(call))


def find_object(service: Service, call: Call, bucket: str, key: bytes, version: str | None) -> ObjectRow:
    """Return what lies under the key: the object, or the one version.

    Raises `Fault` NoSuchBucket, NoSuchKey, NoSuchVersion, or MethodNotAllowed for a delete marker by its id.
    """
    index = service.index
    found = index.object(bucket, key) if version is None else index.version(bucket, key, version)
    if found is not None and found.kind != MARKER:
        return found
    service.bucket(bucket)
    details = {"Key": key.decode("utf-8", "replace")}
    if found is not None:
        headers = {**marker_headers(call, found), "Allow": "DELETE", "Last-Modified": http_date(found.modified)}
        raise Fault(
            "MethodNotAllowed", headers=headers, details={"Method": call.raw.method, "ResourceType": "DeleteMarker"}
        )
    if version:
        raise Fault("NoSuchVersion", details=details | {"VersionId": version})
    hidden = index.newest_hidden(bucket, key) if version is None else None
    headers = {} if hidden is None else marker_headers(call, hidden)
    raise Fault("NoSuchKey" if version is None else "NoSuchVersion", headers=headers, details=details)


def marker_headers(call: Call, marker: ObjectRow) -> dict[str, str]:
    """Return the headers that tell of a delete marker."""
    return {call.wire.header("delete-marker"): "true", call.wire.header("version-id"): marker.version_id}


def version_headers(service: Service, call: Call, row: ObjectRow) -> dict[str, str]:
    """Return the header with an object's version; none in a bucket that never had versioning."""
    if not service.bucket(row.bucket).versioning:
        return {}
    return {call.wire.header("version-id"): row.version_id}


def change_headers(call: Call, change: Change) -> dict[str, str]:
    """Return the headers that tell what a write or a delete did."""
    headers = {} if change.version is None else {call.wire.header("version-id"): change.version}
    return headers | ({call.wire.header("delete-marker"): "true"} if change.marker else {})


def delete(
    service: Service,
    bucket: str,
    key: bytes,
    version: str | None,
    moment: int,
    check: Callable[[ObjectRow | None], None],
) -> Change:
    """Delete an object or one of its versions, with its files."""
    if version is None:
        change = service.index.delete_object(bucket, key, moment, check)
    else:
        change = service.index.delete_version(bucket, key, version, check)
    discard(service, change)
    return change


def discard(service: Service, change: Change) -> None:
    """Remove the files of what nobody can read any more."""
    if change.gone is not None:
        service.files.remove([change.gone.body, change.gone.meta])


async def get_versioning(service: Service, call: Call) -> web.StreamResponse:
    """GetBucketVersioning: an empty document where it was never enabled."""
    state = service.bucket(call.bucket).versioning
    nodes: list[Node] = [("Status", state)] if state else []
    return xml_answer(call, "VersioningConfiguration", nodes)


async def put_versioning(service: Service, call: Call) -> web.StreamResponse:
    """PutBucketVersioning: enabled or suspended; MFA delete is refused."""
    service.bucket(call.bucket)
    root = parse_document(await read_document(service, call), "VersioningConfiguration")
    status = child(root, "Status")
    if (child(root, "MfaDelete") or "Disabled") != "Disabled":
        raise Fault("NotImplemented", details={"Header": "MfaDelete"})
    if status is None:
        raise Fault("IllegalVersioningConfigurationException")
    if status not in (ENABLED, SUSPENDED):
        raise Fault("MalformedXML")
    service.index.put_versioning(call.bucket, status)
    return answer(call)
