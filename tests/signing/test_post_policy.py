import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest

from sseproxy.errors import AccessRefused, InvalidArgument, InvalidPolicy, SignatureMismatch
from sseproxy.signing.post_claims import find_post_claim, form_dialect, needed_conditions, verify_post
from sseproxy.signing.post_policy import check_policy, parse_policy

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_S3_POLICY = (
    '{"expiration":"2013-08-07T12:00:00.000Z","conditions":[{"bucket":"examplebucket"},["starts-with","$key","user/"],'
    '{"x-amz-server-side-encryption":"AES256"},{"x-amz-credential":"AKIAIOSFODNN7EXAMPLE/20130806/us-east-1/s3/'
    'aws4_request"},{"x-amz-algorithm":"AWS4-HMAC-SHA256"},{"x-amz-date":"20130806T000000Z"},'
    '["content-length-range",0,1048576]]}'
)
_S3_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
_OSS_POLICY = (
    '{"expiration":"2030-01-01T00:00:00.000Z","conditions":[{"bucket":"bkt"},["starts-with","$key","user/"],'
    '["content-length-range",1,10485760],{"x-oss-server-side-encryption":"AES256"}]}'
)
_OSS_V4_POLICY = (
    '{"expiration":"2030-01-01T00:00:00.000Z","conditions":[{"bucket":"bkt"},{"x-oss-signature-version":'
    '"OSS4-HMAC-SHA256"},{"x-oss-credential":"ak/20260101/cn-hangzhou/oss/aliyun_v4_request"},'
    '{"x-oss-date":"20260101T000000Z"}]}'
)


def _text(policy: str) -> str:
    return b64encode(policy.encode()).decode()


_VECTORS: dict[str, tuple[dict[str, str], str]] = {
    "S3 V4": (
        {
            "policy": _text(_S3_POLICY),
            "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20130806/us-east-1/s3/aws4_request",
            "x-amz-date": "20130806T000000Z",
            "x-amz-signature": "df6cc71c55b2e94b30412789701073284de0af44a0a83e6685476d38fd9ff179",
        },
        _S3_SECRET,
    ),
    "S3 V2": (
        {"policy": _text(_S3_POLICY), "awsaccesskeyid": "AKIA", "signature": "ptS8tp38thHRARcipiXfTAl+5kA="},
        _S3_SECRET,
    ),
    "OSS V1": (
        {"policy": _text(_OSS_POLICY), "ossaccesskeyid": "ak", "signature": "anLJkZiAF5V5q7Kcch5lSVo3Vvo="},
        "sk",
    ),
    "OSS V4": (
        {
            "policy": _text(_OSS_V4_POLICY),
            "x-oss-signature-version": "OSS4-HMAC-SHA256",
            "x-oss-credential": "ak/20260101/cn-hangzhou/oss/aliyun_v4_request",
            "x-oss-date": "20260101T000000Z",
            "x-oss-signature": "e30e3f3107f34272ea82f05d14cc1a83b8dea3ca3c2ca4fe13eb7b7e8f81643c",
        },
        "sk",
    ),
}


@pytest.mark.parametrize("name", _VECTORS)
def test_the_dossiers_vectors_verify_and_no_other_policy_does(name: str) -> None:
    fields, secret = _VECTORS[name]
    claim = find_post_claim(fields)

    assert claim is not None
    assert claim.scheme.dialect == form_dialect(fields) == name.split(maxsplit=1)[0].lower()
    verify_post(claim, secret)
    altered = find_post_claim({**fields, "policy": fields["policy"][:-4] + "AAA="})
    assert altered is not None
    with pytest.raises(SignatureMismatch):
        verify_post(altered, secret)
    with pytest.raises(SignatureMismatch):
        verify_post(claim, secret + "x")


@pytest.mark.parametrize("name", _VECTORS)
def test_a_signed_form_without_one_of_its_fields_is_told_which(name: str) -> None:
    fields, _ = _VECTORS[name]

    for missing in fields:
        if missing in {"awsaccesskeyid", "ossaccesskeyid"}:
            continue
        with pytest.raises(InvalidArgument) as caught:
            find_post_claim({field: value for field, value in fields.items() if field != missing})
        assert caught.value.details["ArgumentName"] == missing


def test_a_form_without_any_of_them_is_not_signed() -> None:
    assert find_post_claim({"key": "a", "policy": "e30="}) is None


@pytest.mark.parametrize(
    ("vector", "field", "value"),
    [
        ("S3 V4", "x-amz-algorithm", "AWS4-HMAC-SHA1"),
        ("S3 V4", "x-amz-credential", "AKIAIOSFODNN7EXAMPLE"),
        ("S3 V4", "x-amz-credential", "AKIAIOSFODNN7EXAMPLE/20130806/us-east-1/s3/aliyun_v4_request"),
        ("S3 V4", "x-amz-credential", "/20130806/us-east-1/s3/aws4_request"),
        ("S3 V4", "x-amz-date", "20130807T000000Z"),
        ("OSS V4", "x-oss-signature-version", "OSS2"),
        ("OSS V4", "x-oss-credential", "ak/20260101/cn-hangzhou/oss/aws4_request"),
        ("OSS V4", "x-oss-date", "20260102T000000Z"),
    ],
)
def test_a_field_of_the_signature_that_cannot_be_is_told(vector: str, field: str, value: str) -> None:
    fields, _ = _VECTORS[vector]

    with pytest.raises(InvalidArgument) as refused:
        find_post_claim({**fields, field: value})

    assert refused.value.details == {"ArgumentName": field, "ArgumentValue": value}


@pytest.mark.parametrize("name", ["AWSAccessKeyId", "OSSAccessKeyId"])
def test_a_signature_alone_is_told_that_the_access_key_is_missing(name: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        find_post_claim({"policy": "e30=", "signature": "x"}, name)

    assert refused.value.details == {"ArgumentName": name, "ArgumentValue": ""}


@pytest.mark.parametrize(
    ("vector", "needed"),
    [
        ("S3 V4", ("x-amz-algorithm", "x-amz-credential", "x-amz-date")),
        ("OSS V4", ("x-oss-signature-version", "x-oss-credential", "x-oss-date")),
        ("S3 V2", ()),
        ("OSS V1", ()),
    ],
)
def test_what_a_signature_rests_on_must_stand_in_the_policy(vector: str, needed: tuple[str, ...]) -> None:
    fields, _ = _VECTORS[vector]
    claim = find_post_claim(fields)
    assert claim is not None
    conditions = [{name: fields[name]} for name in needed]

    assert needed_conditions(claim) == needed
    check_policy(parse_policy(_policy(*conditions)), fields, _NOW, needed=needed)
    for left in range(len(needed)):
        without = parse_policy(_policy(*conditions[:left], *conditions[left + 1 :]))
        with pytest.raises(AccessRefused) as refused:
            check_policy(without, fields, _NOW, needed=needed)
        assert refused.value.message == f"Invalid according to Policy: Policy misses conditions for: {needed[left]}"


def _policy(*conditions: Any) -> str:
    return _text(json.dumps({"expiration": "2030-01-01T00:00:00Z", "conditions": conditions}))


@pytest.mark.parametrize(
    ("condition", "fits", "fails"),
    [
        ({"acl": "private"}, "private", "Private"),
        (["eq", "$ACL", "private"], "private", "public"),
        (["starts-with", "$acl", "pri"], "private", "xpri"),
        (["starts-with", "$acl", ""], "", None),
        (["in", "$acl", ["private", "default"]], "default", "public"),
        (["not-in", "$acl", ["public"]], "private", "public"),
    ],
)
def test_a_condition_holds_or_is_told(condition: Any, fits: str, fails: str | None) -> None:
    policy = parse_policy(_policy(condition))

    check_policy(policy, {"acl": fits}, _NOW, uncovered=())
    if fails is not None:
        with pytest.raises(AccessRefused, match="Policy Condition failed: \\["):
            check_policy(policy, {"acl": fails}, _NOW)


def test_a_field_that_the_policy_does_not_name_is_told_where_all_must_be_named() -> None:
    policy = parse_policy(_policy(["starts-with", "$key", ""]))
    fields = {"key": "a", "x-ignore-b": "1", "policy": "p", "x-amz-foo": "1"}

    check_policy(policy, fields, _NOW)
    with pytest.raises(AccessRefused) as caught:
        check_policy(policy, fields, _NOW, uncovered={"policy"})
    assert caught.value.message == "Invalid according to Policy: Extra input fields: x-amz-foo"


def test_a_policy_ends() -> None:
    with pytest.raises(AccessRefused) as caught:
        check_policy(parse_policy(_text(_S3_POLICY)), {}, _NOW)
    assert caught.value.message == "Invalid according to Policy: Policy expired."


def test_the_narrowest_range_of_the_files_length_counts() -> None:
    policy = parse_policy(_policy(["content-length-range", 1, "100"], ["Content-Length-Range", 5, 200]))

    assert (policy.smallest, policy.largest) == (5, 100)


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        ("%%%", "Invalid Policy: Invalid JSON."),
        (_text("{"), "Invalid Policy: Invalid JSON."),
        (_text("[" * 100_000), "Invalid Policy: Invalid JSON."),
        (_text("[]"), "Invalid Policy: Invalid JSON."),
        (_text('{"conditions":[]}'), "Invalid Policy: Policy missing expiration."),
        (_text('{"expiration":"2030-01-01T00:00:00Z"}'), "Invalid Policy: Policy missing conditions."),
        (_text('{"expiration":"soon","conditions":[]}'), "Invalid Policy: Invalid 'expiration' value: \"soon\"."),
        (_policy({"acl": 1}), "Invalid Policy: Invalid Simple-Condition: value of 'acl' must be a text."),
        (_policy(["eq", "acl", "x"]), 'Invalid Policy: Invalid Condition: ["eq", "acl", "x"].'),
        (_policy("acl"), 'Invalid Policy: Invalid Condition: "acl".'),
        (_policy(["eq", "$acl"]), 'Invalid Policy: Invalid Condition: ["eq", "$acl"].'),
        (_policy(["ends-with", "$acl", "x"]), 'Invalid Policy: Invalid Condition: ["ends-with", "$acl", "x"].'),
        (_policy(["content-length-range", -1, 5]), "Invalid Policy: Invalid content-length-range: -1."),
        (
            _policy(["content-length-range", 1]),
            'Invalid Policy: Invalid content-length-range: ["content-length-range", 1].',
        ),
    ],
)
def test_a_policy_that_cannot_be_read_is_told_why(encoded: str, message: str) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        parse_policy(encoded)
    assert caught.value.message == message
