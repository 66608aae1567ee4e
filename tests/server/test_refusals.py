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
    assert first.status == 200
