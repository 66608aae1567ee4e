"""Bodies on their way in: lengths, digests, framings, and that nothing broken becomes an object."""

import base64
import hashlib
import socket
import zlib
from pathlib import Path

import pytest

from tests.store.wire import EMPTY, UNSIGNED, Answer, Wire, chunk_signature, md5_b64, trailer_signature
from tests.support.servers import Launcher, Server

_BODY = b"hello world"
_CRC32 = base64.b64encode(zlib.crc32(_BODY).to_bytes(4, "big")).decode()
_OTHER = "AAAAAA=="
_TRAILED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def _stored(wire: Wire, bucket: str) -> bytes | None:
    answer = wire.s3("GET", f"/{bucket}/k", sha256=EMPTY)
    return answer.body if answer.status == 200 else None


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        ({"Content-MD5": md5_b64(_BODY)}, (200, "")),
        ({"Content-MD5": md5_b64(b"")}, (400, "BadDigest")),
        ({"Content-MD5": "bad"}, (400, "InvalidDigest")),
        ({"x-amz-checksum-crc32": _CRC32}, (200, "")),
        ({"x-amz-checksum-crc32": _OTHER}, (400, "BadDigest")),
        ({"x-amz-checksum-crc32": "AAAA"}, (400, "InvalidRequest")),
        ({"x-amz-checksum-crc32": "?"}, (400, "InvalidRequest")),
        ({"x-amz-checksum-crc32c": "yZRlqg=="}, (200, "")),
        ({"x-amz-checksum-crc64nvme": "jSnVw/bqjr4="}, (200, "")),
        ({"x-amz-checksum-sha1": "Kq5sNclPz7QV2+lfQIuc6R7oRu0="}, (200, "")),
        ({"x-amz-checksum-sha256": "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="}, (200, "")),
        ({"x-amz-checksum-sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}, (400, "BadDigest")),
        ({"x-amz-checksum-nonsense": "AAAA"}, (400, "InvalidRequest")),
        ({"x-amz-checksum-crc32": _CRC32, "x-amz-checksum-crc32c": "yZRlqg=="}, (400, "InvalidRequest")),
        ({"x-amz-sdk-checksum-algorithm": "CRC32"}, (400, "InvalidRequest")),
        ({"x-amz-sdk-checksum-algorithm": "CRC32", "x-amz-checksum-crc32": _CRC32}, (200, "")),
    ],
)
def test_s3_stores_a_body_only_if_its_digests_agree(
    wire: Wire, bucket: str, headers: dict[str, str], outcome: tuple[int, str]
) -> None:
    answer = wire.s3("PUT", f"/{bucket}/k", _BODY, headers)

    assert answer.outcome == outcome
    assert _stored(wire, bucket) == (_BODY if outcome[0] == 200 else None)


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        ({"Content-MD5": md5_b64(_BODY)}, (200, "")),
        ({"Content-MD5": md5_b64(b"")}, (400, "InvalidDigest")),
        ({"Content-MD5": "bad"}, (400, "InvalidDigest")),
        ({"x-oss-hash-crc64ecma": "5981764153023615706"}, (200, "")),
        ({"x-oss-hash-crc64ecma": "5981764153023615707"}, (400, "InvalidCRC64")),
        ({"x-oss-hash-crc64ecma": "05"}, (400, "InvalidArgument")),
    ],
)
def test_oss_stores_a_body_only_if_its_digests_agree(
    wire: Wire, bucket: str, headers: dict[str, str], outcome: tuple[int, str]
) -> None:
    answer = wire.oss("PUT", f"/{bucket}/k", _BODY, headers)

    assert answer.outcome == outcome
    assert _stored(wire, bucket) == (_BODY if outcome[0] == 200 else None)


def test_s3_wants_a_length_and_oss_does_not(wire: Wire, bucket: str) -> None:
    assert wire.s3("PUT", f"/{bucket}/k", iter([_BODY])).outcome == (411, "MissingContentLength")
    assert wire.oss("PUT", f"/{bucket}/k", iter([_BODY, _BODY])).status == 200
    assert _stored(wire, bucket) == _BODY * 2


def test_more_than_5_gib_are_refused_before_they_come(wire: Wire, bucket: str) -> None:
    headers = {"Content-Length": str(5 * 1024**3 + 1)}

    answer = wire.s3("PUT", f"/{bucket}/k", b"", headers)

    assert answer.outcome == (400, "EntityTooLarge")
    assert answer.text("MaxSizeAllowed") == str(5 * 1024**3)


def _send_trailed(wire: Wire, bucket: str, trailer: str, **changes: str) -> Answer:
    body = b"b\r\nhello world\r\n0\r\n" + trailer.encode() + b"\r\n"
    headers = {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "11",
        "x-amz-trailer": "x-amz-checksum-crc32",
        **changes,
    }
    return wire.s3(
        "PUT", f"/{bucket}/k", [body], {name: value for name, value in headers.items() if value}, sha256=_TRAILED
    )


@pytest.mark.parametrize(
    ("trailer", "changes", "outcome"),
    [
        (f"x-amz-checksum-crc32:{_CRC32}\r\n", {}, (200, "")),
        (f"x-amz-checksum-crc32:{_OTHER}\r\n", {}, (400, "BadDigest")),
        ("x-amz-checksum-crc32:bad\r\n", {}, (400, "InvalidRequest")),
        ("", {}, (400, "MalformedTrailerError")),
        ("x-amz-checksum-sha1:AAAA\r\n", {}, (400, "MalformedTrailerError")),
        (f"x-amz-checksum-crc32:{_CRC32}\r\n", {"x-amz-trailer": ""}, (400, "MalformedTrailerError")),
        (f"x-amz-checksum-crc32:{_CRC32}\r\n", {"x-amz-trailer": "x-amz-meta-a"}, (400, "InvalidRequest")),
        (f"x-amz-checksum-crc32:{_CRC32}\r\n", {"x-amz-checksum-crc32": _CRC32}, (400, "InvalidRequest")),
        ("", {"x-amz-trailer": ""}, (200, "")),
        (f"x-amz-checksum-crc32:{_CRC32}\r\n", {"x-amz-decoded-content-length": ""}, (411, "MissingContentLength")),
        (f"x-amz-checksum-crc32:{_CRC32}\r\n", {"x-amz-decoded-content-length": "10"}, (400, "IncompleteBody")),
        (f"x-amz-checksum-crc32:{_CRC32}\r\n", {"x-amz-decoded-content-length": "12"}, (400, "IncompleteBody")),
    ],
)
def test_a_body_with_trailer_is_stored_only_if_all_of_it_agrees(
    wire: Wire, bucket: str, trailer: str, changes: dict[str, str], outcome: tuple[int, str]
) -> None:
    assert _send_trailed(wire, bucket, trailer, **changes).outcome == outcome
    assert _stored(wire, bucket) == (_BODY if outcome[0] == 200 else None)


def test_aws_chunked_leaves_no_trace_in_the_content_encoding(wire: Wire, bucket: str) -> None:
    trailer = f"x-amz-checksum-crc32:{_CRC32}\r\n"

    _send_trailed(wire, bucket, trailer, **{"content-encoding": "gzip, aws-chunked"})
    assert wire.s3("HEAD", f"/{bucket}/k").headers["content-encoding"] == "gzip"

    _send_trailed(wire, bucket, trailer)
    assert "content-encoding" not in wire.s3("HEAD", f"/{bucket}/k").headers


@pytest.mark.parametrize("wrong", [None, 0, 1])
def test_signed_chunks_are_verified(wire: Wire, bucket: str, wrong: int | None) -> None:
    form = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    signed = wire.sign_s3("PUT", f"/{bucket}/k", {"x-amz-decoded-content-length": "11"}, form)
    body, previous = b"", signed.signature
    for number, data in enumerate((_BODY, b"")):
        previous = chunk_signature(signed, previous, data)
        shown = "0" * 64 if number == wrong else previous
        body += f"{len(data):x};chunk-signature={shown}\r\n".encode() + data + b"\r\n"

    answer = wire.send("PUT", f"/{bucket}/k", signed.headers, body)

    assert answer.outcome == ((200, "") if wrong is None else (403, "SignatureDoesNotMatch"))
    assert _stored(wire, bucket) == (_BODY if wrong is None else None)


@pytest.mark.parametrize("given", ["right", "wrong"])
def test_signed_trailers_are_verified(wire: Wire, bucket: str, given: str) -> None:
    form = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    headers = {"x-amz-decoded-content-length": "11", "x-amz-trailer": "x-amz-checksum-crc32"}
    signed = wire.sign_s3("PUT", f"/{bucket}/k", headers, form)
    first = chunk_signature(signed, signed.signature, _BODY)
    last = chunk_signature(signed, first, b"")
    trailer = trailer_signature(signed, last, f"x-amz-checksum-crc32:{_CRC32}\n") if given == "right" else "0" * 64
    body = f"b;chunk-signature={first}\r\n".encode() + _BODY + f"\r\n0;chunk-signature={last}\r\n".encode()
    body += f"x-amz-checksum-crc32:{_CRC32}\r\nx-amz-trailer-signature:{trailer}\r\n\r\n".encode()

    answer = wire.send("PUT", f"/{bucket}/k", signed.headers, body)

    assert answer.outcome == ((200, "") if given == "right" else (403, "SignatureDoesNotMatch"))
    assert _stored(wire, bucket) == (_BODY if given == "right" else None)


@pytest.mark.parametrize("size", [0, 1, 131072, 131073, 1048576, 3 * 1048576 + 1])
def test_bodies_of_any_size_come_back(wire: Wire, bucket: str, size: int) -> None:
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]

    answer = wire.s3("PUT", f"/{bucket}/k", body, sha256=hashlib.sha256(body).hexdigest())

    assert answer.headers["etag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert _stored(wire, bucket) == body


def test_a_body_that_breaks_off_is_not_stored_and_leaves_no_file(launcher: Launcher) -> None:
    store = launcher.store()
    wire = Wire(store)
    wire.s3("PUT", "/bucket")
    wire.s3("PUT", "/bucket/k", b"old")
    signed = wire.sign_s3("PUT", "/bucket/k", {"content-length": "3000000"}, UNSIGNED)
    head = "".join(f"{name}: {value}\r\n" for name, value in signed.headers.items())

    with socket.create_connection((store.host, store.port)) as connection:
        connection.sendall(f"PUT /bucket/k HTTP/1.1\r\n{head}\r\n".encode() + bytes(2_000_000))
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)

    assert _stored(wire, "bucket") == b"old"
    assert store.stop() == 0
    assert list((Path(store.data) / "incoming").iterdir()) == []


def test_a_waiting_client_is_told_to_go_on_only_after_the_checks(wire: Wire, store: Server, bucket: str) -> None:
    def first_line(target: str, body: bytes = b"12345", **options: str) -> bytes:
        length = {"content-length": str(len(body))}
        signed = wire.sign_s3("PUT", target, length, UNSIGNED, **options)  # type: ignore[arg-type]
        head = "".join(f"{name}: {value}\r\n" for name, value in signed.headers.items())
        with socket.create_connection((store.host, store.port)) as connection:
            connection.sendall(f"PUT {target} HTTP/1.1\r\n{head}Expect: 100-continue\r\n\r\n".encode())
            with connection.makefile("rb") as answers:
                line = answers.readline()
                if b"100" in line:
                    connection.sendall(body)
                    assert answers.readline() == b"\r\n"
                    assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
        return line

    assert first_line(f"/{bucket}/k") == b"HTTP/1.1 100 Continue\r\n"
    assert first_line(f"/{bucket}/k", b"") == b"HTTP/1.1 100 Continue\r\n"
    assert first_line(f"/{bucket}/k", secret="other").startswith(b"HTTP/1.1 403")
    assert first_line("/no-such-bucket/k").startswith(b"HTTP/1.1 404")


def test_a_document_beyond_2_mib_is_refused(wire: Wire, bucket: str) -> None:
    body = b"<Delete>" + b" " * (2 * 1024 * 1024) + b"</Delete>"

    answer = wire.s3("POST", f"/{bucket}?delete", body, {"Content-MD5": md5_b64(body)})

    assert answer.outcome == (400, "MaxMessageLengthExceeded")
