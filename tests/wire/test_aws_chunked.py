import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sseproxy.errors import (
    IncompleteBody,
    InvalidChunkSize,
    InvalidRequest,
    MalformedTrailer,
    SignatureMismatch,
    SseProxyError,
)
from sseproxy.signing.aws_v4 import derive_key
from sseproxy.signing.aws_v4_stream import ChunkSigner
from sseproxy.wire.aws_chunked import AwsChunkedDecoder, check_trailer_names

_TRAILER = "x-amz-checksum-crc32"


def _signer() -> ChunkSigner:
    return ChunkSigner(
        signing_key=derive_key("secret", "20130524", "us-east-1"),
        timestamp="20130524T000000Z",
        scope="20130524/us-east-1/s3/aws4_request",
        seed_signature="0" * 64,
    )


def _plain(chunks: Sequence[bytes], trailers: str = "") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n" + trailers.encode() + b"\r\n"


def _signed(chunks: Sequence[bytes], trailer: tuple[str, str] | None = None) -> bytes:
    signer, out = _signer(), b""
    for chunk in [*chunks, b""]:
        signature = signer.sign_chunk(hashlib.sha256(chunk).hexdigest())
        out += b"%x;chunk-signature=%s\r\n%s" % (len(chunk), signature.encode(), chunk)
        out += b"\r\n" if chunk else b""
    if trailer:
        signature = signer.sign_trailers(dict([trailer]))
        out += f"{trailer[0]}:{trailer[1]}\r\nx-amz-trailer-signature:{signature}\r\n".encode()
    return out + b"\r\n"


def _decode(framed: bytes, decoder: AwsChunkedDecoder, step: int = 1 << 20) -> bytes:
    out = b""
    for at in range(0, len(framed), step):
        out += b"".join(decoder.feed(framed[at : at + step]))
    return out + b"".join(decoder.finish())


def _decoder(
    length: int, *, signed: bool = False, names: Sequence[str] = (), trailing: bool = True
) -> AwsChunkedDecoder:
    return AwsChunkedDecoder(
        signer=_signer() if signed else None, trailer_names=names, decoded_length=length, is_trailing=trailing
    )


def test_the_dossiers_example_is_decoded_and_its_trailer_kept() -> None:
    framed = b"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"
    decoder = _decoder(11, names=[_TRAILER])

    assert len(framed) == 52
    assert _decode(framed, decoder) == b"hello world"
    assert decoder.trailers == {_TRAILER: "DUoRhQ=="}


@settings(deadline=None)
@given(st.lists(st.integers(8192, 9000), max_size=4), st.binary(min_size=1, max_size=50), st.integers(1, 7000))
def test_bodies_survive_any_chunking_and_any_cut(sizes: list[int], last: bytes, step: int) -> None:
    chunks = [*(bytes([size % 251]) * size for size in sizes), last]
    whole = b"".join(chunks)

    assert _decode(_plain(chunks), _decoder(len(whole)), step) == whole
    assert _decode(_signed(chunks), _decoder(len(whole), signed=True, trailing=False), step) == whole
    trailer = (_TRAILER, "AAAAAA==")
    assert _decode(_signed(chunks, trailer), _decoder(len(whole), signed=True, names=[_TRAILER]), step) == whole


def test_an_empty_body_is_one_last_chunk() -> None:
    assert _decode(b"0\r\n\r\n", _decoder(0)) == b""
    assert _decode(_signed([]), _decoder(0, signed=True, trailing=False)) == b""


def test_a_trailer_may_end_in_a_bare_line_feed() -> None:
    decoder = _decoder(1, names=[_TRAILER])

    assert _decode(b"1\r\na\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\n\r\n", decoder) == b"a"


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize(
    "end", [b"\n\r\n", b"\r\n\r\n", b"\n\r\n\r\n", b"\n\n"], ids=["lf", "crlf", "lf crlf", "lf lf"]
)
def test_a_trailers_end_is_understood_in_all_its_forms(end: bytes, step: int) -> None:
    decoder = _decoder(1, names=[_TRAILER])

    assert _decode(b"1\r\na\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==" + end, decoder, step) == b"a"
    assert decoder.trailers == {_TRAILER: "DUoRhQ=="}


@pytest.mark.parametrize("step", [1, 1000])
def test_a_line_feed_behind_a_signed_trailer_does_not_end_the_section(step: int) -> None:
    framed = _signed([b"a" * 100], (_TRAILER, "AAAAAA==")).replace(b"AAAAAA==\r\n", b"AAAAAA==\n\r\n")

    assert _decode(framed, _decoder(100, signed=True, names=[_TRAILER]), step) == b"a" * 100


def test_lines_may_end_in_bare_line_feeds_everywhere() -> None:
    assert _decode(b"3\nabc\n0\n\n", _decoder(3)) == b"abc"


def test_sizes_may_have_leading_zeros_and_capitals() -> None:
    assert _decode(b"000A\r\n0123456789\r\n0\r\n\r\n", _decoder(10)) == b"0123456789"


def test_several_trailers_are_kept() -> None:
    decoder = _decoder(1, names=[_TRAILER, "x-amz-checksum-sha1"])
    _decode(b"1\r\na\r\n0\r\nX-Amz-Checksum-SHA1: x \r\nx-amz-checksum-crc32:y\r\n\r\n", decoder)

    assert decoder.trailers == {"x-amz-checksum-sha1": "x", _TRAILER: "y"}


def test_output_shares_the_memory_of_the_input() -> None:
    framed = b"4000\r\n" + bytes(0x4000) + b"\r\n0\r\n\r\n"
    decoder = _decoder(0x4000)

    out = [*decoder.feed(framed[:0x1000]), *decoder.feed(framed[0x1000:]), *decoder.finish()]

    assert all(isinstance(part, memoryview) for part in out)
    assert sum(len(part) for part in out) == 0x4000


def test_a_chunk_larger_than_memory_is_passed_on_as_it_comes() -> None:
    piece = bytes(1 << 16)
    decoder = _decoder(1 << 40)
    decoder.feed(b"10000000000\r\n")
    decoder.feed(piece)

    assert [len(part) for part in decoder.feed(piece)] == [len(piece)]


@pytest.mark.parametrize(
    ("framed", "message"),
    [
        (b"1\r\na\r\n", "The request body terminated unexpectedly"),
        (b"zz\r\n", "The request body terminated unexpectedly"),
        (b"2\r\nab\r\n0\r\n\r\n", "You did not provide the number of bytes specified by the Content-Length HTTP header"),
        (b"0\r\n\r\n", "You did not provide the number of bytes specified by the Content-Length HTTP header"),
    ],
)  # fmt: skip
def test_an_incomplete_body_is_told_in_the_protocols_words(framed: bytes, message: str) -> None:
    with pytest.raises(IncompleteBody) as refused:
        _decode(framed, _decoder(1))

    assert refused.value.message == message


def test_a_size_beyond_what_was_announced_is_refused_before_its_bytes() -> None:
    with pytest.raises(IncompleteBody):
        _decoder(10).feed(b"ffffffffffffffff\r\n")


def test_a_signed_body_with_a_trailer_section_needs_the_trailers_signature() -> None:
    framed = _signed([b"a"], (_TRAILER, "AAAAAA=="))
    without = framed[: framed.index(b"x-amz-trailer-signature")] + b"\r\n"

    with pytest.raises(MalformedTrailer):
        _decode(without, _decoder(1, signed=True, names=[_TRAILER]))


def test_unsigned_chunks_are_no_signed_ones() -> None:
    with pytest.raises(IncompleteBody):
        _decode(_plain([b"a"]), _decoder(1, signed=True, trailing=False))


def test_nothing_of_a_chunk_with_a_wrong_signature_reaches_the_end() -> None:
    framed = bytearray(_signed([b"a" * 9000, b"b" * 100]))
    framed[-120] ^= 1  # the last chunk's data
    decoder = _decoder(9100, signed=True, trailing=False)

    with pytest.raises(SignatureMismatch):
        decoder.feed(bytes(framed))


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, 70), st.booleans())
def test_no_bytes_at_all_raise_more_than_an_answer(noise: bytes, at: int, signed: bool) -> None:  # noqa: FBT001
    framed = _signed([b"a" * 20]) if signed else _plain([b"a" * 20], "x-amz-checksum-crc32:DUoRhQ==\r\n")
    changed = framed[:at] + noise + framed[at + len(noise) :]

    try:
        out = _decode(changed, _decoder(20, signed=signed, names=() if signed else [_TRAILER], trailing=not signed))
    except SseProxyError:
        return
    assert len(out) == 20


_BAD: dict[str, tuple[bytes, type[SseProxyError]]] = {
    "no final chunk": (b"1\r\na\r\n", IncompleteBody),
    "cut in the data": (b"5\r\nab", IncompleteBody),
    "no blank line at the end": (b"1\r\na\r\n0\r\n", IncompleteBody),
    "not hex": (b"x\r\na\r\n0\r\n\r\n", IncompleteBody),
    "extension in unsigned mode": (b"1;chunk-signature=" + b"0" * 64 + b"\r\na\r\n0\r\n\r\n", IncompleteBody),
    "data longer than its chunk": (b"1\r\nab\r\n0\r\n\r\n", IncompleteBody),
    "more than announced": (b"2\r\nab\r\n0\r\n\r\n", IncompleteBody),
    "less than announced": (b"0\r\n\r\n", IncompleteBody),
    "bytes behind the end": (b"1\r\na\r\n0\r\n\r\nx", IncompleteBody),
    "unexpected trailer": (b"1\r\na\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n", MalformedTrailer),
    "trailing header in a form without trailers": (b"1\r\na\r\n0\r\na:b\r\n\r\n", MalformedTrailer),
    "trailer without colon": (b"1\r\na\r\n0\r\nx-amz\r\n\r\n", MalformedTrailer),
    "blank line, then more": (b"1\r\na\r\n0\r\n\r\n\r\n", IncompleteBody),
    "half a line behind the end": (b"1\r\na\r\n0\r\n\r\n\r", IncompleteBody),
    "0x": (b"0x1\r\na\r\n0\r\n\r\n", IncompleteBody),
    "signature of a trailer in an unsigned body": (
        b"1\r\na\r\n0\r\nx-amz-trailer-signature:0\r\n\r\n",
        MalformedTrailer,
    ),
    "endless line": (b"1" * 9000, IncompleteBody),
    "a line that is too long, but ends": (b"0" * 9000 + b"1\r\na\r\n0\r\n\r\n", IncompleteBody),
}


@pytest.mark.parametrize("name", _BAD)
def test_broken_framing_is_refused(name: str) -> None:
    framed, error = _BAD[name]

    with pytest.raises(error):
        _decode(framed, _decoder(1))


def test_a_trailer_that_comes_twice_is_refused() -> None:
    line = b"x-amz-checksum-crc32:DUoRhQ==\r\n"

    with pytest.raises(MalformedTrailer):
        _decode(b"1\r\na\r\n0\r\n" + 2 * line + b"\r\n", _decoder(1, names=[_TRAILER]))


def test_a_missing_trailer_is_refused() -> None:
    with pytest.raises(MalformedTrailer):
        _decode(b"1\r\na\r\n0\r\n\r\n", _decoder(1, names=[_TRAILER]))


def test_behind_a_trailers_own_line_feed_only_a_blank_line_may_follow() -> None:
    whole = b"1\r\na\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\n\r\n"

    assert _decode(whole + b"\r\n", _decoder(1, names=[_TRAILER])) == b"a"
    with pytest.raises(IncompleteBody):
        _decode(whole + b"x\r\n", _decoder(1, names=[_TRAILER]))


def test_a_short_chunk_before_another_one_is_refused() -> None:
    with pytest.raises(InvalidChunkSize) as refused:
        _decode(_plain([b"a" * 10, b"b"]), _decoder(11))

    assert refused.value.details == {"Chunk": "1", "BadChunkSize": "10"}


@pytest.mark.parametrize("at", [30, 90, 200, 9000, -100, -5])
def test_a_changed_byte_of_a_signed_body_never_finishes(at: int) -> None:
    framed = bytearray(_signed([b"a" * 9000, b"b" * 100], (_TRAILER, "AAAAAA==")))
    framed[at] ^= 1

    with pytest.raises((SignatureMismatch, IncompleteBody, MalformedTrailer)):
        _decode(bytes(framed), _decoder(9100, signed=True, names=[_TRAILER]))


def test_trailer_names_must_be_checksums() -> None:
    check_trailer_names([_TRAILER])
    with pytest.raises(InvalidRequest, match=r"^The value specified in the x-amz-trailer header is not supported$"):
        check_trailer_names([_TRAILER, "x-amz-meta-a"])


def test_the_last_buffer_is_held_back_until_everything_is_verified() -> None:
    framed = _signed([b"a" * 100])
    decoder = _decoder(100, signed=True, trailing=False)

    assert b"".join(decoder.feed(framed)) == b""
    assert b"".join(decoder.finish()) == b"a" * 100
