"""Framing a sealed stream as aws-chunked with a CRC32C trailer, so that the storage can tell damage on the way.

S3 dossier §3.5. Every chunk but the last has `CHUNK` bytes, so the framed length is known before the first byte.
"""

from base64 import b64encode
from collections.abc import Sequence
from contextlib import aclosing

from sseproxy.exchange import Body
from sseproxy.model import ChecksumAlgorithm
from sseproxy.stage import Buffer
from sseproxy.wire.digests import Digests

CHUNK = 256 * 1024
TRAILER = "x-amz-checksum-crc32c"
_TRAILER_LENGTH = len(TRAILER) + len(":") + 8 + len("\r\n\r\n")


def framed_length(length: int) -> int:
    """Return how long a body of `length` bytes is framed."""
    whole, rest = divmod(length, CHUNK)
    chunks = whole * (len(f"{CHUNK:x}") + CHUNK + 4)
    if rest:
        chunks += len(f"{rest:x}") + rest + 4
    return chunks + len("0\r\n") + _TRAILER_LENGTH


async def framed(body: Body) -> Body:
    """Yield a body framed, with its trailer. Closes `body`."""
    digests = Digests(md5=False, crc64=False, algorithms=frozenset({ChecksumAlgorithm.CRC32C}))
    waiting: list[Buffer] = []
    size = 0
    async with aclosing(body):
        async for data in body:
            digests.update(data)
            view = memoryview(data)
            while size + len(view) >= CHUNK:
                taken, view = view[: CHUNK - size], view[CHUNK - size :]
                for out in _chunk([*waiting, taken], CHUNK):
                    yield out
                waiting, size = [], 0
            if view:
                waiting.append(view)
                size += len(view)
    if size:
        for out in _chunk(waiting, size):
            yield out
    value = b64encode(digests.checksum(ChecksumAlgorithm.CRC32C)).decode()
    yield f"0\r\n{TRAILER}:{value}\r\n\r\n".encode()


def _chunk(buffers: Sequence[Buffer], size: int) -> Sequence[Buffer]:
    return [f"{size:x}\r\n".encode(), *buffers, b"\r\n"]
