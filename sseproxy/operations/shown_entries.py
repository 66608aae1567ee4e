"""What listings show of a sealed object: from its footer, by arithmetic, and told to the cache when it was written."""

from sseproxy.dialect.base import ListedEntry
from sseproxy.format import Attributes, plaintext_size, stored_size
from sseproxy.format.cached_entry import EntryIdentity, ShownEntry
from sseproxy.model import Layout, ObjectRef
from sseproxy.operations.answers import shown_checksum
from sseproxy.operations.context import Services
from sseproxy.operations.etags import client_etag, opaque_etag

NO_VERSION = "null"  # of what was written while the bucket kept no versions
_OF_PARTS = "-"  # in front of the number of parts


def shown_entry(attributes: Attributes, backend_etag: str, *, opaque: bool = False) -> ShownEntry:
    """Return what listings show of a sealed object. `backend_etag` without quotes.

    `opaque`: whatever the attributes know, because the object is under a customer's key, without which listings work.
    """
    checksum = shown_checksum(attributes)
    kind = None if checksum is None else (checksum.algorithm, checksum.type)
    return ShownEntry(attributes.plaintext_size, client_etag(None if opaque else attributes, backend_etag), kind)


def computed_entry(entry: ListedEntry) -> ShownEntry | None:
    """Return what is shown of a sealed object in a bucket whose ETags are opaque, from the storage's entry alone.

    The stored size depends on the plaintext size alone, whatever parts, cipher, checksums or metadata an object has
    (docs/format.md, "Stored size"), and an opaque ETag on the storage's alone ("ETag"). None where that does not hold:
    an object that grew by appending is as long as its blocks, a link has no bytes, a size that no sealed object has is
    that of no sealed object, and a storage may list no ETags, or doubtful ones. No checksum is shown: only the footer
    knows it.
    """
    if entry.appendable or entry.link or not entry.stored_etag or _has_doubtful_etag(entry):
        return None
    size = plaintext_size(entry.stored_size)
    return None if size is None else ShownEntry(size, opaque_etag(entry.stored_etag))


def _has_doubtful_etag(entry: ListedEntry) -> bool:
    """Whether HEAD may tell another ETag: SeaweedFS makes one of its own chunks up for what has no version id."""
    return entry.version_id == NO_VERSION and _OF_PARTS in entry.stored_etag


async def remember(
    services: Services,
    ref: ObjectRef,
    attributes: Attributes,
    backend_etag: str,
    version_id: str | None,
    *,
    opaque: bool = False,
) -> None:
    """Remember an object that was just written. Listings without versions name none, the others do."""
    if not backend_etag or attributes.layout is Layout.APPEND:
        return  # an appended object grows under its name; its listing tells
    shown = shown_entry(attributes, backend_etag, opaque=opaque)
    size = stored_size(attributes.plaintext_size)
    await services.known_entries.put(
        {
            EntryIdentity(
                bucket=ref.bucket, key=ref.key, version_id=version, backend_etag=backend_etag, stored_size=size
            ): shown
            for version in {None, version_id}
        }
    )
