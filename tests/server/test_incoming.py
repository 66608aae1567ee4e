"""Requests as operations are given them."""

import pytest

from sseproxy.exchange import Request, Response
from sseproxy.server.incoming import read_head
from sseproxy.server.target import Target
from tests.server.gateway_world import data_port, echo, ok

_SIGNED_QUERIES: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "none": ("a=%2f+b&c&d=", [("a", "/ b"), ("c", ""), ("d", "")]),
    "aws v4": (
        "uploads&X-Amz-Algorithm=x&X-Amz-Credential=x&X-Amz-Date=x&X-Amz-Expires=1&X-Amz-SignedHeaders=host&X-Amz-Signature=x"
        "&X-Amz-Security-Token=x&X-Amz-Content-Sha256=x&prefix=a%2Fb+c",
        [("uploads", ""), ("prefix", "a/b c")],
    ),
    "aws v2": ("AWSAccessKeyId=x&acl&Expires=1&Signature=x%3D", [("acl", "")]),
    "oss v1": (
        "OSSAccessKeyId=x&Expires=1&Signature=x&security-token=x&response-expires=1&x-oss-process=a%2Cb",
        [("response-expires", "1"), ("x-oss-process", "a,b")],
    ),
    "oss v2": (
        "x-oss-signature-version=OSS2&x-oss-expires=1&x-oss-access-key-id=x&x-oss-additional-headers=a&x-oss-signature=x&a",
        [("a", "")],
    ),
    "oss v4": (
        "x-oss-credential=x&x-oss-date=x&x-oss-security-token=x&x-oss-traffic-limit=819200",
        [("x-oss-traffic-limit", "819200")],
    ),
    "encoded names": ("X-Amz-Signatur%65=x&a", [("a", "")]),
}


async def test_a_request_reaches_its_handler_as_it_was_sent() -> None:
    async with data_port() as port:
        target = "/bucket/a//%2F../b+c?versionId=x%2By+z&X-Amz-Expires=5"
        answer = await port.ask(port.signed("PUT", target, {"x-amz-meta-a": "1", "Content-Length": "3"}), b"abc")
        (request,) = port.requests

    assert (answer.status, answer.body) == (200, b"abc")
    assert (request.method, request.raw_path, request.bucket) == ("PUT", "/bucket/a//%2F../b+c", "bucket")
    assert request.raw_query == "versionId=x%2By+z&X-Amz-Expires=5"
    assert (request.raw_key, request.key) == ("a//%2F../b+c", "a///../b+c")
    assert dict(request.query) == {"versionId": "x+y z"}
    assert (request.content_length, request.principal, request.signed, request.secure) == (3, "ak", True, False)
    assert request.headers["X-AMZ-META-A"] == "1"
    assert request.request_id == answer["x-amz-request-id"]


@pytest.mark.parametrize("name", _SIGNED_QUERIES)
def test_operations_see_a_query_without_what_signs_it(name: str) -> None:
    query, rest = _SIGNED_QUERIES[name]

    head = read_head("GET", Target(raw_path="/bucket/k", raw_query=query, bucket="bucket", raw_key="k"), [])

    assert list(head.query.items()) == rest
    assert head.signed_request.raw_query == query


async def test_a_chunked_request_has_no_announced_length() -> None:
    async with data_port() as port:
        head = port.signed("PUT", "/bucket/k", {"Transfer-Encoding": "chunked"})
        answer = await port.ask(head, b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n")

    assert answer.body == b"abcde"
    assert port.requests[0].content_length is None


async def test_an_aws_chunked_body_is_unframed_and_announced_as_plaintext() -> None:
    framed = b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n"
    trailers: dict[str, str] = {}

    async def handler(request: Request) -> Response:
        response = await echo(request)
        trailers.update(request.trailers())
        return response

    async with data_port(handler) as port:
        headers = {
            "x-amz-decoded-content-length": "3",
            "x-amz-trailer": "x-amz-checksum-crc32",
            "Content-Length": str(len(framed)),
        }
        head = port.signed("PUT", "/bucket/k", headers, payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        answer = await port.ask(head, framed)

    assert (answer.status, answer.body) == (200, b"abc")
    assert port.requests[0].content_length == 3
    assert trailers == {"x-amz-checksum-crc32": "NSRBwg=="}


async def test_a_compressed_body_stays_compressed() -> None:
    async with data_port() as port:
        head = port.signed("PUT", "/bucket/k", {"Content-Encoding": "gzip", "Content-Length": "4"})

        assert (await port.ask(head, b"\x1f\x8b\x08x")).body == b"\x1f\x8b\x08x"


@pytest.mark.parametrize("sent", ["café".encode(), "café".encode("latin-1")], ids=["utf-8", "latin-1"])
async def test_a_header_beyond_ascii_is_the_text_that_was_signed(sent: bytes) -> None:
    async with data_port(ok) as port:
        head = port.signed("PUT", "/bucket/k", {"x-amz-meta-a": "café", "Content-Length": "0"})
        async with port.connect() as wire:
            before, after = head.split("café")
            await wire.say(before.encode() + sent + after.encode())
            answer = await wire.answer()

    assert answer.status == 200
    assert port.requests[0].headers["x-amz-meta-a"] == "café"


async def test_a_bucket_may_be_in_the_host() -> None:
    async with data_port(listen={"domains": ["s3.test"]}) as port:
        head = port.signed("GET", "/a/b").replace(port.host, "bucket.s3.test", 1)
        refused = await port.ask(head)  # Host is signed

    assert refused.code == "SignatureDoesNotMatch"


async def test_an_oss_request_is_served_in_its_dialect() -> None:
    async with data_port() as port:
        head = port.signed_for_oss("PUT", "/bucket/k", {"Content-Type": "text/plain", "Content-Length": "3"})
        answer = await port.ask(head, b"abc")

    assert (answer.status, answer.body) == (200, b"abc")
    assert len(answer["x-oss-request-id"]) == 24
    assert int(answer["x-oss-server-time"]) >= 0
    assert answer["server"] == "AliyunOSS"
    assert "x-amz-request-id" not in answer.headers
    assert port.lines[0]["dialect"] == "oss"
