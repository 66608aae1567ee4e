"""An object copied onto itself under a new envelope: other metadata, the same stored bytes (docs/format.md, "Copy").

Conditions on the copy's source and, where the dialect has such, on its destination name the ETag that came with the old
envelope, so that a new envelope never lands on other bytes, and never buries what somebody else wrote meanwhile.
Content-Type and the other system metadata, user metadata, storage class, redirect, tags, ACL and locks stay.
Last-Modified is a new one, and a bucket that keeps versions gets a new version: storages change metadata in no other
way.
"""

from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.format import Envelope
from sseproxy.operations.access_lists import acl_headers
from sseproxy.operations.attributes import Found, Overwritten, pinned
from sseproxy.operations.backend import refusal
from sseproxy.operations.context import Services
from sseproxy.operations.copy_source import copy_source_header
from sseproxy.operations.plan import add_envelope
from sseproxy.operations.system_metadata import is_metadata
from sseproxy.ports import UpstreamRequest

_MOST_DOCUMENT = 256 * 1024  # bytes of the storage's answer
_KEPT = (  # behind the dialect's prefix; a copy would drop them
    "storage-class",
    "website-redirect-location",
    "object-lock-mode",
    "object-lock-retain-until-date",
    "object-lock-legal-hold",
)


async def replace_envelope(services: Services, found: Found, envelope: Envelope) -> CIMultiDictProxy[str]:
    """Give the object that was found another envelope. Returns the headers of the storage's answer.

    Raises `Overwritten` where it is not that object any more, `MetadataTooLarge`, and what the storage says.
    """
    dialect, address = services.dialect, found.address
    headers = _metadata(services, found)
    headers.update(await acl_headers(services, found))
    add_envelope(dialect, headers, envelope)
    headers[dialect.header("copy-source-if-match")] = f'"{found.backend_etag}"'
    if dialect.replaces_if_match:
        headers["If-Match"] = f'"{found.backend_etag}"'
    copy = UpstreamRequest(
        method="PUT",
        bucket=address.ref.bucket,
        raw_key=address.raw_key,
        headers=headers,
        body=b"",
        content_length=0,
    )
    async with services.upstream.send(copy) as response:
        if response.status == 412:
            raise Overwritten
        if response.status != 200:
            raise await refusal(services, response)
        dialect.xml.parse_copied(await response.read(_MOST_DOCUMENT))  # raises for an error under 200
        return response.headers


def _metadata(services: Services, found: Found) -> CIMultiDict[str]:
    """Return everything that the object says of itself, to be said again; tags stay by themselves."""
    dialect = services.dialect
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in found.headers.items():
        if is_metadata(name, dialect.meta_prefix) and name.lower() != dialect.envelope_header:
            headers.add(name, value)
    for name in _KEPT:
        if dialect.header(name) in found.headers:
            headers[dialect.header(name)] = found.headers[dialect.header(name)]
    headers[dialect.header("metadata-directive")] = "REPLACE"
    headers[dialect.header("copy-source")] = copy_source_header(pinned(services, found))
    return headers
