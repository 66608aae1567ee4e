"""What a request's head says of its body: framing, length, expectation (S3 dossier §8.7, §8.8).

aiohttp's parser has refused contradictions between lengths and codings; what it lets pass is refused here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sseproxy.errors import MissingContentLength, RequestError
from sseproxy.wire.numbers import natural

DECODED_LENGTH = "x-amz-decoded-content-length"


class MalformedRequest(RequestError):
    """The request is no HTTP, or HTTP that is refused because others might read it differently."""

    default = "An error occurred when parsing the HTTP request."


class UnknownExpectation(RequestError):
    """`Expect` holds something other than `100-continue`."""

    default = "The expectation in the Expect header is not supported."


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """`length`: bytes on the wire, None where the body is chunked. `awaits_continue`: the client waits for a 100.

    `is_announced`: whether the head says anything of a body; HTTP takes silence for none.
    """

    length: int | None
    awaits_continue: bool
    is_announced: bool = True

    @property
    def has_body(self) -> bool:
        """Whether any byte may follow the head."""
        return self.length != 0


def read_framing(headers: Mapping[str, str], version: tuple[int, int]) -> Framing:
    """Read the framing. Raises `MalformedRequest`, `UnknownExpectation`."""
    expectation = headers.get("Expect", "").strip().lower()  # an empty one expects nothing: OSS's C++ SDK sends it
    if expectation not in {"", "100-continue"}:
        raise UnknownExpectation
    coding = headers.get("Transfer-Encoding")
    if coding is not None and (coding.strip().lower() != "chunked" or version < (1, 1)):
        raise MalformedRequest
    if coding is not None and "Content-Length" in headers:
        raise MalformedRequest
    length = None if coding is not None else int(headers.get("Content-Length", "0"))
    return Framing(
        length=length,
        awaits_continue=bool(expectation) and version >= (1, 1),
        is_announced=coding is not None or "Content-Length" in headers,
    )


def decoded_length(headers: Mapping[str, str]) -> int:
    """Return the announced length of an aws-chunked body's plaintext. Raises `MissingContentLength` (411)."""
    length = natural(headers.get(DECODED_LENGTH, "").strip())
    if length is None:
        raise MissingContentLength
    return length
