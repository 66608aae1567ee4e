"""Percent-encoding and canonical queries, as the signature schemes need them (S3 dossier §3.1; OSS dossier §4)."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote, unquote_to_bytes

UNRESERVED = "-_.~"

_BLANKS = re.compile(r"[ \t]+")  # no other blanks: a value may hold U+00A0, and it is signed as it is
_CONCEALED = r"[\w-]*(?:customer-key|security-token|session-token)[\w-]*"
_CONCEALED_HEADER = re.compile(rf"^({_CONCEALED}:).*$", re.IGNORECASE | re.MULTILINE)
_CONCEALED_PARAMETER = re.compile(rf"((?:^|[?&]){_CONCEALED}=)[^&\n]*", re.IGNORECASE | re.MULTILINE)

# Query parameters that are authentication, by lower-case name: never part of the operation.
AUTH_QUERY_NAMES = frozenset(
    {
        "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders", "x-amz-signature",
        "x-amz-security-token", "x-amz-content-sha256",
        "awsaccesskeyid", "ossaccesskeyid", "signature", "expires", "security-token",
        "x-oss-signature-version", "x-oss-credential", "x-oss-date", "x-oss-expires", "x-oss-signature",
        "x-oss-additional-headers", "x-oss-access-key-id", "x-oss-security-token",
    }
)  # fmt: skip


def to_bytes(text: str) -> bytes:
    """Return text of a request as the bytes that were received; never raises for what `decode_path` returned."""
    return text.encode("utf-8", "surrogateescape")


def encode_key(key: str) -> str:
    """Percent-encode an object key the S3 way: unreserved characters and `/` stay."""
    return quote(to_bytes(key), safe="/" + UNRESERVED)


def encode_value(text: str) -> str:
    """Percent-encode a query name or value: only unreserved characters stay."""
    return quote(to_bytes(text), safe=UNRESERVED)


def decode_path(raw: str) -> str:
    """Decode a path exactly once; `+` is a plus. Bytes that are no UTF-8 survive as surrogates."""
    return unquote_to_bytes(to_bytes(raw)).decode("utf-8", "surrogateescape")


def decode_value(raw: str, *, plus_is_blank: bool = True) -> str:
    """Decode a query name or value exactly once."""
    return decode_path(raw.replace("+", " ") if plus_is_blank else raw)


def split_query(raw_query: str) -> list[tuple[str, str | None]]:
    """Split a query into raw (name, value) pairs in order; value None where there is no `=`."""
    pairs: list[tuple[str, str | None]] = []
    for piece in raw_query.split("&"):
        if piece:
            name, equals, value = piece.partition("=")
            pairs.append((name, value if equals else None))
    return pairs


def parse_query(raw_query: str, *, plus_is_blank: bool = True) -> list[tuple[str, str | None]]:
    """Split and decode a query; value None where there is no `=`."""
    return [
        (
            decode_value(name, plus_is_blank=plus_is_blank),
            None if value is None else decode_value(value, plus_is_blank=plus_is_blank),
        )
        for name, value in split_query(raw_query)
    ]


def canonical_path(raw_path: str) -> str:
    """Return a path decoded once and encoded again the S3 way."""
    return encode_key(decode_path(raw_path)) or "/"


def canonical_query(pairs: Iterable[tuple[str, str | None]], *, bare_empty: bool) -> str:
    """Encode, sort and join decoded pairs; `bare_empty` writes a name without value as `name`, else as `name=`."""
    encoded = sorted((encode_value(name), encode_value(value or "")) for name, value in pairs)
    return "&".join(name if bare_empty and not value else f"{name}={value}" for name, value in encoded)


def header_values(headers: Sequence[tuple[str, str]], name: str) -> list[str]:
    """Return all values of a header in order; names compare without case."""
    return [value for given, value in headers if given.lower() == name]


def header(headers: Sequence[tuple[str, str]], name: str) -> str | None:
    """Return a header's values joined with `,`, None where it is absent."""
    values = header_values(headers, name)
    return ",".join(values) if values else None


def collapse(value: str) -> str:
    """Trim a header value and shrink inner runs of blanks to one."""
    return _BLANKS.sub(" ", value).strip(" ")


def redact(text: str) -> str:
    """Return a string to sign or a canonical request that may be shown: without customers' keys and tokens."""
    return _CONCEALED_PARAMETER.sub(r"\1[not shown]", _CONCEALED_HEADER.sub(r"\1[not shown]", text))
