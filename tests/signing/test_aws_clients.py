"""What botocore signs, verifies; what `sign_aws_v4` makes is what botocore makes."""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from botocore.auth import HmacV1Auth, HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import percent_encode

from sseproxy.errors import SignatureMismatch
from sseproxy.signing import Scheme, SignedRequest, find_claim, sign_aws_v4, verify
from tests.signing.requests_of import received

KEYS = [
    "a", "a b+é.txt", "a%2Fb", "../x/./..", "//a//", "!*'()@:$,;=", "~", "日本/語", "a&b=c?d#e", "bkt", "a\\b|c^`{}\"<>",
]  # fmt: skip
QUERIES = [
    "", "uploads", "partNumber=1&uploadId=a%2Bb%2F%3D", "list-type=2&prefix=a%20b%2Fc&delimiter=%2F&encoding-type=url",
    "versionId=null&response-content-disposition=attachment%3B%20filename%3D%22a%20b.txt%22", "delete", "acl&versionId=x",
    "b=2&a=1&a=0&B=3", "encryption", "tagging&versionId=a.b~c-d_e",
]  # fmt: skip
HEADERS: list[dict[str, str]] = [
    {},
    {"Content-Type": "text/plain; charset=utf-8", "Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="},
    {"x-amz-meta-a": "  a   b  ", "X-Amz-Meta-B": "ü", "x-amz-server-side-encryption": "aws:kms", "Range": "bytes=0-9"},
    {"x-amz-acl": "private", "x-amz-meta-empty": "", "Cache-Control": "no-cache,  max-age=1"},
]
_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
_CREDENTIALS = [Credentials("AKID", _SECRET), Credentials("AKID", _SECRET, "to/ken+==")]


def _url(key: str, query: str, *, virtual: bool = False) -> str:
    path = percent_encode(key, safe="/~")
    base = f"http://bkt.localhost:9000/{path}" if virtual else f"http://localhost:9000/bkt/{path}"
    return f"{base}?{query}" if query else base


def _sign(signer: Any, method: str, url: str, headers: Mapping[str, str], *, virtual: bool = False) -> SignedRequest:
    request = AWSRequest(method=method, url=url, headers=dict(headers), data=b"" if method == "GET" else b"body")
    request.context["payload_signing_enabled"] = True
    if virtual:
        request.auth_path = "/bkt" + request.url.partition("localhost:9000")[2].partition("?")[0]
    signer.add_auth(request)
    given = request.headers.items()
    return received(method, request.url, dict(given), bucket="bkt", virtual=virtual)


def _check(request: SignedRequest, scheme: Scheme, now: datetime | None = None) -> None:
    claim = find_claim(request)

    assert claim is not None
    assert claim.scheme is scheme
    moment = now or claim.time
    assert moment is not None
    assert verify(claim, request, _SECRET, moment).claim is claim
    with pytest.raises(SignatureMismatch):
        verify(claim, request, _SECRET[:-1], moment)
    with pytest.raises(SignatureMismatch):
        verify(claim, replace(request, method="DELETE"), _SECRET, moment)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("credentials", _CREDENTIALS, ids=["key", "token"])
def test_v4_requests_of_botocore_verify(key: str, credentials: Credentials) -> None:
    for query in QUERIES:
        for headers in HEADERS:
            for virtual in (False, True):
                signer = S3SigV4Auth(credentials, "s3", "eu-central-1")
                _check(_sign(signer, "PUT", _url(key, query, virtual=virtual), headers, virtual=virtual), Scheme.AWS_V4)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("credentials", _CREDENTIALS, ids=["key", "token"])
def test_v4_urls_of_botocore_verify(key: str, credentials: Credentials) -> None:
    for query in QUERIES:
        for headers in HEADERS:
            signer = S3SigV4QueryAuth(credentials, "s3", "eu-central-1", expires=60)
            _check(_sign(signer, "GET", _url(key, query), headers), Scheme.AWS_V4_QUERY)


@pytest.mark.parametrize("path", ["/bkt/!*'()@:$,;=", "/bkt/a%2fb%7e", "/bkt//a/../b", "/bkt/a+b"])
def test_a_path_that_was_signed_as_it_was_sent_verifies(path: str) -> None:
    signer = S3SigV4Auth(_CREDENTIALS[0], "s3", "us-east-1")

    _check(_sign(signer, "GET", f"http://localhost{path}", {}), Scheme.AWS_V4)


@pytest.mark.parametrize("virtual", [False, True], ids=["path", "host"])
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("credentials", _CREDENTIALS, ids=["key", "token"])
def test_v2_requests_of_botocore_verify(key: str, credentials: Credentials, *, virtual: bool) -> None:
    for query in QUERIES:
        for headers in HEADERS:
            url = _url(key, query, virtual=virtual)
            _check(_sign(HmacV1Auth(credentials), "PUT", url, headers, virtual=virtual), Scheme.AWS_V2)


@pytest.mark.parametrize("query", ["", "uploads", "delete"])
def test_a_bucket_may_be_signed_with_a_slash_behind_it_in_v2(query: str) -> None:
    signed = _sign(HmacV1Auth(_CREDENTIALS[0]), "PUT", _url("", query), {})  # as boto3 does for path style

    _check(replace(signed, raw_path="/bkt"), Scheme.AWS_V2)


@pytest.mark.parametrize("query", QUERIES)
def test_v2_urls_of_botocore_verify_with_the_headers_that_it_puts_there(query: str) -> None:
    for key in KEYS:
        for headers in (*HEADERS, {"x-amz-server-side-encryption-customer-key": "secret"}):
            for credentials in _CREDENTIALS:
                request = _sign(HmacV1QueryAuth(credentials), "PUT", _url(key, query), headers)
                bare = replace(request, headers=[("Host", "localhost:9000")])
                expires = datetime.fromtimestamp(find_claim(bare).expires_s or 0).astimezone()  # type: ignore[union-attr]
                _check(bare, Scheme.AWS_V2_QUERY, expires)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("token", [None, "to/ken+=="])
def test_what_we_sign_is_what_botocore_signs(key: str, token: str | None) -> None:
    for query in QUERIES:
        for headers in HEADERS:
            theirs = _sign(
                S3SigV4Auth(Credentials("AKID", _SECRET, token), "s3", "eu-central-1"), "PUT", _url(key, query), headers
            )
            claim = find_claim(theirs)
            assert claim is not None
            assert claim.time is not None

            ours = sign_aws_v4(
                method="PUT", host="localhost:9000", raw_path=theirs.raw_path, raw_query=theirs.raw_query, headers=headers,
                access_key="AKID", secret=_SECRET, token=token, region="eu-central-1", now=claim.time,
                payload_hash=claim.payload_hash,
            )  # fmt: skip

            assert ours["Authorization"] == dict(theirs.headers)["Authorization"]


def test_every_header_that_botocore_signs_is_there() -> None:
    signer = SigV4Auth(_CREDENTIALS[0], "s3", "us-east-1")
    request = AWSRequest(method="GET", url="http://localhost/", headers={"User-Agent": "x", "Expect": "100-continue"})
    signer.add_auth(request)

    claim = find_claim(received("GET", request.url, dict(request.headers.items()), bucket=None))

    assert claim is not None
    assert claim.signed_headers == ("host", "x-amz-date")


@pytest.mark.parametrize("query", ["uploads=", "acl=&versionId=x", "uploads&tagging="])
def test_a_sub_resource_may_be_signed_with_its_empty_value_or_without(query: str) -> None:
    _check(_sign(HmacV1Auth(_CREDENTIALS[0]), "PUT", _url("k", query), {}), Scheme.AWS_V2)


@pytest.mark.parametrize(
    ("query", "signed"),
    [
        ("encryption&restore", "?encryption"), ("encryption&restore", "?restore"), ("encryption&restore", "?encryption&restore"),
        ("uploads=", "?uploads"), ("uploads=", "?uploads="), ("prefix=a", ""),
    ],
)  # fmt: skip
def test_published_implementations_of_v2_sign_different_sub_resources(query: str, signed: str) -> None:
    text = f"GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/b/k{signed}"
    signature = b64encode(hmac.digest(_SECRET.encode(), text.encode(), "sha1")).decode()
    headers = {"Date": "Tue, 27 Mar 2007 19:36:42 +0000", "Authorization": f"AWS AKID:{signature}"}

    _check(received("GET", f"http://h/b/k?{query}", headers, bucket="b"), Scheme.AWS_V2)


@pytest.mark.parametrize("signed", ["?acl&versionId=x", "?acl", "", "?versionId=y"])
def test_what_every_implementation_of_v2_signs_must_be_signed(signed: str) -> None:
    text = f"GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/b/k{signed}"
    signature = b64encode(hmac.digest(_SECRET.encode(), text.encode(), "sha1")).decode()
    headers = {"Date": "Tue, 27 Mar 2007 19:36:42 +0000", "Authorization": f"AWS AKID:{signature}"}
    request = received("GET", "http://h/b/k?acl&versionId=x", headers, bucket="b")
    claim = find_claim(request)
    assert claim is not None
    assert claim.time is not None

    if signed == "?acl&versionId=x":
        verify(claim, request, _SECRET, claim.time)
    else:
        with pytest.raises(SignatureMismatch):
            verify(claim, request, _SECRET, claim.time)
