"""The ETag that clients see, in one place (docs/format.md, "ETag"). Without quotes, lower case."""

import re

from sseproxy.format import Attributes

_MD5_SHAPE = re.compile(r"[0-9A-Fa-f]{32}")


def client_etag(attributes: Attributes | None, backend_etag: str) -> str:
    """Return a sealed object's ETag: of its MD5 where it has one, else made from the storage's ETag.

    `attributes` None: they cannot be read now (an archived object, a listing's entry whose key is away).
    """
    if attributes is None or attributes.md5 is None:
        return opaque_etag(backend_etag)
    suffix = "" if attributes.part_count is None else f"-{attributes.part_count}"
    return attributes.md5.hex() + suffix


def opaque_etag(backend_etag: str) -> str:
    """Return the storage's ETag so that nobody takes it for an MD5 of the plaintext, nor for a part count."""
    return f"{backend_etag}-0" if _MD5_SHAPE.fullmatch(backend_etag) else backend_etag


def bare_etag(header: str | None) -> str:
    """Return an ETag header's value without quotes and weakness mark; empty where there is none."""
    return (header or "").removeprefix("W/").strip().strip('"')


def is_named(tags: str, etag: str) -> bool:
    """Whether an If-Match header's list names an ETag; quotes and case do not matter."""
    return etag.lower() in {bare_etag(tag.strip()).lower() for tag in tags.split(",")}
