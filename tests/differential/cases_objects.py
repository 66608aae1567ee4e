"""Put, get, head, delete, ranges, overrides, metadata, key names."""

from tests.differential.case import (
    DIGESTED,
    Auth,
    Case,
    Place,
    Step,
    case,
    delete,
    get,
    head,
    listing,
    on_bucket,
    on_key,
    put,
    xml,
)

_BODY = bytes(range(256)) * 4
_LARGE = b"0123456789abcdef" * 20_000  # 320,000 bytes: five frames of a sealed object
_EVERY_HEADER = {
    "content-type": "text/x-test; charset=utf-8",
    "content-encoding": "gzip",
    "content-disposition": 'attachment; filename="a b.txt"',
    "content-language": "de, en",
    "cache-control": "max-age=60, private",
    "expires": "Thu, 01 Jan 2032 00:00:00 GMT",
    "x-amz-website-redirect-location": "/elsewhere",
    "x-amz-storage-class": "STANDARD",
    "x-amz-meta-colour": "blue",
    "x-amz-meta-spaces": "a  b",
    "x-amz-meta-empty": "",
}
_RANGES = {
    "the first byte": "bytes=0-0",
    "in the middle": "bytes=65530-65545",
    "to the end": "bytes=319990-",
    "a suffix": "bytes=-16",
    "a suffix longer than the object": "bytes=-999999",
    "a suffix of nothing": "bytes=-0",
    "its end beyond the object": "bytes=319990-999999",
    "beyond the object": "bytes=320000-",
    "backwards": "bytes=5-2",
    "no number": "bytes=a-b",
    "another unit": "lines=0-1",
    "several": "bytes=0-1,65535-65537",
    "several, one beyond the object": "bytes=0-1,999999-",
}
_KEYS = {
    "unicode": "%C3%BCn%C3%AFc%C3%B6d%C3%A9-%E2%82%AC-%F0%9F%94%91",
    "spaces": "a%20b%20%20c",
    "a plus, raw": "a+b",
    "a plus, encoded": "a%2Bb",
    "an encoded slash": "a%2Fb",
    "two slashes": "a//b",
    "two dots": "a/../b",
    "one dot": "a/./b",
    "a slash at the end": "folder/",
    "characters of XML": "a%26b%3Cc%3E%22%27",
    "a question mark and a hash": "a%3Fb%23c",
    "a percent sign": "100%25",
    "a backslash": "a%5Cb",
    "a line feed": "a%0Ab",
    "unreserved punctuation": "-_.~!*'()",
    "lower-case escapes": "a%c3%bc",
    "a tilde, encoded": "a%7Eb",
}
_LONG = "k" * 200 + "/"


def _key(key: str) -> tuple[Step, ...]:
    return put(key, b"named"), get(key), head(key), listing("list-type=2"), delete(key), head(key)


_PUTS = (
    case("PutObject", "put, get, head, list, delete", *_key("k")),
    case("PutObject", "an empty object", put("k"), get("k"), head("k")),
    case("PutObject", "more than one frame", put("k", _LARGE), get("k"), head("k")),
    case("PutObject", "again over itself", put("k", b"one"), put("k", b"two!"), get("k"), listing("list-type=2")),
    case("PutObject", "all standard headers and metadata", put("k", b"x", _EVERY_HEADER), get("k"), head("k")),
    case("PutObject", "metadata in UTF-8", put("k", b"x", {"x-amz-meta-name": "zoë"}), head("k")),
    case("PutObject", "metadata in RFC 2047", put("k", b"x", {"x-amz-meta-name": "=?UTF-8?Q?zo=C3=AB?="}), head("k")),
    case("PutObject", "2 KiB of metadata", put("k", b"x", {"x-amz-meta-a": "v" * 2036}), head("k")),
    case("PutObject", "more than 2 KiB of metadata", put("k", b"x", {"x-amz-meta-a": "v" * 2100}), head("k")),
    case("PutObject", "upper-case metadata names", put("k", b"x", {"X-Amz-Meta-CamelCase": "V"}), head("k")),
    case("PutObject", "no content type", put("k", b"x"), head("k")),
    case("PutObject", "an unknown storage class", put("k", b"x", {"x-amz-storage-class": "GOLD"}), head("k")),
    case("PutObject", "Content-MD5 right", put("k", b"x", DIGESTED), head("k")),
    case(
        "PutObject",
        "Content-MD5 of other bytes",
        put("k", b"x", {"content-md5": "QVIW9ZADTYo+FNNVhcwtEA=="}),
        head("k"),
    ),
    case("PutObject", "Content-MD5 that is none", put("k", b"x", {"content-md5": "none"}), head("k")),
    case("PutObject", "payload hash of other bytes", put("k", b"x").signed(Auth.WRONG_PAYLOAD), head("k")),
    case("PutObject", "payload not hashed", put("k", b"x").signed(Auth.UNSIGNED_PAYLOAD), get("k")),
    case("PutObject", "a canned ACL", put("k", b"x", {"x-amz-acl": "private"}), on_key("GET", "k", "acl")),
    case("PutObject", "an unknown canned ACL", put("k", b"x", {"x-amz-acl": "secret"}), head("k")),
    case(
        "PutObject",
        "tags in the header",
        put("k", b"x", {"x-amz-tagging": "a=1&b=%C3%BC"}),
        get("k"),
        get("k", "tagging"),
    ),
    case("PutObject", "malformed tags in the header", put("k", b"x", {"x-amz-tagging": "a=1&a=2"}), head("k")),
    case(
        "PutObject",
        "eleven tags in the header",
        put("k", b"x", {"x-amz-tagging": "&".join(f"t{n}=1" for n in range(11))}),
        head("k"),
    ),
    case("PutObject", "into a bucket that is not there", Step("PUT", "/{bucket}-none/k", {}, b"x")),
)

_GETS = (
    case("GetObject", "of a key that is not there", get("none"), head("none")),
    case("GetObject", "of an empty object, a range", put("k"), get("k", "", {"range": "bytes=0-0"})),
    case(
        "GetObject",
        "response overrides",
        put("k", b"x"),
        get(
            "k",
            "response-content-type=text%2Fcsv&response-content-disposition=inline&response-cache-control=no-store"
            "&response-content-encoding=br&response-content-language=fr&response-expires=Thu%2C%2001%20Jan%202032%2000%3A00%3A00%20GMT",
        ),
    ),
    case("HeadObject", "response overrides", put("k", b"x"), head("k", "response-content-type=text%2Fcsv")),
    case(
        "GetObject",
        "response overrides, not signed",
        put("k", b"x"),
        get("k", "response-content-type=a%2Fb").signed(Auth.NONE),
    ),
    case(
        "GetObject",
        "part 1 of an object without parts",
        put("k", b"x"),
        get("k", "partNumber=1"),
        head("k", "partNumber=1"),
    ),
    case("GetObject", "part 2 of an object without parts", put("k", b"x"), get("k", "partNumber=2")),
    case("GetObject", "part 0", put("k", b"x"), get("k", "partNumber=0")),
    case("GetObject", "a part that is no number", put("k", b"x"), get("k", "partNumber=one")),
    case("GetObject", "a part and a range", put("k", b"xyz"), get("k", "partNumber=1", {"range": "bytes=0-0"})),
    *(
        case("GetObject", f"a range: {name}", put("k", _LARGE), get("k", "", {"range": value}))
        for name, value in _RANGES.items()
    ),
    *(
        case("HeadObject", f"a range: {name}", put("k", _LARGE), head("k", "", {"range": _RANGES[name]}))
        for name in ("in the middle", "a suffix", "beyond the object", "several")
    ),
    case(
        "GetObject",
        "two ranges of a small text",
        put("k", b"0123456789", {"content-type": "text/plain"}),
        get("k", "", {"range": "bytes=0-1,8-9"}),
    ),
    case("GetObject", "an unknown query parameter", put("k", b"x"), get("k", "x-id=GetObject&unknown=1")),
)


def _many(inner: str) -> Step:
    body = xml("Delete", inner)
    return on_bucket("POST", "delete", body, DIGESTED)


def _named(*keys: str) -> str:
    return "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)


_DELETES = (
    case("DeleteObject", "of a key that is not there", delete("none")),
    case("DeleteObject", "twice", put("k", b"x"), delete("k"), delete("k"), get("k")),
    case("DeleteObject", "in a bucket that is not there", Step("DELETE", "/{bucket}-none/k")),
    case(
        "DeleteObjects",
        "two, and one that is not there",
        put("a", b"x"),
        put("b%20b", b"x"),
        _many(_named("{prefix}a", "{prefix}b b", "{prefix}none")),
        listing("list-type=2"),
    ),
    case("DeleteObjects", "quietly", put("a", b"x"), _many("<Quiet>true</Quiet>" + _named("{prefix}a")), get("a")),
    case("DeleteObjects", "none", _many("")),
    case("DeleteObjects", "without a digest", on_bucket("POST", "delete", xml("Delete", _named("{prefix}a")))),
    case("DeleteObjects", "a body that is no XML", on_bucket("POST", "delete", b"<Delete", DIGESTED)),
    case("DeleteObjects", "more than a thousand", _many(_named(*(f"{n}" for n in range(1001))))),
    case(
        "DeleteObjects",
        "by version id",
        put("a", b"1"),
        put("a", b"2"),
        _many("<Object><Key>{prefix}a</Key><VersionId>{version:1}</VersionId></Object>"),
        listing("versions"),
        place=Place.VERSIONED,
    ),
    case(
        "DeleteObjects",
        "leaving delete markers",
        put("a", b"1"),
        _many(_named("{prefix}a")),
        listing("versions"),
        place=Place.VERSIONED,
    ),
)

_NAMES = (
    *(case("Key names", name, *_key(key)) for name, key in _KEYS.items()),
    case("Key names", "1,024 bytes", *_key(_LONG * 5)),
    case("Key names", "more than 1,024 bytes", put(_LONG * 6, b"x"), head(_LONG * 6)),
    case(
        "Key names",
        "a slash first",
        Step("PUT", "/{bucket}//k{prefix}x", {}, b"x"),
        Step("GET", "/{bucket}//k{prefix}x"),
    ),
    case(
        "Key names",
        "a key that is a prefix of another",
        put("a", b"1"),
        put("a/b", b"2"),
        get("a"),
        get("a/b"),
        listing("list-type=2"),
    ),
    case("Key names", "not UTF-8", put("%FF%FE", b"x"), head("%FF%FE")),
)

CASES: tuple[Case, ...] = (*_PUTS, *_GETS, *_DELETES, *_NAMES)
