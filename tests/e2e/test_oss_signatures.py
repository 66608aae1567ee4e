"""Promise: OSS's six ways to sign are understood, and what is wrong with one is told as the service does (OSS dossier §4)."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest

from tests.support.oss_signing import MISMATCH, now, sign_v1, sign_v2, sign_v4
from tests.support.raw_http import Answer, exchange, signed
from tests.support.servers import ACCESS_KEY, REGION, Server

_BUCKET = "oss-signatures"
_AT = f"/{_BUCKET}/dir/a%20b%2B%C3%A9"
_SKEWED = (403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
_NO_DATE = (403, "AccessDenied", "OSS authentication requires a valid Date.")
_INVALID = (400, "InvalidArgument", "Authorization header is invalid.")
_NO_KEY = (403, "InvalidAccessKeyId", "The OSS Access Key Id you provided does not exist in our records.")
_MD5 = b64encode(hashlib.md5(b"body").digest()).decode()
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z")


@pytest.fixture(scope="module")
def server(dev: Server) -> Server:
    assert signed(dev, "PUT", f"/{_BUCKET}", dialect="oss").status == 200
    assert signed(dev, "PUT", _AT, {}, b"body", dialect="oss").status == 200
    return dev


def _in_header(sign: Callable[..., dict[str, str]], **fixed: Any) -> Callable[..., Answer]:
    def ask(server: Server, *, at: datetime | None = None, **changed: str) -> Answer:
        headers = sign("GET", _AT, at=at or now(), **fixed)
        return exchange(server, "GET", _AT, {**headers, **{name.title(): value for name, value in changed.items()}})

    return ask


HEADERS: Mapping[str, Callable[..., Answer]] = {
    "V1": _in_header(sign_v1),
    "V1 with x-oss-date": _in_header(sign_v1, own_date=True),
    "V2": _in_header(sign_v2),
    "V4": _in_header(sign_v4),
}
every_header = pytest.mark.parametrize("form", HEADERS)


def _flipped(signature: str) -> str:
    return ("B" if signature[0] != "B" else "C") + signature[1:]


# ---- What holds ----


@every_header
def test_a_signature_in_a_header_lets_in(server: Server, form: str) -> None:
    answer = HEADERS[form](server)

    assert (answer.status, answer.body) == (200, b"body")


@pytest.mark.parametrize("form", ["V2", "V4"])
def test_additional_headers_are_signed(server: Server, form: str) -> None:
    sign = {"V2": sign_v2, "V4": sign_v4}[form]
    headers = sign("GET", _AT, {"Range": "bytes=0-1", "abc": " 1 "}, at=now(), additional=["abc", "range"])

    assert exchange(server, "GET", _AT, headers).body == b"bo"
    assert exchange(server, "GET", _AT, {**headers, "Range": "bytes=0-2"}).error == MISMATCH
    assert exchange(server, "GET", _AT, {**headers, "abc": "2"}).error == MISMATCH
    assert exchange(server, "GET", _AT, {name: headers[name] for name in headers if name != "abc"}).error == MISMATCH


def test_version_4_is_read_with_blanks_and_in_any_order(server: Server) -> None:
    headers = sign_v4("GET", _AT, {"Range": "bytes=0-1"}, at=now(), additional=["range"])
    credential, additional, signature = headers["Authorization"].removeprefix("OSS4-HMAC-SHA256 ").split(",")

    for parts in (f"{credential}, {signature}, {additional}", f"{signature},{additional} , {credential}"):
        changed = {**headers, "Authorization": f"OSS4-HMAC-SHA256 {parts}"}
        assert exchange(server, "GET", _AT, changed).body == b"bo"


@every_header
def test_an_unknown_header_of_oss_is_signed_and_ignored(server: Server, form: str) -> None:
    sign: Callable[..., dict[str, str]] = {"V2": sign_v2, "V4": sign_v4}.get(form, sign_v1)
    headers = sign("GET", _AT, {"x-oss-Something": "  of mine\t"}, at=now())

    assert exchange(server, "GET", _AT, headers).body == b"body"
    assert exchange(server, "GET", _AT, {**headers, "x-oss-Something": "else"}).error == MISMATCH


@pytest.mark.parametrize("sign", [sign_v1, sign_v2, sign_v4])
@pytest.mark.parametrize("key", ["a%2Fb", "a/b", "a+b", "%e9%9f%b3", "a//b", "~-_.", "a%3Db%26c%3Fd"])
def test_a_key_is_signed_decoded_however_it_is_written(
    server: Server, sign: Callable[..., dict[str, str]], key: str
) -> None:
    target = f"/{_BUCKET}/keys/{key}"
    headers = sign("PUT", target, {"Content-Type": "text/a", "Content-MD5": _MD5}, at=now())

    put = exchange(server, "PUT", target, {**headers, "Content-Length": "4"}, b"body")

    assert put.status == 200


@pytest.mark.parametrize("sign", [sign_v2, sign_v4])
@pytest.mark.parametrize(
    "query", ["prefix=a+b&delimiter=%2F", "prefix=a%20b&delimiter=%2f", "delimiter=%2F&prefix=a+b"]
)
def test_blanks_in_a_signed_query_are_pluses_or_percents(
    server: Server, sign: Callable[..., dict[str, str]], query: str
) -> None:
    target = f"/{_BUCKET}/?{query}"

    answer = exchange(server, "GET", target, sign("GET", target, at=now()))

    assert (answer.status, answer.text("Prefix")) == (200, "a b")


@pytest.mark.parametrize("query", ["uploads", "uploads="])
def test_a_sub_resource_has_a_value_or_none(server: Server, query: str) -> None:
    for sign in (sign_v1, sign_v2, sign_v4):
        target = f"/{_BUCKET}/k?{query}"
        assert exchange(server, "POST", target, sign("POST", target, at=now())).status == 200


# ---- Time ----


@every_header
@pytest.mark.parametrize("minutes", [-14, 14])
def test_a_clock_may_be_a_quarter_of_an_hour_off(server: Server, form: str, minutes: int) -> None:
    assert HEADERS[form](server, at=now() + timedelta(minutes=minutes)).status == 200


@every_header
@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_clock_that_is_further_off_is_told_with_both_times(server: Server, form: str, minutes: int) -> None:
    at = now() + timedelta(minutes=minutes)

    answer = HEADERS[form](server, at=at)

    assert answer.error == _SKEWED
    assert answer.text("MaxAllowedSkewMilliseconds") == "900000"
    assert answer.text("RequestTime") == at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert _MOMENT.fullmatch(answer.text("ServerTime"))


@pytest.mark.parametrize("date", ["", "yesterday", "2026-01-01T00:00:00Z", "20260101T000000"])
@pytest.mark.parametrize("form", ["V1", "V2"])
def test_a_date_that_is_none_is_refused(server: Server, form: str, date: str) -> None:
    assert HEADERS[form](server, date=date).error == _NO_DATE


@pytest.mark.parametrize("date", ["", "yesterday", "20260101"])
@pytest.mark.parametrize("form", ["V1 with x-oss-date", "V4"])
def test_a_date_of_oss_that_is_none_is_refused(server: Server, form: str, date: str) -> None:
    headers = sign_v4("GET", _AT, at=now()) if form == "V4" else sign_v1("GET", _AT, at=now(), own_date=True)

    assert exchange(server, "GET", _AT, {**headers, "x-oss-date": date}).error == _NO_DATE


@pytest.mark.parametrize("sign", [sign_v1, sign_v2, sign_v4])
def test_a_request_without_a_date_is_refused(server: Server, sign: Callable[..., dict[str, str]]) -> None:
    headers = {name: text for name, text in sign("GET", _AT, at=now()).items() if name not in {"Date", "x-oss-date"}}

    assert exchange(server, "GET", _AT, headers).error == _NO_DATE


def test_the_date_of_oss_counts_before_the_other_one(server: Server) -> None:
    headers = sign_v1("GET", _AT, {"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}, at=now(), own_date=True)

    assert exchange(server, "GET", _AT, headers).status == 200


# ---- What does not hold ----


@every_header
def test_a_wrong_signature_is_told_with_what_was_to_be_signed(server: Server, form: str) -> None:
    sign: Callable[..., dict[str, str]] = {"V2": sign_v2, "V4": sign_v4}.get(form, sign_v1)
    headers = sign("GET", _AT, at=now())
    text, mark, signature = headers["Authorization"].rpartition("=" if form == "V4" else ":")

    answer = exchange(server, "GET", _AT, {**headers, "Authorization": text + mark + _flipped(signature)})

    assert answer.error == MISMATCH
    assert answer.text("OSSAccessKeyId") == ACCESS_KEY
    text = unescape(answer.text("StringToSign"))
    assert bytes.fromhex(answer.text("StringToSignBytes")).decode() == text
    assert text.startswith("OSS4-HMAC-SHA256\n" if form == "V4" else "GET\n\n\n")


@every_header
def test_an_unknown_key_is_told_and_named(server: Server, form: str) -> None:
    sign: Callable[..., dict[str, str]] = {"V2": sign_v2, "V4": sign_v4}.get(form, sign_v1)
    headers = sign("GET", _AT, at=now())
    unknown = {**headers, "Authorization": headers["Authorization"].replace(ACCESS_KEY, "nobody")}

    answer = exchange(server, "GET", _AT, unknown)

    assert (answer.error, answer.text("OSSAccessKeyId")) == (_NO_KEY, "nobody")


@pytest.mark.parametrize(
    "authorization",
    [
        "OSS nothing", "OSS :x", "OSS2 Signature:x", "OSS2 AccessKeyId:x", "OSS4-HMAC-SHA256 Signature=x",
        "OSS4-HMAC-SHA256 Credential=x",
        f"OSS4-HMAC-SHA256 Credential=x/20260101/{REGION}/s3/aliyun_v4_request,Signature=x",
        f"OSS4-HMAC-SHA256 Credential=x/20260101/{REGION}/oss/aws4_request,Signature=x",
        f"OSS4-HMAC-SHA256 Credential=x/2026/{REGION}/oss/aliyun_v4_request,Signature=x",
    ],
)  # fmt: skip
def test_an_authorization_that_cannot_be_read_is_refused(server: Server, authorization: str) -> None:
    headers = {**sign_v1("GET", _AT, at=now()), **sign_v4("GET", _AT, at=now()), "Authorization": authorization}

    answer = exchange(server, "GET", _AT, headers)

    assert (answer.error, answer.text("ArgumentName")) == (_INVALID, "Authorization")


@pytest.mark.parametrize("authorization", ["OSS", "OSS5 x:y", "OSS3-HMAC-SHA256 Credential=x,Signature=y"])
def test_a_way_of_signing_that_is_none_is_refused(server: Server, authorization: str) -> None:
    answer = exchange(server, "GET", _AT, {"Authorization": authorization})

    assert answer.error[:2] == (400, "InvalidArgument")
    assert "x-oss-request-id" in answer.headers


def test_a_scope_of_another_day_is_refused(server: Server) -> None:
    headers = sign_v4("GET", _AT, at=now(), scope=f"20200101/{REGION}/oss/aliyun_v4_request")

    assert exchange(server, "GET", _AT, headers).error == (
        400, "InvalidArgument", "Invalid signing date in Authorization header."
    )  # fmt: skip
