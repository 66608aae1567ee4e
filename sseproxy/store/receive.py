"""Request bodies: into a file with all digests taken, or whole where they are short documents."""

import asyncio
import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import ClientPayloadError
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDict

from sseproxy.signing.aws_v4_stream import ChunkSigner
from sseproxy.store.announced import Announced, announced, check
from sseproxy.store.aws_chunked import AwsChunked
from sseproxy.store.digests import Digested, Digests
from sseproxy.store.faults import Fault
from sseproxy.store.files import Buffer, write_all
from sseproxy.store.service import CONTINUED, Call, Service, awaits_continue
from sseproxy.store.texts import natural
from sseproxy.store.wires import MOST_BODY_BYTES

_BATCH = 1024 * 1024
_INLINE = 128 * 1024
MOST_DOCUMENT_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """A body that arrived whole and passed its checks, under a name that no row has yet."""

    name: str
    digested: Digested


def announced_length(call: Call) -> int | None:
    """Return how many bytes the object will have, None where OSS lets the client leave that open.

    Raises `Fault` MissingContentLength or EntityTooLarge.
    """
    text = (
        call.headers.get("x-amz-decoded-content-length") if call.payload.framed else call.headers.get("Content-Length")
    )
    if text is None:
        if call.wire.name == "oss" and "Transfer-Encoding" in call.headers:
            return None
        raise Fault("MissingContentLength")
    length = natural(text)
    if length is None:
        raise Fault("MissingContentLength")
    if length > MOST_BODY_BYTES:
        details = {"ProposedSize": text, "MaxSizeAllowed": str(MOST_BODY_BYTES)}
        raise Fault("EntityTooLarge", details=details)
    return length


async def receive(
    service: Service, call: Call, wanted: Announced, algorithms: Collection[str], length: int | None
) -> Received:
    """Write the body to a file of its own; raises `Fault` for a body that is not what was announced."""
    name, descriptor = service.files.begin()
    try:
        digested, trailers = await _spool(service, call, descriptor, Digests({*wanted.algorithms, *algorithms}))
        if length is not None and digested.size != length:
            raise Fault("IncompleteBody")
        check(wanted, digested, trailers)
        service.files.keep(name, descriptor)
    except BaseException:
        service.files.drop(name)
        raise
    finally:
        os.close(descriptor)
    return Received(name, digested)


async def _spool(service: Service, call: Call, descriptor: int, digests: Digests) -> tuple[Digested, Mapping[str, str]]:
    decoder = _decoder(call)
    loop = asyncio.get_running_loop()
    batch: list[Buffer] = []
    held = total = 0
    job: asyncio.Future[None] | None = None
    try:
        async for data in incoming(service, call):
            for piece in decoder.feed(data) if decoder else (data,):
                batch.append(piece)
                held += len(piece)
            if held >= _BATCH:
                total += held
                if total > MOST_BODY_BYTES:
                    raise Fault("EntityTooLarge")
                if job is not None:
                    await job
                job = loop.run_in_executor(service.pool, _take, descriptor, batch, digests)
                batch, held = [], 0
        if job is not None:
            await job
            job = None
        if held > _INLINE:
            job = loop.run_in_executor(service.pool, _take, descriptor, batch, digests)
            await job
        else:
            _take(descriptor, batch, digests)
    finally:
        if job is not None and not job.done():
            # The descriptor is closed next; the thread must not write to whatever gets its number.
            await asyncio.wait([job])
    if decoder:
        decoder.finish()
    return digests.finish(), decoder.trailers if decoder else {}


def _take(descriptor: int, batch: Sequence[Buffer], digests: Digests) -> None:
    write_all(descriptor, batch)
    for data in batch:
        digests.update(data)


class SignerAdapter:
    """`aws_chunked.Signatures` on the signer of `sseproxy.signing`; a wrong one raises its `SignatureMismatch`."""

    def __init__(self, signer: ChunkSigner) -> None:
        self._signer = signer

    def chunk(self, sha256: bytes, signature: str) -> None:
        """Check the signature of the next chunk."""
        self._signer.verify_chunk(sha256.hex(), signature)

    def trailer(self, trailers: Mapping[str, str], signature: str) -> None:
        """Check the signature of the trailers."""
        self._signer.verify_trailers(trailers, signature)


def _decoder(call: Call) -> AwsChunked | None:
    if not call.payload.framed:
        return None
    signatures = SignerAdapter(ChunkSigner.after(call.verified)) if call.payload.signed else None
    return AwsChunked(signatures, trailing=call.payload.trailing)


async def incoming(service: Service, call: Call) -> AsyncIterator[bytes]:
    """Yield the body as it comes, after telling a client that waits for it to go on."""
    if awaits_continue(call.raw):
        await call.raw.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        call.raw.writer.output_size = 0
        call.raw[CONTINUED] = True
    try:
        while True:
            async with asyncio.timeout(service.idle_s):
                data = await call.raw.content.readany()
            if not data:
                return
            yield data
    except TimeoutError as problem:
        raise Fault("RequestTimeout") from problem
    except (ClientPayloadError, HttpProcessingError) as problem:
        raise Fault("IncompleteBody") from problem


async def read_document(
    service: Service, call: Call, *, digest: bool = False, checksum_of_object: bool = False
) -> bytes:
    """Return a short body whole, checked; `digest` demands that Content-MD5 or a checksum covers it.

    `checksum_of_object` says that an `x-amz-checksum-*` header is about an object and not about this body.
    """
    if call.payload.framed:
        raise Fault("InvalidRequest", "The value of x-amz-content-sha256 header is invalid.")
    headers = call.headers
    if checksum_of_object:
        headers = CIMultiDict(item for item in headers.items() if not item[0].lower().startswith("x-amz-checksum-"))
    wanted = announced(call.wire, headers, call.payload.sha256)
    if digest and not wanted.any_digest:
        raise Fault("NoDigest")
    pieces = []
    size = 0
    async for data in incoming(service, call):
        size += len(data)
        if size > MOST_DOCUMENT_BYTES:
            raise Fault("MaxMessageLengthExceeded")
        pieces.append(data)
    digests = Digests(wanted.algorithms)
    body = b"".join(pieces)
    digests.update(body)
    check(wanted, digests.finish(), {})
    return body
