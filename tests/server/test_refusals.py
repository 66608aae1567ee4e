"""Errors as clients see them."""

import asyncio
from base64 import b64decode

import pytest

from sseproxy.errors import (
    KeyServiceUnavailable,
    NoSuchKey,
    UpstreamAnswered,
    UpstreamUnavailable,
)
from sseproxy.exchange import Request, Response
from tests.server.gateway_world import data_port, failing


async def test_an_error_is_told_in_a_document() -> None:
    async with data_port(failing(NoSuchKey(Key="a&b"))) as port:
        answer = await port.ask(port.signed("GET", "/b/a"))

    assert (answer.status, answer.code, answer.element("Key")) == (404, "NoSuchKey", "a&amp;b")
    assert answer["content-type"] == "application/xml"
    assert answer.element("RequestId") == answer["x-amz-request-id"]
    assert answer.element("HostId") == answer["x-amz-id-2"]


async def test_an_error_of_head_has_no_body_but_oss_puts_it_into_a_header() -> None:
    async with data_port(failing(NoSuchKey())) as port, port.connect() as wire:
        await wire.say(port.signed("HEAD", "/b/a"))
        s3 = await wire.answer("HEAD")
        await wire.say(port.signed_for_oss("HEAD", "/b/a"))
        oss = await wire.answer("HEAD")

    assert (s3.status, oss.status) == (404, 404)
    document = b64decode(oss["x-oss-err"]).decode()
    assert "<Code>NoSuchKey</Code>" in document
    assert f"<HostId>{port.host}</HostId>" in document
    assert f"<RequestId>{oss['x-oss-request-id']}</RequestId>" in document


@pytest.mark.parametrize("error", [KeyServiceUnavailable(), UpstreamUnavailable()])
async def test_what_may_pass_says_when_to_try_again(error: Exception) -> None:
    async with data_port(failing(error)) as port:
        answer = await port.ask(port.signed("GET", "/b/a"))

    assert (answer.status, answer.code, answer["retry-after"]) == (503, "ServiceUnavailable", "1")


async def test_what_the_storage_said_is_passed_on_with_its_headers() -> None:
    error = UpstreamAnswered(405, "MethodNotAllowed", "No.")
    error.headers["x-amz-delete-marker"] = "true"
    async with data_port(failing(error)) as port:
        answer = await port.ask(port.signed("GET", "/b/a"))

    assert (answer.status, answer.code, answer["x-amz-delete-marker"]) == (405, "MethodNotAllowed", "true")


async def test_a_surprise_is_an_internal_error_and_its_text_stays_here() -> None:
    async with data_port(failing(KeyError("a secret"))) as port:
        answer = await port.ask(port.signed("GET", "/b/a"))

    assert (answer.status, answer.code) == (500, "InternalError")
    ((name, fields),) = port.notes.events
    assert (name, fields["error"]) == ("request_failed", "KeyError")
    assert str(fields["where"]).startswith("tests.server.gateway_world:")
    assert "secret" not in repr(port.notes.events) + port.log.getvalue() + answer.body.decode()


async def test_an_error_in_a_group_is_found() -> None:
    group = ExceptionGroup("tasks", [KeyError("x"), ExceptionGroup("more", [NoSuchKey()])])
    async with data_port(failing(group)) as port:
        answer = await port.ask(port.signed("GET", "/b/a"))

    assert (answer.status, answer.code) == (404, "NoSuchKey")


async def test_a_request_too_many_is_turned_away_at_once() -> None:
    inside, over = asyncio.Event(), asyncio.Event()

    async def handler(_request: Request) -> Response:
        inside.set()
        await over.wait()
        return Response(status=200)

    async with data_port(handler, limits={"requests": 1}) as port, port.connect() as wire:
        await wire.say(port.signed("GET", "/b/a"))
        await inside.wait()
        s3 = await port.ask(port.signed("GET", "/b/a"))
        over.set()
        first = await wire.answer()

    assert (s3.status, s3.code, s3["retry-after"]) == (503, "SlowDown", "1")
    assert "connection" not in s3.headers
    assert first.status == 200


async def test_an_upload_too_many_is_turned_away_without_waiting_for_its_body() -> None:
    inside, over = asyncio.Event(), asyncio.Event()

    async def handler(_request: Request) -> Response:
        inside.set()
        await over.wait()
        return Response(status=200)

    async with data_port(handler, limits={"requests": 1}) as port, port.connect() as wire, port.connect() as other:
        await wire.say(port.signed("GET", "/b/a"))
        await inside.wait()
        await other.say(port.signed("PUT", "/b/a", {"Content-Length": "1000000"}))
        refused = await other.answer()
        over.set()
        await wire.answer()

    assert (refused.status, refused["connection"]) == (503, "close")


async def test_a_mistake_on_the_way_to_the_error_document_is_still_an_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = NoSuchKey()
    error.details = 5  # type: ignore[assignment]  # no mapping, so the document cannot be rendered
    async with data_port(failing(error)) as port:
        answer = await port.ask(port.signed("GET", "/b/a"))

    assert (answer.status, answer.code) == (500, "InternalError")
    assert [name for name, _ in port.notes.events] == ["request_failed"]
    assert caplog.records == []


async def test_what_a_client_says_of_itself_is_shown_whatever_its_bytes() -> None:
    async with data_port() as port:
        query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%FF%00/20261121/us-east-1/s3/aws4_request"
        rest = "&X-Amz-Date=20261121T120000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=%FE"
        answer = await port.ask(port.plain("GET", f"/b/a%FF?{query}{rest}"))

    assert (answer.status, answer.code) == (403, "InvalidAccessKeyId")
