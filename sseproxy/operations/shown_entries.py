"""What listings show of a sealed object, and telling it to the cache when an object was written."""

from sseproxy.format import Attributes, stored_size
from sseproxy.format.cached_entry import EntryIdentity, ShownEntry
from sseproxy.model import Layout, ObjectRef
from sseproxy.operations.answers import shown_checksum
from sseproxy.operations.context import Services
from sseproxy.operations.etags import client_etag


def shown_entry(attributes: Attributes, backend_etag: str, *, opaque: bool = False) -> ShownEntry:
    """Return what listings show of a sealed object. `backend_etag` without quotes.

    `opaque`: whatever the attributes know, because the object is under a customer's key, without which listings work.
    """
    checksum = shown_checksum(attributes)
    kind = None if checksum is None else (checksum.algorithm, checksum.type)
    return ShownEntry(attributes.plaintext_size, client_etag(None if opaque else attributes, backend_etag), kind)


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
