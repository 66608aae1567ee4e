"""An object copied onto itself under a new envelope: other metadata, the same stored bytes (docs/format.md, "Copy").

Conditions on the copy's source and, where the dialect has such, on its destination name the ETag that came with the old
envelope, so that a new envelope never lands on other bytes, and never buries what somebody else wrote meanwhile.
Content-Type and the other system metadata, user metadata, storage class, redirect, tags, ACL and locks stay.
Last-Modified is a new one, and a bucket that keeps versions gets a new version: storages change metadata in no other
way.
"""

from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.errors import UnsupportedFeature, UpstreamAnswered
from sseproxy.format import Envelope
from sseproxy.model import Layout, ObjectRef, WriteCondition
from sseproxy.operations.access_lists import acl_headers
from sseproxy.operations.attributes import Found, Opened, Overwritten, pinned
from sseproxy.operations.backend import Address, refusal
from sseproxy.operations.context import Services
from sseproxy.operations.copy_in_parts import PartedCopy, copy_in_parts, needs_parts
from sseproxy.operations.copy_source import copy_source_header
from sseproxy.operations.plan import Plan, StoredObject, add_envelope
from sseproxy.operations.resealing import reseal
from sseproxy.operations.system_metadata import is_metadata
from sseproxy.operations.tags import has_tags, tagging_of
from sseproxy.policy.encryption import EncryptionDecision
from sseproxy.ports import UpstreamRequest

_CONFLICTS = frozenset({404, 409, 412})  # somebody else wrote or deleted it meanwhile
_TAGS_LOST = "The storage drops the tags of what it copies: copy this object onto itself through the proxy instead."
_MOST_DOCUMENT = 256 * 1024  # bytes of the storage's answer
_KEPT = (  # behind the dialect's prefix; a copy would drop them
    "storage-class",
    "website-redirect-location",
    "object-lock-mode",
    "object-lock-retain-until-date",
    "object-lock-legal-hold",
)


async def replaces_if_match(services: Services) -> bool:
    """Tell whether the storage lets a copy replace exactly the state that it names."""
    known = await services.conditions.get()
    return services.dialect.replaces_if_match and known.keeps(WriteCondition.COPY_IF_MATCH)


async def reseal_in_place(services: Services, opened: Opened, decision: EncryptionDecision) -> StoredObject:
    """Seal the object that was opened anew, under another data key, and put it where it was.

    For storages whose copies replace whatever is there: their PUT names what it replaces. Raises `Overwritten` where it
    is not that object any more, `UnsupportedFeature` where a PUT cannot say that either, and what `reseal` raises.
    """
    known = await services.conditions.get()
    known.require(WriteCondition.PUT_IF_MATCH)
    found = opened.found
    headers = _metadata(services, found)
    headers.update(await acl_headers(services, found))
    tags = await tagging_of(services, found)
    if tags is not None:
        headers[services.dialect.header("tagging")] = tags
    current = Address(ObjectRef(found.address.ref.bucket, found.address.ref.key), found.address.raw_key)
    conditions = CIMultiDict({"If-Match": known.if_match(found.backend_etag)})
    plan = Plan(address=current, decision=decision, headers=headers, conditions=conditions)
    try:
        return await reseal(services, plan, opened)
    except UpstreamAnswered as error:
        if error.status in _CONFLICTS:
            raise Overwritten from error
        raise


async def replace_envelope(services: Services, found: Found, envelope: Envelope) -> CIMultiDictProxy[str]:
    """Give the object that was found another envelope. Returns the headers of the storage's answer.

    What the storage does not copy in one request it copies by parts. Raises `Overwritten` where it is not that object
    any more, `MetadataTooLarge`, and what the storage says.
    """
    dialect, address = services.dialect, found.address
    known = await services.conditions.get()
    if not known.copies_tags and has_tags(services, found):
        raise UnsupportedFeature(_TAGS_LOST)
    headers = _metadata(services, found)
    headers.update(await acl_headers(services, found))
    if needs_parts(services, found.stored_size) and envelope.layout is not Layout.APPEND:  # which a copy could change
        return await _replace_in_parts(services, found, headers, envelope)
    add_envelope(dialect, headers, envelope)
    headers[dialect.header("metadata-directive")] = "REPLACE"
    headers[dialect.header("copy-source")] = copy_source_header(pinned(services, found))
    headers[dialect.header(known.copy_source_header)] = f'"{found.backend_etag}"'
    if await replaces_if_match(services):
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


async def _replace_in_parts(
    services: Services, found: Found, headers: CIMultiDict[str], envelope: Envelope
) -> CIMultiDictProxy[str]:
    """Do the same by parts. `headers` are what the object says of itself.

    Raises `UnsupportedFeature` where the storage guards a copy by what it replaces, but not this.
    """
    dialect, address = services.dialect, found.address
    known = await services.conditions.get()
    tags = await tagging_of(services, found)
    if tags is not None:
        headers[dialect.header("tagging")] = tags
    add_envelope(dialect, headers, envelope)
    conditions = {}
    if await replaces_if_match(services):
        known.require(WriteCondition.COMPLETE_IF_MATCH)
        conditions["If-Match"] = f'"{found.backend_etag}"'
    copy = PartedCopy(
        target=Address(ObjectRef(address.ref.bucket, address.ref.key), address.raw_key),
        headers=headers,
        source={
            dialect.header("copy-source"): copy_source_header(pinned(services, found)),
            dialect.header(known.copy_source_header): f'"{found.backend_etag}"',
        },
        conditions=conditions,
        size=found.stored_size,
    )
    return await copy_in_parts(services, copy)


def _metadata(services: Services, found: Found) -> CIMultiDict[str]:
    """Return what the object says of itself in its headers, to be said again."""
    dialect = services.dialect
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in found.headers.items():
        if is_metadata(name, dialect.meta_prefix) and name.lower() != dialect.envelope_header:
            headers.add(name, value)
    for name in _KEPT:
        if dialect.header(name) in found.headers:
            headers[dialect.header(name)] = found.headers[dialect.header(name)]
    return headers
