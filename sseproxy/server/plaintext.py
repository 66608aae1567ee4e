"""From the bytes on the wire to verified plaintext: framing removed, signatures and hash checked.

Every check raises before the last buffer is handed on, so whoever forwards the body never completes one that fails.
SHA-256 costs two seconds per GiB; where it is needed, it runs in threads beside the event loop.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass
from types import MappingProxyType

from sseproxy.errors import PayloadHashMismatch
from sseproxy.exchange import Body
from sseproxy.model import ChecksumAlgorithm
from sseproxy.operations.pump import DIGEST_BATCH, INLINE_DIGEST, BackgroundDigests, in_thread, pump
from sseproxy.server.payload_form import PayloadForm
from sseproxy.signing import ChunkSigner, Verified
from sseproxy.stage import Buffer, Stage
from sseproxy.wire.aws_chunked import AwsChunkedDecoder, check_trailer_names
from sseproxy.wire.digests import Digests, digest_of
from sseproxy.wire.headers import parse_tokens

_NO_TRAILERS: Mapping[str, str] = MappingProxyType({})
_SHA256 = ChecksumAlgorithm.SHA256


@dataclass(frozen=True, slots=True, kw_only=True)
class Plaintext:
    """A body and, once it has ended, its trailers by lower-case name."""

    body: Body
    trailers: Callable[[], Mapping[str, str]]


def plaintext_of(
    wire: Body,
    form: PayloadForm,
    headers: Mapping[str, str],
    length: int | None,
    verified: Verified | None,
    pool: Executor,
) -> Plaintext:
    """Put the stages that `form` asks for behind `wire`; `length` is that of the plaintext.

    Raises `InvalidRequest` for trailers that are no checksums; the body raises what `AwsChunkedDecoder` does, and
    `PayloadHashMismatch`.
    """
    if form.framed:
        return _unframed(wire, form, headers, length or 0, verified, pool)
    if form.sha256 is not None:
        return Plaintext(body=verify_sha256(wire, form.sha256, pool), trailers=lambda: _NO_TRAILERS)
    return Plaintext(body=wire, trailers=lambda: _NO_TRAILERS)


def check_hash_of_nothing(form: PayloadForm) -> None:
    """Raise `PayloadHashMismatch` where a request without a body announces the hash of one."""
    if form.sha256 is not None:
        _compare(form.sha256, digest_of(_SHA256, b""))


async def verify_sha256(source: Body, expected: bytes, pool: Executor) -> Body:
    """Pass a body on, its last buffer only once the whole is known to be what was announced. Closes `source`."""
    digests = BackgroundDigests(Digests(md5=False, crc64=False, algorithms=frozenset({_SHA256})), pool)
    held: Buffer = b""
    async with aclosing(source):
        async for data in source:
            if held:
                yield held
            held = data
            await digests.update(data)
    _compare(expected, (await digests.finish()).checksum(_SHA256))
    if held:
        yield held


async def pump_in_threads(source: Body, stage: Stage, pool: Executor) -> Body:
    """Pull `source` through a stage that computes for long, in batches. Closes `source`."""
    batch: list[Buffer] = []
    size = 0
    async with aclosing(source):
        async for data in source:
            batch.append(data)
            size += len(data)
            if size >= DIGEST_BATCH:
                for out in await in_thread(pool, _feed, stage, batch):
                    yield out
                batch, size = [], 0
    rest = _feed(stage, batch) if size <= INLINE_DIGEST else await in_thread(pool, _feed, stage, batch)
    for out in (*rest, *stage.finish()):
        yield out


def _feed(stage: Stage, batch: Sequence[Buffer]) -> list[Buffer]:
    return [out for data in batch for out in stage.feed(data)]


def _unframed(
    wire: Body, form: PayloadForm, headers: Mapping[str, str], length: int, verified: Verified | None, pool: Executor
) -> Plaintext:
    names = parse_tokens(headers.get("x-amz-trailer"))
    check_trailer_names(names)
    signer = ChunkSigner.after(verified) if form.signed and verified is not None else None
    decoder = AwsChunkedDecoder(signer=signer, trailer_names=names, decoded_length=length, is_trailing=form.trailing)
    body = pump(wire, decoder) if signer is None else pump_in_threads(wire, decoder, pool)
    return Plaintext(body=body, trailers=lambda: decoder.trailers)


def _compare(expected: bytes, computed: bytes) -> None:
    if not hmac.compare_digest(expected, computed):
        raise PayloadHashMismatch(ClientComputedContentSHA256=expected.hex(), S3ComputedContentSHA256=computed.hex())
