"""What a client asserts about the bytes it sends, and the check of it.

Everything is verified over the plaintext after the body has ended, and before the last bytes are released to the
storage (docs/format.md, "Writing"; S3 dossier §4.2, §4.3; OSS dossier §5.2, §5.3).
"""

import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass

from sseproxy.dialect.base import Dialect
from sseproxy.errors import (
    ChecksumMismatch,
    CrcMismatch,
    DigestMismatch,
    IncompleteBody,
    InvalidArgument,
    InvalidDigest,
    InvalidRequest,
    MalformedTrailer,
    UnsupportedFeature,
)
from sseproxy.exchange import Request
from sseproxy.model import Checksum, ChecksumAlgorithm, ChecksumType
from sseproxy.wire.digests import parse_checksum
from sseproxy.wire.headers import parse_tokens
from sseproxy.wire.numbers import natural

_SEVERAL = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
_ANNOUNCED_ONLY = (
    "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found."
)
_NOT_VALUES = frozenset({"mode", "type", "algorithm"})  # x-amz-checksum-… headers that carry no checksum
_MOST_CRC64 = 2**64 - 1
_MOST_DIGITS = 40  # of a number that is read at all; more takes long, or is refused by `int`


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertions:
    """What a request says of its body. `trailing` is the checksum that it promises to send behind the body."""

    length: int | None = None
    content_md5: bytes | None = None
    crc64: int | None = None
    checksum: Checksum | None = None
    trailing: ChecksumAlgorithm | None = None

    @property
    def algorithm(self) -> ChecksumAlgorithm | None:
        """The algorithm of the client's checksum, wherever it is sent."""
        return self.checksum.algorithm if self.checksum is not None else self.trailing

    @property
    def has_digest(self) -> bool:
        """Whether the client sent any digest of its body."""
        return self.content_md5 is not None or self.algorithm is not None


def read_assertions(dialect: Dialect, headers: Mapping[str, str], length: int | None) -> Assertions:
    """Return what the headers assert. Raises a `RequestError` where they are malformed or contradict each other."""
    checksum = trailing = None
    if dialect.checksum_headers:
        checksum, trailing = _read_checksum(dialect, headers)
    return Assertions(
        length=length,
        content_md5=_read_md5(headers.get("Content-MD5")),
        crc64=_read_crc64(dialect.crc64_header, headers),
        checksum=checksum,
        trailing=trailing,
    )


def read_document_assertions(headers: Mapping[str, str], length: int | None) -> Assertions:
    """Return what the headers assert of a document whose other digests are of the object that it makes (Complete).

    Raises `InvalidDigest`.
    """
    return Assertions(length=length, content_md5=_read_md5(headers.get("Content-MD5")))


def requested_algorithm(dialect: Dialect, request: Request) -> ChecksumAlgorithm | None:
    """Return the algorithm that a request asks the checksum to be computed with (S3 dossier §4.2, §4.3).

    Raises `InvalidRequest` for one that does not exist.
    """
    name = request.headers.get(dialect.header("checksum-algorithm")) if dialect.checksum_headers else None
    if name is None:
        return None
    try:
        return ChecksumAlgorithm(name.upper())
    except ValueError:
        raise InvalidRequest(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            f"[{', '.join(algorithm.value for algorithm in ChecksumAlgorithm)}]"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyFacts:
    """What is true of a body that was received whole and agrees with every assertion.

    `md5` is None where nobody needed it. `checksum` is the one that the client sent; `checksums` are all that were
    computed.
    """

    plaintext_size: int
    crc64: int
    md5: bytes | None
    checksum: Checksum | None
    checksums: Mapping[ChecksumAlgorithm, bytes]

    @property
    def crc64nvme(self) -> int | None:
        """CRC-64/NVME of the body, where it was computed."""
        value = self.checksums.get(ChecksumAlgorithm.CRC64NVME)
        return None if value is None else int.from_bytes(value, "big")


def check(assertions: Assertions, facts: BodyFacts, trailers: Mapping[str, str]) -> Checksum | None:
    """Raise unless the facts are what was asserted; return the client's checksum, be it from header or trailer.

    `trailers` have lower-case names. Comparisons take constant time.
    """
    if assertions.length is not None and assertions.length != facts.plaintext_size:
        raise IncompleteBody
    if assertions.content_md5 is not None and not hmac.compare_digest(assertions.content_md5, facts.md5 or b""):
        raise DigestMismatch(
            CalculatedDigest=b64encode(facts.md5 or b"").decode(),
            ExpectedDigest=b64encode(assertions.content_md5).decode(),
        )
    if assertions.crc64 is not None and assertions.crc64 != facts.crc64:
        raise CrcMismatch
    checksum = assertions.checksum or _read_trailer(assertions.trailing, trailers)
    if checksum is not None and not hmac.compare_digest(checksum.value, facts.checksums[checksum.algorithm]):
        raise ChecksumMismatch(f"The {checksum.algorithm.value} you specified did not match the calculated checksum.")
    return checksum


def _read_md5(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        value = b64decode(text, validate=True)
    except (Base64Error, ValueError) as cause:
        raise InvalidDigest(**{"Content-MD5": text}) from cause
    if len(value) != 16:
        raise InvalidDigest(**{"Content-MD5": text})
    return value


def _read_crc64(name: str | None, headers: Mapping[str, str]) -> int | None:
    text = headers.get(name) if name is not None else None
    if name is None or text is None:
        return None
    crc64 = natural(text, most_digits=_MOST_DIGITS)
    if crc64 is None or crc64 > _MOST_CRC64:
        raise InvalidArgument(ArgumentName=name, ArgumentValue=text)
    return crc64


def _read_checksum(dialect: Dialect, headers: Mapping[str, str]) -> tuple[Checksum | None, ChecksumAlgorithm | None]:
    """Return the checksum of the headers and the algorithm of the one in the trailer; at most one is not None."""
    prefix = dialect.header("checksum-")
    sent = [
        name for name in headers if name.lower().startswith(prefix) and name.lower()[len(prefix) :] not in _NOT_VALUES
    ]
    promised = [name for name in parse_tokens(headers.get(dialect.header("trailer"))) if name.startswith(prefix)]
    if len(sent) + len(promised) > 1:
        raise InvalidRequest(_SEVERAL)
    announced = headers.get(dialect.header("sdk-checksum-algorithm"))
    if announced is not None and not sent and not promised:
        raise InvalidRequest(_ANNOUNCED_ONLY)
    algorithms = [_algorithm(name, prefix) for name in (*sent, *promised)]
    if announced is not None and announced.upper() != algorithms[0].value:
        raise InvalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.")
    if promised:
        return None, algorithms[0]
    return (_checksum(algorithms[0], headers[sent[0]]) if sent else None), None


def _algorithm(header: str, prefix: str) -> ChecksumAlgorithm:
    try:
        return ChecksumAlgorithm(header[len(prefix) :].upper())
    except ValueError as cause:
        # Ignoring a checksum that the client relies on would be a silent promise; this release refuses it.
        raise UnsupportedFeature(Header=header.lower()) from cause


def _checksum(algorithm: ChecksumAlgorithm, text: str, *, trailing: bool = False) -> Checksum:
    value = parse_checksum(algorithm, text, trailing=trailing)
    return Checksum(algorithm=algorithm, type=ChecksumType.FULL_OBJECT, value=value)


def _read_trailer(algorithm: ChecksumAlgorithm | None, trailers: Mapping[str, str]) -> Checksum | None:
    if algorithm is None:
        return None
    text = trailers.get(f"x-amz-checksum-{algorithm.value.lower()}")
    if text is None:
        raise MalformedTrailer
    return _checksum(algorithm, text, trailing=True)
