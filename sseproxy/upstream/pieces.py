"""Taking bytes out of aiohttp's buffers: one received buffer at a time, uncopied, unless it is small.

aiohttp's own ways either join everything that waits, which holds more at once and copies it, or hand out every scrap.
"""

import aiohttp

# aiohttp stops reading when twice as much waits, which is after one of the event loop's reads of 256 KiB. With what was
# made of another one, a connection whose other side is slow holds well below 1 MiB.
READ_BUFFER = 64 * 1024

_SMALL = 64 * 1024


async def next_piece(content: aiohttp.StreamReader) -> bytes:
    """Return the next bytes as soon as there are any, b"" at the end; raises what the stream's connection does."""
    data = b""
    while not data:
        if content.at_eof():
            return b""
        data, _ = await content.readchunk()
    if len(data) < _SMALL:
        data += content.read_nowait(_SMALL - len(data))
    return data
