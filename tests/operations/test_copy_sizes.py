"""Sources larger than what a copy may be, with the storage's limit lowered (S3 dossier §1.6; OSS dossier §1.6)."""

import random
from dataclasses import replace

import pytest

from sseproxy.errors import CopySourceTooLarge
from sseproxy.format import segment_stored_size, stored_size
from sseproxy.operations.plan import largest_plaintext
from tests.operations.world import Answer, World

_MIB = 1024 * 1024
_LIMIT = 6 * _MIB  # what the storage takes in one request here, as it takes 5 GiB elsewhere
_MOST = largest_plaintext(_LIMIT)
_MESSAGE = "The specified copy source is larger than the maximum allowable size for a copy source"
_TOO_LARGE = {
    "s3": ("InvalidRequest", 400, f"{_MESSAGE}: {_LIMIT}"),
    "oss": ("EntityTooLarge", 400, "Source object Length exceeds the maximum allowed size."),
}


def _small(world: World) -> World:
    limits = replace(world.dialect.limits, largest_stored_object=_LIMIT)
    return replace(world, services=replace(world.services, dialect=replace(world.dialect, limits=limits)))


def _bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


async def _copy(world: World, key: str, **headers: str) -> Answer:
    return await world.do("PUT", f"/bucket/{key}", headers={"own_copy_source": "/bucket/from", **headers})


def _answered(world: World, error: CopySourceTooLarge) -> tuple[str, int, str]:
    code = world.dialect.error_code(error)
    return code.code, code.status, error.message if code.message is None else code.message


async def test_a_source_that_is_sealed_on_the_way_may_be_as_large_as_the_storage_takes(world: World) -> None:
    await world.seed("from", _bytes(_MOST))

    copied = await _copy(_small(world), "to")

    assert copied.status == 200
    assert (await world.get("to")).body == _bytes(_MOST)
    assert len(await world.stored("to")) <= _LIMIT


async def test_a_larger_one_is_refused_in_the_words_of_the_protocol_and_stores_nothing(world: World) -> None:
    await world.seed("from", bytes(_LIMIT + 1))

    with pytest.raises(CopySourceTooLarge) as refused:
        await _copy(_small(world), "to")

    assert _answered(world, refused.value) == _TOO_LARGE[world.dialect.name]
    assert not await world.has("to")


async def test_one_that_is_only_too_large_once_it_is_sealed_is_told_what_would_do(s3: World) -> None:
    await s3.seed("from", bytes(_MOST + 1))

    with pytest.raises(CopySourceTooLarge) as refused:
        await _copy(_small(s3), "to")

    assert refused.value.message == f"{_MESSAGE}: {_MOST}"
    assert stored_size(_MOST) <= _LIMIT < stored_size(_MOST + 1)


async def test_a_sealed_source_that_has_to_be_sealed_again_is_refused_alike(s3: World) -> None:
    await s3.put("from", bytes(_LIMIT + 1))

    with pytest.raises(CopySourceTooLarge) as refused:
        await _copy(_small(s3), "to", own_checksum_algorithm="SHA256")

    assert _answered(s3, refused.value) == _TOO_LARGE["s3"]
    assert not await s3.has("to")


@pytest.mark.parametrize("source", ["sealed", "plain"])
async def test_it_is_copied_by_ranges_instead_none_of_which_may_be_larger(world: World, source: str) -> None:
    body, small = _bytes(10 * _MIB), _small(world)
    await (world.put("from", body) if source == "sealed" else world.seed("from", body))
    created = await small.do("POST", "/bucket/to?uploads")
    upload = created.body.partition(b"<UploadId>")[2].partition(b"<")[0].decode()
    largest = largest_plaintext(_LIMIT, segment_stored_size)

    for too_large in ({}, {"own_copy_source_range": f"bytes=1-{_LIMIT + 1}"}):
        with pytest.raises(CopySourceTooLarge) as refused:
            await _copy(small, f"to?partNumber=1&uploadId={upload}", **too_large)
        assert _answered(world, refused.value) == _TOO_LARGE[world.dialect.name]
    listed = ""
    for number, (first, last) in enumerate([(0, largest - 1), (largest, len(body) - 1)], 1):
        wanted = {"own_copy_source_range": f"bytes={first}-{last}"}
        part = await _copy(small, f"to?partNumber={number}&uploadId={upload}", **wanted)
        etag = part.body.partition(b"<ETag>")[2].partition(b"<")[0].decode()
        listed += f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
    document = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    assert (await small.do("POST", f"/bucket/to?uploadId={upload}", document)).status == 200

    assert (await world.get("to")).body == body
