"""Time, region and coverage; and what a refusal tells (S3 dossier §3.1, §3.8; OSS dossier §4)."""

import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sseproxy.errors import (
    AccessRefused,
    AuthenticationMalformed,
    ClockSkewed,
    HeadersNotSigned,
    SignatureExpired,
    SignatureMismatch,
)
from sseproxy.signing import (
    EMPTY_SHA256,
    ChunkSigner,
    Claim,
    Scheme,
    SignedRequest,
    find_claim,
    sign_aws_v4,
    sign_oss_v4,
    verify,
)
from sseproxy.signing.aws_v4 import canonical_request, derive_key, string_to_sign
from sseproxy.signing.canonical import to_bytes

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_SECRET = "secret"


def _aws(*unsigned: tuple[str, str], signed: dict[str, str] | None = None, path: str = "/b/k") -> SignedRequest:
    headers = signed or {}
    added = sign_aws_v4(
        method="PUT", host="h", raw_path=path, raw_query="", headers=headers, access_key="ak", secret=_SECRET, token="TOKEN",
        region="eu-central-1", now=_NOW, payload_hash=EMPTY_SHA256,
    )  # fmt: skip
    return SignedRequest(
        method="PUT", raw_path=path, raw_query="", headers=[("Host", "h"), *headers.items(), *added.items(), *unsigned],
        bucket="b", raw_key="k",
    )  # fmt: skip


def _presigned(
    signed_headers: str = "host", expires: str = "60", headers: tuple[tuple[str, str], ...] = ()
) -> SignedRequest:
    query = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ak%2F20260101%2Fus-east-1%2Fs3%2Faws4_request"
        f"&X-Amz-Date=20260101T000000Z&X-Amz-Expires={expires}&X-Amz-SignedHeaders={signed_headers.replace(';', '%3B')}"
    )
    every = [("host", "h"), *headers]
    canonical = canonical_request("GET", "/b/k", query, every, signed_headers.split(";"), "UNSIGNED-PAYLOAD")
    text = string_to_sign("20260101T000000Z", "20260101/us-east-1/s3/aws4_request", canonical)
    signature = hmac.digest(derive_key(_SECRET, "20260101", "us-east-1"), to_bytes(text), "sha256").hex()
    return SignedRequest(
        method="GET",
        raw_path="/b/k",
        raw_query=f"{query}&X-Amz-Signature={signature}",
        headers=every,
        bucket="b",
        raw_key="k",
    )


def _claim(request: SignedRequest) -> Claim:
    claim = find_claim(request)
    assert claim is not None
    return claim


@pytest.mark.parametrize("offset", [-900, -1, 0, 900])
def test_a_clock_may_be_fifteen_minutes_off(offset: int) -> None:
    request = _aws()

    verified = verify(_claim(request), request, _SECRET, _NOW + timedelta(seconds=offset))

    assert verified.signing_key == derive_key(_SECRET, "20260101", "eu-central-1")
    assert verified.seed_signature == _claim(request).signature


@pytest.mark.parametrize("offset", [-901, 901])
def test_a_clock_that_is_further_off_is_told(offset: int) -> None:
    request = _aws()

    with pytest.raises(ClockSkewed) as refused:
        verify(_claim(request), request, _SECRET, _NOW + timedelta(seconds=offset))

    assert refused.value.message == "The difference between the request time and the current time is too large."
    assert refused.value.details["RequestTime"] == "2026-01-01T00:00:00.000Z"
    assert refused.value.details["MaxAllowedSkewMilliseconds"] == "900000"


def test_any_region_is_accepted_unless_one_is_asked_for() -> None:
    request = _aws()

    verify(_claim(request), request, _SECRET, _NOW)
    verify(_claim(request), request, _SECRET, _NOW, region="eu-central-1")
    with pytest.raises(AuthenticationMalformed) as refused:
        verify(_claim(request), request, _SECRET, _NOW, region="us-east-1")

    assert (
        refused.value.message
        == 'The authorization header is malformed; the region "eu-central-1" is wrong; expecting "us-east-1"'
    )
    assert refused.value.details == {"Region": "us-east-1"}


def test_an_amz_header_that_was_not_signed_is_refused() -> None:
    request = _aws(("X-Amz-Tagging", "a=b"), ("x-amz-copy-source", "/a/b"), ("x-amzn-trace-id", "1"), ("Accept", "*/*"))

    with pytest.raises(HeadersNotSigned) as refused:
        verify(_claim(request), request, _SECRET, _NOW)

    assert refused.value.message == "There were headers present in the request which were not signed"
    assert refused.value.details == {"HeadersNotSigned": "x-amz-copy-source, x-amz-tagging"}


def test_host_must_be_signed() -> None:
    request = _aws()
    claim = _claim(request)

    with pytest.raises(HeadersNotSigned) as refused:
        verify(replace(claim, signed_headers=("x-amz-date",)), request, _SECRET, _NOW)

    assert refused.value.details == {"HeadersNotSigned": "host"}


def test_a_signed_header_that_did_not_arrive_is_a_wrong_signature() -> None:
    request = _aws(signed={"content-type": "a/b"})
    arrived = replace(request, headers=[pair for pair in request.headers if pair[0] != "content-type"])

    with pytest.raises(SignatureMismatch):
        verify(_claim(arrived), arrived, _SECRET, _NOW)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("x-amz-server-side-encryption-customer-key", True),
        ("x-amz-server-side-encryption-customer-key-MD5", True),
        ("x-amz-copy-source-server-side-encryption-customer-key", True),
        ("x-amz-server-side-encryption-customer-algorithm", False),
        ("x-amz-server-side-encryption", False),
        ("x-amz-meta-a", False),
    ],
)
def test_of_a_presigned_url_only_a_customers_key_may_stay_unsigned(*, name: str, allowed: bool) -> None:
    request = _presigned()
    with_more = replace(request, headers=[*request.headers, (name, "x")])

    if allowed:
        verify(_claim(with_more), with_more, _SECRET, _NOW)
    else:
        with pytest.raises(HeadersNotSigned):
            verify(_claim(with_more), with_more, _SECRET, _NOW)


def test_a_header_form_must_sign_even_a_customers_key() -> None:
    request = _aws(("x-amz-server-side-encryption-customer-key", "x"))

    with pytest.raises(HeadersNotSigned):
        verify(_claim(request), request, _SECRET, _NOW)


@pytest.mark.parametrize(("offset", "valid"), [(-900, True), (0, True), (60, True), (61, False)])
def test_a_url_is_valid_to_its_last_second(*, offset: int, valid: bool) -> None:
    request = _presigned()
    now = _NOW + timedelta(seconds=offset)

    if valid:
        verify(_claim(request), request, _SECRET, now)
        return
    with pytest.raises(SignatureExpired) as refused:
        verify(_claim(request), request, _SECRET, now)
    assert refused.value.message == "Request has expired"
    assert refused.value.details == {
        "X-Amz-Expires": "60", "Expires": "2026-01-01T00:01:00.000Z", "ServerTime": "2026-01-01T00:01:01.000Z",
    }  # fmt: skip


def test_a_url_from_the_future_is_not_valid_yet() -> None:
    request = _presigned()

    with pytest.raises(AccessRefused, match=r"^Request is not valid yet\.$"):
        verify(_claim(request), request, _SECRET, _NOW - timedelta(seconds=901))


def test_expiry_is_told_before_a_wrong_signature() -> None:
    request = _presigned()

    with pytest.raises(SignatureExpired):
        verify(_claim(request), request, "wrong", _NOW + timedelta(days=1))


@pytest.mark.parametrize(
    "query", ["OSSAccessKeyId=a&Expires=1767225600&Signature=x", "AWSAccessKeyId=a&Expires=1767225600&Signature=x"]
)
def test_an_old_url_ends_at_its_moment(query: str) -> None:
    request = SignedRequest(method="GET", raw_path="/b/k", raw_query=query, headers=[], bucket="b", raw_key="k")

    with pytest.raises(SignatureMismatch):
        verify(_claim(request), request, _SECRET, _NOW)
    with pytest.raises(SignatureExpired):
        verify(_claim(request), request, _SECRET, _NOW + timedelta(seconds=1))


def test_an_old_url_may_name_the_end_of_time() -> None:
    query = "OSSAccessKeyId=a&Expires=999999999999999999&Signature=x"
    request = SignedRequest(method="GET", raw_path="/b/k", raw_query=query, headers=[], bucket="b", raw_key="k")

    with pytest.raises(SignatureMismatch):
        verify(_claim(request), request, _SECRET, _NOW)


def test_a_refusal_helps_without_giving_anything_away() -> None:
    signed = {"x-amz-server-side-encryption-customer-key": "CUSTOMERKEY", "x-amz-meta-a": "b"}
    request = _aws(signed=signed)
    claim = _claim(request)

    with pytest.raises(SignatureMismatch) as refused:
        verify(claim, request, "wrong", _NOW)

    details = refused.value.details
    texts = {"StringToSign", "CanonicalRequest"}
    assert set(details) == {"AWSAccessKeyId", *texts, *(f"{name}Bytes" for name in texts)}
    assert details["AWSAccessKeyId"] == "ak"
    for name in texts:
        assert bytes.fromhex(details[f"{name}Bytes"]).decode() == details[name]
    assert details["StringToSign"].startswith(
        "AWS4-HMAC-SHA256\n20260101T000000Z\n20260101/eu-central-1/s3/aws4_request\n"
    )
    assert details["CanonicalRequest"].startswith("PUT\n/b/k\n\nhost:h\n")
    assert "x-amz-meta-a:b\n" in details["CanonicalRequest"]
    told = "".join(details.values())
    assert "CUSTOMERKEY" not in told
    assert "TOKEN" not in told
    assert claim.signature not in told
    expected = _expected(request, "wrong")
    assert expected not in told


def _expected(request: SignedRequest, secret: str) -> str:
    headers = {
        name: value
        for name, value in request.headers
        if name not in {"Host", "Authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"}
    }
    added = sign_aws_v4(
        method="PUT", host="h", raw_path="/b/k", raw_query="", headers=headers, access_key="ak", secret=secret, token="TOKEN",
        region="eu-central-1", now=_NOW, payload_hash=EMPTY_SHA256,
    )  # fmt: skip
    return added["Authorization"].rpartition("Signature=")[2]


@pytest.mark.parametrize(
    "authorization",
    [
        "OSS ak:x",
        "OSS2 AccessKeyId:ak,Signature:x",
        "OSS4-HMAC-SHA256 Credential=ak/20260101/r/oss/aliyun_v4_request,Signature=x",
    ],
)
def test_a_refusal_of_oss_shows_no_token_either(authorization: str) -> None:
    headers = [("Authorization", authorization), ("x-oss-date", "20260101T000000Z"), ("x-oss-security-token", "TOKEN")]
    request = SignedRequest(
        method="GET",
        raw_path="/b/k",
        raw_query="security-token=TOKEN&uploads",
        headers=headers,
        bucket="b",
        raw_key="k",
    )

    with pytest.raises(SignatureMismatch) as refused:
        verify(_claim(request), request, _SECRET, _NOW)

    assert refused.value.details["OSSAccessKeyId"] == "ak"
    assert "TOKEN" not in "".join(refused.value.details.values())


def test_oss_signs_the_resource_whatever_the_address() -> None:
    added = sign_oss_v4(
        method="GET", bucket="b", raw_key="k", raw_query="", headers={}, access_key="ak", secret=_SECRET, token=None,
        region="cn-hangzhou", now=_NOW,
    )  # fmt: skip

    for path in ("/k", "/b/k"):
        request = SignedRequest(
            method="GET", raw_path=path, raw_query="", headers=list(added.items()), bucket="b", raw_key="k"
        )
        assert verify(_claim(request), request, _SECRET, _NOW).claim.scheme is Scheme.OSS_V4


def test_secrets_and_signatures_are_not_in_any_repr() -> None:
    request = _aws()
    claim = _claim(request)
    verified = verify(claim, request, _SECRET, _NOW)
    signer = ChunkSigner.after(verified)

    for text in (repr(claim), repr(verified), repr(signer)):
        assert claim.signature not in text
        assert repr(verified.signing_key) not in text
