"""The decoder of `STREAMING-…` bodies, with the reference's vectors (S3 dossier §3.5, §12)."""

from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.errors import SignatureMismatch
from sseproxy.signing.aws_v4_stream import ChunkSigner
from sseproxy.store.aws_chunked import AwsChunked
from sseproxy.store.faults import Fault
from sseproxy.store.receive import SignerAdapter

_KEY = bytes.fromhex("dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378")
_SIGNATURES = (
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
_TRAILING = (
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
)
_TRAILER = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
_SIZES = (65536, 1024, 0)
_SIMPLE = b"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"


def _framed(signatures: tuple[str, ...], end: bytes) -> bytes:
    out = b""
    for size, signature in zip(_SIZES, signatures, strict=True):
        out += f"{size:x};chunk-signature={signature}\r\n".encode() + b"a" * size + (b"\r\n" if size else b"")
    return out + end


def _signer(seed: str) -> SignerAdapter:
    scope = "20130524/us-east-1/s3/aws4_request"
    signer = ChunkSigner(signing_key=_KEY, timestamp="20130524T000000Z", scope=scope, seed_signature=seed)
    return SignerAdapter(signer)


def _decode(decoder: AwsChunked, framed: bytes, step: int) -> bytes:
    out = b"".join(bytes(piece) for at in range(0, len(framed), step) for piece in decoder.feed(framed[at : at + step]))
    decoder.finish()
    return out


@pytest.mark.parametrize("step", [1, 7, 65536, 10**6])
def test_the_references_signed_body_decodes(step: int) -> None:
    decoder = AwsChunked(_signer("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"), trailing=False)

    assert _decode(decoder, _framed(_SIGNATURES, b"\r\n"), step) == b"a" * 66560


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_the_references_signed_trailer_decodes(line_end: bytes) -> None:
    end = b"x-amz-checksum-crc32c:sOO8/Q==" + line_end
    end += f"x-amz-trailer-signature:{_TRAILER}".encode() + line_end + b"\r\n"
    decoder = AwsChunked(_signer("106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"), trailing=True)

    assert _decode(decoder, _framed(_TRAILING, end), 1000) == b"a" * 66560
    assert decoder.trailers == {"x-amz-checksum-crc32c": "sOO8/Q=="}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_changed_chunk_signature_is_refused(place: int) -> None:
    changed = list(_SIGNATURES)
    changed[place] = "0" * 64
    decoder = AwsChunked(_signer("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"), trailing=False)

    with pytest.raises(SignatureMismatch):
        _decode(decoder, _framed((changed[0], changed[1], changed[2]), b"\r\n"), 10**6)


def test_a_changed_trailer_is_refused() -> None:
    end = f"x-amz-checksum-crc32c:sOO8/A==\r\nx-amz-trailer-signature:{_TRAILER}\r\n\r\n".encode()
    decoder = AwsChunked(_signer("106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"), trailing=True)

    with pytest.raises(SignatureMismatch):
        _decode(decoder, _framed(_TRAILING, end), 10**6)


@given(st.lists(st.integers(1, len(_SIMPLE) - 1), max_size=8))
def test_the_unsigned_form_decodes_however_it_is_cut(cuts: list[int]) -> None:
    decoder = AwsChunked(None, trailing=True)
    edges = [0, *sorted(cuts), len(_SIMPLE)]

    out = b"".join(bytes(piece) for a, b in pairwise(edges) for piece in decoder.feed(_SIMPLE[a:b]))
    decoder.finish()

    assert (out, decoder.trailers) == (b"hello world", {"x-amz-checksum-crc32": "DUoRhQ=="})


@pytest.mark.parametrize("length", range(len(_SIMPLE)))
def test_a_body_that_ends_early_is_incomplete(length: int) -> None:
    with pytest.raises(Fault, match="terminated unexpectedly"):
        _decode(AwsChunked(None, trailing=True), _SIMPLE[:length], 10**6)


@pytest.mark.parametrize(
    ("framed", "name"),
    [
        (b"xyz\r\n", "IncompleteBody"),
        (b"0x5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (b"5;chunk-signature=" + b"0" * 64 + b"\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (b"5\r\nhelloo\r\n0\r\n\r\n", "IncompleteBody"),
        (b"0\r\n\r\nmore", "IncompleteBody"),
        (b"5" * 5000, "IncompleteBody"),
        (b"2000\r\n" + b"a" * 8192 + b"\r\n5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError"),
        (b"0\r\nno colon\r\n\r\n", "MalformedTrailerError"),
        (b"0\r\na:1\r\na:2\r\n\r\n", "MalformedTrailerError"),
        (b"0\r\nx-amz-trailer-signature:aa\r\n\r\n", "MalformedTrailerError"),
    ],
)
def test_broken_framing_is_refused(framed: bytes, name: str) -> None:
    with pytest.raises(Fault) as refused:
        _decode(AwsChunked(None, trailing=True), framed, 10**6)

    assert refused.value.name == name


class _NoSignatures:
    def chunk(self, sha256: bytes, signature: str) -> None:
        """Anything goes."""

    def trailer(self, trailers: Mapping[str, str], signature: str) -> None:
        """Anything goes."""


def test_a_signed_body_needs_a_signature_on_every_chunk_and_on_its_trailer() -> None:
    with pytest.raises(Fault, match="terminated unexpectedly"):
        AwsChunked(_NoSignatures(), trailing=False).feed(b"5\r\nhello\r\n")

    end = b"0;chunk-signature=" + b"0" * 64 + b"\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    with pytest.raises(Fault) as refused:
        AwsChunked(_NoSignatures(), trailing=True).feed(end)
    assert refused.value.name == "MalformedTrailerError"


def test_a_trailer_where_none_may_be_is_refused() -> None:
    with pytest.raises(Fault) as refused:
        AwsChunked(None, trailing=False).feed(b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")

    assert refused.value.name == "MalformedTrailerError"
