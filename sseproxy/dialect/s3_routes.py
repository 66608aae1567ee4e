"""S3 requests and the operations that they ask for (S3 dossier §8.1, §8.2)."""

from sseproxy.dialect.base import Operation
from sseproxy.dialect.routes import Level, RouteTable, on, refused, relayed

_SERVICE, _BUCKET, _OBJECT = Level.SERVICE, Level.BUCKET, Level.OBJECT

_BUCKET_SETTINGS = (
    "abac", "accelerate", "acl", "analytics", "cors", "intelligent-tiering", "inventory", "lifecycle", "location",
    "logging", "metadataAnnotationTable", "metadataConfiguration", "metadataInventoryTable", "metadataJournalTable",
    "metadataTable", "metrics", "notification", "object-lock", "ownershipControls", "policy", "policyStatus",
    "publicAccessBlock", "replication", "requestPayment", "tagging", "versioning", "website",
)  # fmt: skip

S3_ROUTES = RouteTable(
    routes=(
        on("GET", _SERVICE, to=Operation.LIST_BUCKETS),
        on("GET", _BUCKET, to=Operation.LIST_OBJECTS),
        on("GET", _BUCKET, "versions", to=Operation.LIST_VERSIONS),
        on("GET", _BUCKET, "uploads", to=Operation.LIST_UPLOADS),
        on("GET", _BUCKET, "encryption", to=Operation.GET_BUCKET_ENCRYPTION),
        on("PUT", _BUCKET, "encryption", to=Operation.PUT_BUCKET_ENCRYPTION),
        on("DELETE", _BUCKET, "encryption", to=Operation.DELETE_BUCKET_ENCRYPTION),
        on("HEAD", _BUCKET, to=Operation.HEAD_BUCKET),
        on("PUT", _BUCKET, to=Operation.CREATE_BUCKET),
        on("DELETE", _BUCKET, to=Operation.DELETE_BUCKET),
        on("POST", _BUCKET, "delete", to=Operation.DELETE_OBJECTS),
        *relayed(_BUCKET, "GET PUT DELETE", *_BUCKET_SETTINGS),
        *relayed(_BUCKET, "POST", "metadataConfiguration", "metadataTable"),
        # CreateSession; MinIO's listing with metadata (the envelope among it) and its event stream.
        *refused(_BUCKET, "GET", "session", "metadata", "events"),
        on("GET", _OBJECT, to=Operation.GET_OBJECT),
        on("GET", _OBJECT, "partNumber", to=Operation.GET_OBJECT),
        on("GET", _OBJECT, "uploadId", to=Operation.LIST_PARTS),
        on("HEAD", _OBJECT, to=Operation.HEAD_OBJECT),
        on("HEAD", _OBJECT, "partNumber", to=Operation.HEAD_OBJECT),
        on("PUT", _OBJECT, to=Operation.PUT_OBJECT),
        # One of the two is missing: the operation says which.
        on("PUT", _OBJECT, "uploadId", to=Operation.UPLOAD_PART),
        on("PUT", _OBJECT, "partNumber", to=Operation.UPLOAD_PART),
        on("PUT", _OBJECT, "partNumber", "uploadId", to=Operation.UPLOAD_PART),
        on("POST", _OBJECT, "uploads", to=Operation.CREATE_UPLOAD),
        on("POST", _OBJECT, "uploadId", to=Operation.COMPLETE_UPLOAD),
        on("DELETE", _OBJECT, to=Operation.DELETE_OBJECT),
        on("DELETE", _OBJECT, "uploadId", to=Operation.ABORT_UPLOAD),
        *relayed(_OBJECT, "GET PUT", "acl", "legal-hold", "retention"),
        *relayed(_OBJECT, "GET PUT DELETE", "tagging"),
        *relayed(_OBJECT, "POST", "restore"),
        on("GET", _OBJECT, "attributes", to=Operation.GET_OBJECT_ATTRIBUTES),
        *refused(_OBJECT, "GET", "torrent"),
        *refused(_OBJECT, "GET PUT DELETE", "annotation"),
        on("PUT", _OBJECT, "encryption", to=Operation.UPDATE_ENCRYPTION),
        *refused(_OBJECT, "PUT", "renameObject", "append"),
        *refused(_OBJECT, "POST", "select"),
    ),
    parameters={
        _SERVICE: frozenset({"bucket-region", "continuation-token", "max-buckets", "prefix"}),
        _BUCKET: frozenset({
            "allow-unordered", "continuation-token", "delimiter", "encoding-type", "fetch-owner", "id", "key-marker",
            "list-type", "marker", "max-keys", "max-uploads", "prefix", "start-after", "upload-id-marker",
            "version-id-marker",
        }),
        _OBJECT: frozenset({"encoding-type", "max-parts", "part-number-marker", "versionId"}),
    },
    # Headers that SDKs hoist into the query, response overrides, and SDK markers.
    prefixes=("x-amz-", "X-Amz-", "response-", "x-id"),
    closed_prefixes=(),
    copy_source_header="x-amz-copy-source",
    copies={
        Operation.PUT_OBJECT: Operation.COPY_OBJECT,
        Operation.UPLOAD_PART: Operation.UPLOAD_PART_COPY,
    },
    refused_headers=frozenset({
        "x-amz-write-offset-bytes",  # appends to stored bytes
        "x-amz-rename-source",
        "x-amz-meta-snowball-auto-extract",  # the storage would unpack what is sealed
        "x-minio-extract",
    }),
)  # fmt: skip
