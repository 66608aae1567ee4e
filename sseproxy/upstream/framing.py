"""Ciphertext as aws-chunked with a CRC32C trailer, for storages that verify it (S3 dossier §3.5).

Chunks have a fixed size, so that the length of the framed body is known before its first byte.
"""

from base64 import b64encode
from collections.abc import Sequence

from sseproxy.model import ChecksumAlgorithm
from sseproxy.stage import Buffer
from sseproxy.wire.digests import Digests

CHUNK = 1024 * 1024
TRAILER = "x-amz-checksum-crc32c"
PAYLOAD_FORM = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

_TRAILER_BYTES = len(f"{TRAILER}:") + 8 + len("\r\n\r\n")


def framed_size(size: int) -> int:
    """Return how long the framed form of `size` bytes is."""
    whole, rest = divmod(size, CHUNK)
    return whole * _framed(CHUNK) + (_framed(rest) if rest else 0) + len("0\r\n") + _TRAILER_BYTES


def _framed(size: int) -> int:
    return len(f"{size:x}") + 2 + size + 2


class AwsChunkedEncoder:
    """A stage that frames exactly `size` bytes; buffers pass through as views."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._left_in_chunk = 0
        self._crc = Digests(md5=False, crc64=False, algorithms=frozenset({ChecksumAlgorithm.CRC32C}))

    def feed(self, data: Buffer) -> Sequence[Buffer]:
        """Frame the next bytes."""
        self._crc.update(data)
        view, out = memoryview(data), list[Buffer]()
        while view:
            if not self._left_in_chunk:
                self._left_in_chunk = min(CHUNK, self._left)
                if not self._left_in_chunk:
                    raise ValueError("more bytes than announced")
                out.append(f"{self._left_in_chunk:x}\r\n".encode())
            taken = view[: self._left_in_chunk]
            view = view[len(taken) :]
            out.append(taken)
            self._left -= len(taken)
            self._left_in_chunk -= len(taken)
            if not self._left_in_chunk:
                out.append(b"\r\n")
        return out

    def finish(self) -> Sequence[Buffer]:
        """Return the last chunk and the trailer."""
        if self._left:
            raise ValueError("fewer bytes than announced")
        crc = b64encode(self._crc.checksum(ChecksumAlgorithm.CRC32C)).decode()
        return [f"0\r\n{TRAILER}:{crc}\r\n\r\n".encode()]
