"""OSS requests and the operations that they ask for (OSS dossier §6)."""

from sseproxy.dialect.base import Operation
from sseproxy.dialect.routes import Level, RouteTable, on, refused, relayed

_SERVICE, _BUCKET, _OBJECT = Level.SERVICE, Level.BUCKET, Level.OBJECT

_BUCKET_SETTINGS = (
    "accessPoint", "accessPointPolicy", "accessmonitor", "acl", "bucketArchiveDirectRead", "callback",
    "cloudboxes", "cname", "cors", "dataPipeline", "group", "httpsConfig", "inventory", "lifecycle", "live",
    "location", "logging", "metaQuery", "metadataConfiguration", "metadataInventoryTable", "metadataJournalTable",
    "objectWorm", "overwriteConfig", "policy", "policyStatus", "processConfiguration", "publicAccessBlock", "qos",
    "qosInfo", "qosRequester", "quota", "redundancyTransition", "referer", "replication", "replicationLocation",
    "replicationProgress", "requestPayment", "requesterQosInfo", "resourceGroup",
    "responseHeader", "rtc", "stat", "style", "styleName", "tagging", "transferAcceleration",
    "userDefinedLogFieldsConfig", "versioning", "vpcip", "website", "worm", "wormExtend", "wormId",
    "x-oss-redundancy-transition-taskid", "x-oss-target-redundancy-type",
)  # fmt: skip
_SERVICE_VIEWS = ("policy", "publicAccessBlock", "qosInfo", "regionList", "regions", "resourcePool", "userQosInfo")

OSS_ROUTES = RouteTable(
    routes=(
        on("GET", _SERVICE, to=Operation.LIST_BUCKETS),
        *relayed(_SERVICE, "GET", *_SERVICE_VIEWS),
        on("GET", _BUCKET, to=Operation.LIST_OBJECTS),
        on("GET", _BUCKET, "versions", to=Operation.LIST_VERSIONS),
        on("GET", _BUCKET, "uploads", to=Operation.LIST_UPLOADS),
        on("GET", _BUCKET, "bucketInfo", to=Operation.GET_BUCKET_INFO),
        on("GET", _BUCKET, "encryption", to=Operation.GET_BUCKET_ENCRYPTION),
        on("PUT", _BUCKET, "encryption", to=Operation.PUT_BUCKET_ENCRYPTION),
        on("DELETE", _BUCKET, "encryption", to=Operation.DELETE_BUCKET_ENCRYPTION),
        on("HEAD", _BUCKET, to=Operation.HEAD_BUCKET),
        on("PUT", _BUCKET, to=Operation.CREATE_BUCKET),
        on("DELETE", _BUCKET, to=Operation.DELETE_BUCKET),
        on("POST", _BUCKET, "delete", to=Operation.DELETE_OBJECTS),
        *relayed(_BUCKET, "GET PUT DELETE POST", *_BUCKET_SETTINGS),
        *relayed(_BUCKET, "GET", "asyncFetch"),
        *refused(_BUCKET, "PUT POST", "asyncFetch"),  # the storage would keep in plaintext what it fetches
        *refused(_BUCKET, "POST", "x-oss-batchGet"),
        on("GET", _OBJECT, to=Operation.GET_OBJECT),
        on("GET", _OBJECT, "uploadId", to=Operation.LIST_PARTS),
        on("HEAD", _OBJECT, to=Operation.HEAD_OBJECT),
        on("HEAD", _OBJECT, "objectMeta", to=Operation.GET_OBJECT_META),
        on("PUT", _OBJECT, to=Operation.PUT_OBJECT),
        on("PUT", _OBJECT, "uploadId", to=Operation.UPLOAD_PART),
        on("PUT", _OBJECT, "partNumber", to=Operation.UPLOAD_PART),
        on("PUT", _OBJECT, "partNumber", "uploadId", to=Operation.UPLOAD_PART),
        on("POST", _OBJECT, "uploads", to=Operation.CREATE_UPLOAD),
        on("POST", _OBJECT, "uploadId", to=Operation.COMPLETE_UPLOAD),
        on("DELETE", _OBJECT, to=Operation.DELETE_OBJECT),
        on("DELETE", _OBJECT, "uploadId", to=Operation.ABORT_UPLOAD),
        *relayed(_OBJECT, "GET PUT", "acl", "legalHold", "retention", "symlink"),
        *relayed(_OBJECT, "GET PUT DELETE", "tagging"),
        *relayed(_OBJECT, "POST", "restore", "cleanRestoredObject"),
        # The storage would process, join, stream or move stored bytes.
        *refused(_OBJECT, "GET HEAD PUT POST", "x-oss-process", "x-oss-async-process"),
        on("POST", _OBJECT, "append", to=Operation.APPEND_OBJECT),
        on("POST", _OBJECT, "append", "position", to=Operation.APPEND_OBJECT),
        *refused(_OBJECT, "POST", "seal"),
        *refused(_OBJECT, "GET PUT POST", "callback", "callback-var", "link", "live", "vod", "select", "x-oss-rename"),
    ),
    parameters={
        _SERVICE: frozenset({"marker", "max-keys", "prefix", "tag-key", "tag-value", "tagging"}),
        _BUCKET: frozenset({
            "continuation-token", "delimiter", "encoding-type", "fetch-owner", "inventoryId", "key-marker",
            "list-type", "marker", "max-keys", "max-uploads", "prefix", "start-after", "upload-id-marker",
            "version-id-marker",
        }),
        _OBJECT: frozenset({"encoding-type", "max-parts", "part-number-marker", "sequential", "versionId"}),
    },
    prefixes=("response-", "x-oss-ac-", "x-oss-request-payer", "x-oss-traffic-limit", "x-oss-access-point-name"),
    closed_prefixes=("x-oss-",),
    copy_source_header="x-oss-copy-source",
    copies={
        Operation.PUT_OBJECT: Operation.COPY_OBJECT,
        Operation.UPLOAD_PART: Operation.UPLOAD_PART_COPY,
    },
    refused_headers=frozenset({
        "x-oss-callback",  # the storage would report stored sizes and ETags
        "x-oss-callback-var",
    }),
)  # fmt: skip
