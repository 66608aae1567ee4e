"""Bodies as they arrive, or do not: asked for, broken off, left unread."""

from sseproxy.errors import (
    InvalidArgument,
)
from tests.server.gateway_world import data_port, failing, ok


async def test_a_client_is_told_to_continue_when_its_body_is_wanted() -> None:
    async with data_port() as port, port.connect() as wire:
        await wire.say(port.signed("PUT", "/b/k", {"Expect": "100-continue", "Content-Length": "3"}))

        assert await wire.status_line() == b"HTTP/1.1 100 Continue\r\n"
        assert await wire.status_line() == b"\r\n"
        await wire.say("abc")
        assert (await wire.answer()).body == b"abc"


async def test_a_client_with_an_empty_body_is_told_to_continue_as_well() -> None:
    async with data_port() as port, port.connect() as wire:
        await wire.say(port.signed("PUT", "/b/k", {"Expect": "100-continue", "Content-Length": "0"}))

        assert await wire.status_line() == b"HTTP/1.1 100 Continue\r\n"
        assert await wire.status_line() == b"\r\n"
        answer = await wire.answer()
        assert (answer.status, "connection" in answer.headers) == (200, False)


async def test_a_refused_client_is_never_told_to_continue() -> None:
    async with data_port() as port, port.connect() as wire:
        await wire.say(port.plain("PUT", "/b/k", {"Expect": "100-continue", "Content-Length": "3"}))
        answer = await wire.answer()

        assert (answer.status, answer["connection"]) == (403, "close")


async def test_a_handler_that_does_not_read_lets_nobody_continue() -> None:
    async with data_port(ok) as port, port.connect() as wire:
        await wire.say(port.signed("PUT", "/b/k", {"Expect": "100-continue", "Content-Length": "3"}))
        answer = await wire.answer()

        assert (answer.status, answer["connection"]) == (200, "close")


async def test_another_expectation_fails() -> None:
    async with data_port() as port:
        answer = await port.ask(port.signed("PUT", "/b/k", {"Expect": "money", "Content-Length": "3"}), b"abc")

    assert (answer.status, answer.code) == (417, "ExpectationFailed")


async def test_a_short_body_that_was_not_wanted_does_not_cost_the_connection() -> None:
    async with data_port(failing(InvalidArgument())) as port, port.connect() as wire:
        for _ in range(2):
            await wire.say(port.signed("PUT", "/b/k", {"Content-Length": "1000"}).encode() + bytes(1000))
            answer = await wire.answer()
            assert answer.status == 400
            assert "connection" not in answer.headers


async def test_a_long_body_that_was_not_wanted_ends_the_connection_after_the_answer_was_seen() -> None:
    async with data_port(failing(InvalidArgument())) as port, port.connect() as wire:
        await wire.say(port.signed("PUT", "/b/k", {"Content-Length": "300000"}).encode() + bytes(300_000))
        answer = await wire.answer()

        assert (answer.status, answer["connection"]) == (400, "close")
        assert await wire.rest() == b""
