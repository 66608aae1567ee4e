"""CopyObject: sealed to sealed by re-wrapping the key, without moving the data; anything else streamed.

The storage copies the stored bytes and gets complete metadata with an envelope for the new name. It is told which
state of the source is meant, so that an envelope never lands on other bytes (docs/format.md, "Copy").
"""

from dataclasses import replace

from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.errors import FooterRejected, InvalidArgument, InvalidRequest
from sseproxy.exchange import Request, Response
from sseproxy.format import Attributes
from sseproxy.model import ChecksumAlgorithm, ChecksumType, EtagMode, Layout, ObjectRef, WriteCondition
from sseproxy.operations.acls import canned_acl_of
from sseproxy.operations.answers import digest_headers, shown_checksum, sse_headers
from sseproxy.operations.assertions import Assertions, requested_algorithm
from sseproxy.operations.attributes import (
    Opened,
    Overwritten,
    Unsealed,
    glance,
    look,
    open_found,
    pinned,
    settled,
)
from sseproxy.operations.backend import Address, address_of, backend_query, refusal
from sseproxy.operations.body_check import BodyCheck
from sseproxy.operations.context import Services
from sseproxy.operations.copy_source import (
    NotModifiedCopy,
    check_source_size,
    copy_source_header,
    copy_source_of,
    judge_source,
    source_body,
    source_head,
    source_version,
)
from sseproxy.operations.customer_keys import source_key_of
from sseproxy.operations.deciding import decide_for, own_checksums
from sseproxy.operations.passthrough import pass_on
from sseproxy.operations.plan import Plan, add_envelope
from sseproxy.operations.resealing import parts_etag, reseal, seal_parts
from sseproxy.operations.shown_entries import remember
from sseproxy.operations.store_conditions import StoreConditions, on_copy, on_put
from sseproxy.operations.storing import store
from sseproxy.operations.symlinks import is_link
from sseproxy.operations.system_metadata import is_metadata
from sseproxy.operations.tags import has_tags, tagging_of
from sseproxy.operations.write_conditions import write_conditions
from sseproxy.policy.client_encryption import CLIENT_ENCRYPTION, copied, said_in
from sseproxy.policy.forwarding import to_backend, to_client
from sseproxy.ports import UpstreamRequest, UpstreamResponse

_MOST_DOCUMENT = 256 * 1024  # bytes of the storage's answer
_NOTHING_CHANGES = (
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
    "metadata, storage class, website redirect location or encryption attributes."
)
_CHANGES = ("storage-class", "website-redirect-location", "checksum-algorithm")  # behind the dialect's prefix


async def copy_object(services: Services, request: Request) -> Response:
    """Serve CopyObject. The destination's footer has been verified when this returns."""
    try:
        return await settled(services, lambda: _copy(services, request))
    except NotModifiedCopy:
        return Response(status=304)


async def _copy(services: Services, request: Request) -> Response:
    dialect = services.dialect
    source, destination = copy_source_of(dialect, request), address_of(request)
    found = await source_head(services, source)
    if is_link(dialect, found.headers):
        return await pass_on(services, request)  # the link is copied, not what it names
    subject = await open_found(services, found, source_key_of(services, request), is_archive_shown=True)
    judge_source(services, request, subject)
    onto_itself = source.ref == destination.ref
    if onto_itself:
        await _check_change(services, request)
    plan = Plan(
        address=destination,
        decision=await decide_for(services, request),
        headers=_metadata(services, request, subject, onto_itself=onto_itself),
        conditions=await write_conditions(services, request, on_copy, on_put),
        raw_query=backend_query(request),
    )
    if onto_itself and dialect.object_acl_header is not None:
        await _keep_acl(services, plan, subject, dialect.object_acl_header)
    algorithm = requested_algorithm(dialect, request)
    known = await services.conditions.get()
    if not isinstance(subject, Opened) or _needs_checksum(subject, algorithm) or _ends_growing(subject, plan, source):
        known.require(*on_put(plan.conditions))
        keeps_etag = onto_itself and dialect.copy_onto_itself_replaces  # to its clients it is the same object
        streamed = await _streamed(services, plan, subject, algorithm, keeps_etag=keeps_etag)
        return await _answer(services, plan, subject, None, streamed)
    if _may_storage_copy(services, plan, subject, known):
        answered = await _rewrapped(services, plan, subject, known)
        return await _answer(services, plan, subject, subject.attributes, answered)
    check_source_size(dialect, subject.size)
    known.require(*on_put(plan.conditions))
    await _copy_tags(services, plan, subject)
    stored = await reseal(services, plan, subject)
    return await _answer(services, plan, subject, stored.attributes, stored.headers)


def _may_storage_copy(services: Services, plan: Plan, source: Opened, known: StoreConditions) -> bool:
    """Whether the storage itself can copy: a key serves one cipher, and an envelope the bytes that it was made for.

    And neither conditions nor tags may get lost.
    """
    is_tagged = has_tags(services, source.found) or services.dialect.header("tagging") in plan.headers
    if is_tagged and not known.copies_tags:
        return False
    version = pinned(services, source.found).ref.version_id
    is_exact = known.keeps(WriteCondition.COPY_SOURCE_IF_MATCH) or version not in {None, "null"}
    return is_exact and known.keeps(*on_copy(plan.conditions)) and source.envelope.suite is plan.decision.suite


async def _keep_acl(services: Services, plan: Plan, subject: Opened | Unsealed, name: str) -> None:
    if name not in plan.headers:
        acl = await canned_acl_of(services, subject.found)
        if acl is not None:
            plan.headers[name] = acl


async def _check_change(services: Services, request: Request) -> None:
    """Raise `InvalidRequest` for a copy onto itself that changes nothing (S3 dossier §1.6)."""
    dialect = services.dialect
    directive = request.headers.get(dialect.header("metadata-directive"), "COPY")
    if dialect.copy_onto_itself_replaces or directive.upper() == "REPLACE":
        return
    if any(dialect.header(name) in request.headers for name in _CHANGES):
        return
    if any(name.lower().startswith(dialect.sse.prefix) for name in request.headers):
        return
    if await services.bucket_defaults.get(request.bucket or "") is None:
        raise InvalidRequest(_NOTHING_CHANGES)


def _metadata(
    services: Services, request: Request, subject: Opened | Unsealed, *, onto_itself: bool
) -> CIMultiDict[str]:
    """Return the complete metadata of the copy: the source's or the request's, beside what only the request says."""
    dialect = services.dialect
    headers = to_backend(request.headers, dialect)
    directive = request.headers.get(dialect.header("metadata-directive"), "COPY")
    if directive.upper() not in {"COPY", "REPLACE"}:
        raise InvalidArgument(
            "Unknown metadata directive.", ArgumentName=dialect.header("metadata-directive"), ArgumentValue=directive
        )
    keeps_versions = dialect.header("version-id") in subject.found.headers
    replaces = directive.upper() == "REPLACE" or not keeps_versions
    if onto_itself and dialect.copy_onto_itself_replaces and replaces:
        # The request's metadata replaces the old, but a type that it does not name stays (OSS dossier §1.6).
        if "Content-Type" in subject.found.headers:
            headers.setdefault("Content-Type", subject.found.headers["Content-Type"])
        return _with_client_encryption_of(services, headers, subject)
    if directive.upper() == "REPLACE":
        return _with_client_encryption_of(services, headers, subject)
    return _with_metadata_of(services, headers, subject)


def _with_metadata_of(services: Services, headers: CIMultiDict[str], subject: Opened | Unsealed) -> CIMultiDict[str]:
    dialect = services.dialect
    for name in [name for name in headers if is_metadata(name, dialect.meta_prefix)]:
        headers.popall(name, None)
    for name, value in subject.found.headers.items():
        if is_metadata(name, dialect.meta_prefix) and name.lower() != dialect.envelope_header:
            headers.add(name, value)
    return headers


def _with_client_encryption_of(
    services: Services, headers: CIMultiDict[str], subject: Opened | Unsealed
) -> CIMultiDict[str]:
    """Return new metadata with what the source says of its client's encryption: without it nobody could decrypt."""
    dialect = services.dialect
    for name, value in copied(said_in(headers, dialect), said_in(subject.found.headers, dialect)).items():
        headers[dialect.meta_prefix + CLIENT_ENCRYPTION + name] = value
    return headers


async def _rewrapped(services: Services, plan: Plan, source: Opened, known: StoreConditions) -> CIMultiDictProxy[str]:
    """Let the storage copy the stored bytes under a new envelope. Returns the headers of its answer."""
    dialect = services.dialect
    ref = plan.address.ref
    envelope = await services.keyring.rewrap(source.key, source.envelope, plan.decision, ObjectRef(ref.bucket, ref.key))
    headers = plan.headers.copy()
    headers.extend(plan.conditions)
    add_envelope(dialect, headers, envelope)
    headers[dialect.header("metadata-directive")] = "REPLACE"
    headers[dialect.header("copy-source")] = copy_source_header(pinned(services, source.found))
    headers[dialect.header(known.copy_source_header)] = f'"{source.found.backend_etag}"'
    request = UpstreamRequest(
        method="PUT",
        bucket=ref.bucket,
        raw_key=plan.address.raw_key,
        raw_query=plan.raw_query,
        headers=headers,
        body=b"",
    )
    async with services.upstream.send(request) as response:
        if response.status != 200:
            raise await _copy_refusal(services, response, source)
        dialect.xml.parse_copied(await response.read(_MOST_DOCUMENT))  # raises for an error under 200
        return response.headers


async def _copy_refusal(services: Services, response: UpstreamResponse, source: Opened) -> Exception:
    error = await refusal(services, response)
    if response.status == 412:  # the client's condition on the destination, or ours on the source?
        present = await glance(services, source.found.address)
        if present.found.backend_etag != source.found.backend_etag:
            return Overwritten()
    return error


async def _copy_tags(services: Services, plan: Plan, source: Opened | Unsealed) -> None:
    """Let the new object have the tags that the directive says, where the storage is not told to copy."""
    dialect = services.dialect
    directive = plan.headers.popall(dialect.header("tagging-directive"), ["COPY"])[0]
    if directive.upper() != "REPLACE":
        tags = await tagging_of(services, source.found)
        plan.headers.popall(dialect.header("tagging"), None)
        if tags is not None:
            plan.headers[dialect.header("tagging")] = tags


def _needs_checksum(source: Opened, algorithm: ChecksumAlgorithm | None) -> bool:
    """Whether the copy is to have a checksum that the source has not: over all its bytes, of this algorithm."""
    if algorithm is None or source.attributes is None:
        return False
    present = shown_checksum(source.attributes)
    return present is None or (present.algorithm, present.type) != (algorithm, ChecksumType.FULL_OBJECT)


def _ends_growing(source: Opened, plan: Plan, address: Address) -> bool:
    """Whether the copy of an appendable object is one in one piece, under a data key of its own.

    Only onto itself it stays what it is: two objects that both grow must not share a data key.
    """
    stays = plan.address.ref == address.ref and source.envelope.suite is plan.decision.suite
    return source.envelope.layout is Layout.APPEND and not stays


async def _streamed(
    services: Services,
    plan: Plan,
    source: Opened | Unsealed,
    algorithm: ChecksumAlgorithm | None,
    *,
    keeps_etag: bool,
) -> CIMultiDictProxy[str]:
    """Seal an object on its way through the proxy: one that is not sealed, or for another checksum.

    `keeps_etag`: the copy is to have the ETag of an object in parts, where the source has such a one.
    """
    dialect = services.dialect
    check_source_size(dialect, source.size)
    await _copy_tags(services, plan, source)
    check = BodyCheck(
        Assertions(length=source.size),
        services.digest_pool,
        md5=plan.decision.etag_mode is EtagMode.MD5,
        algorithms=own_checksums(services),
        kept=algorithm,
    )
    if keeps_etag and isinstance(source, Unsealed):
        etag = parts_etag(source)
        if etag is not None:
            return (await seal_parts(services, plan, source, etag, check)).headers
    return (await store(services, plan, await source_body(services, source), source.size, check)).headers


async def _answer(
    services: Services,
    plan: Plan,
    source: Opened | Unsealed,
    expected: Attributes | None,
    answer: CIMultiDictProxy[str],
) -> Response:
    """Open what the destination now holds, and tell of it. `expected` is what its footer must say, where known."""
    dialect = services.dialect
    version = answer.get(dialect.header("version-id"))
    address = Address(replace(plan.address.ref, version_id=version), plan.address.raw_key)
    present = await look(services, address, plan.decision.customer_key)
    if not isinstance(present, Opened) or present.attributes is None:
        raise FooterRejected("The copy cannot be opened.")
    if expected is not None and present.attributes != expected:
        raise Overwritten("The storage copied other bytes than those that the envelope was made for.")
    under_customer = plan.decision.customer_key is not None
    etag = present.found.backend_etag
    await remember(services, plan.address.ref, present.attributes, etag, version, opaque=under_customer)
    headers = to_client(answer, dialect, sealed=True)
    headers.update(source_version(services, source.found))
    headers.update(sse_headers(dialect, present.envelope, present.customer_key, context_shown=True))
    headers.update(digest_headers(dialect, present.attributes))
    headers["ETag"] = dialect.show_etag(present.etag)
    document = dialect.xml.render_copied(present.found.last_modified, present.etag, shown_checksum(present.attributes))
    headers["Content-Type"] = "application/xml"
    return Response(status=200, headers=headers, body=document, content_length=len(document))
