"""From framed and asserted bytes to verified plaintext."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

from sseproxy.errors import IncompleteBody, InvalidRequest, PayloadHashMismatch, SignatureMismatch
from sseproxy.exchange import Body
from sseproxy.server.payload_form import PLAIN, PayloadForm
from sseproxy.server.plaintext import check_hash_of_nothing, plaintext_of, verify_sha256
from sseproxy.signing import ChunkSigner, Claim, Scheme, Verified
from sseproxy.stage import Buffer

_VERIFIED = Verified(
    claim=Claim(
        scheme=Scheme.AWS_V4,
        access_key="ak",
        signature="seed",
        timestamp="20261121T070000Z",
        scope_date="20261121",
        region="us-east-1",
        service="s3",
    ),
    seed_signature="seed",
    signing_key=b"key",
)
_SIGNED = PayloadForm(framed=True, signed=True)


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


class Source:
    """A body that tells how much was taken from it and whether it was closed."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = pieces
        self.closed = False

    async def body(self) -> Body:
        try:
            for piece in self.pieces:
                yield piece
        finally:
            self.closed = True


async def _all(body: Body) -> bytes:
    return b"".join([bytes(data) async for data in body])


async def _until_failure(body: Body, got: list[Buffer]) -> None:
    async for data in body:
        got.append(data)  # noqa: PERF401  # what was there before the failure counts


_SIZES = [(b"",), (b"abc",), (b"a", b"b", b"c"), (bytes(700_000), bytes(700_000), b"x"), (bytes(300_000),) * 7]


@pytest.mark.parametrize("pieces", _SIZES, ids=lambda pieces: str(list(map(len, pieces))))
async def test_a_body_with_the_right_hash_passes_whole(pieces: tuple[bytes, ...], pool: Executor) -> None:
    source, whole = Source(pieces), b"".join(pieces)

    assert await _all(verify_sha256(source.body(), hashlib.sha256(whole).digest(), pool)) == whole
    assert source.closed


@pytest.mark.parametrize("pieces", _SIZES, ids=lambda pieces: str(list(map(len, pieces))))
async def test_a_body_with_another_hash_never_passes_its_last_buffer(pieces: tuple[bytes, ...], pool: Executor) -> None:
    source, got = Source(pieces), list[Buffer]()

    with pytest.raises(PayloadHashMismatch) as refused:
        await _until_failure(verify_sha256(source.body(), bytes(32), pool), got)

    assert got == list(pieces[:-1])
    assert source.closed
    assert refused.value.details == {
        "ClientComputedContentSHA256": "00" * 32,
        "S3ComputedContentSHA256": hashlib.sha256(b"".join(pieces)).hexdigest(),
    }


def test_the_hash_of_nothing_is_checked_without_a_body() -> None:
    check_hash_of_nothing(PLAIN)
    check_hash_of_nothing(PayloadForm(sha256=hashlib.sha256(b"").digest()))
    with pytest.raises(PayloadHashMismatch):
        check_hash_of_nothing(PayloadForm(sha256=bytes(32)))


async def test_a_plain_body_passes_untouched(pool: Executor) -> None:
    plaintext = plaintext_of(Source([b"abc"]).body(), PLAIN, {}, 3, None, pool)

    assert await _all(plaintext.body) == b"abc"
    assert plaintext.trailers() == {}


async def test_a_trailer_is_there_once_the_body_has_ended(pool: Executor) -> None:
    wire = Source([b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n"])
    headers = {"x-amz-trailer": "X-Amz-Checksum-CRC32"}

    plaintext = plaintext_of(wire.body(), PayloadForm(framed=True, trailing=True), headers, 3, None, pool)

    assert plaintext.trailers() == {}
    assert await _all(plaintext.body) == b"abc"
    assert plaintext.trailers() == {"x-amz-checksum-crc32": "NSRBwg=="}
    assert wire.closed


def test_a_trailer_that_is_no_checksum_is_refused_before_the_body(pool: Executor) -> None:
    form = PayloadForm(framed=True, trailing=True)

    with pytest.raises(InvalidRequest, match="x-amz-trailer"):
        plaintext_of(Source([]).body(), form, {"x-amz-trailer": "x-amz-meta-a"}, 3, None, pool)


def _signed_chunks(*chunks: bytes) -> list[bytes]:
    signer = ChunkSigner.after(_VERIFIED)
    framed = []
    for chunk in (*chunks, b""):
        signature = signer.sign_chunk(hashlib.sha256(chunk).hexdigest())
        framed += [f"{len(chunk):x};chunk-signature={signature}\r\n".encode(), chunk, b"\r\n"]
    return framed


@pytest.mark.parametrize("size", [0, 1, 20_000, 70_000, 600_000])
async def test_signed_chunks_are_verified_whatever_their_size(size: int, pool: Executor) -> None:
    chunks = [bytes([number]) * size for number in (1, 2, 3)] if size > 8192 else [bytes(size)] if size else []

    plaintext = plaintext_of(
        Source(_signed_chunks(*chunks)).body(), _SIGNED, {}, sum(map(len, chunks)), _VERIFIED, pool
    )

    assert await _all(plaintext.body) == b"".join(chunks)


@pytest.mark.parametrize("size", [20_000, 600_000])
@pytest.mark.parametrize("which", [1, 4, 7], ids=["first", "second", "last"])
async def test_a_changed_chunk_is_never_passed_whole(size: int, which: int, pool: Executor) -> None:
    wire = _signed_chunks(*[bytes([number]) * size for number in (1, 2, 3)])
    wire[which] = wire[which][:-1] + b"!"
    got = list[Buffer]()

    plaintext = plaintext_of(Source(wire).body(), _SIGNED, {}, 3 * size, _VERIFIED, pool)
    with pytest.raises(SignatureMismatch):
        await _until_failure(plaintext.body, got)

    assert sum(map(len, got)) < 3 * size


async def test_signed_chunks_without_their_end_are_incomplete(pool: Executor) -> None:
    source = Source(_signed_chunks(bytes(20_000))[:-2])

    plaintext = plaintext_of(source.body(), _SIGNED, {}, 20_000, _VERIFIED, pool)
    with pytest.raises(IncompleteBody):
        await _all(plaintext.body)

    assert source.closed
