"""The rolling chunk and trailer signatures of SigV4's streamed payloads (S3 dossier §3.5)."""

import hashlib
import hmac
from collections.abc import Mapping

from sseproxy.errors import SignatureMismatch
from sseproxy.signing.aws_v4 import EMPTY_SHA256
from sseproxy.signing.claims import Verified


class ChunkSigner:
    """Signs or verifies the chunks of one body in order; each signature covers the one before."""

    def __init__(self, *, signing_key: bytes, timestamp: str, scope: str, seed_signature: str) -> None:
        self._key = signing_key
        self._prefix = f"{timestamp}\n{scope}\n"
        self._previous = seed_signature

    @classmethod
    def after(cls, verified: Verified) -> "ChunkSigner":
        """Return the signer for the body of a request whose headers have been verified."""
        return cls(
            signing_key=verified.signing_key,
            timestamp=verified.claim.timestamp,
            scope=verified.claim.scope,
            seed_signature=verified.seed_signature,
        )

    def sign_chunk(self, sha256_hex: str) -> str:
        """Return the signature of the next chunk, whose data has this digest."""
        return self._advance("AWS4-HMAC-SHA256-PAYLOAD", f"{EMPTY_SHA256}\n{sha256_hex}")

    def sign_trailers(self, trailers: Mapping[str, str]) -> str:
        """Return the signature of the trailers, names lower case, values trimmed."""
        block = "".join(f"{name}:{value}\n" for name, value in sorted(trailers.items()))
        return self._advance("AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(block.encode()).hexdigest())

    def verify_chunk(self, sha256_hex: str, signature: str) -> None:
        """Raise `SignatureMismatch` unless this is the next chunk's signature."""
        _compare(self.sign_chunk(sha256_hex), signature)

    def verify_trailers(self, trailers: Mapping[str, str], signature: str) -> None:
        """Raise `SignatureMismatch` unless this is the trailers' signature."""
        _compare(self.sign_trailers(trailers), signature)

    def _advance(self, algorithm: str, rest: str) -> str:
        text = f"{algorithm}\n{self._prefix}{self._previous}\n{rest}"
        self._previous = hmac.digest(self._key, text.encode(), "sha256").hex()
        return self._previous


def _compare(expected: str, given: str) -> None:
    if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
        raise SignatureMismatch
