"""Addresses and signatures of requests to the storage. Signatures are verified by the other half of `signing`."""

import hashlib
from datetime import UTC, datetime

import pytest
from multidict import CIMultiDict

from sseproxy.credentials.held import Credentials
from sseproxy.dialect import DIALECTS
from sseproxy.errors import InvalidBucketName
from sseproxy.exchange import body_of
from sseproxy.ports import UpstreamRequest
from sseproxy.settings_upstream import UpstreamSettings
from sseproxy.signing import EMPTY_SHA256, UNSIGNED_PAYLOAD, SignedRequest, find_claim, verify
from sseproxy.upstream.outgoing_auth import Outgoing, OutgoingAuth

_NOW = datetime(2026, 11, 21, 7, tzinfo=UTC)


def _prepare(
    request: UpstreamRequest, dialect: str = "s3", *, token: str | None = None, **settings: object
) -> Outgoing:
    values = {"endpoint": "http://store.test:9000", "access_key": "none", "secret_key": "none", **settings}
    auth = OutgoingAuth(UpstreamSettings.model_validate(values), DIALECTS[dialect])
    return auth.prepare(request, _NOW, Credentials(access_key="ak", secret_key="sk", token=token))


def _request(
    method: str = "GET", bucket: str | None = "b", raw_key: str = "k", raw_query: str = "", **headers: str
) -> UpstreamRequest:
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return UpstreamRequest(method=method, bucket=bucket, raw_key=raw_key, raw_query=raw_query, headers=named)


@pytest.mark.parametrize(
    ("request_", "settings", "url", "host"),
    [
        (_request(bucket=None, raw_key=""), {}, "http://store.test:9000/", "store.test:9000"),
        (_request(raw_key=""), {}, "http://store.test:9000/b/", "store.test:9000"),
        (_request(raw_key="a//%2F+", raw_query="x=+"), {}, "http://store.test:9000/b/a//%2F+?x=+", "store.test:9000"),
        (_request(), {"addressing": "virtual"}, "http://b.store.test:9000/k", "b.store.test:9000"),
        (_request(raw_key=""), {"addressing": "virtual"}, "http://b.store.test:9000/", "b.store.test:9000"),
        (_request(), {"endpoint": "https://s3.test:443"}, "https://s3.test/b/k", "s3.test"),
        (_request(), {"endpoint": "https://s3.test:80"}, "https://s3.test:80/b/k", "s3.test:80"),
        (_request(), {"endpoint": "http://[::1]:9000"}, "http://[::1]:9000/b/k", "[::1]:9000"),
    ],
)
def test_a_request_goes_to_its_resource(
    request_: UpstreamRequest, settings: dict[str, str], url: str, host: str
) -> None:
    outgoing = _prepare(request_, **settings)

    assert (outgoing.url, outgoing.headers["Host"]) == (url, host)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("addressing", ["path", "virtual"])
@pytest.mark.parametrize(
    "bucket", ["", "b?x", "b#", "b/c", "b\\c", "a@b", "a:80", "a b", "b%3F", "b\r\nX: 1", "\u00e9"]
)
def test_no_request_goes_where_a_buckets_name_would_lead_it(dialect: str, addressing: str, bucket: str) -> None:
    with pytest.raises(InvalidBucketName):
        _prepare(_request(bucket=bucket), dialect, addressing=addressing)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("addressing", ["path", "virtual"])
@pytest.mark.parametrize(
    "request_",
    [
        _request(),
        _request(raw_key="a%20b/../c//+", raw_query="versionId=a%2Fb"),
        _request("PUT", x_amz_meta_a="caf\u00e9", x_oss_meta_a="caf\u00e9", Content_Type="text/plain", Content_MD5="x"),
        _request("GET", None, ""),
        _request("POST", "b", "", "delete"),
        _request("GET", Range="bytes=1-2", If_Match='"e"'),
    ],
    ids=["plain", "odd key", "headers", "service", "sub-resource", "range"],
)
@pytest.mark.parametrize("token", [None, "token"])
def test_a_signature_verifies(request_: UpstreamRequest, dialect: str, addressing: str, token: str | None) -> None:
    outgoing = _prepare(request_, dialect, addressing=addressing, token=token)
    raw_path, _, raw_query = outgoing.url.removeprefix(f"http://{outgoing.headers['Host']}").partition("?")
    received = SignedRequest(
        method=request_.method,
        raw_path=raw_path,
        raw_query=raw_query,
        headers=list(outgoing.headers.items()),
        bucket=request_.bucket,
        raw_key=request_.raw_key,
    )

    claim = find_claim(received)

    assert claim is not None
    assert (claim.scheme.dialect, claim.access_key, claim.token) == (dialect, "ak", token)
    verify(claim, received, "sk", _NOW)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (None, EMPTY_SHA256),
        (b"", EMPTY_SHA256),
        (b"<Document/>", hashlib.sha256(b"<Document/>").hexdigest()),
        (bytes(64 * 1024), hashlib.sha256(bytes(64 * 1024)).hexdigest()),
        (bytes(64 * 1024 + 1), UNSIGNED_PAYLOAD),
    ],
    ids=["none", "empty", "short", "64 KiB", "longer"],
)
def test_a_short_held_body_is_covered_by_the_signature(body: bytes | None, said: str) -> None:
    request = UpstreamRequest(method="PUT", bucket="b", raw_key="k", body=body)

    assert _prepare(request).headers["x-amz-content-sha256"] == said


def test_a_stream_is_not_covered() -> None:
    request = UpstreamRequest(method="PUT", bucket="b", raw_key="k", body=body_of(b"x"), content_length=1)

    assert _prepare(request).headers["x-amz-content-sha256"] == UNSIGNED_PAYLOAD


async def test_a_stream_may_carry_a_trailing_checksum() -> None:
    headers = CIMultiDict({"Content-Encoding": "gzip"})
    body = body_of(b"hello ", b"world")
    request = UpstreamRequest(method="PUT", bucket="b", raw_key="k", headers=headers, body=body, content_length=11)

    outgoing = _prepare(request, trailing_checksum=True)
    assert not isinstance(outgoing.body, bytes | None)
    sent = b"".join([bytes(data) async for data in outgoing.body])

    assert outgoing.headers["Content-Encoding"] == "aws-chunked,gzip"
    assert outgoing.headers["x-amz-decoded-content-length"] == "11"
    assert outgoing.headers["x-amz-trailer"] == "x-amz-checksum-crc32c"
    assert outgoing.headers["x-amz-content-sha256"] == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    assert sent == b"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32c:yZRlqg==\r\n\r\n"
    assert outgoing.length == len(sent)
    assert headers == CIMultiDict({"Content-Encoding": "gzip"})  # the caller's are left alone


@pytest.mark.parametrize(
    ("request_", "dialect"),
    [
        (UpstreamRequest(method="PUT", bucket="b", raw_key="k", body=b"held"), "s3"),
        (UpstreamRequest(method="PUT", bucket="b", raw_key="k", body=body_of(b"x")), "s3"),
        (UpstreamRequest(method="PUT", bucket="b", raw_key="", body=body_of(b"x"), content_length=1), "s3"),
        (UpstreamRequest(method="PUT", bucket="b", raw_key="k", body=body_of(b"x"), content_length=1), "oss"),
    ],
    ids=["held", "unknown length", "no object", "other dialect"],
)
def test_no_other_body_is_framed(request_: UpstreamRequest, dialect: str) -> None:
    outgoing = _prepare(request_, dialect, trailing_checksum=True)

    assert "x-amz-trailer" not in outgoing.headers
    assert outgoing.body is request_.body
