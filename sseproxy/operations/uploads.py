"""What is remembered of a multipart upload: one envelope and one record per part attempt, in the state bucket.

Layout under `uploads/<hex SHA-256(lp(bucket) lp(key) lp(upload id))>/` (docs/format.md, "Multipart"):

    envelope            the sealed choice made at Create, MACed
    parts/<record>      nothing but a key: the record travels in it
    kept/<number>       the stored bytes of a part that has to wait for Complete
"""

from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import msgpack

from sseproxy.errors import NoSuchUpload, StateRejected
from sseproxy.format import (
    ClosingKeys,
    DataKey,
    Envelope,
    PartRecord,
    decode_envelope,
    encode_envelope,
    lp,
    open_record,
    seal_record,
)
from sseproxy.model import ChecksumAlgorithm, ChecksumType, EtagMode, ObjectRef, WrappedKey, name_bytes
from sseproxy.operations.state_store import StateStore

UPLOADS = "uploads/"  # what all of it begins with

_PURPOSE = "upload"
_FIELDS = (5, 7, 9, 10)  # of the state of an upload; the first releases wrote fewer
_MOST_CACHED = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A multipart upload as it was created. `ref.version_id` is always None.

    `client_encryption` is what it said of the client's own (`policy.client_encryption`); None: it was not written down.
    """

    ref: ObjectRef
    upload_id: str
    envelope: Envelope
    etag_mode: EtagMode
    checksum_algorithm: ChecksumAlgorithm | None
    checksum_type: ChecksumType | None
    closing_keys: WrappedKey | None = None  # what completes an upload under a customer's key
    client_encryption: Mapping[str, str] | None = None

    @property
    def folder(self) -> str:
        """Where this upload's state lives, with a slash at the end."""
        return folder_of(self.ref, self.upload_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A record with the time and the key it was found under."""

    record: PartRecord
    state_key: str
    recorded: datetime


class OpenUploads:
    """The uploads that parts came for lately, so that a part does not cost a read of the state bucket.

    An upload's envelope never changes, so what is here can only be outlived by its upload; the backend refuses the
    part then. Losing an entry costs one request.
    """

    def __init__(self, capacity: int = _MOST_CACHED) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[str, Upload] = OrderedDict()

    async def get(self, state: StateStore, ref: ObjectRef, upload_id: str) -> Upload:
        """Return an upload; raises `NoSuchUpload`."""
        folder = folder_of(ref, upload_id)
        upload = self._entries.get(folder)
        if upload is None:
            upload = await load_upload(state, ref, upload_id)
            if upload is None:
                raise NoSuchUpload(UploadId=upload_id)
            self.remember(upload)
        else:
            self._entries.move_to_end(folder)
        return upload

    def remember(self, upload: Upload) -> None:
        """Keep an upload at hand."""
        self._entries[upload.folder] = upload
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def forget(self, ref: ObjectRef, upload_id: str) -> None:
        """Drop an upload that has ended."""
        self._entries.pop(folder_of(ref, upload_id), None)


def upload_query(upload_id: str, part_number: int | None = None) -> str:
    """Return the query that names an upload, or a part of it, towards the backend."""
    query = f"uploadId={quote(upload_id, safe='-_.~')}"
    return query if part_number is None else f"partNumber={part_number}&{query}"


def folder_of(ref: ObjectRef, upload_id: str) -> str:
    """Return the folder of an upload's state (docs/format.md, "Multipart")."""
    names = (name_bytes(ref.bucket), name_bytes(ref.key), name_bytes(upload_id))
    return f"{UPLOADS}{sha256(b''.join(map(lp, names))).hexdigest()}/"


async def save_upload(state: StateStore, upload: Upload) -> None:
    """Write the upload's envelope; parts are accepted from now on."""
    fields: list[Any] = [
        encode_envelope(upload.envelope),
        upload.etag_mode.value,
        upload.checksum_algorithm.value if upload.checksum_algorithm else None,
        upload.checksum_type.value if upload.checksum_type else None,
        name_bytes(upload.upload_id),
    ]
    closing = upload.closing_keys
    fields += [closing.key_id, closing.blob] if closing is not None else [None, None]
    fields += [name_bytes(upload.ref.bucket), name_bytes(upload.ref.key)]  # so that a sweep knows whom to ask for it
    said = upload.client_encryption
    fields.append(None if said is None else {name: name_bytes(value) for name, value in said.items()})
    payload: bytes = msgpack.packb(fields)
    await state.put(upload.folder + "envelope", payload, purpose=_PURPOSE, bucket=upload.ref.bucket)


async def load_upload(state: StateStore, ref: ObjectRef, upload_id: str) -> Upload | None:
    """Read an upload's envelope from the state bucket; None where there is no such upload.

    Raises `StateRejected` where the record is damaged or belongs to another upload.
    """
    payload = await state.get(folder_of(ref, upload_id) + "envelope", purpose=_PURPOSE, bucket=ref.bucket)
    if payload is None:
        return None
    fields = msgpack.unpackb(payload)
    if not isinstance(fields, list) or len(fields) not in _FIELDS or fields[4] != name_bytes(upload_id):
        raise StateRejected("The state of this upload cannot be read; abort it and begin again.")
    return Upload(
        ref=ObjectRef(ref.bucket, ref.key),
        upload_id=upload_id,
        envelope=decode_envelope(fields[0]),
        etag_mode=EtagMode(fields[1]),
        checksum_algorithm=ChecksumAlgorithm(fields[2]) if fields[2] else None,
        checksum_type=ChecksumType(fields[3]) if fields[3] else None,
        closing_keys=WrappedKey(key_id=fields[5], blob=fields[6]) if len(fields) > 5 and fields[5] else None,
        client_encryption=_client_encryption(fields[9]) if len(fields) > 9 else None,
    )


def _client_encryption(written: Mapping[str, bytes] | None) -> dict[str, str] | None:
    if written is None:
        return None
    return {name: value.decode("utf-8", "surrogateescape") for name, value in written.items()}


async def find_upload(state: StateStore, folder: str) -> Upload | None:
    """Read the upload whose state lies in `folder`; None where its envelope is gone, so that it cannot go on.

    Raises `StateRejected` where the record is damaged, or of a release that did not write the object's name.
    """
    payload = await state.get_unverified(folder + "envelope")
    if payload is None:
        return None
    try:
        upload_id, bucket, key = (msgpack.unpackb(payload)[field] for field in (4, 7, 8))
        names = [bytes(name).decode("utf-8", "surrogateescape") for name in (bucket, key, upload_id)]
    except (ValueError, TypeError, LookupError, msgpack.UnpackException) as cause:
        raise StateRejected("The state of an upload does not tell which upload it is of.") from cause
    ref = ObjectRef(names[0], names[1])
    if folder_of(ref, names[2]) != folder:
        raise StateRejected("The state of an upload lies in the place of another one.")
    return await load_upload(state, ref, names[2])


async def is_open(state: StateStore, upload: Upload) -> bool:
    """Whether the upload still is neither completed nor aborted, asked of the state bucket itself."""
    return await state.get(upload.folder + "envelope", purpose=_PURPOSE, bucket=upload.ref.bucket) is not None


async def save_record(state: StateStore, upload: Upload, key: DataKey, record: PartRecord) -> str:
    """Put the record of a part attempt beside the envelope and return its state key."""
    text = seal_record(key, record, bucket=upload.ref.bucket, key_name=upload.ref.key, upload_id=upload.upload_id)
    state_key = f"{upload.folder}parts/{text}"
    await state.put_marker(state_key)
    return state_key


async def load_attempts(
    state: StateStore, upload: Upload, key: DataKey | ClosingKeys, *, after_part: int = 0
) -> AsyncGenerator[Attempt]:
    """Yield every recorded attempt with a number above `after_part`, by part number."""
    prefix = upload.folder + "parts/"
    # The number comes first, zero-padded: everything up to and including `after_part` sorts before this.
    start_after = f"{prefix}{after_part + 1:05d}" if after_part else ""
    async with aclosing(state.list(prefix, start_after=start_after)) as entries:
        async for entry in entries:
            record = open_record(
                key,
                entry.key.removeprefix(prefix),
                bucket=upload.ref.bucket,
                key_name=upload.ref.key,
                upload_id=upload.upload_id,
            )
            yield Attempt(record=record, state_key=entry.key, recorded=entry.last_modified)


def kept_key(upload: Upload, number: int) -> str:
    """Return where a kept part's bytes wait: one fixed key per part number."""
    return f"{upload.folder}kept/{number:05d}"


async def kept_parts(state: StateStore, upload: Upload) -> dict[int, datetime]:
    """Return the numbers of the parts that wait in the state bucket, and since when."""
    prefix = upload.folder + "kept/"
    async with aclosing(state.list(prefix)) as entries:
        return {int(entry.key.removeprefix(prefix)): entry.last_modified async for entry in entries}


async def forget_upload(state: StateStore, ref: ObjectRef, upload_id: str) -> None:
    """Remove an upload's state: the envelope first, so that no further part is acknowledged."""
    await forget_folder(state, folder_of(ref, upload_id))


async def forget_folder(state: StateStore, folder: str) -> None:
    """Remove the state of whatever upload lies in `folder`, as `forget_upload` does."""
    await state.delete([folder + "envelope"])
    batch: list[str] = []
    async with aclosing(state.list(folder)) as entries:
        async for entry in entries:
            batch.append(entry.key)
            if len(batch) == 1000:
                await state.delete(batch)
                batch = []
    await _delete_rest(state, batch)


async def _delete_rest(state: StateStore, keys: Sequence[str]) -> None:
    if keys:
        await state.delete(keys)
