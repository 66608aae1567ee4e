"""What one object is: its envelope, its footer, its recovery record.

Shows no key, no wrapped key, and no plaintext digest beyond what every reader is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sseproxy.bulk.context import Tools
from sseproxy.bulk.finding import SYMLINK, ends_sealed, find, kind_of
from sseproxy.bulk.recovery import read_recovery
from sseproxy.errors import NoSuchKey, SseProxyError
from sseproxy.format import Attributes, Envelope, decode_envelope, place_of, recovery_bytes
from sseproxy.model import Algorithm, Binding, Layout, ObjectRef
from sseproxy.operations.answers import shown_checksum
from sseproxy.operations.attributes import Found, Opened, open_found
from sseproxy.operations.backend import Address


@dataclass(slots=True, kw_only=True)
class Inspection:
    """Sections of names and plain values, in the order to show them, and what is wrong with the object."""

    sections: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


async def inspect_object(tools: Tools, address: Address) -> Inspection:
    """Look at one object. What is wrong with it is told in `problems`. Raises `NoSuchKey`, the storage's refusals."""
    services = tools.services
    found = await find(services, address)
    if found is None:
        raise NoSuchKey(f"There is no object {address.ref.key} in {address.ref.bucket}.")
    result = Inspection()
    result.sections["object"] = _object(tools, found)
    text = found.headers.get(services.dialect.envelope_header)
    if text is None:
        await _without_envelope(tools, found, result)
        return result
    try:
        envelope = decode_envelope(text)
    except SseProxyError as error:
        result.problems.append(error.message)
        return result
    result.sections["envelope"] = describe_envelope(tools, envelope, address.ref)
    await _opened(tools, found, envelope, result)
    await _recovered(tools, found, envelope, result)
    return result


def describe_envelope(tools: Tools, envelope: Envelope, ref: ObjectRef) -> dict[str, Any]:
    """Return what an envelope says, as plain values; lengths instead of wrapped keys."""
    described: dict[str, Any] = {
        "suite": envelope.suite.name,
        "algorithm": envelope.algorithm.value,
        "layout": envelope.layout.value,
        "cmk": envelope.key_id,
        "cmk_version": tools.key_version(envelope),
        "binding": envelope.binding.value,
        "written_for_this_name": envelope.place == place_of(ref.bucket, ref.key),
        "wrapped_key_bytes": len(envelope.wrapped_key),
        "bucket_key": envelope.bucket_key,
        "kek": None if envelope.kek_id is None else envelope.kek_id.hex(),
        "encryption_context": envelope.caller_context.decode() or None,
        "commitment": envelope.commitment.hex(),
        "footer_copy_bytes": None if envelope.footer is None else len(envelope.footer),
    }
    return described


def _object(tools: Tools, found: Found) -> dict[str, Any]:
    ref = found.address.ref
    return {
        "bucket": ref.bucket,
        "key": ref.key,
        "version_id": found.headers.get(tools.services.dialect.header("version-id")),
        "kind": kind_of(tools.services, found) or None,
        "sealed": tools.services.dialect.envelope_header in found.headers,
        "stored_size": found.stored_size,
        "stored_etag": found.backend_etag,
        "last_modified": found.headers.get("Last-Modified"),
        "content_type": found.headers.get("Content-Type"),
    }


async def _without_envelope(tools: Tools, found: Found, result: Inspection) -> None:
    if kind_of(tools.services, found) == SYMLINK:
        return
    if await ends_sealed(tools.services, found):
        result.problems.append("The object ends like a sealed one, but its metadata was lost: see `objects repair`.")
        await _recovered(tools, found, None, result)


async def _opened(tools: Tools, found: Found, envelope: Envelope, result: Inspection) -> None:
    if envelope.algorithm is Algorithm.CUSTOMER:
        result.sections["footer"] = {"readable": "only with the customer's key"}
        return
    try:
        opened = await open_found(tools.services, found, is_archive_shown=True)
    except SseProxyError as error:
        result.problems.append(error.message)
        return
    if isinstance(opened, Opened) and opened.attributes is not None:
        result.sections["footer"] = _footer(opened, opened.attributes)
    else:
        result.sections["footer"] = {"readable": "not while the object is archived"}


def _footer(opened: Opened, attributes: Attributes) -> dict[str, Any]:
    checksum = shown_checksum(attributes)
    sizes = [entry.plaintext_size for entry in attributes.segments]
    return {
        "plaintext_size": attributes.plaintext_size,
        "etag": opened.etag,
        "etag_kind": "opaque" if attributes.md5 is None else "md5",
        "segments": attributes.segments[-1].number if attributes.layout is Layout.APPEND else len(sizes),
        "segments_in_footer": len(sizes),
        "smallest_segment_in_footer": min(sizes),
        "largest_segment_in_footer": max(sizes),
        "client_parts": attributes.part_count,
        "checksum": None if checksum is None else f"{checksum.algorithm.value} {checksum.type.value}",
    }


async def _recovered(tools: Tools, found: Found, envelope: Envelope | None, result: Inspection) -> None:
    try:
        recovery = await read_recovery(tools.services, found)
    except SseProxyError as error:
        result.sections["recovery"] = {"present": True, "readable": error.message}
        return
    if recovery is None:
        result.sections["recovery"] = {"present": False}
        return
    ref = found.address.ref
    result.sections["recovery"] = {
        "present": True,
        "same_as_envelope": envelope is not None and recovery_bytes(recovery) == recovery_bytes(envelope),
        "written_for_this_name": recovery.binding is Binding.NONE or recovery.place == place_of(ref.bucket, ref.key),
        "cmk": recovery.key_id,
        "cmk_version": tools.key_version(recovery),
    }
