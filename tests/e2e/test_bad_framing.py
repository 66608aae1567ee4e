"""Promise: what others might read differently, or could not end, is refused; and nothing of it is stored."""

import re
import socket
from collections.abc import Mapping

import pytest

from tests.e2e.test_bad_input import check_headers, nothing_stored
from tests.support.raw_http import Answer, connect, exchange, head_bytes, read_answer, send_raw, sign, sign_oss, signed
from tests.support.servers import Server, s3_client

_BUCKET = "bad-framing"
_AT = f"/{_BUCKET}/bad"
_MIB = 1024 * 1024
_PARSING = (400, "BadRequest", "An error occurred when parsing the HTTP request.")
_TOO_LARGE = "Your proposed upload exceeds the maximum allowed size"


@pytest.fixture(scope="module")
def server(dev: Server) -> Server:
    s3_client(dev).create_bucket(Bucket=_BUCKET)
    return dev


@pytest.mark.parametrize(
    "framing",
    [
        {"Content-Length": "4", "Transfer-Encoding": "chunked"},
        {"Transfer-Encoding": "gzip, chunked"},
        {"Transfer-Encoding": "identity", "Content-Length": "4"},
        {"Transfer-Encoding": "xchunked"},
        {"Content-Length": "-4"},
        {"Content-Length": "+4"},
        {"Content-Length": "4, 4"},
        {"Content-Length": "4\r\nContent-Length: 5"},
        {"Content-Length": "4", "X-Folded": "a\r\n b"},
        {"Content-Length": "4", "Host": "one\r\nHost: two"},
    ],
    ids=str,
)
def test_framing_that_can_be_read_in_two_ways_is_refused(server: Server, framing: Mapping[str, str]) -> None:
    with nothing_stored(server), connect(server) as connection:
        connection.sendall(head_bytes(server, "PUT", _AT, {**sign(server, "PUT", _AT), **framing}) + b"body")
        answer = read_answer(connection)
        behind = connection.recv(1)

    assert answer.error == _PARSING
    assert behind == b""  # the connection has ended: the rest of it is nobody's request
    check_headers(answer, "s3")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GARBAGE\r\n\r\n",
        b"GET /x HTTP/1.1\r\n\r\n",
        b"GET /x HTTP/1.1\nHost: a\n\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PUT /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    ],
    ids=["no HTTP", "no Host", "bare line feeds", "a long target", "chunked in HTTP/1.0"],
)
def test_what_is_no_http_gets_a_document_all_the_same(server: Server, request_bytes: bytes) -> None:
    answer = send_raw(server, request_bytes)

    assert answer.error == _PARSING
    check_headers(answer, "s3")


@pytest.mark.parametrize("target", ["http://elsewhere/x", "/x#fragment", "x"])
def test_a_target_that_names_no_resource_here_is_refused(server: Server, target: str) -> None:
    answer = send_raw(server, f"GET {target} HTTP/1.1\r\nHost: here\r\n\r\n".encode())

    assert answer.status == 400
    assert answer.text("Code") in {"InvalidURI", "BadRequest"}
    check_headers(answer, "s3")


def test_an_unknown_expectation_is_refused(server: Server) -> None:
    headers = {**sign(server, "PUT", _AT), "Content-Length": "4", "Expect": "200-ok"}

    with nothing_stored(server):
        answer = exchange(server, "PUT", _AT, headers, b"body")

    assert answer.error == (417, "ExpectationFailed", "The expectation in the Expect header is not supported.")


@pytest.mark.parametrize(
    ("headers", "body"),
    [({"Transfer-Encoding": "chunked"}, b"4\r\nbody\r\n0\r\n\r\n"), ({}, b"")],
    ids=["chunked", "neither"],
)
def test_an_upload_without_length_is_refused_in_s3(server: Server, headers: Mapping[str, str], body: bytes) -> None:
    with nothing_stored(server):
        answer = exchange(server, "PUT", _AT, {**sign(server, "PUT", _AT), **headers}, body)

    assert answer.error == (411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    check_headers(answer, "s3")


def test_a_chunked_upload_is_taken_in_oss(server: Server) -> None:
    target = f"/{_BUCKET}/chunked"
    headers = {**sign_oss(server, "PUT", target), "Transfer-Encoding": "chunked"}

    answer = exchange(server, "PUT", target, headers, b"4\r\nbody\r\n0\r\n\r\n")

    assert answer.status == 200
    assert signed(server, "GET", target, dialect="oss").body == b"body"


@pytest.mark.parametrize("body", [b"4\r\nbody\r\n", b"4\r\nbodyX0\r\n\r\n", b"zz\r\nbody\r\n0\r\n\r\n"])
def test_a_chunked_upload_that_does_not_end_well_stores_nothing(server: Server, body: bytes) -> None:
    headers = {**sign_oss(server, "PUT", _AT), "Transfer-Encoding": "chunked"}

    with nothing_stored(server), connect(server) as connection:
        connection.sendall(head_bytes(server, "PUT", _AT, headers) + body)
        connection.shutdown(socket.SHUT_WR)
        _read_to_the_end(connection)


def test_a_body_beyond_what_can_be_stored_is_refused_before_it_is_sent(server: Server) -> None:
    headers = {**sign(server, "PUT", _AT), "Content-Length": str(5 * 1024 * _MIB), "Expect": "100-continue"}

    with nothing_stored(server):
        answer = exchange(server, "PUT", _AT, headers)

    assert answer.error == (400, "EntityTooLarge", _TOO_LARGE)
    assert answer.text("ProposedSize") == str(5 * 1024 * _MIB)
    assert int(answer.text("MaxSizeAllowed")) < 5 * 1024 * _MIB
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("sent", [0, 10, 2 * _MIB])
def test_a_body_shorter_than_announced_stores_nothing(server: Server, sent: int) -> None:
    headers = {**sign(server, "PUT", _AT), "Content-Length": str(sent + 1000)}

    with nothing_stored(server), connect(server) as connection:
        connection.sendall(head_bytes(server, "PUT", _AT, headers) + b"x" * sent)
        connection.shutdown(socket.SHUT_WR)
        _read_to_the_end(connection)


def test_a_body_longer_than_announced_is_not_taken_for_another_request(server: Server) -> None:
    target = f"/{_BUCKET}/longer"
    inner = head_bytes(server, "PUT", _AT, {**sign(server, "PUT", _AT), "Content-Length": "0", "Connection": "close"})
    headers = {**sign(server, "PUT", target), "Content-Length": "4", "Connection": "close"}

    with connect(server) as connection:
        connection.sendall(head_bytes(server, "PUT", target, headers) + b"body" + inner)
        read_answer(connection)  # taken, or refused as no HTTP: that depends on how the bytes arrive
        behind = _read_to_the_end(connection)

    assert behind == b""
    assert signed(server, "HEAD", _AT).status == 404


def test_a_refused_upload_gets_no_100_continue_and_its_connection_ends(server: Server) -> None:
    request = head_bytes(server, "PUT", _AT, {"Content-Length": "5", "Expect": "100-continue"})

    with nothing_stored(server), connect(server) as connection:
        connection.sendall(request)
        answer = read_answer(connection)
        connection.shutdown(socket.SHUT_WR)
        behind = connection.recv(1)

    assert answer.error == (403, "AccessDenied", "Access Denied")
    assert answer.headers["connection"] == "close"
    assert behind == b""


@pytest.mark.parametrize("body", [b"hello", b""])  # botocore that is not asked for an empty body loses count
def test_an_accepted_upload_gets_100_continue_before_its_body(server: Server, body: bytes) -> None:
    target = f"/{_BUCKET}/waited"
    headers = {**sign(server, "PUT", target), "Content-Length": str(len(body)), "Expect": "100-continue"}

    with connect(server) as connection:
        connection.sendall(head_bytes(server, "PUT", target, headers))
        first = connection.recv(25)
        connection.sendall(body)
        answer = read_answer(connection)

    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.status == 200
    assert signed(server, "GET", target).body == body


@pytest.mark.parametrize(
    "key", ["a//b", "a%2Fb", "../up", "a/../b", "a+b", "a%20b", "%C3%A9", "a/", ".", "%25", "a%00b", "/a", "%ff"]
)
def test_keys_are_taken_as_they_are_written(server: Server, key: str) -> None:
    target = f"/{_BUCKET}/odd/{key}"

    put = signed(server, "PUT", target, {}, key.encode())
    got = signed(server, "GET", target)

    assert (put.status, got.status, got.body) == (200, 200, key.encode())


@pytest.mark.parametrize("dialect", ["s3", "oss"])
def test_a_key_that_xml_cannot_tell_goes_through_every_operation(server: Server, dialect: str) -> None:
    bucket = f"{_BUCKET}-{dialect}"
    target, source = f"/{bucket}/a%01b%1F.txt", {"s3": "x-amz-copy-source", "oss": "x-oss-copy-source"}[dialect]
    signed(server, "PUT", f"/{bucket}", dialect=dialect)

    def ask(method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        answer = signed(server, method, target, headers, body, dialect=dialect)
        assert answer.status in {200, 204}, answer.error
        return answer

    ask("PUT", target, {}, b"whole")
    ask("PUT", f"{target}c", {source: target})
    upload = ask("POST", f"{target}?uploads")
    part = f"{target}?partNumber=1&uploadId={upload.text('UploadId')}"
    etag = ask("PUT", part, {}, b"parts").headers["etag"]
    parts = ask("GET", f"{target}?uploadId={upload.text('UploadId')}")
    document = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    )
    done = ask("POST", f"{target}?uploadId={upload.text('UploadId')}", {}, document.encode())
    listed = ask("GET", f"/{bucket}/")

    assert {answer.text("Key") for answer in (upload, parts, done)} == {"a&#1;b&#31;.txt"}
    assert parts.text("Size") == "5"
    assert re.findall(rb"<Key>([^<]*)</Key>", listed.body) == [b"a&#x1;b&#x1f;.txt", b"a&#x1;b&#x1f;.txtc"]
    assert re.findall(rb"<Size>([^<]*)</Size>", listed.body) == [b"5", b"5"]
    assert (ask("GET", target).body, ask("GET", f"{target}c").body) == (b"parts", b"whole")


def test_a_connection_header_cannot_strip_what_protects_an_object(server: Server) -> None:
    target = f"/{_BUCKET}/stripped"
    headers = {"Connection": "x-amz-meta-sseproxy, Authorization, Host", "Content-Length": "4"}

    put = exchange(server, "PUT", target, {**sign(server, "PUT", target), **headers}, b"body")
    got = signed(server, "GET", target)

    assert (put.status, got.status, got.body) == (200, 200, b"body")
    assert got.headers["x-amz-server-side-encryption"] == "AES256"


def _read_to_the_end(connection: socket.socket) -> bytes:
    """Return whatever comes until the server ends the connection."""
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received
