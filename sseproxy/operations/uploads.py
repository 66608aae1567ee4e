"""What is remembered of a multipart upload: one envelope and one record per part attempt, in the state bucket.

Layout under `uploads/<hex SHA-256(lp(bucket) lp(key) lp(upload id))>/` (docs/format.md, "Multipart"):

    envelope            the sealed choice made at Create, MACed
    parts/<record>      nothing but a key: the record travels in it
    kept/<number>       the stored bytes of a part that has to wait for Complete
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import msgpack

from sseproxy.errors import StateRejected
from sseproxy.format import DataKey, Envelope, PartRecord, decode_envelope, encode_envelope, open_record, seal_record
from sseproxy.model import ChecksumAlgorithm, ChecksumType, EtagMode, ObjectRef, name_bytes
from sseproxy.operations.state_store import StateStore

_PURPOSE = "upload"
_FIELDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A multipart upload as it was created. `ref.version_id` is always None."""

    ref: ObjectRef
    upload_id: str
    envelope: Envelope
    etag_mode: EtagMode
    checksum_algorithm: ChecksumAlgorithm | None
    checksum_type: ChecksumType | None

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


def folder_of(ref: ObjectRef, upload_id: str) -> str:
    """Return the folder of an upload's state (docs/format.md, "Multipart")."""
    names = (name_bytes(ref.bucket), name_bytes(ref.key), name_bytes(upload_id))
    framed = b"".join(len(name).to_bytes(4, "big") + name for name in names)
    return f"uploads/{sha256(framed).hexdigest()}/"


async def save_upload(state: StateStore, upload: Upload) -> None:
    """Write the upload's envelope; parts are accepted from now on."""
    payload: bytes = msgpack.packb(
        [
            encode_envelope(upload.envelope),
            upload.etag_mode.value,
            upload.checksum_algorithm.value if upload.checksum_algorithm else None,
            upload.checksum_type.value if upload.checksum_type else None,
            name_bytes(upload.upload_id),
        ]
    )
    await state.put(upload.folder + "envelope", payload, purpose=_PURPOSE, bucket=upload.ref.bucket)


async def load_upload(state: StateStore, ref: ObjectRef, upload_id: str) -> Upload | None:
    """Read an upload's envelope from the state bucket; None where there is no such upload.

    Raises `StateRejected` where the record is damaged or belongs to another upload.
    """
    payload = await state.get(folder_of(ref, upload_id) + "envelope", purpose=_PURPOSE, bucket=ref.bucket)
    if payload is None:
        return None
    fields = msgpack.unpackb(payload)
    if not isinstance(fields, list) or len(fields) != _FIELDS or fields[4] != name_bytes(upload_id):
        raise StateRejected("The state of this upload cannot be read; abort it and begin again.")
    return Upload(
        ref=ObjectRef(ref.bucket, ref.key),
        upload_id=upload_id,
        envelope=decode_envelope(fields[0]),
        etag_mode=EtagMode(fields[1]),
        checksum_algorithm=ChecksumAlgorithm(fields[2]) if fields[2] else None,
        checksum_type=ChecksumType(fields[3]) if fields[3] else None,
    )


async def is_open(state: StateStore, upload: Upload) -> bool:
    """Whether the upload still is neither completed nor aborted, asked of the state bucket itself."""
    return await state.get(upload.folder + "envelope", purpose=_PURPOSE, bucket=upload.ref.bucket) is not None


async def save_record(state: StateStore, upload: Upload, key: DataKey, record: PartRecord) -> str:
    """Put the record of a part attempt beside the envelope and return its state key."""
    text = seal_record(
        key, record, bucket=upload.ref.bucket, key_name=upload.ref.key, upload_id=upload.upload_id
    )
    state_key = f"{upload.folder}parts/{text}"
    await state.put_marker(state_key)
    return state_key


async def load_attempts(
    state: StateStore, upload: Upload, key: DataKey, *, after_part: int = 0
) -> AsyncIterator[Attempt]:
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


async def forget_upload(state: StateStore, ref: ObjectRef, upload_id: str) -> None:
    """Remove an upload's state: the envelope first, so that no further part is acknowledged."""
    folder = folder_of(ref, upload_id)
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
