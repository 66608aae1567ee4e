"""Which operation a request is: method, level and sub-resource."""

from collections.abc import Awaitable, Callable

from sseproxy.store import annotations, appending, buckets, copying, listing, multipart, objects, versioning
from sseproxy.store.completion import complete_upload
from sseproxy.store.faults import Fault
from sseproxy.store.service import Answer, Call, Service

Handler = Callable[[Service, Call], Awaitable[Answer]]

_STREAMED = frozenset({objects.put_object, multipart.upload_part})
_UNKNOWN = frozenset(
    {
        "accessPoint",
        "analytics",
        "annotation",
        "asyncFetch",
        "attributes",
        "cname",
        "comp",
        "delete",
        "encryption",
        "img",
        "intelligent-tiering",
        "inventory",
        "legal-hold",
        "live",
        "metadataTable",
        "metrics",
        "metaQuery",
        "process",
        "qos",
        "renameObject",
        "requestPayment",
        "resourceGroup",
        "retention",
        "rtc",
        "seal",
        "select",
        "session",
        "style",
        "torrent",
        "udf",
        "vod",
        "worm",
        "wormExtend",
        "wormId",
        "x-oss-async-process",
        "x-oss-batchGet",
        "x-oss-process",
        "x-oss-rename",
    }
)
"""Sub-resources that change what a request means; without a route of their own they are refused, never ignored."""

_LISTING = frozenset(
    {
        "continuation-token",
        "delimiter",
        "encoding-type",
        "fetch-owner",
        "key-marker",
        "list-type",
        "marker",
        "max-keys",
        "max-uploads",
        "prefix",
        "start-after",
        "upload-id-marker",
        "version-id-marker",
    }
)
"""Parameters of listings, which clients send empty as well."""

_OBJECT: dict[tuple[str, str], Handler] = {
    ("GET", ""): objects.get_object,
    ("HEAD", ""): objects.get_object,
    ("PUT", ""): objects.put_object,
    ("DELETE", ""): objects.delete_object,
    ("POST", "uploads"): multipart.create_upload,
    ("PUT", "uploadId"): multipart.upload_part,
    ("POST", "uploadId"): complete_upload,
    ("GET", "uploadId"): multipart.list_parts,
    ("DELETE", "uploadId"): multipart.abort_upload,
    ("GET", "tagging"): annotations.get_tags,
    ("PUT", "tagging"): annotations.put_tags,
    ("DELETE", "tagging"): annotations.delete_tags,
    ("GET", "acl"): annotations.get_object_acl,
    ("PUT", "acl"): annotations.put_object_acl,
    ("POST", "restore"): annotations.restore_object,
}
_S3_OBJECT: dict[tuple[str, str], Handler] = {("GET", "attributes"): annotations.get_attributes}
_OSS_OBJECT: dict[tuple[str, str], Handler] = {
    ("HEAD", "objectMeta"): annotations.get_object_meta,
    ("GET", "objectMeta"): annotations.get_object_meta,
    ("POST", "append"): appending.append_object,
    ("PUT", "symlink"): annotations.put_symlink,
    ("GET", "symlink"): annotations.get_symlink,
}
_BUCKET: dict[tuple[str, str], Handler] = {
    ("GET", ""): listing.list_v1,
    ("HEAD", ""): buckets.head_bucket,
    ("PUT", ""): buckets.create_bucket,
    ("DELETE", ""): buckets.delete_bucket,
    ("POST", "delete"): buckets.delete_objects,
    ("GET", "versions"): listing.list_versions,
    ("GET", "uploads"): multipart.list_uploads,
    ("GET", "location"): buckets.get_location,
    ("GET", "versioning"): versioning.get_versioning,
    ("GET", "acl"): annotations.get_bucket_acl,
    ("PUT", "acl"): annotations.put_bucket_acl,
    ("PUT", "versioning"): versioning.put_versioning,
    **{("GET", name): buckets.get_setting for name in buckets.SETTINGS},
    **{("PUT", name): buckets.put_setting for name in buckets.SETTINGS},
    **{("DELETE", name): buckets.delete_setting for name in buckets.SETTINGS},
}
_OSS_BUCKET: dict[tuple[str, str], Handler] = {
    ("GET", "bucketInfo"): buckets.get_info,
    ("GET", "stat"): buckets.get_stat,
}


def route(call: Call) -> Handler:
    """Return the handler of the request; raises `Fault` MethodNotAllowed or NotImplemented."""
    if call.target.bucket is None:
        if call.raw.method == "GET":
            _refuse_unheard_of(call)
            return listing.list_buckets
        raise _not_allowed(call, "SERVICE")
    handler = _object_route(call) if call.key else _bucket_route(call)
    if call.payload.framed and handler not in _STREAMED:
        raise Fault("InvalidRequest", "The value of x-amz-content-sha256 header is invalid.")
    return handler


def _object_route(call: Call) -> Handler:
    objects.check_key(call)
    table = _OBJECT | (_S3_OBJECT if call.wire.name == "s3" else _OSS_OBJECT)
    handler = _pick(call, table, "OBJECT")
    if call.header("copy-source") is not None:
        if handler is objects.put_object:
            return copying.copy_object
        if handler is multipart.upload_part:
            return copying.upload_part_copy
    return handler


def _bucket_route(call: Call) -> Handler:
    table = _BUCKET | ({} if call.wire.name == "s3" else _OSS_BUCKET)
    handler = _pick(call, table, "BUCKET")
    if handler is table.get((call.raw.method, "")):
        _refuse_unheard_of(call)
    if handler is listing.list_v1 and call.query("list-type") == "2":
        return listing.list_v2
    return handler


def _refuse_unheard_of(call: Call) -> None:
    """Refuse a name without a value: a setting that this store does not know, and no listing."""
    for name, value in call.target.pairs:
        if not value and name not in _LISTING:
            raise Fault("NotImplemented", details={"Header": name})


def _pick(call: Call, table: dict[tuple[str, str], Handler], level: str) -> Handler:
    names = {name for _, name in table if name and call.target.has(name)}
    refused = [name for name in _UNKNOWN - names if call.target.has(name)]
    if refused:
        raise Fault("NotImplemented", details={"Header": refused[0]})
    if len(names) > 1:
        details = {"ArgumentName": "ResourceType", "ArgumentValue": ",".join(sorted(names))}
        raise Fault("InvalidArgument", "Conflicting query string parameters", details=details)
    if not names and call.raw.method == "PUT" and call.target.has("partNumber"):
        raise Fault("InvalidArgument", "This operation does not accept a query-string.")
    handler = table.get((call.raw.method, next(iter(names), "")))
    if handler is None:
        raise _not_allowed(call, level)
    return handler


def _not_allowed(call: Call, level: str) -> Fault:
    return Fault("MethodNotAllowed", details={"Method": call.raw.method, "ResourceType": level})
