"""One frame: the STREAM nonce and the AEAD under a segment key (docs/format.md, "Body")."""

from struct import Struct

from cryptography.exceptions import InvalidTag

from sseproxy.errors import FrameRejected
from sseproxy.format.suites import aead_of
from sseproxy.model import Suite
from sseproxy.stage import Buffer

_NONCE = Struct(">Q3xB")  # index, zero, final: docs/format.md, "Body"


class FrameCipher:
    """Seals and opens the frames of one segment."""

    __slots__ = ("_aead", "_number")

    def __init__(self, suite: Suite, segment_key: bytes, number: int) -> None:
        self._aead = aead_of(suite, segment_key)
        self._number = number

    def seal_into(self, index: int, plaintext: Buffer, out: memoryview, *, final: bool) -> None:
        """Seal a frame into `out`, which is exactly 16 bytes longer than the plaintext."""
        self._aead.encrypt_into(_NONCE.pack(index, final), plaintext, None, out)

    def open_into(self, index: int, stored: Buffer, out: memoryview, *, final: bool) -> None:
        """Open a frame into `out`, which is exactly 16 bytes shorter than the stored frame.

        Raises `FrameRejected`; what `out` then holds must not be used.
        """
        try:
            self._aead.decrypt_into(_NONCE.pack(index, final), stored, None, out)
        except InvalidTag as cause:
            raise FrameRejected(f"Frame {index} of segment {self._number} failed its integrity check.") from cause
