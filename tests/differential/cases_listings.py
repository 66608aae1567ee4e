"""ListObjects in both versions, and ListBuckets."""

from tests.differential.case import Auth, Case, Place, Step, case, create, listing, on_bucket, put

_FILL = tuple(put(key, key.encode()) for key in ("a", "b/1", "b/2", "c%20d", "e%2Bf", "g/h/i", "z"))
_COMMON = {
    "all": "",
    "a delimiter": "&delimiter=%2F",
    "a delimiter that is no slash": "&delimiter=b",
    "three at most": "&max-keys=3",
    "three at most, with a delimiter": "&max-keys=3&delimiter=%2F",
    "none at most": "&max-keys=0",
    "more than a thousand at most": "&max-keys=5000",
    "fewer than none at most": "&max-keys=-1",
    "max-keys that is no number": "&max-keys=many",
    "encoded": "&encoding-type=url",
    "encoded otherwise": "&encoding-type=base64",
    "encoded, with a delimiter": "&encoding-type=url&delimiter=%20",
}


CASES: tuple[Case, ...] = (
    *(case("ListObjectsV2", name, *_FILL, listing(f"list-type=2{query}")) for name, query in _COMMON.items()),
    case("ListObjectsV2", "start-after", *_FILL, listing("list-type=2&start-after={prefix}b%2F1"), listing("list-type=2&start-after={prefix}zz")),
    case("ListObjectsV2", "fetch-owner", *_FILL, listing("list-type=2&fetch-owner=true&max-keys=1")),
    case("ListObjectsV2", "all pages", *_FILL, listing("list-type=2&max-keys=3"), listing("list-type=2&max-keys=3&continuation-token={token:8}"),
         listing("list-type=2&max-keys=3&continuation-token={token:9}")),
    case("ListObjectsV2", "all pages, with a delimiter", *_FILL, listing("list-type=2&max-keys=2&delimiter=%2F"),
         listing("list-type=2&max-keys=2&delimiter=%2F&continuation-token={token:8}")),
    case("ListObjectsV2", "an empty continuation token", *_FILL, listing("list-type=2&continuation-token=")),
    case("ListObjectsV2", "a prefix in a folder", *_FILL, on_bucket("GET", "list-type=2&prefix={prefix}b%2F")),
    case("ListObjectsV2", "a prefix of nothing", on_bucket("GET", "list-type=2&prefix={prefix}none")),
    case("ListObjectsV2", "a bucket that is empty", create(), on_bucket("GET", "list-type=2"), place=Place.OWN),
    case("ListObjectsV2", "a bucket that is not there", on_bucket("GET", "list-type=2"), place=Place.OWN),
    case("ListObjectsV2", "restore status asked for", *_FILL, Step("GET", "/{bucket}?list-type=2&prefix={prefix}a", {"x-amz-optional-object-attributes": "RestoreStatus"})),
    *(case("ListObjects", name, *_FILL, listing(f"{query[1:] or 'max-keys=1000'}")) for name, query in _COMMON.items()),
    case("ListObjects", "a marker", *_FILL, listing("marker={prefix}b%2F1"), listing("marker={prefix}c&max-keys=2"), listing("marker={prefix}b%2F&delimiter=%2F")),
    case("ListObjects", "a bucket that is empty", create(), on_bucket("GET"), place=Place.OWN),
    case("ListObjects", "a bucket that is not there", on_bucket("GET"), place=Place.OWN),
    case("ListObjectVersions", "a bucket without versions", *_FILL, listing("versions"), listing("versions&delimiter=%2F")),
    case("ListObjectVersions", "a bucket that is not there", on_bucket("GET", "versions"), place=Place.OWN),
    case("ListBuckets", "all", create(), Step("GET", "/"), place=Place.OWN),
    case("ListBuckets", "by prefix", create(), Step("GET", "/?prefix={bucket}"), place=Place.OWN),
    case("ListBuckets", "one at most", create(), Step("GET", "/?max-buckets=1&prefix={bucket}"), place=Place.OWN),
    case("ListBuckets", "without a signature", Step("GET", "/").signed(Auth.NONE)),
)  # fmt: skip
