"""The plaintext body of a request: read without joining, de-chunked, its hash and signatures verified on the way.

Which form a body has is told by `x-amz-content-sha256` alone (S3 dossier §3.4). An unknown form is refused: passing it
on would store framing as data.
"""

import asyncio
import hmac
import re
from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass

from aiohttp import web

from sseproxy.errors import (
    IncompleteBody,
    InvalidArgument,
    InvalidRequest,
    MissingContentLength,
    PayloadHashMismatch,
    RequestTimeout,
    UnsupportedFeature,
)
from sseproxy.exchange import Body
from sseproxy.model import ChecksumAlgorithm
from sseproxy.operations.pump import BackgroundDigests, pump
from sseproxy.signing import UNSIGNED_PAYLOAD, ChunkSigner, Scheme, Verified
from sseproxy.stage import Buffer
from sseproxy.wire.aws_chunked import AwsChunkedDecoder, check_trailer_names
from sseproxy.wire.digests import Digests
from sseproxy.wire.headers import parse_tokens

_HEADER = "x-amz-content-sha256"
_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
_ECDSA = ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER")
_STREAMING = frozenset({_UNSIGNED_TRAILER, _SIGNED, _SIGNED_TRAILER})
_SHA256 = re.compile(r"[0-9a-f]{64}")
_UNKNOWN = (
    f"{_HEADER} must be {UNSIGNED_PAYLOAD}, {_UNSIGNED_TRAILER}, {_SIGNED}, {_SIGNED_TRAILER}, {_ECDSA[0]}, "
    f"{_ECDSA[1]} or a valid sha256 value."
)


@dataclass(slots=True)
class Counted:
    """How many bytes of a body came over the wire so far."""

    bytes_in: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A request's plaintext: the body, its announced length, and where its trailers will be."""

    body: Body
    length: int | None
    decoder: AwsChunkedDecoder | None = None

    def trailers(self) -> Mapping[str, str]:
        """Return the trailers by lower-case name; complete once the body has ended."""
        return {} if self.decoder is None else self.decoder.trailers


def plain_body(
    request: web.BaseRequest,
    verified: Verified | None,
    raw: Body,
    pool: Executor,
    *,
    is_object: bool,
    chunked_allowed: bool,
) -> Plain:
    """Return the plaintext of `raw`, the body as it comes over the wire.

    `is_object` says whether the operation stores the body as an object or part: only then may it be aws-chunked.
    Raises `InvalidArgument`, `InvalidRequest`, `UnsupportedFeature`, `MissingContentLength`.
    """
    form = _form(request, verified)
    length = _content_length(request)
    if form in _ECDSA:
        raise UnsupportedFeature(f"The chunk encoding algorithm {form} is not supported.", Header=_HEADER)
    if form in _STREAMING:
        if not is_object:
            raise InvalidRequest("The value of x-amz-content-sha256 header is invalid.")
        return _decoded(request, verified, raw, form)
    if length is None and request.body_exists and not chunked_allowed:
        raise MissingContentLength
    if form is not None and form != UNSIGNED_PAYLOAD:
        if not _SHA256.fullmatch(form):
            raise InvalidArgument(_UNKNOWN, ArgumentName=_HEADER, ArgumentValue=form)
        return Plain(body=_hashed(raw, form, pool), length=length)
    return Plain(body=raw, length=length)


async def wire_body(request: web.BaseRequest, timeout_s: float, counted: Counted) -> Body:
    """Yield the body as it lies in the receive buffers, nothing joined.

    `100 Continue` is sent when the first bytes are asked for: a request that is refused never gets one. Raises
    `RequestTimeout` after `timeout_s` seconds of silence, `IncompleteBody` where the client goes away.
    """
    if is_waiting(request):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    while True:
        try:
            async with asyncio.timeout(timeout_s):
                data, _ = await request.content.readchunk()
        except TimeoutError as cause:
            raise RequestTimeout from cause
        except (web.RequestPayloadError, ConnectionError) as cause:
            raise IncompleteBody from cause
        if not data:
            if request.content.at_eof():
                return
            continue
        counted.bytes_in += len(data)
        yield data


def is_waiting(request: web.BaseRequest) -> bool:
    """Whether the client waits for `100 Continue` before it sends its body."""
    return request.headers.get("Expect", "").strip().lower() == "100-continue" and request.version >= (1, 1)


def _form(request: web.BaseRequest, verified: Verified | None) -> str | None:
    """Return the announced form of the payload, None where nothing is announced."""
    announced = request.headers.get(_HEADER)
    if verified is not None and verified.claim.scheme is Scheme.AWS_V4 and announced is None:
        raise InvalidRequest(f"Missing required header for this request: {_HEADER}")
    if verified is not None and verified.claim.scheme is Scheme.AWS_V4_QUERY:
        return verified.claim.payload_hash
    return announced


def _content_length(request: web.BaseRequest) -> int | None:
    if not request.body_exists and "Transfer-Encoding" not in request.headers:
        return 0
    return request.content_length


def _decoded(request: web.BaseRequest, verified: Verified | None, raw: Body, form: str) -> Plain:
    text = request.headers.get("x-amz-decoded-content-length", "")
    if not text.isascii() or not text.isdigit():
        raise MissingContentLength
    names = parse_tokens(request.headers.get("x-amz-trailer"))
    check_trailer_names(names)
    signer = None
    if form != _UNSIGNED_TRAILER:
        if verified is None or verified.claim.scheme is not Scheme.AWS_V4:
            raise InvalidRequest("The value of x-amz-content-sha256 header is invalid.")
        signer = ChunkSigner.after(verified)
    decoder = AwsChunkedDecoder(
        signer=signer,
        trailer_names=names if form != _SIGNED else (),
        decoded_length=int(text),
        is_trailing=form != _SIGNED,
    )
    return Plain(body=pump(raw, decoder), length=int(text), decoder=decoder)


async def _hashed(raw: Body, expected: str, pool: Executor) -> Body:
    """Yield a body, its last buffer only after its SHA-256 has been compared. Raises `PayloadHashMismatch`."""
    digests = BackgroundDigests(Digests(md5=False, crc64=False, algorithms=frozenset({ChecksumAlgorithm.SHA256})), pool)
    held: Buffer | None = None
    async with aclosing(raw):
        async for data in raw:
            await digests.update(data)
            if held is not None:
                yield held
            held = data
        computed = (await digests.finish()).checksum(ChecksumAlgorithm.SHA256).hex()
    if not hmac.compare_digest(computed, expected):
        raise PayloadHashMismatch(ClientComputedContentSHA256=expected, S3ComputedContentSHA256=computed)
    if held is not None:
        yield held
