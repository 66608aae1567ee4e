"""Framing of ciphertext with a trailing checksum, read back by the decoder of the other direction."""

from base64 import b64decode
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sseproxy.model import ChecksumAlgorithm
from sseproxy.stage import Buffer
from sseproxy.upstream.framing import CHUNK, TRAILER, AwsChunkedEncoder, framed_size
from sseproxy.wire.aws_chunked import AwsChunkedDecoder
from sseproxy.wire.digests import digest_of


def _framed(data: bytes, cuts: list[int]) -> bytes:
    encoder, out = AwsChunkedEncoder(len(data)), list[Buffer]()
    borders = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    for begin, end in pairwise(borders):
        out += encoder.feed(data[begin:end])
    out += encoder.finish()
    return b"".join(out)


def test_a_small_body_is_framed_as_the_documents_show() -> None:
    assert _framed(b"hello world", []) == b"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32c:yZRlqg==\r\n\r\n"


@given(size=st.integers(0, 3 * CHUNK), cuts=st.lists(st.integers(0, 3 * CHUNK), max_size=6))
@example(size=0, cuts=[])
@example(size=CHUNK, cuts=[1])
@example(size=2 * CHUNK + 1, cuts=[CHUNK])
def test_what_is_framed_has_the_announced_length_and_reads_back(size: int, cuts: list[int]) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]

    framed = _framed(data, cuts)
    decoder = AwsChunkedDecoder(signer=None, trailer_names=[TRAILER], decoded_length=size)
    decoded = b"".join([*decoder.feed(framed), *decoder.finish()])

    assert len(framed) == framed_size(size)
    assert decoded == data
    assert b64decode(decoder.trailers[TRAILER]) == digest_of(ChecksumAlgorithm.CRC32C, data)


def test_more_or_fewer_bytes_than_announced_are_refused() -> None:
    with pytest.raises(ValueError, match="more"):
        AwsChunkedEncoder(2).feed(b"abc")

    encoder = AwsChunkedEncoder(2)
    encoder.feed(b"a")
    with pytest.raises(ValueError, match="fewer"):
        encoder.finish()
