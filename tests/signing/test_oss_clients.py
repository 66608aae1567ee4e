"""What oss2 and alibabacloud-oss-v2 sign, verifies; what we make is what they make."""

import hmac
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import oss2
import pytest
import requests
from alibabacloud_oss_v2.signer import SignerV1, SignerV4
from alibabacloud_oss_v2.types import Credentials, HttpRequest, SigningContext
from oss2.credentials import StaticCredentialsProvider

from sseproxy.errors import SignatureMismatch
from sseproxy.signing import Scheme, SignedRequest, find_claim, sign_oss_v4, verify
from tests.signing.requests_of import received

KEYS = ["a", "a b+é.txt", "a%2Fb", "../x/./..", "/a//", "!*'()@:$,;=", "~", "日本/語", "a&b=c?d#e", "bkt", ""]
PARAMS: list[dict[str, str]] = [
    {}, {"uploads": ""}, {"partNumber": "1", "uploadId": "A+b/="}, {"list-type": "2", "prefix": "a b+c/", "delimiter": "/"},
    {"response-content-disposition": 'attachment; filename="a b+é.txt"', "versionId": "null"}, {"acl": ""},
    {"append": "", "position": "0"}, {"x-oss-process": "image/resize,w_100"}, {"objectMeta": "", "versionId": "x"},
]  # fmt: skip
HEADERS: list[dict[str, str]] = [
    {},
    {"Content-Type": "text/plain", "Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="},
    {"x-oss-meta-a": "b  c", "X-OSS-Meta-B": "é", "x-oss-server-side-encryption": "AES256", "Range": "bytes=0-9"},
    {"X-OSS-server-side-encrpytion": "AES256", "x-oss-meta-empty": "", "Content-Type": ""},
]
_TOKENS = [None, "to/ken+=="]
_SECRET = "sk"
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _check(request: SignedRequest, scheme: Scheme) -> None:
    claim = find_claim(request)

    assert claim is not None
    assert claim.scheme is scheme
    moment = claim.time or datetime.fromtimestamp(claim.expires_s or 0, UTC)
    assert verify(claim, request, _SECRET, moment, region="cn-hangzhou").claim is claim
    with pytest.raises(SignatureMismatch):
        verify(claim, request, "sK", moment)
    with pytest.raises(SignatureMismatch):
        verify(claim, replace(request, raw_key=request.raw_key + "x"), _SECRET, moment)


def _oss2_request(key: str, params: dict[str, str], headers: dict[str, str]) -> oss2.http.Request:
    url = f"http://bkt.localhost/{quote(key, '')}"
    return oss2.http.Request(
        "PUT", url, params=dict(params), headers=dict(headers), region="cn-hangzhou", product="oss", app_name="",
    )  # fmt: skip


def _sent(request: oss2.http.Request) -> SignedRequest:
    """Return what the library `requests`, on which oss2 stands, makes of it: blanks in queries as `+`."""
    prepared = requests.Request(request.method, request.url, params=request.params).prepare()
    assert prepared.url is not None
    return received("PUT", prepared.url, dict(request.headers), bucket="bkt", virtual=True)


_OSS2 = {
    Scheme.OSS_V1: (oss2.ProviderAuth, Scheme.OSS_V1_QUERY),
    Scheme.OSS_V2: (oss2.ProviderAuthV2, Scheme.OSS_V2_QUERY),
    Scheme.OSS_V4: (oss2.ProviderAuthV4, Scheme.OSS_V4_QUERY),
}


@pytest.mark.parametrize("token", _TOKENS, ids=["key", "token"])
@pytest.mark.parametrize("scheme", _OSS2, ids=lambda scheme: scheme.name)
def test_requests_of_oss2_verify(scheme: Scheme, token: str | None) -> None:
    for key in KEYS:
        for params in PARAMS:
            for headers in HEADERS:
                request = _oss2_request(key, params, headers)
                _OSS2[scheme][0](StaticCredentialsProvider("ak", _SECRET, token))._sign_request(request, "bkt", key)
                _check(_sent(request), scheme)


@pytest.mark.parametrize("token", _TOKENS, ids=["key", "token"])
@pytest.mark.parametrize("scheme", _OSS2, ids=lambda scheme: scheme.name)
def test_urls_of_oss2_verify(scheme: Scheme, token: str | None) -> None:
    for key in KEYS:
        for params in PARAMS:
            for headers in HEADERS:
                request = _oss2_request(key, params, headers)
                signer = _OSS2[scheme][0](StaticCredentialsProvider("ak", _SECRET, token))
                url = signer._sign_url(request, "bkt", key, 60)
                sent = received("PUT", url, headers, bucket="bkt", virtual=True)
                _check(sent, _OSS2[scheme][1])
                claim = find_claim(sent)
                assert claim is not None
                assert claim.token == token


@pytest.mark.parametrize("scheme", [Scheme.OSS_V2, Scheme.OSS_V4], ids=lambda scheme: scheme.name)
def test_additional_headers_of_oss2_are_verified(scheme: Scheme) -> None:
    request = _oss2_request("k", {}, {"Range": "bytes=0-9", "If-Modified-Since": "x", "abc": "1"})
    signer = _OSS2[scheme][0](StaticCredentialsProvider("ak", _SECRET))
    signer._sign_request(request, "bkt", "k", in_additional_headers={"range", "abc"})
    sent = _sent(request)
    claim = find_claim(sent)

    _check(sent, scheme)
    assert claim is not None
    assert set(claim.signed_headers) == {"range", "abc"}
    changed = replace(sent, headers=[(name, "2" if name == "abc" else value) for name, value in sent.headers])
    with pytest.raises(SignatureMismatch):
        verify(claim, changed, _SECRET, claim.time or _NOW)


def _v2_context(
    key: str, params: dict[str, str], headers: dict[str, str], token: str | None, *, in_url: bool
) -> SigningContext:
    query = "&".join(
        f"{quote(name, '')}={quote(value, '')}" if value else quote(name, "") for name, value in params.items()
    )
    url = f"http://bkt.localhost/{quote(key, '/')}" + (f"?{query}" if query else "")
    context = SigningContext(
        product="oss", region="cn-hangzhou", bucket="bkt", key=key, request=HttpRequest("PUT", url, headers=dict(headers)),
        credentials=Credentials("ak", _SECRET, token), signing_time=_NOW,
    )  # fmt: skip
    context.auth_method_query = in_url
    context.expiration_time = _NOW + timedelta(seconds=60) if in_url else None
    return context


def _v2_sent(signer: Any, context: SigningContext) -> SignedRequest:
    pairs = parse_qsl(urlsplit(context.request.url).query, keep_blank_values=True)
    context.sub_resource = [name for name, value in pairs if not value]  # as the SDK's operations do
    signer.sign(context)
    return received("PUT", context.request.url, dict(context.request.headers), bucket="bkt", virtual=True)


@pytest.mark.parametrize("token", _TOKENS, ids=["key", "token"])
@pytest.mark.parametrize("in_url", [False, True], ids=["header", "url"])
@pytest.mark.parametrize("version", [1, 4])
def test_requests_of_the_second_sdk_verify(version: int, token: str | None, *, in_url: bool) -> None:
    signer = SignerV1() if version == 1 else SignerV4()
    schemes = {
        (1, False): Scheme.OSS_V1, (1, True): Scheme.OSS_V1_QUERY, (4, False): Scheme.OSS_V4, (4, True): Scheme.OSS_V4_QUERY,
    }  # fmt: skip
    for key in KEYS:
        for params in PARAMS:
            for headers in HEADERS:
                sent = _v2_sent(signer, _v2_context(key, params, headers, token, in_url=in_url))
                _check(sent, schemes[version, in_url])
                claim = find_claim(sent)
                assert claim is not None
                assert claim.token == token


@pytest.mark.parametrize("token", _TOKENS, ids=["key", "token"])
def test_what_we_sign_is_what_the_second_sdk_signs(token: str | None) -> None:
    for key in KEYS:
        for params in PARAMS:
            for headers in HEADERS:
                theirs = _v2_sent(SignerV4(), _v2_context(key, params, headers, token, in_url=False))

                ours = sign_oss_v4(
                    method="PUT", bucket="bkt", raw_key=theirs.raw_key, raw_query=theirs.raw_query, headers=headers,
                    access_key="ak", secret=_SECRET, token=token, region="cn-hangzhou", now=_NOW,
                )  # fmt: skip

                assert ours["Authorization"] == dict(theirs.headers)["Authorization"]


@pytest.mark.parametrize(
    ("signed", "verifies"),
    [
        ("?acl&resourceGroup=x&x-oss-process=p", True),
        ("?acl&resourceGroup=x", True),  # the second SDK does not sign x-oss-process
        ("?acl", True),  # what all SDKs agree on
        ("?resourceGroup=x", False),
        ("", False),
    ],
)
def test_sdks_that_sign_fewer_sub_resources_are_understood(*, signed: str, verifies: bool) -> None:
    text = f"GET\n\n\nThu, 01 Jan 2026 00:00:00 GMT\n/bkt/k{signed}"
    signature = b64encode(hmac.digest(_SECRET.encode(), text.encode(), "sha1")).decode()
    headers = {"Date": "Thu, 01 Jan 2026 00:00:00 GMT", "Authorization": f"OSS ak:{signature}"}
    request = received("GET", "http://h/bkt/k?acl&resourceGroup=x&x-oss-process=p&prefix=a", headers, bucket="bkt")

    if verifies:
        _check(request, Scheme.OSS_V1)
        return
    with pytest.raises(SignatureMismatch):
        _check(request, Scheme.OSS_V1)
