"""Plaintext of a sealed object as a stream: one backend request, resumed where the storage breaks off."""

from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass

from sseproxy.errors import UpstreamUnavailable
from sseproxy.exchange import Body
from sseproxy.format import Located, Opener
from sseproxy.model import ByteRange
from sseproxy.operations.attributes import Opened, Overwritten, expect_same, pinned_request
from sseproxy.operations.context import Services
from sseproxy.ports import UpstreamResponse

MOST_RESUMES = 4  # in a row without a single new frame
MOST_DRAINED = 64 * 1024  # bytes behind the last frame that are read so that the connection can be used again


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer of the storage that is being read: its body is the object from byte `first` to before `end`.

    Whoever holds it closes `stack`, which ends the exchange.
    """

    response: UpstreamResponse
    stack: AsyncExitStack
    first: int
    end: int


async def fetch(services: Services, opened: Opened, wanted: ByteRange) -> Stored:
    """Ask for stored bytes of exactly the object that was opened. Raises `Overwritten` where it is gone."""
    async with AsyncExitStack() as stack:
        request = pinned_request(services, opened.found, wanted)
        response = await stack.enter_async_context(services.upstream.send(request))
        await expect_same(services, opened.found, wanted, response)
        return Stored(response, stack.pop_all(), wanted.first, wanted.last + 1)


async def plaintext(services: Services, opened: Opened, located: Located, stored: Stored | None = None) -> Body:
    """Yield the located plaintext, frame by frame as the tags verify.

    `stored` is an exchange that already runs and covers the located bytes; it is closed here. Where the storage
    breaks off it is asked again from the last good frame. Raises `IntegrityError`s, `UpstreamUnavailable`.
    """
    wanted = located.stored
    opener = Opener(opened.key, located)
    resumes_left = MOST_RESUMES
    progress = 0
    while wanted is not None and opener.resume_offset <= wanted.last:
        try:
            source = stored or await fetch(services, opened, ByteRange(opener.resume_offset, wanted.last))
            stored = None
            async with aclosing(_opened(source, opener, wanted.last)) as body:
                async for out in body:
                    yield out
        except UpstreamUnavailable as error:
            if opener.is_done:
                break  # it was only the rest behind the last frame that did not come
            if opener.position > progress:
                progress, resumes_left = opener.position, MOST_RESUMES
            if isinstance(error, Overwritten) or resumes_left == 0:
                raise
            resumes_left -= 1
            opener.rewind()
            services.observer.count("backend_reads_resumed_total")
    if stored is not None:
        await _let_go(stored)
    for out in opener.finish():
        yield out


async def _opened(source: Stored, opener: Opener, last: int) -> Body:
    """Feed one answer of the storage to the opener, from where the opener stands to byte `last` of the object."""
    begin = opener.resume_offset
    at = source.first
    async with source.stack, aclosing(source.response.stream()) as stream:
        async for data in stream:
            wanted = memoryview(data)[max(begin - at, 0) : max(last + 1 - at, 0)]
            at += len(data)
            outs = opener.feed(wanted) if wanted else ()
            del data, wanted  # not held while a slow reader takes its time
            for out in outs:
                yield out
            if at > last and source.end - at > MOST_DRAINED:
                return
    if not opener.is_done:
        raise UpstreamUnavailable("The storage broke off within the object.")


async def _let_go(stored: Stored) -> None:
    """End an exchange of which nothing is wanted; a short rest is read, so that the connection can be used again."""
    async with stored.stack:
        if stored.end - stored.first <= MOST_DRAINED:
            with suppress(UpstreamUnavailable):
                await stored.response.read(MOST_DRAINED)
