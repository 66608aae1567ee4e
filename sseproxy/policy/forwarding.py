"""Which headers cross the proxy, in either direction. Does not know which dialect it serves.

Towards the storage nothing goes that describes the client's connection, its signature or its plaintext; towards the
client nothing that describes the storage's connection, its encryption or the ciphertext (S3 dossier §4.5, §8.3, §8.8;
OSS dossier §9.8). Headers in neither list pass, because a transparent proxy does not know all of them.
"""

from collections.abc import Iterable, Mapping
from enum import Enum, auto

from multidict import CIMultiDict

from sseproxy.dialect.base import Dialect
from sseproxy.dialect.sse_headers import is_sse_header
from sseproxy.errors import InvalidArgument
from sseproxy.policy.client_encryption import STORED, shown_name
from sseproxy.wire.headers import HOP_BY_HOP, parse_tokens

# About the client's connection or its way through other proxies; the request to the storage is another one.
_CONNECTION = frozenset({"accept-encoding", "content-length", "cookie", "expect", "host"})
_AUTHENTICATION = frozenset({"authorization", "date", "security-token"})
_AUTHENTICATION_NAMES = frozenset({  # behind the dialect's prefix
    "content-sha256",
    "date",
    "decoded-content-length",
    "region-set",
    "s3session-token",
    "security-token",
    "te",
    "trailer",
})  # fmt: skip
_CONDITIONS = frozenset({
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
})  # fmt: skip
_BODY_NAMES = frozenset({  # behind the dialect's prefix: true of the plaintext alone, or decided by the operation
    "forbid-overwrite",
    "hash-crc64ecma",
    "metadata-directive",
    "mp-object-size",
    "range-behavior",
    "sdk-checksum-algorithm",
})  # fmt: skip
_BODY_PREFIXES = ("checksum-", "copy-source")  # behind the dialect's prefix
_NOT_TO_CLIENT = frozenset({"alt-svc", "content-length", "date", "server", "set-cookie", "strict-transport-security"})
_STORAGE_IDS = frozenset({"id-2", "request-id"})  # behind the dialect's prefix: ours go into the answer
_CIPHERTEXT = frozenset({"content-md5", "content-range", "etag"})
_CIPHERTEXT_NAMES = frozenset({  # behind the dialect's prefix
    "hash-crc64ecma",
    "mp-parts-count",
    "next-append-position",
    "object-size",
    "object-type",
    "transfer-encoding",
})  # fmt: skip
_CODING = "aws-chunked"
_RESERVED = "sseproxy"  # behind every dialect's metadata prefix


class Carried(Enum):
    """What a request to the storage carries."""

    OBJECT = auto()  # sealed bytes, or none: nothing that the client said of its bytes or conditions fits
    VERBATIM = auto()  # the client's own body, byte for byte: its digests and conditions fit


def to_backend(headers: Mapping[str, str], dialect: Dialect, *, keep: Carried = Carried.OBJECT) -> CIMultiDict[str]:
    """Return the client's headers that go up. What an operation decides by itself it adds afterwards.

    With `Carried.OBJECT` also ranges, conditions, digests, checksums and everything about a copy's source stay
    behind. `aws-chunked` goes from Content-Encoding.
    """
    listed = _named_by_connection(headers)
    kept: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        lower = name.lower()
        if lower in listed or _stays_behind(lower, dialect, keep):
            continue
        if lower == "content-encoding":
            value = _without_chunking(value)  # noqa: PLW2901  # the header without our transport's part of it
            if not value:
                continue
        kept.add(name, value)
    return kept


def _stays_behind(name: str, dialect: Dialect, keep: Carried) -> bool:
    if name in HOP_BY_HOP or name in _CONNECTION or name in _AUTHENTICATION:
        return True
    if name == dialect.envelope_header or is_sse_header(name, dialect.sse):
        return True
    own = name.removeprefix(dialect.header_prefix) if name.startswith(dialect.header_prefix) else None
    if own in _AUTHENTICATION_NAMES:
        return True
    if keep is Carried.VERBATIM:
        return False
    if own is None:
        return name in _CONDITIONS or name == "content-md5"
    return own in _BODY_NAMES or own.startswith(_BODY_PREFIXES)


def to_client(headers: Mapping[str, str], dialect: Dialect, *, sealed: bool) -> CIMultiDict[str]:
    """Return the storage's headers that come down. Content-Length never does: an answer has its own.

    Of a sealed object also ETag, digests, checksums, ranges and the storage's view of its parts stay behind. User
    metadata comes down with its names in lower case, as the services send them, and called as clients called it.
    """
    listed = _named_by_connection(headers)
    kept: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        lower = name.lower()
        if lower in listed or _stays_up(lower, dialect) or (sealed and _is_of_ciphertext(lower, dialect)):
            continue
        kept.add(shown_name(lower, dialect) if lower.startswith(dialect.header_prefix) else name, value)
    return kept


def _stays_up(name: str, dialect: Dialect) -> bool:
    if name in HOP_BY_HOP or name in _NOT_TO_CLIENT:
        return True
    if name == dialect.envelope_header or is_sse_header(name, dialect.sse):
        return True
    own = name.removeprefix(dialect.header_prefix) if name.startswith(dialect.header_prefix) else None
    return own in _STORAGE_IDS


def _is_of_ciphertext(name: str, dialect: Dialect) -> bool:
    if not name.startswith(dialect.header_prefix):
        return name in _CIPHERTEXT
    own = name.removeprefix(dialect.header_prefix)
    return own in _CIPHERTEXT_NAMES or own.startswith("checksum-")


def refuse_reserved(names: Iterable[str], dialects: Iterable[Dialect]) -> None:
    """Raise `InvalidArgument` where a client names the envelope, or what stands beside it, in whatever dialect.

    `names` are those of headers and parameters.
    """
    prefixes = [dialect.meta_prefix for dialect in dialects]
    for name in map(str.lower, names):
        own = next((name.removeprefix(prefix) for prefix in prefixes if name.startswith(prefix)), "")
        if own == _RESERVED or own.startswith(STORED):
            raise InvalidArgument(f"The metadata name '{own}' is reserved.", ArgumentName=name, ArgumentValue="")


def _named_by_connection(headers: Mapping[str, str]) -> frozenset[str]:
    """Return the names that a Connection header makes hop-by-hop; it cannot take what is vital away.

    Requests and answers are built anew, so what must be there is added after this.
    """
    named = [value for name, value in headers.items() if name.lower() == "connection"]
    return frozenset(token for value in named for token in parse_tokens(value))


def _without_chunking(value: str) -> str:
    codings = [coding.strip() for coding in value.split(",")]
    return ", ".join(coding for coding in codings if coding and coding.lower() != _CODING)
