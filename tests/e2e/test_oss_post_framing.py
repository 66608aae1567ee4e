"""Promise: a form is taken however clients bring it over the wire, and what is none is told so (OSS dossier §6.11)."""

from typing import Any

import pytest
import requests

from tests.support.forms import oss_form, oss_refusal, post_form
from tests.support.oss_clients import oss2_bucket, oss2_refusal
from tests.support.raw_http import connect, exchange, head_bytes, read_answer
from tests.support.servers import Server

_BODY = b"hello"


@pytest.fixture
def url(oss_alone: Server, form_bucket: Any) -> str:
    return f"{oss_alone.url}/{form_bucket.bucket_name}"


def _form(bucket: Any) -> dict[str, str]:
    return oss_form(bucket.bucket_name, key="k")


def _prepared(url: str, form: dict[str, str]) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a form."""
    prepared = requests.Request("POST", url, data=form, files={"file": ("a", _BODY)}).prepare()
    assert isinstance(prepared.body, bytes)
    return {"Content-Type": str(prepared.headers["Content-Type"])}, prepared.body


def test_a_post_that_is_no_form_is_told_so(form_bucket: Any, url: str) -> None:
    broken = {"Content-Type": "multipart/form-data; boundary=x"}

    assert oss_refusal(form_bucket, requests.post(url, data=b"--y\r\n", headers=broken, timeout=60)) == (
        400, "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data."
    )  # fmt: skip
    assert oss2_refusal(form_bucket._do, "POST", form_bucket.bucket_name, "", data=b"key=k") == (
        400, "RequestIsNotMultiPartContent", "Bucket POST must be of the enclosure-type multipart/form-data"
    )  # fmt: skip
    twice: Any = [(name, (None, value)) for name, value in _form(form_bucket).items()]
    twice += [("KEY", (None, "j")), ("file", ("a", _BODY))]
    assert oss_refusal(form_bucket, requests.post(url, files=twice, timeout=60))[:2] == (400, "InvalidArgument")


def test_fields_have_a_size_together_and_each_alone(form_bucket: Any, url: str) -> None:
    many = {f"x:{number}": "x" * 10_000 for number in range(14)}

    assert oss_refusal(form_bucket, post_form(url, _form(form_bucket) | many)) == (
        400, "MaxPOSTPreDataLengthExceededError", "Your POST request fields preceding the upload file were too large."
    )  # fmt: skip
    for field in ({"x:long": "x" * 140_000}, {"x" * 8193: ""}):
        assert oss_refusal(form_bucket, post_form(url, _form(form_bucket) | field)) == (
            400, "FieldItemTooLong", "A field of your POST request is too large."
        )  # fmt: skip


def test_a_form_is_chunked_or_has_a_length(oss_alone: Server, form_bucket: Any, url: str) -> None:
    head, body = _prepared(url, _form(form_bucket))
    target = f"/{form_bucket.bucket_name}"

    neither = exchange(oss_alone, "POST", target, head)
    chunked = exchange(
        oss_alone, "POST", target, {**head, "Transfer-Encoding": "chunked"},
        f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n",
    )  # fmt: skip

    assert neither.error == (411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    assert chunked.status == 204
    assert form_bucket.get_object("k").read() == _BODY


def test_a_form_waits_for_continue_where_it_says_so(oss_alone: Server, form_bucket: Any, url: str) -> None:
    head, body = _prepared(url, _form(form_bucket))
    head["Content-Length"] = str(len(body))

    with connect(oss_alone) as connection:  # curl does this from 1 MiB on
        connection.sendall(
            head_bytes(oss_alone, "POST", f"/{form_bucket.bucket_name}", {**head, "Expect": "100-continue"})
        )
        first = connection.recv(25)
        connection.sendall(body)
        answer = read_answer(connection)

    assert (first, answer.status) == (b"HTTP/1.1 100 Continue\r\n\r\n", 204)


@pytest.mark.parametrize("path", ["/", ""])
def test_a_form_may_go_to_a_host_of_the_buckets_own(dev: Server, bucket_name: str, path: str) -> None:
    bucket = oss2_bucket(dev, bucket_name)
    bucket.create_bucket()
    host = {"Host": f"{bucket_name}.localhost:{dev.port}"}
    form = oss_form(bucket_name, key="a b", success_action_status="201")

    answer = requests.post(dev.url + path, data=form, files={"file": ("a", _BODY)}, headers=host, timeout=60)

    assert (answer.status_code, answer.headers["Location"]) == (201, f"http://{host['Host']}/a%20b")
    assert bucket.get_object("a b").read() == _BODY


def test_a_form_beside_another_signature_isoss_refusal(form_bucket: Any, url: str) -> None:
    authorization = {"Authorization": "OSS sseproxy-dev:AAAA"}
    answer = requests.post(
        url, data=_form(form_bucket), files={"file": ("a", _BODY)}, headers=authorization, timeout=60
    )

    assert oss_refusal(form_bucket, answer)[:2] == (400, "InvalidArgument")
