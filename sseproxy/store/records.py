"""What the store remembers: one dataclass per kind of record."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRow:
    """A bucket. `created` is in milliseconds since the epoch; `acl` is a canned one."""

    name: str
    created: int
    acl: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRow:
    """An object as the index knows it.

    `body` and `meta` name immutable files; `etag` is lower case without quotes; `modified` is in milliseconds.
    """

    bucket: str
    key: bytes
    body: str
    meta: str
    size: int
    etag: str
    modified: int
    kind: str
    storage_class: str
    checksum_algorithm: str
    checksum_type: str
    acl: str
    tags: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a finished multipart object: its number, its size and its own checksums."""

    number: int
    size: int
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What lies in an object's metadata file.

    `headers` are the standard ones by lower-case name, `user` the user metadata without prefix. `checksums` are base64
    by algorithm (`crc32`, …); `md5` is base64 and only there where the object was written in one piece.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    user: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    crc64: int = 0
    md5: str | None = None
    parts: Sequence[Piece] = ()
    symlink: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dumps`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Metadata":
        """Rebuild from what `to_json` gave; raises `TypeError` or `KeyError` for anything else."""
        metadata = cls(**{**values, "parts": tuple(Piece(**part) for part in values["parts"])})
        tables = [metadata.headers, metadata.user, metadata.checksums, *(part.checksums for part in metadata.parts)]
        numbers = [metadata.crc64, *(number for part in metadata.parts for number in (part.number, part.size))]
        texts = [text for text in (metadata.md5, metadata.symlink) if text is not None]
        if not (all(map(_is_table, tables)) and all(type(number) is int for number in numbers)):
            raise TypeError("metadata with a wrong type")
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("metadata with a wrong type")
        return metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRow:
    """A multipart upload in progress. `settings` is what Create said about the object to be."""

    upload: str
    bucket: str
    key: bytes
    initiated: int
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRow:
    """A part that was uploaded. `md5` is hex; `checksums` base64 by algorithm."""

    upload: str
    number: int
    body: str
    size: int
    md5: str
    crc64: int
    modified: int
    checksums: Mapping[str, str]


def _is_table(table: object) -> bool:
    return isinstance(table, dict) and all(isinstance(text, str) for item in table.items() for text in item)


def b64(value: bytes) -> str:
    """Return base64 text, as headers and records carry digests."""
    return base64.b64encode(value).decode()
