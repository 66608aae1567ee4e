"""Content keys that the OSS SDKs had wrapped by Alibaba Cloud KMS before they sent an object (OSS dossier §8.5)."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sseproxy.errors import KeyAccessRefused, KeyNotFound, WrappedKeyRejected
from sseproxy.model import WrapContext, WrappedKey
from sseproxy.ports import Kms

_NO_CONTEXT = WrapContext(aad=b"", pairs=())  # a passphrase of oss2's provider would be one: that is not supported


@dataclass(frozen=True, slots=True)
class ClientKms:
    """The key service, and the ids of the CMKs whose clients' keys it may open."""

    kms: Kms
    key_ids: Sequence[str]

    async def open(self, text: str) -> bytes | None:
        """Return what a metadata value wraps, None where it is under none of the CMKs.

        Raises `KeyServiceUnavailable`, and `KeyStateRefused` for a CMK that cannot be used now.
        """
        for blob in _blobs(text):
            for key_id in self.key_ids:
                try:
                    return await self.kms.unwrap(WrappedKey(key_id=key_id, blob=blob), _NO_CONTEXT)
                except (WrappedKeyRejected, KeyAccessRefused, KeyNotFound):
                    continue
        return None


def _blobs(text: str) -> Iterator[bytes]:
    """Yield what KMS may have given: oss2 encodes that text once more, other SDKs store it as it is."""
    try:
        inner = b64decode(text, validate=True)
        b64decode(inner, validate=True)
        yield inner
    except (Base64Error, ValueError):
        pass
    if text.isascii():
        yield text.encode()
