"""Promise: an error answer of OSS has the service's shape, with a body, without one, and while a body is sent (OSS dossier §3.1, §3.2)."""

import base64
import re
import socket
from collections.abc import Mapping
from xml.etree.ElementTree import fromstring

import pytest

from tests.support.raw_http import Answer, connect, exchange, head_bytes, read_answer, sign_oss, signed
from tests.support.servers import Server

_BUCKET = "oss-error-answers"
_AT = f"/{_BUCKET}/k"
_GIB = 1 << 30
_UPLOADS = (("PUT", ""), ("PUT", "?partNumber=1&uploadId={upload}"), ("POST", "?append&position=0"))


@pytest.fixture(scope="module")
def server(dev: Server) -> Server:
    assert signed(dev, "PUT", f"/{_BUCKET}", dialect="oss").status == 200
    assert _oss(dev, "PUT", _AT, body=b"stored").status == 200
    return dev


def _oss(
    server: Server, method: str, target: str, headers: Mapping[str, str] | None = None, *, body: bytes = b""
) -> Answer:
    return signed(server, method, target, headers, body, dialect="oss")


def _texts(document: bytes) -> dict[str, str]:
    root = fromstring(document)
    assert root.tag == "Error"  # without a namespace: SDKs would not find it
    return {child.tag: child.text or "" for child in root}


ERRORS: Mapping[str, tuple[str, dict[str, str], int, dict[str, str]]] = {
    "no key": (f"/{_BUCKET}/none", {}, 404, {"Code": "NoSuchKey", "Key": "none"}),
    "no bucket": ("/no-such-bucket-at-all/k", {}, 404, {"Code": "NoSuchBucket", "BucketName": "no-such-bucket-at-all"}),
    "no version": (f"{_AT}?versionId={'0' * 32}", {}, 404, {"Code": "NoSuchVersion", "VersionId": "0" * 32}),
    "condition": (_AT, {"If-Match": '"0"'}, 412, {"Code": "PreconditionFailed", "Condition": "If-Match"}),
    "range": (_AT, {"Range": "bytes=9-", "x-oss-range-behavior": "standard"}, 416, {"Code": "InvalidRange"}),
    "name": (f"/{_BUCKET}/%2Fk", {}, 400, {"Code": "InvalidObjectName"}),
    "encryption": (
        _AT, {"x-oss-server-side-encryption": "KMS"}, 400,
        {"Code": "InvalidArgument", "ArgumentName": "x-oss-server-side-encryption", "ArgumentValue": "KMS"},
    ),
    "signature": (_AT, {"Authorization": "OSS sseproxy-dev:x"}, 403, {"Code": "SignatureDoesNotMatch"}),
    "key": (_AT, {"Authorization": "OSS nobody:x"}, 403, {"Code": "InvalidAccessKeyId", "OSSAccessKeyId": "nobody"}),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_has_a_document_and_on_head_in_a_header(server: Server, name: str) -> None:
    target, headers, status, told = ERRORS[name]

    def ask(method: str) -> Answer:
        own = {field: headers[field] for field in headers if field == "Authorization"}
        return exchange(server, method, target, {**sign_oss(server, method, target, headers), **own})

    get, head = ask("GET"), ask("HEAD")
    shown, beside = _texts(get.body), _texts(base64.b64decode(head.headers["x-oss-err"]))

    assert get.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<Error>')
    assert list(shown)[:2] == ["Code", "Message"]
    for answer, texts in ((get, shown), (head, beside)):
        assert (answer.status, answer.headers["content-type"]) == (status, "application/xml")
        assert {element: texts[element] for element in told} == told
        assert re.fullmatch("[0-9A-F]{24}", texts["RequestId"])
        assert (texts["RequestId"], texts["HostId"]) == (
            answer.headers["x-oss-request-id"], f"{server.host}:{server.port}"
        )  # fmt: skip
    assert (head.body, "x-oss-err" in get.headers) == (b"", False)
    assert shown["Message"] == beside["Message"] != ""


def test_an_anonymous_request_is_refused_in_oss_words(server: Server) -> None:
    answer = exchange(server, "GET", _AT, {"x-oss-date": "x"})

    assert answer.error == (403, "AccessDenied", "Anonymous user has no right to access this bucket.")


@pytest.mark.parametrize(("method", "query"), _UPLOADS)
def test_a_body_beyond_what_can_be_stored_is_refused_before_it_is_sent(server: Server, method: str, query: str) -> None:
    base = f"/{_BUCKET}/large"
    upload = _oss(server, "POST", f"{base}?uploads").text("UploadId")
    target = base + query.format(upload=upload)
    announced = {"Content-Length": str(5 * _GIB + 1), "Expect": "100-continue"}

    answer = exchange(server, method, target, {**sign_oss(server, method, target), **announced})

    assert answer.error == (400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size.")
    assert answer.headers["connection"] == "close"
    assert _oss(server, "HEAD", base).status == 404


@pytest.mark.parametrize("sent", [0, 10, 2 << 20])
@pytest.mark.parametrize(("method", "query"), _UPLOADS)
def test_a_body_that_breaks_off_stores_nothing(server: Server, method: str, query: str, sent: int) -> None:
    base = f"/{_BUCKET}/broken"
    upload = _oss(server, "POST", f"{base}?uploads").text("UploadId")
    target = base + query.format(upload=upload)
    headers = {**sign_oss(server, method, target), "Content-Length": str(sent + 1000)}

    with connect(server) as connection:
        connection.sendall(head_bytes(server, method, target, headers) + b"x" * sent)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass

    assert _oss(server, "HEAD", base).status == 404
    parts = _oss(server, "GET", f"{base}?uploadId={upload}")
    assert (parts.status, b"<Part>" in parts.body) == (200, False)
    assert _oss(server, "DELETE", f"{base}?uploadId={upload}").status == 204


@pytest.mark.parametrize("name", ["Content-MD5", "x-oss-hash-crc64ecma"])
@pytest.mark.parametrize("size", [4, 2 << 20])
def test_a_refused_body_that_was_read_leaves_the_connection_open(server: Server, name: str, size: int) -> None:
    target = f"/{_BUCKET}/digest"
    wrong = {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg==", "x-oss-hash-crc64ecma": "1"}[name]
    headers = {**sign_oss(server, "PUT", target, {name: wrong}), "Content-Length": str(size)}

    with connect(server) as connection:
        connection.sendall(head_bytes(server, "PUT", target, headers) + b"x" * size)
        refused = read_answer(connection)
        connection.sendall(head_bytes(server, "GET", _AT, sign_oss(server, "GET", _AT)))
        after = read_answer(connection)

    assert refused.error[:2] == (400, {"Content-MD5": "InvalidDigest", "x-oss-hash-crc64ecma": "InvalidCRC64"}[name])
    assert (after.status, after.body) == (200, b"stored")
    assert _oss(server, "HEAD", target).status == 404
