"""What a write request says about its object beside the bytes: headers, metadata, ACL, tags, storage class."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qsl

from sseproxy.store.faults import Fault
from sseproxy.store.service import Call
from sseproxy.store.wires import Wire

STANDARD_HEADERS = (
    "content-type",
    "content-encoding",
    "content-language",
    "content-disposition",
    "cache-control",
    "expires",
)
_REDIRECT = "website-redirect-location"
S3_ACLS = frozenset(
    {
        "private",
        "public-read",
        "public-read-write",
        "authenticated-read",
        "aws-exec-read",
        "bucket-owner-read",
        "bucket-owner-full-control",
        "log-delivery-write",
    }
)
OSS_ACLS = frozenset({"default", "private", "public-read", "public-read-write"})
_S3_CLASSES = frozenset(
    {
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
    }
)
_OSS_CLASSES = frozenset({"Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive"})
_MOST_TAGS = 10
_UNSUPPORTED = frozenset({"x-amz-write-offset-bytes", "x-oss-callback"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """Everything that comes with an object's bytes. `tags` is a JSON list of pairs, empty for none."""

    headers: Mapping[str, str]
    user: Mapping[str, str]
    acl: str
    tags: str
    storage_class: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dumps`."""
        return asdict(self)


def refuse_encryption(call: Call) -> None:
    """Refuse every header or parameter about server-side encryption: this store has none.

    A proxy that lets one through must fail, not succeed by chance.
    """
    for name in (*call.headers, *(found for found, _ in call.target.pairs)):
        lower = name.lower()
        if "server-side-" in lower:
            raise Fault("NotImplemented", details={"Header": name})


def read_traits(call: Call) -> Traits:
    """Read a write request's traits; raises `Fault` for values that the service does not take."""
    for name in call.headers:
        lower = name.lower()
        if lower.startswith("x-amz-object-lock-"):
            raise Fault("InvalidRequest", "Bucket is missing Object Lock Configuration")
        if lower in _UNSUPPORTED or lower.startswith("x-amz-grant-"):
            raise Fault("NotImplemented", details={"Header": name})
    return Traits(
        headers=_standard_headers(call),
        user=user_metadata(call),
        acl=acl_of(call, call.wire.object_acl),
        tags=dump_tags(parse_tags(call.header("tagging"))),
        storage_class=_storage_class(call),
    )


def _standard_headers(call: Call) -> dict[str, str]:
    found = {name: call.headers[name] for name in STANDARD_HEADERS if name in call.headers}
    encodings = [item.strip() for item in found.pop("content-encoding", "").split(",")]
    kept = [item for item in encodings if item and not (item == "aws-chunked" and call.wire.name == "s3")]
    if kept:
        found["content-encoding"] = ",".join(kept)
    redirect = call.header(_REDIRECT)
    return found | ({_REDIRECT: redirect} if redirect else {})


def user_metadata(call: Call) -> dict[str, str]:
    """Return the user metadata without prefix; raises `Fault` MetadataTooLarge."""
    prefix = call.wire.prefix + "meta-"
    found: dict[str, str] = {}
    for name, value in call.headers.items():
        lower = name.lower()
        if lower.startswith(prefix):
            short = lower.removeprefix(prefix)
            found[short] = f"{found[short]},{value}" if short in found else value
    size = sum(len(name) + len(value.encode("utf-8", "surrogateescape")) for name, value in found.items())
    if size > call.wire.most_metadata_bytes:
        details = {"Size": str(size), "MaxSizeAllowed": str(call.wire.most_metadata_bytes)}
        raise Fault("MetadataTooLarge", details=details)
    return found


def acl_of(call: Call, header: str) -> str:
    """Return the canned ACL in `header`, empty where there is none."""
    value = call.headers.get(header, "")
    if value and value not in (S3_ACLS if call.wire.name == "s3" else OSS_ACLS):
        raise Fault("InvalidArgument", details={"ArgumentName": header, "ArgumentValue": value})
    return value


def _storage_class(call: Call) -> str:
    """Return the storage class in the words of S3, empty for the standard one."""
    value = call.header("storage-class")
    if value is None:
        return ""
    if value not in (_S3_CLASSES if call.wire.name == "s3" else _OSS_CLASSES):
        raise Fault("InvalidStorageClass")
    return "" if value.upper() == "STANDARD" else value


def shown_class(wire: Wire, stored: str) -> str:
    """Return the storage class for a listing or a header."""
    if not stored:
        return "STANDARD" if wire.name == "s3" else "Standard"
    return stored


def parse_tags(header: str | None) -> Sequence[tuple[str, str]]:
    """Parse a tagging header; raises `Fault` for what is not a list of tags."""
    if not header:
        return []
    try:
        tags = parse_qsl(header, keep_blank_values=True, strict_parsing=True)
    except ValueError as problem:
        details = {"ArgumentName": "x-amz-tagging", "ArgumentValue": header}
        raise Fault(
            "InvalidArgument",
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
            "parameters without tag name duplicates.",
            details=details,
        ) from problem
    check_tags(tags)
    return tags


def check_tags(tags: Sequence[tuple[str, str]]) -> None:
    """Check number, lengths and names; raises `Fault` InvalidTag or BadRequest."""
    if len(tags) > _MOST_TAGS:
        raise Fault("BadRequest", "Object tags cannot be greater than 10")
    if len({key for key, _ in tags}) != len(tags):
        raise Fault("InvalidTag", "Cannot provide multiple Tags with the same key")
    for key, value in tags:
        if not 0 < len(key) <= 128:
            raise Fault("InvalidTag", "The TagKey you have provided is invalid")
        if len(value) > 256:
            raise Fault("InvalidTag", "The TagValue you have provided is invalid")


def dump_tags(tags: Sequence[tuple[str, str]]) -> str:
    """Return tags as the index keeps them."""
    return json.dumps([list(tag) for tag in tags]) if tags else ""


def load_tags(stored: str) -> list[tuple[str, str]]:
    """Return the tags that `dump_tags` kept."""
    return [(key, value) for key, value in json.loads(stored)] if stored else []
