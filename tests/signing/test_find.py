"""What cannot be understood is refused with the protocol's words (S3 dossier §3.8; OSS dossier §4)."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sseproxy.errors import (
    AccessRefused,
    AuthenticationMalformed,
    AuthenticationQueryMalformed,
    InvalidArgument,
    SseProxyError,
)
from sseproxy.signing import Scheme, SignedRequest, find_claim, verify

_SCOPE = "AKID/20130524/us-east-1/s3/aws4_request"
_PREFIX = "The authorization header is malformed; "
_DATED = {"x-amz-date": "20130524T000000Z"}


def _request(query: str = "", **headers: str) -> SignedRequest:
    listed = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return SignedRequest(method="GET", raw_path="/b/k", raw_query=query, headers=listed, bucket="b", raw_key="k")


def _with_header(authorization: str, headers: Mapping[str, str] = _DATED) -> SignedRequest:
    return _request(Authorization=authorization, **headers)


def test_a_request_without_any_signature_is_anonymous() -> None:
    assert find_claim(_request("prefix=a&response-expires=1")) is None


def test_an_aws_v4_header_is_read_whatever_its_order_and_blanks() -> None:
    spaced = find_claim(
        _with_header(f"AWS4-HMAC-SHA256  Signature=ab,SignedHeaders=Host;X-Amz-Date ,  Credential={_SCOPE}")
    )

    assert spaced is not None
    assert (spaced.scheme, spaced.access_key, spaced.signature) == (Scheme.AWS_V4, "AKID", "ab")
    assert (spaced.signed_headers, spaced.scope) == (("host", "x-amz-date"), "20130524/us-east-1/s3/aws4_request")
    assert spaced.time == datetime(2013, 5, 24, tzinfo=UTC)


def test_an_access_key_may_hold_slashes() -> None:
    claim = find_claim(_with_header(f"AWS4-HMAC-SHA256 Credential=a/b/{_SCOPE},SignedHeaders=host,Signature=x"))

    assert claim is not None
    assert claim.access_key == "a/b/AKID"


def test_the_date_header_stands_in_for_a_missing_x_amz_date() -> None:
    headers = {"Date": "Fri, 24 May 2013 00:00:00 GMT"}
    claim = find_claim(_with_header(f"AWS4-HMAC-SHA256 Credential={_SCOPE},SignedHeaders=host,Signature=x", headers))

    assert claim is not None
    assert claim.timestamp == "20130524T000000Z"


_BAD_HEADERS: dict[str, tuple[str, type[SseProxyError], str]] = {
    "no blank": ("AWS4-HMAC-SHA256", InvalidArgument, "Authorization header is invalid -- one and only one ' ' (space) required."),
    "nothing": ("", InvalidArgument, "Authorization header is invalid -- one and only one ' ' (space) required."),
    "other scheme": ("Bearer x", InvalidArgument, "Unsupported Authorization Type"),
    "sigv4a": ("AWS4-ECDSA-P256-SHA256 Credential=x", InvalidArgument, "Unsupported Authorization Type"),
    "no parts": ("AWS4-HMAC-SHA256 x", AuthenticationMalformed, _PREFIX + "the authorization header requires three components: Credential, SignedHeaders, and Signature."),
    "other parts": ("AWS4-HMAC-SHA256 A=1,B=2,C=3", AuthenticationMalformed, _PREFIX + "the authorization header requires three components: Credential, SignedHeaders, and Signature."),
    "no credential": ("AWS4-HMAC-SHA256 SignedHeaders=host,Signature=x,Foo=bar", AuthenticationMalformed, _PREFIX + "missing Credential."),
    "no signed headers": (f"AWS4-HMAC-SHA256 Credential={_SCOPE},Signature=x", AuthenticationMalformed, _PREFIX + "missing SignedHeaders."),
    "no signature": (f"AWS4-HMAC-SHA256 Credential={_SCOPE},SignedHeaders=host", AuthenticationMalformed, _PREFIX + "missing Signature."),
    "credential shape": ("AWS4-HMAC-SHA256 Credential=AKID/20130524,SignedHeaders=host,Signature=x", AuthenticationMalformed, _PREFIX + 'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'),
    "service": ("AWS4-HMAC-SHA256 Credential=AKID/20130524/r/ec2/aws4_request,SignedHeaders=host,Signature=x", AuthenticationMalformed, _PREFIX + 'incorrect service "ec2". This endpoint belongs to "s3".'),
    "terminal": ("AWS4-HMAC-SHA256 Credential=AKID/20130524/r/s3/aws5,SignedHeaders=host,Signature=x", AuthenticationMalformed, _PREFIX + 'incorrect terminal "aws5". This endpoint uses "aws4_request".'),
    "date format": ("AWS4-HMAC-SHA256 Credential=AKID/2013-05-24/r/s3/aws4_request,SignedHeaders=host,Signature=x", AuthenticationMalformed, _PREFIX + 'incorrect date format "2013-05-24". This date in the credential must be in the format "yyyyMMdd".'),
    "another date": ("AWS4-HMAC-SHA256 Credential=AKID/20130525/r/s3/aws4_request,SignedHeaders=host,Signature=x", AuthenticationMalformed, _PREFIX + 'Invalid credential date "20130525". This date is not the same as X-Amz-Date: "20130524".'),
    "v2 without colon": ("AWS AKID", InvalidArgument, "Authorization header is invalid."),
    "v1 without key": ("OSS :x", InvalidArgument, "Authorization header is invalid."),
    "oss2 without key": ("OSS2 Signature:x", InvalidArgument, "Authorization header is invalid."),
    "oss4 without credential": ("OSS4-HMAC-SHA256 Signature=x", InvalidArgument, "Authorization header is invalid."),
    "oss4 of aws": (f"OSS4-HMAC-SHA256 Credential={_SCOPE},Signature=x", InvalidArgument, "Authorization header is invalid."),
    "oss4 of another day": ("OSS4-HMAC-SHA256 Credential=ak/20130525/cn-hangzhou/oss/aliyun_v4_request,Signature=x", InvalidArgument, "Invalid signing date in Authorization header."),
}  # fmt: skip


@pytest.mark.parametrize("name", _BAD_HEADERS)
def test_a_header_that_cannot_be_read_is_refused(name: str) -> None:
    authorization, error, message = _BAD_HEADERS[name]

    with pytest.raises(error) as refused:
        find_claim(
            _with_header(
                authorization, {**_DATED, "x-oss-date": "20130524T000000Z", "Date": "Fri, 24 May 2013 00:00:00 GMT"}
            )
        )

    assert type(refused.value) is error
    assert refused.value.message == message
    assert authorization not in refused.value.details.values() or not authorization


@pytest.mark.parametrize(
    ("authorization", "headers", "message"),
    [
        (f"AWS4-HMAC-SHA256 Credential={_SCOPE},SignedHeaders=host,Signature=x", {}, "AWS authentication requires a valid Date or x-amz-date header."),
        (f"AWS4-HMAC-SHA256 Credential={_SCOPE},SignedHeaders=host,Signature=x", {"x-amz-date": "20130524"}, "AWS authentication requires a valid Date or x-amz-date header."),
        ("AWS ak:x", {"Date": "Tue, 27 Mar 99999999999 19:36:42 +0000"}, "AWS authentication requires a valid Date or x-amz-date header."),
        ("OSS ak:x", {}, "OSS authentication requires a valid Date."),
        ("OSS ak:x", {"Date": "yesterday"}, "OSS authentication requires a valid Date."),
        ("OSS2 AccessKeyId:ak,Signature:x", {"Date": ""}, "OSS authentication requires a valid Date."),
        ("OSS4-HMAC-SHA256 Credential=x,Signature=x", {"x-oss-date": "1"}, "OSS authentication requires a valid Date."),
    ],
)  # fmt: skip
def test_a_request_without_a_date_is_refused(authorization: str, headers: dict[str, str], message: str) -> None:
    with pytest.raises(AccessRefused) as refused:
        find_claim(_with_header(authorization, headers))

    assert refused.value.message == message


_AWS_QUERY = {
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": _SCOPE, "X-Amz-Date": "20130524T000000Z",
    "X-Amz-Expires": "60", "X-Amz-SignedHeaders": "host", "X-Amz-Signature": "x",
}  # fmt: skip
_OSS_QUERY = {
    "x-oss-signature-version": "OSS4-HMAC-SHA256", "x-oss-credential": "ak/20130524/cn-hangzhou/oss/aliyun_v4_request",
    "x-oss-date": "20130524T000000Z", "x-oss-expires": "60", "x-oss-signature": "x",
}  # fmt: skip


def _query(pairs: Mapping[str, str], changed: Mapping[str, str | None]) -> str:
    return "&".join(f"{name}={value}" for name, value in {**pairs, **changed}.items() if value is not None)


_BAD_QUERIES: list[tuple[str, str | None, str]] = [
    ("X-Amz-Date", None, "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."),
    ("X-Amz-Algorithm", "AWS4", 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"'),
    ("X-Amz-Credential", "a/b", 'Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'),
    ("X-Amz-Credential", "AKID/20130525/r/s3/aws4_request", 'Error parsing the X-Amz-Credential parameter; Invalid credential date "20130525". This date is not the same as X-Amz-Date: "20130524".'),
    ("X-Amz-Date", "2013", "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""),
    ("X-Amz-Expires", "x", "X-Amz-Expires should be a number"),
    ("X-Amz-Expires", "1_0", "X-Amz-Expires should be a number"),
    ("X-Amz-Expires", "%D9%A1", "X-Amz-Expires should be a number"),
    ("X-Amz-Expires", "-1", "X-Amz-Expires must be non-negative"),
    ("X-Amz-Expires", "604801", "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"),
    ("X-Amz-Expires", "9" * 5000, "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "message"), _BAD_QUERIES, ids=str)
def test_a_presigned_url_that_cannot_be_read_is_refused(name: str, value: str | None, message: str) -> None:
    with pytest.raises(AuthenticationQueryMalformed) as refused:
        find_claim(_request(_query(_AWS_QUERY, {name: value})))

    assert refused.value.message == message


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("x-oss-date", None, AccessRefused), ("x-oss-expires", None, AccessRefused), ("x-oss-credential", None, AccessRefused),
        ("x-oss-expires", "0", InvalidArgument), ("x-oss-expires", "604801", InvalidArgument),
        ("x-oss-expires", "9" * 5000, InvalidArgument), ("x-oss-date", "2013", InvalidArgument),
        ("x-oss-additional-headers", "", InvalidArgument), ("x-oss-credential", "ak", InvalidArgument),
        ("x-oss-credential", "ak/20130525/r/oss/aliyun_v4_request", InvalidArgument),
        ("x-oss-signature-version", "OSS5", InvalidArgument), ("x-oss-signature-version", None, InvalidArgument),
    ],
)  # fmt: skip
def test_an_oss_url_that_cannot_be_read_is_refused(name: str, value: str | None, error: type[SseProxyError]) -> None:
    with pytest.raises(error) as refused:
        find_claim(_request(_query(_OSS_QUERY, {name: value})))

    assert type(refused.value) is error


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("AWSAccessKeyId=x&Signature=y", "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"),
        ("Signature=y&Expires=1", "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"),
        ("OSSAccessKeyId=x&Expires=1", "Query string authentication requires the Signature, Expires and OSSAccessKeyId parameters."),
        ("AWSAccessKeyId=x&Signature=y&Expires=soon", "Invalid date (should be seconds since epoch): soon"),
        ("OSSAccessKeyId=x&Signature=y&Expires=-1", "Invalid date (should be seconds since epoch): -1"),
    ],
)  # fmt: skip
def test_an_incomplete_old_url_is_refused(query: str, message: str) -> None:
    with pytest.raises(AccessRefused) as refused:
        find_claim(_request(query))

    assert refused.value.message == message


@pytest.mark.parametrize(
    "query",
    [_query(_AWS_QUERY, {}), _query(_OSS_QUERY, {}), "AWSAccessKeyId=x", "OSSAccessKeyId=x&Signature=y&Expires=1"],
)
def test_a_header_and_a_url_signature_at_once_are_refused(query: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^Only one auth mechanism allowed[;:] ") as refused:
        find_claim(_request(query, Authorization="AWS ak:x"))

    assert refused.value.details["ArgumentName"] == "Authorization"


def test_of_a_parameter_that_comes_twice_the_first_counts() -> None:
    claim = find_claim(_request("OSSAccessKeyId=a&Expires=1&Signature=x&OSSAccessKeyId=b&Signature=y"))

    assert claim is not None
    assert (claim.access_key, claim.signature) == ("a", "x")


_PIECES = st.sampled_from(
    [
        "AWS4-HMAC-SHA256", "OSS4-HMAC-SHA256", "OSS2", "OSS", "AWS", " ", ",", "=", ":", ";", "/", "Credential=", "Signature=",
        "SignedHeaders=", "AdditionalHeaders=", "AccessKeyId:", "Signature:", "ak", "20130524", "us-east-1", "s3", "oss",
        "aws4_request", "aliyun_v4_request", "host", _SCOPE, "20130524T000000Z", "é", "%ff", "%00", "x-oss-date", "\udcff", "1" * 30,
    ]
)  # fmt: skip
_TEXTS = st.lists(_PIECES, max_size=12).map("".join)
_NAMES = st.sampled_from(
    [
        *_AWS_QUERY,
        *_OSS_QUERY,
        "Signature",
        "Expires",
        "AWSAccessKeyId",
        "OSSAccessKeyId",
        "uploads",
        "x-oss-additional-headers",
    ]
)
_HEADER_NAMES = st.sampled_from(
    ["Authorization", "x-amz-date", "x-oss-date", "Date", "x-amz-meta-a", "x-oss-meta-a", "Host"]
)


@settings(deadline=None, max_examples=400)
@given(st.lists(st.tuples(_NAMES, _TEXTS), max_size=8), st.lists(st.tuples(_HEADER_NAMES, _TEXTS), max_size=4), _TEXTS)
def test_nothing_that_is_sent_raises_more_than_an_answer(
    parameters: list[tuple[str, str]], headers: list[tuple[str, str]], path: str
) -> None:
    request = SignedRequest(
        method="GET", raw_path="/" + path, raw_query="&".join(f"{name}={value}" for name, value in parameters), headers=headers,
        bucket="b", raw_key=path,
    )  # fmt: skip

    try:
        claim = find_claim(request)
        if claim is not None:
            verify(claim, request, "secret", claim.time or datetime(1970, 1, 1, tzinfo=UTC))
    except SseProxyError:
        return


@pytest.mark.parametrize(
    "scheme",
    [
        {"Authorization": f"AWS4-HMAC-SHA256 Credential={_SCOPE},SignedHeaders=host;x-amz-date;x-amz-meta-a,Signature=é\udcff"},
        {"Authorization": "OSS4-HMAC-SHA256 Credential=ak/20130524/\udcff/oss/aliyun_v4_request,Signature=x"},
        {"Authorization": "OSS2 AccessKeyId:ak,Signature:\udcff"}, {"Authorization": "OSS ak:\udcff"},
        {"Authorization": "AWS ak:\udcff"},
    ],
)  # fmt: skip
def test_bytes_that_are_no_text_are_a_wrong_signature(scheme: dict[str, str]) -> None:
    headers = {
        **scheme, "Host": "h", "x-amz-date": "20130524T000000Z", "x-oss-date": "20130524T000000Z", "x-amz-meta-a": "\udcff",
        "x-oss-meta-a": "\udcff",
    }  # fmt: skip
    request = SignedRequest(
        method="GET",
        raw_path="/b/\udcff",
        raw_query="a=\udcff&%ff",
        headers=list(headers.items()),
        bucket="b",
        raw_key="\udcff",
    )
    claim = find_claim(request)

    assert claim is not None
    with pytest.raises(SseProxyError) as refused:
        verify(claim, request, "secret", datetime(2013, 5, 24, tzinfo=UTC))
    assert "does not match" in refused.value.message
