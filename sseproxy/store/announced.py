"""What a request says about its body before it comes, and whether the body kept to it."""

import base64
import binascii
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from multidict import CIMultiDict

from sseproxy.store.digests import SIZES, Digested
from sseproxy.store.faults import Fault
from sseproxy.store.records import b64
from sseproxy.store.wires import Wire

_CHECKSUM = "x-amz-checksum-"
_NOT_VALUES = {"x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-checksum-mode"}
_TWO = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
_ALONE = (
    "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """Digests that the body must have. `trailer` is the algorithm whose value comes behind the body."""

    md5: bytes | None = None
    checksum: tuple[str, bytes] | None = None
    trailer: str | None = None
    crc64: int | None = None
    sha256: bytes | None = None

    @property
    def algorithm(self) -> str | None:
        """The checksum algorithm that the client chose, if it did."""
        return self.checksum[0] if self.checksum else self.trailer

    @property
    def algorithms(self) -> Collection[str]:
        """Which digests must be taken to check this."""
        wanted = {self.algorithm} if self.algorithm else set()
        return wanted | ({"sha256"} if self.sha256 is not None else set())

    @property
    def any_digest(self) -> bool:
        """Whether the body is covered by Content-MD5 or a checksum."""
        return self.md5 is not None or self.algorithm is not None


def announced(wire: Wire, headers: CIMultiDict[str], sha256: bytes | None) -> Announced:
    """Read the digests in the headers; raises `Fault` where one is malformed."""
    md5 = _content_md5(headers.get("Content-MD5"))
    if wire.name == "oss":
        return Announced(md5=md5, crc64=_crc64(headers.get("x-oss-hash-crc64ecma")))
    found = _checksum_headers(headers)
    trailer = _trailer(headers.get("x-amz-trailer"))
    if len(found) > 1 or (found and trailer):
        raise Fault("InvalidRequest", _TWO)
    wanted = headers.get("x-amz-sdk-checksum-algorithm")
    if wanted is not None and wanted.lower() not in (*found, trailer):
        raise Fault("InvalidRequest", _ALONE)
    checksum = next(((name, parse_checksum(name, value)) for name, value in found.items()), None)
    return Announced(md5=md5, checksum=checksum, trailer=trailer, sha256=sha256)


def check(wanted: Announced, got: Digested, trailers: Mapping[str, str]) -> None:
    """Compare; raises `Fault` for the first difference."""
    if wanted.sha256 is not None and got.checksums["sha256"] != wanted.sha256:
        details = {
            "ClientComputedContentSHA256": wanted.sha256.hex(),
            "S3ComputedContentSHA256": got.checksums["sha256"].hex(),
        }
        raise Fault("XAmzContentSHA256Mismatch", details=details)
    if wanted.md5 is not None and got.md5 != wanted.md5:
        raise Fault("BadDigest", details={"CalculatedDigest": b64(got.md5), "ExpectedDigest": b64(wanted.md5)})
    if wanted.crc64 is not None and got.crc64 != wanted.crc64:
        raise Fault("InvalidCRC64")
    _check_checksum(wanted, got, trailers)


def _check_checksum(wanted: Announced, got: Digested, trailers: Mapping[str, str]) -> None:
    expected = wanted.checksum
    if wanted.trailer is not None:
        name = _CHECKSUM + wanted.trailer
        if list(trailers) != [name]:
            raise Fault("MalformedTrailerError")
        message = f"Value for {name} trailing header is invalid."
        expected = wanted.trailer, parse_checksum(wanted.trailer, trailers[name], message)
    elif trailers:
        raise Fault("MalformedTrailerError")
    if expected is not None and got.checksums[expected[0]] != expected[1]:
        message = f"The {expected[0].upper()} you specified did not match the calculated checksum."
        raise Fault("BadDigest", message)


def parse_checksum(algorithm: str, value: str, message: str | None = None) -> bytes:
    """Decode a base64 checksum; raises `Fault` InvalidRequest unless it has the algorithm's length."""
    raw = _base64(value)
    if raw is None or len(raw) != SIZES[algorithm]:
        raise Fault("InvalidRequest", message or f"Value for {_CHECKSUM}{algorithm} header is invalid.")
    return raw


def _checksum_headers(headers: CIMultiDict[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        if lower.startswith(_CHECKSUM) and lower not in _NOT_VALUES:
            algorithm = lower.removeprefix(_CHECKSUM)
            if algorithm not in SIZES:
                raise Fault("InvalidRequest", "The algorithm type you specified in x-amz-checksum- header is invalid.")
            found[algorithm] = value
    return found


def _trailer(value: str | None) -> str | None:
    if value is None:
        return None
    algorithm = value.strip().lower().removeprefix(_CHECKSUM)
    if algorithm not in SIZES or not value.strip().lower().startswith(_CHECKSUM):
        raise Fault("InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
    return algorithm


def _content_md5(value: str | None) -> bytes | None:
    if value is None:
        return None
    raw = _base64(value)
    if raw is None or len(raw) != 16:
        raise Fault("InvalidDigest", details={"Content-MD5": value})
    return raw


def _crc64(value: str | None) -> int | None:
    if value is None:
        return None
    if not re.fullmatch(r"0|[1-9][0-9]{0,19}", value):
        details = {"ArgumentName": "x-oss-hash-crc64ecma", "ArgumentValue": value}
        raise Fault("InvalidArgument", details=details)
    return int(value)


def _base64(value: str) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
