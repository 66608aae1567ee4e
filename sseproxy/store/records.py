"""What the store remembers: one dataclass per kind of record."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

ENABLED = "Enabled"
SUSPENDED = "Suspended"
MARKER = "DeleteMarker"
NULL = "null"
"""The id of the version that a bucket without versioning, or with it suspended, writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRow:
    """A bucket. `created` is in milliseconds since the epoch; `acl` is a canned one.

    `versioning` is empty until somebody enables it, from then on `ENABLED` or `SUSPENDED`.
    """

    name: str
    created: int
    acl: str
    versioning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRow:
    """An object, or one version of it, as the index knows it.

    `body` and `meta` name immutable files; `etag` is lower case without quotes; `modified` is in milliseconds.
    `version` is empty for the null version; of a key's versions the one with the highest `sequence` is the newest. A
    delete marker has the kind `MARKER` and no files.
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
    version: str = ""
    sequence: int = 0

    @property
    def version_id(self) -> str:
        """The version's id as clients see it."""
        return self.version or NULL


@dataclass(frozen=True, slots=True)
class Version:
    """An entry of a listing of versions; `latest` tells that GET without a version means this one."""

    row: ObjectRow
    latest: bool

    @property
    def key(self) -> bytes:
        """The key's bytes."""
        return self.row.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a write or a delete did.

    `version` is the id that the client is told, None in a bucket that never had versioning; `marker` tells that it is
    one of a delete marker. `gone` is the version that nobody can read any more: its files may go.
    """

    version: str | None = None
    marker: bool = False
    gone: ObjectRow | None = None


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
