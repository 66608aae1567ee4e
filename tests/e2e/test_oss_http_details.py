"""Promise: the HTTP that OSS clients really speak is understood, byte by byte (OSS dossier §9)."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote

import pytest

from tests.support.raw_http import (
    Answer,
    connect,
    exchange,
    head_bytes,
    read_answer,
    send_raw,
    sign_oss,
    signed,
)
from tests.support.servers import ACCESS_KEY, SECRET_KEY, Server

_BUCKET = "http-details"
_AT = f"/{_BUCKET}/k"
_DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT")
_NO_LENGTH = (411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
_EMPTY_MD5 = "1B2M2Y8AsgTpgAmY7PhCfg=="


@pytest.fixture(scope="module")
def server(dev: Server) -> Server:
    assert signed(dev, "PUT", f"/{_BUCKET}", dialect="oss").status == 200
    assert _oss(dev, "PUT", _AT, {"Content-Type": "text/plain"}, b"stored").status == 200
    return dev


def _oss(
    server: Server, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Answer:
    return signed(server, method, target, headers, body, dialect="oss")


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest().upper()}"'


# ---- lengths ----


@pytest.mark.parametrize(
    ("framed", "body"),
    [
        (b"0\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5;ext=1\r\nhello\r\n00\r\nX-Trailer: 1\r\n\r\n", b"hello"),
    ],
    ids=["no bytes", "bytes", "extension and trailer"],
)
def test_a_chunked_upload_may_be_empty(server: Server, framed: bytes, body: bytes) -> None:
    target = f"/{_BUCKET}/chunked-{len(framed)}"
    put = exchange(server, "PUT", target, {**sign_oss(server, "PUT", target), "Transfer-Encoding": "chunked"}, framed)
    head = _oss(server, "HEAD", target)

    assert (put.status, put.headers["etag"]) == (200, _etag(body))
    assert (head.headers["content-length"], head.headers["etag"]) == (str(len(body)), _etag(body))
    assert put.headers["x-oss-hash-crc64ecma"] == head.headers["x-oss-hash-crc64ecma"]
    assert _oss(server, "GET", target).body == body


def test_a_chunked_part_and_a_chunked_append_may_be_empty_too(server: Server) -> None:
    parted, appended = f"/{_BUCKET}/parted", f"/{_BUCKET}/appended?append&position=0"
    upload = _oss(server, "POST", f"{parted}?uploads").text("UploadId")
    part = f"{parted}?partNumber=1&uploadId={upload}"
    chunked = {"Transfer-Encoding": "chunked"}

    answers = [
        exchange(server, method, target, {**sign_oss(server, method, target), **chunked}, b"0\r\n\r\n")
        for method, target in (("PUT", part), ("POST", appended))
    ]

    assert [(answer.status, answer.headers["x-oss-hash-crc64ecma"]) for answer in answers] == [(200, "0"), (200, "0")]
    assert (answers[0].headers["etag"], answers[1].headers["x-oss-next-append-position"]) == (_etag(b""), "0")


@pytest.mark.parametrize(
    ("method", "query"), [("PUT", ""), ("PUT", "?partNumber=1&uploadId=x"), ("POST", "?append&position=0")]
)
def test_an_upload_that_says_nothing_of_its_length_is_refused(server: Server, method: str, query: str) -> None:
    target = f"/{_BUCKET}/unsaid{query}"

    assert exchange(server, method, target, sign_oss(server, method, target)).error == _NO_LENGTH


def test_requests_without_a_body_need_no_length(server: Server) -> None:
    copy = {"x-oss-copy-source": _AT}
    upload = exchange(server, "POST", f"/{_BUCKET}/p?uploads", sign_oss(server, "POST", f"/{_BUCKET}/p?uploads"))
    target = f"/{_BUCKET}/copied"
    copied = exchange(server, "PUT", target, sign_oss(server, "PUT", target, copy))

    assert (upload.status, copied.status) == (200, 200)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_the_digest_of_nothing_is_accepted_where_there_is_no_body(server: Server, method: str) -> None:
    assert _oss(server, method, f"/{_BUCKET}/none", {"Content-MD5": _EMPTY_MD5}).status in {204, 404}


@pytest.mark.parametrize("leftover", [b"o", b"\xc3\xbc"])
def test_a_body_that_is_longer_than_its_length_spoils_no_other_request(server: Server, leftover: bytes) -> None:
    target = f"/{_BUCKET}/longer"  # the v2 SDK counts characters where it should count bytes
    request = head_bytes(server, "PUT", target, {**sign_oss(server, "PUT", target), "Content-Length": "4"})
    behind = head_bytes(server, "DELETE", target, {**sign_oss(server, "DELETE", target), "Connection": "close"})

    with connect(server) as connection:
        connection.sendall(request + b"body")
        first = read_answer(connection)
        connection.sendall(leftover + behind)
        second = read_answer(connection)
        rest = connection.recv(1)

    assert (first.status, second.error[:2], rest) == (200, (400, "BadRequest"), b"")
    assert _oss(server, "GET", target).body == b"body"


# ---- Expect ----


@pytest.mark.parametrize("expect", ["100-continue", "100-Continue"])
def test_an_accepted_upload_is_told_to_continue(server: Server, expect: str) -> None:
    headers = {**sign_oss(server, "PUT", _AT), "Content-Length": "6", "Expect": expect}

    with connect(server) as connection:
        connection.sendall(head_bytes(server, "PUT", _AT, headers))
        first = connection.recv(25)
        connection.sendall(b"stored")
        answer = read_answer(connection)

    assert (first, answer.status) == (b"HTTP/1.1 100 Continue\r\n\r\n", 200)


def test_a_chunked_upload_is_told_to_continue_as_well(server: Server) -> None:
    target = f"/{_BUCKET}/piped"  # what curl sends of its standard input
    headers = {**sign_oss(server, "PUT", target), "Transfer-Encoding": "chunked", "Expect": "100-continue"}

    with connect(server) as connection:
        connection.sendall(head_bytes(server, "PUT", target, headers))
        first = connection.recv(25)
        connection.sendall(b"5\r\npiped\r\n0\r\n\r\n")
        answer = read_answer(connection)

    assert (first, answer.status) == (b"HTTP/1.1 100 Continue\r\n\r\n", 200)
    assert _oss(server, "GET", target).body == b"piped"


def test_an_empty_expectation_expects_nothing(server: Server) -> None:
    headers = {**sign_oss(server, "PUT", _AT), "Content-Length": "6", "Expect": ""}

    with connect(server) as connection:
        connection.sendall(head_bytes(server, "PUT", _AT, headers) + b"stored")
        first = connection.recv(15)

    assert first == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    ("query", "headers", "error"),
    [
        ("", {"Authorization": f"OSS nobody:{'A' * 27}="}, (403, "InvalidAccessKeyId")),
        ("", {"x-oss-server-side-encryption": "ROT13"}, (400, "InvalidEncryptionAlgorithmError")),
        ("?partNumber=0&uploadId=x", {}, (400, "InvalidArgument")),
    ],
    ids=["key", "encryption", "part"],
)
def test_a_refused_upload_is_told_so_instead_of_continue(
    server: Server, query: str, headers: dict[str, str], error: tuple[int, str]
) -> None:
    target = f"/{_BUCKET}/refused{query}"
    own = {"Authorization": headers["Authorization"]} if "Authorization" in headers else {}
    head = {**sign_oss(server, "PUT", target, {} if own else headers), **own}

    answer = send_raw(
        server, head_bytes(server, "PUT", target, {**head, "Content-Length": "9", "Expect": "100-continue"})
    )

    assert answer.error[:2] == error
    assert answer.headers["connection"] == "close"


# ---- targets and header values ----


@pytest.mark.parametrize(
    "raw_key",
    ["a%2Fb", "a/b%2bc", "a+b", "a%20b", "//a", "a//b", "a/../b", "./a", "%C3%A9", "%c3%a9x", "%25", "a%3Fb", "a&b=c"],
)
def test_a_key_is_what_the_target_says_decoded_once(server: Server, raw_key: str) -> None:
    target = f"/{_BUCKET}/raw/{raw_key}"

    assert _oss(server, "PUT", target, {}, raw_key.encode()).status == 200
    assert _oss(server, "GET", target).body == raw_key.encode()


def test_two_ways_to_write_a_key_are_one_key(server: Server) -> None:
    _oss(server, "PUT", f"/{_BUCKET}/dir%2Fa%20b%2B%C3%A9", {}, b"one")  # oss2

    assert _oss(server, "GET", f"/{_BUCKET}/dir/a%20b+%c3%a9").body == b"one"


def test_header_names_have_any_case_and_values_keep_their_bytes(server: Server) -> None:
    target = f"/{_BUCKET}/cased"
    value = "gr\u00fcn".encode().decode("latin-1")  # UTF-8 on the wire
    plain = sign_oss(server, "PUT", target, {"x-oss-meta-note": "gr\u00fcn", "Content-Type": "text/plain"})
    sent = {name.upper(): text for name, text in plain.items()} | {"X-OSS-META-NOTE": value, "CONTENT-LENGTH": "1"}

    put = exchange(server, "PUT", target, sent, b"x")
    head = _oss(server, "HEAD", target)

    assert (put.status, head.headers["x-oss-meta-note"]) == (200, value)
    assert head.headers["content-type"] == "text/plain"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_read_may_name_and_sign_a_type_and_changes_nothing_by_it(server: Server, method: str) -> None:
    at = f"/{_BUCKET}/typed.jpg"
    assert _oss(server, "PUT", at, {"Content-Type": "text/plain"}, b"typed").status == 200

    answer = _oss(server, method, at, {"Content-Type": "image/jpeg"})  # ali-oss guesses it from the suffix

    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain")


def test_a_date_of_the_services_own_takes_the_place_of_the_other(server: Server) -> None:
    own = format_datetime(datetime.now(UTC), usegmt=True)  # ali-oss sends no Date
    at = f"/{_BUCKET}/dated"
    assert _oss(server, "PUT", at, {}, b"dated").status == 200
    plain = f"GET\n\n\n{own}\nx-oss-date:{own}\n{at}"
    mac = hmac.digest(SECRET_KEY.encode(), plain.encode(), hashlib.sha1)
    headers = {"x-oss-date": own, "Authorization": f"OSS {ACCESS_KEY}:{base64.b64encode(mac).decode()}"}

    assert exchange(server, "GET", at, headers).body == b"dated"
    assert exchange(server, "GET", at, {**headers, "Date": "Mon, 01 Jan 2001 00:00:00 GMT"}).body == b"dated"


def test_a_file_system_changes_modes_and_names_by_copies(server: Server) -> None:
    """What ossfs does for chmod and mv, with its option that asks for encryption."""
    at, moved = f"/{_BUCKET}/mounted", f"/{_BUCKET}/moved"
    mode = {"x-oss-meta-mode": "33188", "x-oss-meta-uid": "0", "Content-Type": "text/x"}
    assert _oss(server, "PUT", at, mode).status == 200
    assert _oss(server, "PUT", at, mode, b"written later").status == 200
    before = _oss(server, "HEAD", at)
    copy = {"x-oss-copy-source": at, "x-oss-metadata-directive": "REPLACE", "x-oss-server-side-encryption": "KMS"}

    assert _oss(server, "PUT", at, {**mode, **copy, "x-oss-meta-mode": "33279"}).status == 200
    after = _oss(server, "HEAD", at)
    assert _oss(server, "PUT", moved, {**mode, **copy}).status == 200
    assert _oss(server, "DELETE", at).status == 204

    assert (after.headers["x-oss-meta-mode"], after.headers["x-oss-meta-uid"]) == ("33279", "0")
    for name in ("etag", "content-length", "content-type", "x-oss-hash-crc64ecma"):
        assert after.headers[name] == before.headers[name]
    assert after.headers["x-oss-server-side-encryption"] == "KMS"
    found = _oss(server, "GET", moved, {"Range": "bytes=0-12", "x-oss-range-behavior": "standard"})
    assert (found.status, found.body, found.headers["x-oss-meta-mode"]) == (206, b"written later", "33188")


def test_blanks_in_queries_are_pluses_or_percents(server: Server) -> None:
    _oss(server, "PUT", f"/{_BUCKET}/blank%20here", {}, b"x")

    for prefix in ("blank+here", "blank%20here"):
        target = f"/{_BUCKET}/?prefix={prefix}&encoding-type=url"
        listed = exchange(server, "GET", target, sign_oss(server, "GET", f"/{_BUCKET}/"))
        assert listed.text("Key") == quote("blank here"), prefix


# ---- what every answer has ----


@pytest.mark.parametrize(
    ("method", "target", "headers", "status"),
    [
        ("GET", _AT, {}, 200),
        ("HEAD", _AT, {}, 200),
        ("GET", _AT, {"Range": "bytes=1-2"}, 206),
        ("GET", _AT, {"If-None-Match": _etag(b"stored")}, 304),
        ("HEAD", _AT, {"If-Match": '"0"'}, 412),
        ("HEAD", f"/{_BUCKET}/none", {}, 404),
        ("DELETE", f"/{_BUCKET}/none", {}, 204),
        ("GET", f"/{_BUCKET}/?encryption", {}, 404),
        ("PUT", _AT, {"x-oss-server-side-encryption": "ROT13"}, 400),
    ],
)
def test_every_answer_has_a_date_an_id_and_a_server(
    server: Server, method: str, target: str, headers: dict[str, str], status: int
) -> None:
    answer = _oss(server, method, target, headers)

    assert answer.status == status
    assert _DATE.fullmatch(answer.headers["date"])
    assert re.fullmatch(r"[0-9A-F]{24}", answer.headers["x-oss-request-id"])
    assert answer.headers["server"] == "AliyunOSS"
    assert answer.headers["x-oss-server-time"].isdigit()


def test_what_is_no_http_is_answered_with_a_date_as_well(server: Server) -> None:
    answer = send_raw(server, b"oPUT /bkt/k HTTP/1.1\r\nBroken\r\n\r\n")

    assert answer.status == 400
    assert _DATE.fullmatch(answer.headers["date"])


# ---- connections ----


def test_a_connection_serves_request_after_request_whatever_was_answered(server: Server) -> None:
    missing = f"/{_BUCKET}/none"
    with connect(server) as connection:
        statuses = []
        for method, target, body in (
            ("PUT", _AT, b"stored"), ("GET", missing, b""), ("HEAD", missing, b""), ("DELETE", missing, b""),
            ("PUT", f"{_AT}?partNumber=0&uploadId=x", b"not wanted"), ("GET", _AT, b""),
        ):  # fmt: skip
            length = {"Content-Length": str(len(body))} if body else {}
            connection.sendall(
                head_bytes(server, method, target, {**sign_oss(server, method, target), **length}) + body
            )
            statuses.append(read_answer(connection, method).status)

    assert statuses == [200, 404, 404, 204, 400, 200]


def test_accept_encoding_compresses_nothing(server: Server) -> None:
    target = f"/{_BUCKET}/long.txt"
    _oss(server, "PUT", target, {"Content-Type": "text/plain"}, b"a" * 4096)

    answer = _oss(server, "GET", target, {"Accept-Encoding": "gzip"})

    assert (answer.body, answer.headers["content-length"]) == (b"a" * 4096, "4096")
    assert "content-encoding" not in answer.headers


def test_a_stored_coding_comes_back_as_it_was_and_is_not_undone(server: Server) -> None:
    target = f"/{_BUCKET}/coded"
    _oss(server, "PUT", target, {"Content-Encoding": "gzip"}, b"not gzip at all")

    answer = _oss(server, "GET", target)

    assert (answer.body, answer.headers["content-encoding"]) == (b"not gzip at all", "gzip")
