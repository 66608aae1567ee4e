"""Promise: signed URLs of OSS in three versions: what they let in, for how long, and what is told (OSS dossier §4.3 to §4.5)."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from tests.support.oss_signing import MISMATCH, now, sign_v1, sign_v2, sign_v4, url_v1, url_v2, url_v4, with_query
from tests.support.raw_http import Answer, exchange, signed
from tests.support.servers import ACCESS_KEY, REGION, Server

_BUCKET = "oss-signed-urls"
_AT = f"/{_BUCKET}/dir/a%20b%2B%C3%A9"
_EXPIRED = (403, "AccessDenied", "Request has expired.")
_TWO = "Only one auth mechanism allowed: the Authorization header or the signature parameters of the URL."
_INCOMPLETE = (
    403,
    "AccessDenied",
    "Query string authentication requires the Signature, Expires and OSSAccessKeyId parameters.",
)


@pytest.fixture(scope="module")
def server(dev: Server) -> Server:
    assert signed(dev, "PUT", f"/{_BUCKET}", dialect="oss").status == 200
    assert signed(dev, "PUT", _AT, {}, b"body", dialect="oss").status == 200
    return dev


def _epoch(offset_s: int) -> str:
    return str(int(now().timestamp()) + offset_s)


URLS: Mapping[str, Callable[[str], dict[str, str]]] = {
    "V1": lambda target: url_v1("GET", target, expires=_epoch(60)),
    "V2": lambda target: url_v2("GET", target, expires=_epoch(60)),
    "V4": lambda target: url_v4("GET", target, at=now(), expires="60"),
}
every_url = pytest.mark.parametrize("form", URLS)


def _get(server: Server, parameters: Mapping[str, str], target: str = _AT, headers: Any = None) -> Answer:
    return exchange(server, "GET", with_query(target, parameters), headers)


def _flipped(signature: str) -> str:
    return ("B" if signature[0] != "B" else "C") + signature[1:]


@every_url
def test_a_signature_in_a_url_lets_in(server: Server, form: str) -> None:
    answer = _get(server, URLS[form](_AT))

    assert (answer.status, answer.body) == (200, b"body")


@every_url
def test_a_wrong_signature_in_a_url_is_told_the_same(server: Server, form: str) -> None:
    parameters = URLS[form](_AT)
    name = "Signature" if form == "V1" else "x-oss-signature"

    answer = _get(server, {**parameters, name: _flipped(parameters[name])})

    assert (answer.error, answer.text("OSSAccessKeyId")) == (MISMATCH, ACCESS_KEY)
    assert _get(server, parameters, f"/{_BUCKET}/another").error == MISMATCH


@every_url
def test_a_signature_in_header_and_url_at_once_is_refused(server: Server, form: str) -> None:
    for sign in (sign_v1, sign_v2, sign_v4):
        answer = _get(server, URLS[form](_AT), headers=sign("GET", _AT, at=now()))

        assert answer.error == (400, "InvalidArgument", _TWO)
        assert answer.text("ArgumentName") == "Authorization"


@pytest.mark.parametrize("form", ["V1", "V2"])
def test_an_old_url_ends_at_its_moment_whatever_its_signature(server: Server, form: str) -> None:
    url = {"V1": url_v1, "V2": url_v2}[form]
    parameters = url("GET", _AT, expires=_epoch(-1))
    name = "Signature" if form == "V1" else "x-oss-signature"

    assert _get(server, parameters).error == _EXPIRED
    assert _get(server, {**parameters, name: _flipped(parameters[name])}).error == _EXPIRED


@pytest.mark.parametrize("missing", ["Expires", "Signature"])
def test_a_url_of_version_1_has_all_its_parts(server: Server, missing: str) -> None:
    parameters = URLS["V1"](_AT)
    del parameters[missing]

    assert _get(server, parameters).error == _INCOMPLETE


@pytest.mark.parametrize("expires", ["", "soon", "-1", "1.5", "9" * 30])
def test_the_end_of_a_url_of_version_1_is_a_number(server: Server, expires: str) -> None:
    answer = _get(server, url_v1("GET", _AT, expires=expires))

    assert answer.error == (403, "AccessDenied", f"Invalid date (should be seconds since epoch): {expires}")


def test_of_a_parameter_that_comes_twice_the_first_counts(server: Server) -> None:
    right = URLS["V1"](f"{_AT}?response-content-type=text/a")
    target = with_query(f"{_AT}?response-content-type=text/a", right)

    later = f"{target}&Signature=wrong&Expires=1&OSSAccessKeyId=nobody&response-content-type=text/b"
    answer = exchange(server, "GET", later)

    assert (answer.status, answer.headers.get("content-type")) == (200, "text/a")
    earlier = target.replace("?", "?Signature=wrong&", 1)
    assert exchange(server, "GET", earlier).error == MISMATCH


@pytest.mark.parametrize("expires", ["1", "60", "604800"])
def test_a_url_of_version_4_lasts_from_a_second_to_a_week(server: Server, expires: str) -> None:
    at = now() + timedelta(seconds=30) if expires == "1" else now()  # so that it does not end before it is used

    assert _get(server, url_v4("GET", _AT, at=at, expires=expires)).status == 200


@pytest.mark.parametrize("expires", ["0", "-1", "604801", "", "x", "1.5", "9" * 30])
def test_another_lifetime_is_refused_and_named(server: Server, expires: str) -> None:
    answer = _get(server, url_v4("GET", _AT, at=now(), expires=expires))

    assert answer.error == (400, "InvalidArgument", "x-oss-expires must be between 1 and 604800 seconds.")
    assert (answer.text("ArgumentName"), answer.text("ArgumentValue")) == ("x-oss-expires", expires)


def test_a_url_of_version_4_ends_and_does_not_begin_in_the_future(server: Server) -> None:
    ended = url_v4("GET", _AT, at=now() - timedelta(seconds=61), expires="60")
    ahead = url_v4("GET", _AT, at=now() + timedelta(minutes=16), expires="3600")

    assert _get(server, ended).error == _EXPIRED
    assert _get(server, {**ended, "x-oss-signature": "0" * 64}).error == _EXPIRED
    assert _get(server, ahead).error == (403, "AccessDenied", "Request is not valid yet.")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"x-oss-expires": None}, (403, "AccessDenied")),
        ({"x-oss-date": None}, (403, "AccessDenied")),
        ({"x-oss-credential": None}, (403, "AccessDenied")),
        ({"x-oss-date": "2026-01-01"}, (400, "InvalidArgument")),
        ({"x-oss-credential": "x"}, (400, "InvalidArgument")),
        ({"x-oss-credential": f"x/20200101/{REGION}/oss/aliyun_v4_request"}, (400, "InvalidArgument")),
        ({"x-oss-additional-headers": ""}, (400, "InvalidArgument")),
        ({"x-oss-signature-version": "OSS3"}, (400, "InvalidArgument")),
        ({"x-oss-signature-version": None}, (400, "InvalidArgument")),
    ],
    ids=str,
)
def test_a_url_of_version_4_has_all_its_parts_in_their_form(
    server: Server, changed: dict[str, str | None], error: tuple[int, str]
) -> None:
    answer = _get(server, url_v4("GET", _AT, at=now(), expires="60", changed=changed))

    assert answer.error[:2] == error
    assert "x-oss-request-id" in answer.headers


def test_the_host_is_signed_where_it_is_listed(server: Server) -> None:
    host = f"{server.host}:{server.port}"
    listed = {"x-oss-additional-headers": "host"}
    parameters = url_v4("GET", _AT, {"Host": host}, at=now(), expires="60", changed=listed)

    assert _get(server, parameters).status == 200
    assert _get(server, parameters, headers={"Host": f"localhost:{server.port}"}).error == MISMATCH


@every_url
@pytest.mark.parametrize("name", ["x-oss-server-side-encryption", "x-oss-meta-a", "Content-Type"])
def test_the_headers_of_a_signed_upload_must_be_sent_as_signed(server: Server, form: str, name: str) -> None:
    target, value = f"/{_BUCKET}/uploaded", "AES256"
    headers = {name: value}
    parameters = {
        "V1": lambda: url_v1("PUT", target, headers, expires=_epoch(60)),
        "V2": lambda: url_v2("PUT", target, headers, expires=_epoch(60)),
        "V4": lambda: url_v4("PUT", target, headers, at=now(), expires="60"),
    }[form]()
    url = with_query(target, parameters)

    def put(headers: dict[str, str]) -> Answer:
        return exchange(server, "PUT", url, {**headers, "Content-Length": "1"}, b"x")

    assert put(headers).status == 200
    assert put({}).error == MISMATCH
    assert put({name: "other"}).error == MISMATCH
    assert put({**headers, "x-oss-meta-b": "more"}).error == MISMATCH


@every_url
def test_a_url_is_for_one_method_and_no_more_parameters(server: Server, form: str) -> None:
    url = with_query(_AT, URLS[form](_AT))

    assert exchange(server, "DELETE", url).error == MISMATCH
    assert exchange(server, "GET", f"{url}&acl").error == MISMATCH
    assert exchange(server, "GET", url).body == b"body"
