"""Promise: conditions, ranges and overrides of OSS clients in the combinations that they really send (OSS dossier §6.4)."""

from typing import Any

import oss2
import pytest
import requests

from tests.support.oss_clients import oss2_refusal
from tests.support.raw_http import signed
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Launcher, Server, own_state

_BODY = bytes(range(256)) * 4
_OLD, _FUTURE = "Mon, 01 Jan 2001 00:00:00 GMT", "Mon, 01 Jan 2096 00:00:00 GMT"
_STANDARD = {"x-oss-range-behavior": "standard"}


@pytest.fixture
def bucket(dev: Server, bucket_name: str) -> Any:
    bucket = oss2.Bucket(oss2.AuthV4(ACCESS_KEY, SECRET_KEY), dev.url, bucket_name, region=REGION)
    bucket.create_bucket()
    bucket.put_object("o", _BODY, headers={"Content-Type": "text/a"})
    return bucket


def test_a_resumed_download_holds_to_the_object_that_it_began_with(bucket: Any) -> None:
    head = bucket.head_object("o")
    both = {"If-Match": head.etag, "If-Unmodified-Since": head.headers["Last-Modified"]}  # without quotes, as oss2 does

    got = bucket.get_object("o", byte_range=(10, 19), headers=both)
    bucket.put_object("o", b"another")

    assert (got.status, got.read()) == (206, _BODY[10:20])
    assert oss2_refusal(bucket.get_object, "o", byte_range=(10, 19), headers=both)[:2] == (412, "PreconditionFailed")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": "*"}, 206),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"0"', "If-Modified-Since": _OLD}, 206),
        ({"If-Unmodified-Since": _FUTURE, "If-Modified-Since": _OLD}, 206),
        ({"If-Unmodified-Since": _OLD}, 412),
    ],
)
def test_a_condition_comes_before_the_range(dev: Server, bucket: Any, headers: dict[str, str], status: int) -> None:
    asked = {**headers, "Range": "bytes=0-3", **_STANDARD}

    answer = signed(dev, "GET", f"/{bucket.bucket_name}/o", asked, dialect="oss")

    assert (answer.status, answer.body[:4] == _BODY[:4]) == (status, status == 206)
    assert answer.headers.get("content-range") == ("bytes 0-3/1024" if status == 206 else None)


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since"])
@pytest.mark.parametrize("size", [1, 2 * 1024 * 1024])
def test_a_date_is_no_condition_of_a_write(dev: Server, bucket: Any, name: str, size: int) -> None:
    answer = signed(dev, "PUT", f"/{bucket.bucket_name}/o", {name: _FUTURE}, bytes(size), dialect="oss")

    assert answer.error == (
        400, "NotImplemented", "A header you provided implies functionality that is not implemented."
    )  # fmt: skip
    assert answer.text("Header") == name
    assert bucket.get_object("o").read() == _BODY


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"x-oss-copy-source-if-unmodified-since": _FUTURE}, None),
        ({"x-oss-copy-source-if-modified-since": _OLD}, None),
        ({"x-oss-copy-source-if-unmodified-since": _OLD}, oss2.exceptions.PreconditionFailed),
        ({"x-oss-copy-source-if-modified-since": "the object's"}, oss2.exceptions.NotModified),
    ],
)
def test_copies_obey_the_time_of_their_source(
    bucket: Any, headers: dict[str, str], error: type[Exception] | None
) -> None:
    own = {"the object's": bucket.head_object("o").headers["Last-Modified"]}
    headers = {name: own.get(value, value) for name, value in headers.items()}

    def copy() -> Any:
        return bucket.copy_object(bucket.bucket_name, "o", "copy", headers=headers)

    if error is None:
        assert copy().status == 200
        assert bucket.get_object("copy").read() == _BODY
    else:
        with pytest.raises(error):
            copy()
        assert not bucket.object_exists("copy")


def test_an_error_is_not_dressed_as_what_was_asked_for(bucket: Any) -> None:
    url = bucket.sign_url("GET", "none", 60, params={"response-content-type": "text/b"})

    answer = requests.get(url, timeout=30)

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/xml")


@pytest.mark.parametrize("value", ["text/html\r\nX-Own: 1", "a\x00b", "a\x7f"])
@pytest.mark.parametrize("byte_range", [None, (0, 3)])
def test_an_override_that_no_header_can_hold_is_refused(bucket: Any, value: str, byte_range: Any) -> None:
    for name in ("response-content-type", "response-content-disposition", "response-expires"):
        refusal = oss2_refusal(bucket.get_object, "o", params={name: value}, byte_range=byte_range)
        assert refusal == (400, "InvalidArgument", f"The value of {name} holds control characters.")


def test_an_override_that_was_not_signed_is_refused(bucket: Any) -> None:
    url = bucket.sign_url("GET", "o", 60)

    answer = requests.get(f"{url}&response-content-type=text%2Fhtml", timeout=30)

    assert (answer.status_code, "<Code>SignatureDoesNotMatch</Code>" in answer.text) == (403, True)


@pytest.mark.parametrize("name", ["content-type", "content-language", "content-encoding", "content-disposition"])
def test_whoever_is_not_signed_overrides_nothing(anonymous: Server, name: str) -> None:
    url = f"{anonymous.url}/anonymous/o"

    plain = requests.get(url, timeout=30)
    dressed = requests.get(url, params={f"response-{name}": "x"}, timeout=30)

    assert (plain.status_code, plain.content) == (200, b"plain")
    assert (dressed.status_code, "<Code>InvalidRequest</Code>" in dressed.text) == (400, True)
    assert "x-oss-request-id" in dressed.headers


@pytest.fixture(scope="module")
def anonymous(launcher: Launcher, store: Server) -> Server:
    """A sidecar, which serves whoever reaches it."""
    proxy = launcher.proxy(
        store,
        dialect="oss",
        listen='unsigned_dialect = "oss"\n',
        extra="[clients]\ntrust_unsigned = true\n" + own_state("anonymous"),
    )
    assert requests.put(f"{proxy.url}/anonymous", timeout=30).status_code == 200
    assert requests.put(f"{proxy.url}/anonymous/o", data=b"plain", timeout=30).status_code == 200
    return proxy
