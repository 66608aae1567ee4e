"""A key between CMK and data keys, the "bucket key" (docs/format.md, "Keys under a KEK").

A CMK wraps it together with the moment it was made; it wraps data keys by itself, each under a key of its own.
"""

import hmac
import secrets
from datetime import UTC, datetime
from typing import Final, Self

from sseproxy.errors import WrappedKeyRejected
from sseproxy.format.derivation import hkdf
from sseproxy.format.envelope import KEK_ID
from sseproxy.format.keys import DataKey
from sseproxy.format.wrapping import WrapRejected, unwrap, wrap
from sseproxy.model import Suite, WrapContext

KEK_LENGTH: Final = 32  # bytes, docs/format.md, "Keys under a KEK"

_CREATED = 8  # bytes of its moment, whole seconds since 1970, docs/format.md, "Keys under a KEK"
_LATEST_S = 1 << 37  # some time in the year 6325: `datetime` ends before u64 does


class Kek:
    """A key-encrypting key and when it was made, a whole second. Its `repr` shows no key."""

    __slots__ = ("_created_s", "_id", "_raw")

    def __init__(self, raw: bytes, created_s: int) -> None:
        self._raw = raw
        self._created_s = created_s
        self._id = hkdf(raw, None, b"id", KEK_ID)

    @classmethod
    def draw(cls, now: datetime) -> Self:
        """Return a fresh random one."""
        return cls(secrets.token_bytes(KEK_LENGTH), int(now.timestamp()))

    @classmethod
    def unpack(cls, packed: bytes, kek_id: bytes) -> Self:
        """Return what the CMK opened. Raises `WrappedKeyRejected` where it is no KEK, or not the one of this id."""
        if len(packed) != _CREATED + KEK_LENGTH:
            raise WrappedKeyRejected("What the master key opened is no bucket key.")
        kek = cls(packed[_CREATED:], int.from_bytes(packed[:_CREATED], "big"))
        if not hmac.compare_digest(kek.id, kek_id) or kek._created_s > _LATEST_S:
            raise WrappedKeyRejected("The bucket key is not the one that the envelope names.")
        return kek

    def __repr__(self) -> str:
        return f"Kek(<redacted>, id={self._id.hex()})"

    @property
    def id(self) -> bytes:
        """What names it without revealing it; 16 bytes."""
        return self._id

    @property
    def created(self) -> datetime:
        """When it was made, in UTC."""
        return datetime.fromtimestamp(self._created_s, UTC)

    def pack(self) -> bytes:
        """Return what the CMK wraps."""
        return self._created_s.to_bytes(_CREATED, "big") + self._raw

    def wrap(self, key: DataKey, context: WrapContext, *, _salt: bytes | None = None) -> bytes:
        """Return a data key wrapped under this one, bound to its object's context. Only vectors give a salt."""
        return wrap(self._raw, key.raw, context.aad, _salt=_salt)

    def open(self, wrapped: bytes, context: WrapContext, suite: Suite) -> DataKey:
        """Open a data key. Raises `WrappedKeyRejected` where it is another's, or of another context."""
        try:
            return DataKey(unwrap(self._raw, wrapped, context.aad), suite)
        except (WrapRejected, ValueError) as cause:
            raise WrappedKeyRejected from cause
