"""OSS AppendObject: the body goes behind what is there, if the position is the present length (OSS dossier §6.3)."""

import asyncio
import hashlib
from dataclasses import replace

from aiohttp import web

from sseproxy.store.announced import announced
from sseproxy.store.answers import answer
from sseproxy.store.digests import combined_crc64
from sseproxy.store.faults import Fault
from sseproxy.store.receive import Received, announced_length, receive
from sseproxy.store.records import Change, Metadata, ObjectRow
from sseproxy.store.service import Call, Service, now_ms
from sseproxy.store.texts import natural
from sseproxy.store.traits import read_traits
from sseproxy.store.versioning import change_headers, discard
from sseproxy.store.wires import MOST_BODY_BYTES

KIND = "Appendable"


async def append_object(service: Service, call: Call) -> web.StreamResponse:
    """Append the body, atomically: of several appends at one position exactly one succeeds."""
    service.bucket(call.bucket)
    traits = read_traits(call)
    position = _position(call)
    present = service.index.object(call.bucket, call.key)
    _check(service, call, present, position)
    wanted = announced(call.wire, call.headers, call.payload.sha256)
    received = await receive(service, call, wanted, (), announced_length(call))
    try:
        if position + received.digested.size > MOST_BODY_BYTES:
            raise Fault("EntityTooLarge")
        present = service.index.object(call.bucket, call.key)
        _check(service, call, present, position)
        if present is None:
            row, metadata = (
                _first(call, received),
                Metadata(headers=traits.headers, user=traits.user, crc64=received.digested.crc64),
            )
            row = replace(row, acl=traits.acl, tags=traits.tags, storage_class=traits.storage_class)
        else:
            row, metadata = await _joined(service, present, received)
        row = replace(row, meta=service.files.write_metadata(metadata))
        change = _put(service, row, present)
    except BaseException:
        service.files.remove([received.name])
        raise
    discard(service, change)
    if row.body != received.name:
        service.files.remove([received.name])
    headers = {
        **change_headers(call, change),
        "ETag": call.wire.etag(row.etag),
        "x-oss-next-append-position": str(row.size),
        "x-oss-hash-crc64ecma": str(metadata.crc64),
    }
    return answer(call, headers=headers)


def _position(call: Call) -> int:
    text = call.query("position") or ""
    position = natural(text)
    if position is None:
        raise Fault("InvalidArgument", details={"ArgumentName": "position", "ArgumentValue": text})
    return position


def _check(service: Service, call: Call, present: ObjectRow | None, position: int) -> None:
    """Check that the object can grow at `position`; a delete marker cannot (AppendObject, "Versioning")."""
    hidden = present is None and service.index.newest_hidden(call.bucket, call.key) is not None
    if hidden or (present is not None and present.kind != KIND):
        raise Fault("ObjectNotAppendable")
    length = 0 if present is None else present.size
    if position != length:
        raise _conflict(present)


def _conflict(present: ObjectRow | None) -> Fault:
    if present is not None and present.kind != KIND:
        return Fault("ObjectNotAppendable")
    length = 0 if present is None else present.size
    return Fault("PositionNotEqualToLength", headers={"x-oss-next-append-position": str(length)})


def _first(call: Call, received: Received) -> ObjectRow:
    return ObjectRow(
        bucket=call.bucket,
        key=call.key,
        body=received.name,
        meta="",
        size=received.digested.size,
        etag=received.digested.md5.hex(),
        modified=now_ms(),
        kind=KIND,
        storage_class="",
        checksum_algorithm="",
        checksum_type="",
        acl="",
        tags="",
    )


async def _joined(service: Service, present: ObjectRow, received: Received) -> tuple[ObjectRow, Metadata]:
    """Do as `_longer`; an object whose files are gone because another append was quicker is a conflict."""
    try:
        return await _longer(service, present, received)
    except (Fault, OSError):
        now = service.index.object(present.bucket, present.key)
        if now is None or now.body != present.body:
            raise _conflict(now) from None
        raise


async def _longer(service: Service, present: ObjectRow, received: Received) -> tuple[ObjectRow, Metadata]:
    """Join the bytes, and return the row and metadata of the object that has them."""
    digested, metadata = received.digested, service.metadata(present)
    pieces = [(present.body, 0, present.size), (received.name, 0, digested.size)]
    joined = await asyncio.get_running_loop().run_in_executor(service.pool, service.files.join, pieces)
    row = replace(
        present,
        body=joined,
        size=present.size + digested.size,
        etag=hashlib.md5(present.etag.encode() + digested.md5, usedforsecurity=False).hexdigest(),
        modified=now_ms(),
    )
    sized = [(metadata.crc64, present.size), (digested.crc64, digested.size)]
    return row, replace(metadata, crc64=combined_crc64(sized))


def _put(service: Service, row: ObjectRow, seen: ObjectRow | None) -> Change:
    """Make the row visible unless somebody was quicker; an appended object stays the one version that it is."""

    def check(present: ObjectRow | None) -> None:
        if (present and present.body) != (seen and seen.body):
            raise _conflict(present)

    try:
        return service.index.put_object(row, check, in_place=True)
    except Fault:
        service.files.remove([row.body, row.meta])
        raise
