"""Messages between supervisor and worker."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sseproxy.bootstrap.channel import Channel, open_channel


@asynccontextmanager
async def _pair() -> AsyncIterator[tuple[Channel, Channel]]:
    one, other = socket.socketpair()
    async with open_channel(one) as first, open_channel(other) as second:
        yield first, second


async def _all(channel: Channel) -> list[dict[str, Any]]:
    return [message async for message in channel.messages()]


async def test_messages_arrive_whole_and_in_order_however_long_they_are() -> None:
    sent = [{"answer": number, "value": "ü" * length} for number, length in enumerate((0, 5, 1_000_000, 3))]
    one, other = socket.socketpair()
    async with asyncio.TaskGroup() as group, open_channel(other) as receiver:
        received = group.create_task(_all(receiver))
        async with open_channel(one) as sender:
            for message in sent:
                sender.send(message)
        await received

    assert received.result() == sent


async def test_the_other_process_ending_in_the_middle_of_a_message_ends_the_messages() -> None:
    one, other = socket.socketpair()
    async with open_channel(other) as receiver:
        with one:
            one.sendall((9).to_bytes(4) + b'{"a": 1')

        assert await _all(receiver) == []


async def test_saying_something_to_a_process_that_has_ended_does_nothing() -> None:
    async with _pair() as (one, other):
        async with asyncio.TaskGroup() as group:
            heard = group.create_task(_all(one))
            one.send({"number": 1})
            await anext(aiter(other.messages()))
            other._writer.close()
            await heard

        one.send({"number": 2})
        one.send({"number": 3})
