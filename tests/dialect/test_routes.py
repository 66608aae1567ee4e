from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from sseproxy.dialect.base import Dialect, Operation
from sseproxy.dialect.oss import OSS
from sseproxy.dialect.routes import Level, RouteTable, on
from sseproxy.dialect.s3 import S3
from sseproxy.errors import FormExpected, MethodNotAllowed, RequestError, UnsupportedFeature

BOTH = pytest.mark.parametrize("dialect", [S3, OSS], ids=lambda dialect: dialect.name)
LEVELS: dict[str, tuple[str | None, str | None]] = {"/": (None, None), "/b": ("b", None), "/b/k": ("b", "k")}
SHARED = """
GET /                                 LIST_BUCKETS
GET /?prefix=a                        LIST_BUCKETS
PUT /b                                CREATE_BUCKET
HEAD /b                               HEAD_BUCKET
DELETE /b                             DELETE_BUCKET
GET /b                                LIST_OBJECTS
GET /b?prefix=&delimiter=%2F&max-keys=100&encoding-type=url&marker=   LIST_OBJECTS
GET /b?list-type=2&continuation-token=&start-after=&fetch-owner=false LIST_OBJECTS
GET /b?versions=                      LIST_VERSIONS
GET /b?versions&key-marker=a&version-id-marker=b  LIST_VERSIONS
GET /b?uploads&max-uploads=1000       LIST_UPLOADS
POST /b?delete                        DELETE_OBJECTS
POST /b?delete&encoding-type=url      DELETE_OBJECTS
GET /b?encryption                     GET_BUCKET_ENCRYPTION
PUT /b?encryption                     PUT_BUCKET_ENCRYPTION
DELETE /b?encryption                  DELETE_BUCKET_ENCRYPTION
GET /b?acl                            PASS
PUT /b?lifecycle                      PASS
DELETE /b?cors                        PASS
GET /b?location=                      PASS
GET /b?inventory&id=x                 PASS
PUT /b?versioning                     PASS
GET /b?unheard-of                     REFUSE
GET /b?unheard-of=1                   REFUSE
DELETE /b?unheard-of                  REFUSE
PUT /b?Encryption                     REFUSE
POST /b                               REFUSE
PUT /b/k                              PUT_OBJECT
GET /b/k                              GET_OBJECT
GET /b/k?versionId=1                  GET_OBJECT
GET /b/k?response-content-type=text%2Fplain&versionId=null  GET_OBJECT
GET /b/k?cache-buster=17              GET_OBJECT
HEAD /b/k                             HEAD_OBJECT
HEAD /b/k?versionId=1                 HEAD_OBJECT
DELETE /b/k                           DELETE_OBJECT
DELETE /b/k?versionId=1               DELETE_OBJECT
POST /b/k?uploads=                    CREATE_UPLOAD
POST /b/k?uploads&encoding-type=url   CREATE_UPLOAD
PUT /b/k?partNumber=1&uploadId=u      UPLOAD_PART
PUT /b/k?uploadId=u                   UPLOAD_PART
PUT /b/k?partNumber=1                 UPLOAD_PART
POST /b/k?uploadId=u                  COMPLETE_UPLOAD
DELETE /b/k?uploadId=u                ABORT_UPLOAD
GET /b/k?uploadId=u&max-parts=2&part-number-marker=1  LIST_PARTS
GET /b/k?tagging                      PASS
PUT /b/k?tagging&versionId=1          PASS
DELETE /b/k?tagging                   PASS
GET /b/k?acl                          PASS
PUT /b/k?acl                          PASS
GET /b/k?acl&tagging                  PASS
POST /b/k?restore                     PASS
PUT /b/k?restore                      REFUSE
POST /b/k?tagging                     REFUSE
HEAD /b/k?tagging                     REFUSE
GET /b/k?tagging&uploadId=u           REFUSE
GET /b/k?unheard-of                   REFUSE
GET /b/k?unheard-of=                  REFUSE
GET /b/k?Tagging                      REFUSE
GET /b/k?uploads                      REFUSE
PUT /b/k?unheard-of                   REFUSE
POST /b/k?unheard-of                  REFUSE
GET /b/k?tagging&unheard-of           REFUSE
POST /b/k?select                      REFUSE
POST /b/k                             REFUSE
PATCH /b/k                            REFUSE
HEAD /                                REFUSE
POST /                                REFUSE
OPTIONS /b/k                          PASS
OPTIONS /b                            PASS
"""
ONLY_S3 = """
GET /b/k?x-id=GetObject               GET_OBJECT
PUT /b/k?x-id=PutObject               PUT_OBJECT
PUT /b/k?x-amz-acl=private&X-Amz-Meta-A=1  PUT_OBJECT
GET /b/k?partNumber=3                 GET_OBJECT
HEAD /b/k?partNumber=3                HEAD_OBJECT
GET /b?policyStatus                   PASS
PUT /b?object-lock                    PASS
GET /b?intelligent-tiering&id=x       PASS
POST /b?metadataTable                 PASS
GET /b?session                        REFUSE
GET /b?list-type=2&metadata=true      REFUSE
GET /b?events=s3%3AObjectCreated%3A*&prefix=  REFUSE
GET /b/k?retention                    PASS
PUT /b/k?legal-hold                   PASS
GET /b/k?attributes                   GET_OBJECT_ATTRIBUTES
GET /b/k?torrent                      REFUSE
GET /b/k?annotation                   REFUSE
PUT /b/k?annotation                   REFUSE
PUT /b/k?renameObject                 REFUSE
PUT /b/k?encryption                   UPDATE_ENCRYPTION
POST /b/k?select&select-type=2        REFUSE
PUT /b/k?x-amz-copy-source=%2Fb%2Fa   REFUSE
PUT /b/k?x-amz-write-offset-bytes=0   REFUSE
GET /b/k?symlink                      REFUSE
"""
ONLY_OSS = """
HEAD /b/k?objectMeta                  GET_OBJECT_META
HEAD /b/k?objectMeta=&versionId=1     GET_OBJECT_META
GET /b/k?objectMeta                   REFUSE
GET /?regions                         PASS
GET /b?bucketInfo                     GET_BUCKET_INFO
GET /b?stat                           PASS
PUT /b?cname&comp=add                 PASS
POST /b?wormExtend&wormId=1           PASS
POST /b?x-oss-batchGet                REFUSE
POST /b?asyncFetch                    REFUSE
GET /b?asyncFetch                     PASS
PUT /b?accessmonitor                  PASS
GET /b?quota                          PASS
POST /b?metadataConfiguration         PASS
PUT /b/k?symlink                      PASS
GET /b/k?symlink                      PASS
POST /b/k?uploads&sequential          CREATE_UPLOAD
GET /b/k?x-oss-traffic-limit=819200   GET_OBJECT
PUT /b/k?x-oss-request-payer=requester  PUT_OBJECT
GET /b/k?x-oss-process=image%2Fresize REFUSE
POST /b/k?x-oss-process               REFUSE
POST /b/k?x-oss-async-process         REFUSE
GET /b/k?x-oss-of-tomorrow=1          REFUSE
POST /b/k?append=&position=0          APPEND_OBJECT
POST /b/k?seal&position=5             REFUSE
PUT /b/k?callback=e30%3D              REFUSE
POST /b/k?uploadId=u&callback=e30%3D  REFUSE
PUT /b/k?live                         REFUSE
GET /b/k?attributes                   REFUSE
"""


def _lines(table: str) -> list[tuple[str, str, str]]:
    return [(method, target, operation) for method, target, operation in map(str.split, table.strip().splitlines())]


def _route(dialect: Dialect, method: str, target: str, headers: dict[str, str] | None = None) -> Operation:
    path, _, query = target.partition("?")
    pairs = CIMultiDict(parse_qsl(query, keep_blank_values=True))
    return dialect.route(method, *LEVELS[path], pairs, CIMultiDict(headers or {}))


def _refusal(dialect: Dialect, method: str, target: str, headers: dict[str, str] | None = None) -> RequestError:
    path, _, query = target.partition("?")
    pairs = CIMultiDict(parse_qsl(query, keep_blank_values=True))
    return dialect.refusal(method, *LEVELS[path], pairs, CIMultiDict(headers or {}))


@pytest.mark.parametrize(
    ("dialect", "method", "target", "operation"),
    [
        *((dialect, *line) for dialect in (S3, OSS) for line in _lines(SHARED)),
        *((S3, *line) for line in _lines(ONLY_S3)),
        *((OSS, *line) for line in _lines(ONLY_OSS)),
    ],
)
def test_a_request_is_told_by_method_level_and_sub_resource(
    dialect: Dialect, method: str, target: str, operation: str
) -> None:
    assert _route(dialect, method, target).name == operation


@BOTH
@pytest.mark.parametrize(
    ("target", "operation"),
    [("/b/k", Operation.COPY_OBJECT), ("/b/k?partNumber=1&uploadId=u", Operation.UPLOAD_PART_COPY)],
)
def test_a_copy_source_makes_a_write_a_copy(dialect: Dialect, target: str, operation: Operation) -> None:
    assert _route(dialect, "PUT", target, {dialect.header("Copy-Source"): "/b/a"}) is operation


@BOTH
def test_a_copy_source_changes_nothing_else(dialect: Dialect) -> None:
    headers = {dialect.header("copy-source"): "/b/a"}

    assert _route(dialect, "PUT", "/b/k?tagging", headers) is Operation.PASS
    assert _route(dialect, "GET", "/b/k", headers) is Operation.GET_OBJECT


@pytest.mark.parametrize(
    ("dialect", "name"),
    [
        (S3, "x-amz-write-offset-bytes"),
        (S3, "X-Amz-Rename-Source"),
        (OSS, "x-oss-callback"),
    ],
)
def test_a_header_that_reaches_for_stored_bytes_is_refused_by_name(dialect: Dialect, name: str) -> None:
    target = "/b/k?partNumber=1&uploadId=u"

    assert _route(dialect, "PUT", target, {name: "1"}) is Operation.REFUSE
    assert _refusal(dialect, "PUT", target, {name: "1"}).details == {"Header": name.lower()}


@BOTH
def test_an_html_form_goes_to_a_bucket_and_nowhere_else(dialect: Dialect) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}

    assert _route(dialect, "POST", "/b", headers) is Operation.POST_OBJECT
    assert isinstance(_refusal(dialect, "POST", "/b/k", headers), MethodNotAllowed)
    assert isinstance(_refusal(dialect, "POST", "/b"), FormExpected)


@BOTH
@pytest.mark.parametrize(
    ("method", "target", "kind", "allowed"),
    [
        ("PATCH", "/b/k", "OBJECT", "DELETE, GET, HEAD, PUT"),
        ("POST", "/b/k", "OBJECT", "DELETE, GET, HEAD, PUT"),
        ("POST", "/", "SERVICE", "GET"),
        ("POST", "/b/k?tagging", "OBJECT", "DELETE, GET, PUT"),
        ("PUT", "/b/k?uploads", "OBJECT", "POST"),
    ],
)
def test_a_wrong_method_is_told_as_such(dialect: Dialect, method: str, target: str, kind: str, allowed: str) -> None:
    refusal = _refusal(dialect, method, target)

    assert isinstance(refusal, MethodNotAllowed)
    assert refusal.details == {"Method": method, "ResourceType": kind}
    assert refusal.headers == {"Allow": allowed}


def test_where_every_method_is_refused_none_is_allowed() -> None:
    refusal = _refusal(OSS, "DELETE", "/b/k?x-oss-process")

    assert isinstance(refusal, MethodNotAllowed)
    assert refusal.headers == {}


@BOTH
def test_an_unknown_sub_resource_is_named_and_cut_short(dialect: Dialect) -> None:
    refusal = _refusal(dialect, "GET", "/b/k?" + "n" * 5000)

    assert isinstance(refusal, UnsupportedFeature)
    assert refusal.details == {"ArgumentName": "n" * 64}


@BOTH
def test_a_known_but_unsupported_sub_resource_is_named(dialect: Dialect) -> None:
    refusal = _refusal(dialect, "POST", "/b/k?seal&position=0")

    assert isinstance(refusal, UnsupportedFeature | MethodNotAllowed)


def test_an_operation_that_is_never_refused_has_a_reason_all_the_same() -> None:
    assert isinstance(_refusal(S3, "GET", "/b/k?torrent"), UnsupportedFeature)
    assert "torrent" in _refusal(S3, "GET", "/b/k?torrent").message


def test_a_table_with_the_same_line_twice_is_refused() -> None:
    line = on("GET", Level.OBJECT, to=Operation.GET_OBJECT)

    with pytest.raises(ValueError, match="same"):
        RouteTable(
            routes=(line, line),
            parameters={level: frozenset() for level in Level},
            prefixes=(),
            closed_prefixes=(),
            copy_source_header="x",
            copies={},
            refused_headers=frozenset(),
        )


@given(
    dialect=st.sampled_from([S3, OSS]),
    method=st.sampled_from(["GET", "PUT", "POST", "HEAD", "DELETE", "PATCH"]),
    level=st.sampled_from(sorted(LEVELS)),
    name=st.text(max_size=12),
)
def test_no_sub_resource_outside_the_tables_is_ever_passed_on(
    dialect: Dialect, method: str, level: str, name: str
) -> None:
    query = CIMultiDict({f"zz{name}": ""})

    assert dialect.route(method, *LEVELS[level], query, CIMultiDict()) is Operation.REFUSE
