"""Promise: the embedded store does not hide the proxy's mistakes. It refuses what the real services refuse.

Every mistake that a proxy could make towards its storage is made here, directly against the store.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

import oss2
import pytest

from sseproxy.dialect.base import Operation
from sseproxy.dialect.oss_routes import OSS_ROUTES
from sseproxy.dialect.routes import Level, RouteTable
from sseproxy.dialect.s3_routes import S3_ROUTES
from tests.support.oss_clients import oss2_bucket
from tests.support.raw_http import SIGNERS, exchange, sign, signed
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Server

_BUCKET = "strict"
_V4 = oss2.AuthV4(ACCESS_KEY, SECRET_KEY)
_AT = f"/{_BUCKET}/bad"
_MIB = 1024 * 1024

both_dialects = pytest.mark.parametrize("dialect", ["s3", "oss"])


@pytest.fixture(scope="module")
def server(store: Server) -> Server:
    """The store alone, without a proxy."""
    assert signed(store, "PUT", f"/{_BUCKET}").status == 200
    return store


@contextmanager
def _nothing_stored(server: Server) -> Iterator[None]:
    before = _rows(server)
    yield
    assert _rows(server) == before


def _rows(server: Server) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(server.data / "index.sqlite3", timeout=10)) as index:
        objects = index.execute("SELECT bucket, key, body, meta, size FROM objects ORDER BY 1, 2").fetchall()
        return objects + index.execute("SELECT upload, number, body FROM parts ORDER BY 1, 2").fetchall()


_FAULTS: Mapping[str, tuple[str, Mapping[str, str], int, str]] = {
    "Content-MD5 of other bytes": ("s3", {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, 400, "BadDigest"),
    "Content-MD5 that is none": ("s3", {"Content-MD5": "nonsense"}, 400, "InvalidDigest"),
    "checksum of other bytes": ("s3", {"x-amz-checksum-crc32c": "AAAAAA=="}, 400, "BadDigest"),
    "two checksums": (
        "s3", {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="}, 400, "InvalidRequest",
    ),
    "encryption of its own": ("s3", {"x-amz-server-side-encryption": "AES256"}, 501, "NotImplemented"),
    "too much metadata": ("s3", {"x-amz-meta-much": "x" * 2049}, 400, "MetadataTooLarge"),
    "a condition that fails": ("s3", {"If-Match": '"0"'}, 404, "NoSuchKey"),
    "OSS: Content-MD5 of other bytes": ("oss", {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, 400, "InvalidDigest"),
    "OSS: CRC-64 of other bytes": ("oss", {"x-oss-hash-crc64ecma": "1"}, 400, "InvalidCRC64"),
    "OSS: too much metadata": ("oss", {"x-oss-meta-much": "x" * 8193}, 400, "InvalidArgument"),
}  # fmt: skip


@pytest.mark.parametrize("name", _FAULTS)
def test_a_put_with_a_fault_is_refused_and_nothing_is_stored(server: Server, name: str) -> None:
    dialect, headers, status, code = _FAULTS[name]

    with _nothing_stored(server):
        answer = signed(server, "PUT", _AT, headers, b"body", dialect=dialect)

    assert answer.error[:2] == (status, code)


@both_dialects
def test_a_request_that_was_changed_after_it_was_signed_is_refused(server: Server, dialect: str) -> None:
    prefix = {"s3": "x-amz-", "oss": "x-oss-"}[dialect]
    headers = {**SIGNERS[dialect](server, "PUT", _AT, {f"{prefix}meta-a": "1"}), "Content-Length": "4"}

    with _nothing_stored(server):
        answers = [
            exchange(server, "PUT", _AT, {**headers, f"{prefix}meta-a": "2"}, b"body"),
            exchange(server, "PUT", f"{_AT}er", headers, b"body"),
            exchange(server, "PUT", f"{_AT}?tagging", headers, b"body"),
            exchange(server, "DELETE", _AT, headers, b"body"),
        ]
        unsigned = exchange(server, "PUT", _AT, {"Content-Length": "4"}, b"body")

    assert [answer.error[:2] for answer in answers] == [(403, "SignatureDoesNotMatch")] * 4
    assert unsigned.error[:2] == (403, "AccessDenied")


def test_a_payload_that_is_not_the_signed_one_is_refused(server: Server) -> None:
    headers = {**sign(server, "PUT", _AT, payload=hashlib.sha256(b"other").hexdigest()), "Content-Length": "4"}

    with _nothing_stored(server):
        assert exchange(server, "PUT", _AT, headers, b"body").error[:2] == (400, "XAmzContentSHA256Mismatch")


@pytest.mark.parametrize(
    ("dialect", "size", "code"),
    [("s3", 5 * _MIB - 1, "EntityTooSmall"), ("oss", 100 * 1024 - 1, "EntityTooSmall")],
)
def test_small_parts_wrong_etags_and_a_wrong_order_are_refused(
    server: Server, dialect: str, size: int, code: str
) -> None:
    target = f"{_AT}-{dialect}"
    upload = signed(server, "POST", f"{target}?uploads", dialect=dialect).text("UploadId")
    etags = [
        signed(server, "PUT", f"{target}?partNumber={n}&uploadId={upload}", {}, bytes(size), dialect=dialect)
        for n in (1, 2)
    ]
    etag = etags[0].headers["etag"]

    def complete(*parts: tuple[int, str]) -> tuple[int, str]:
        listed = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{one}</ETag></Part>" for n, one in parts)
        document = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        return signed(server, "POST", f"{target}?uploadId={upload}", {}, document, dialect=dialect).error[:2]

    with _nothing_stored(server):
        assert complete((1, etag), (2, etag)) == (400, code)
        assert complete((1, '"' + "0" * 32 + '"')) == (400, "InvalidPart")
        assert complete((2, etag), (1, etag)) == (400, "InvalidPartOrder")
        assert complete((3, etag)) == (400, "InvalidPart")


def test_a_condition_is_about_the_stored_bytes(server: Server) -> None:
    target = f"/{_BUCKET}/conditional"
    etag = signed(server, "PUT", target, {}, b"body").headers["etag"]

    statuses = [
        signed(server, "GET", target, {"If-Match": etag}).status,
        signed(server, "GET", target, {"If-Match": '"0"'}).status,
        signed(server, "GET", target, {"If-None-Match": etag}).status,
        signed(server, "PUT", target, {"If-None-Match": "*"}, b"other").status,
        signed(server, "PUT", target, {"x-oss-forbid-overwrite": "true"}, b"other", dialect="oss").status,
        signed(server, "GET", target, {"Range": "bytes=9-"}).status,
    ]

    assert etag == f'"{hashlib.md5(b"body").hexdigest()}"'
    assert statuses == [200, 412, 304, 412, 409, 416]
    assert signed(server, "GET", target).body == b"body"


@pytest.mark.parametrize("table", [S3_ROUTES, OSS_ROUTES], ids=["s3", "oss"])
def test_a_setting_that_the_store_does_not_know_is_never_a_listing(server: Server, table: RouteTable) -> None:
    """A listing of the store has stored sizes; the proxy passes on what it takes for the answer to a setting."""
    dialect = "s3" if table is S3_ROUTES else "oss"
    settings = {
        (route.level, name)
        for route in table.routes
        for name in route.needs
        if (route.method, route.operation) == ("GET", Operation.PASS) and route.level is not Level.OBJECT
    }

    listed = []
    for level, name in sorted(settings, key=str):
        path = f"/{_BUCKET}/" if level is Level.BUCKET else "/"
        body = _asked_in_oss(server, path, name) if dialect == "oss" else _asked_in_s3(server, f"{path}?{name}")
        if b"<ListBucketResult" in body or b"<ListAllMyBucketsResult" in body:
            listed.append(f"{path}?{name}")

    assert len(settings) > 20
    assert listed == []


def _asked_in_s3(server: Server, target: str) -> bytes:
    return exchange(server, "GET", target, sign(server, "GET", target)).body


def _asked_in_oss(server: Server, path: str, name: str) -> bytes:
    bucket = path.strip("/")
    asks = oss2_bucket(server, bucket) if bucket else oss2.Service(_V4, server.url, region=REGION)
    try:
        return bytes(asks._do("GET", bucket, "", params={name: ""}).read())
    except oss2.exceptions.ServerError as refused:
        return bytes(refused.body)
