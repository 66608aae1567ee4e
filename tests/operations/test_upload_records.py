"""What is written down of an upload in progress, and what records of earlier releases are read as."""

from dataclasses import replace

import msgpack
import pytest

from sseproxy.errors import StateRejected
from sseproxy.format import DataKey, Envelope
from sseproxy.model import (
    Algorithm,
    Binding,
    ChecksumAlgorithm,
    ChecksumType,
    EtagMode,
    Layout,
    ObjectRef,
    Suite,
    WrappedKey,
)
from sseproxy.operations.state_store import StateStore
from sseproxy.operations.uploads import Upload, load_upload, save_upload
from tests.operations.world import World

REF = ObjectRef("b", "k\udcff")
ENVELOPE = Envelope(
    suite=Suite.AES_256_GCM, algorithm=Algorithm.AES256, key_id="k", wrapped_key=b"w", binding=Binding.BUCKET_KEY,
    place=bytes(8), layout=Layout.MULTIPART, commitment=DataKey(bytes(range(32))).commitment,
)  # fmt: skip
UPLOAD = Upload(
    ref=REF,
    upload_id="u",
    envelope=ENVELOPE,
    etag_mode=EtagMode.MD5,
    checksum_algorithm=ChecksumAlgorithm.CRC32,
    checksum_type=ChecksumType.FULL_OBJECT,
    closing_keys=WrappedKey(key_id="c", blob=b"closing"),
    client_encryption={"key": "K", "start": "not UTF-8: \udcff", "part-size": "112"},
)


async def rewritten(state: StateStore, fields: int) -> Upload | None:
    """Write the upload as a release did that knew only the first `fields` fields, and read it."""
    await save_upload(state, UPLOAD)
    name = UPLOAD.folder + "envelope"
    payload = await state.get(name, purpose="upload", bucket=REF.bucket)
    assert payload is not None
    record: bytes = msgpack.packb(msgpack.unpackb(payload)[:fields])
    await state.put(name, record, purpose="upload", bucket=REF.bucket)
    return await load_upload(state, REF, "u")


@pytest.mark.parametrize("said", [None, {}, UPLOAD.client_encryption])
async def test_an_upload_is_read_as_it_was_written(world: World, said: dict[str, str] | None) -> None:
    upload = replace(UPLOAD, client_encryption=said)

    await save_upload(world.services.state, upload)

    assert await load_upload(world.services.state, REF, "u") == upload


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        (9, {"client_encryption": None}),
        (7, {"client_encryption": None}),
        (5, {"client_encryption": None, "closing_keys": None}),
    ],
)
async def test_an_upload_that_an_earlier_release_began_goes_on(
    world: World, fields: int, missing: dict[str, None]
) -> None:
    assert await rewritten(world.services.state, fields) == replace(UPLOAD, **missing)  # type: ignore[arg-type]


@pytest.mark.parametrize("fields", [0, 4, 6, 8])
async def test_a_record_of_another_kind_is_refused(world: World, fields: int) -> None:
    with pytest.raises(StateRejected):
        await rewritten(world.services.state, fields)
