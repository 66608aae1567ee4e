"""Sealing a body: nothing that completes the object leaves before the body has been verified."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from sseproxy.errors import IncompleteBody
from sseproxy.exchange import Body, body_of
from sseproxy.format import (
    FRAME,
    SALT,
    TAG,
    Attributes,
    DataKey,
    Envelope,
    SegmentSealer,
    open_footer_copy,
    place_of,
    segment_stored_size,
    stored_size,
)
from sseproxy.model import (
    CHECKSUM_WIDTHS,
    Algorithm,
    Binding,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    EtagMode,
    Layout,
    Suite,
)
from sseproxy.operations.assertions import Assertions, BodyFacts
from sseproxy.operations.body_check import BodyCheck
from sseproxy.operations.sealing import attributes_of, entry_of, seal_segment, seal_whole
from sseproxy.stage import Buffer
from tests.format.sealing import fit_beside_the_table

_KEY = DataKey(bytes(range(32)))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def _envelope() -> Envelope:
    return Envelope(
        suite=Suite.AES_256_GCM,
        algorithm=Algorithm.AES256,
        key_id="key",
        wrapped_key=b"wrapped",
        binding=Binding.BUCKET_KEY,
        place=place_of("bucket", "k"),
        layout=Layout.SINGLE,
        commitment=_KEY.commitment,
    )


@pytest.mark.parametrize("frames", [1, 2, 3])
async def test_the_last_frame_is_held_back_until_the_body_is_verified(pool: ThreadPoolExecutor, frames: int) -> None:
    size = frames * FRAME
    check = BodyCheck(Assertions(length=size + 1), pool, md5=True)
    left: list[int] = []

    with pytest.raises(IncompleteBody):
        await _count(seal_segment(body_of(bytes(size)), SegmentSealer(_KEY, 1), check), left)

    assert sum(left) == (SALT + (frames - 1) * (FRAME + TAG) if frames > 1 else 0)


async def _count(body: Body, left: list[int]) -> None:
    async for data in body:
        left.append(len(data))  # noqa: PERF401  # what came before the failure counts


async def test_a_body_longer_than_announced_is_refused_at_once(pool: ThreadPoolExecutor) -> None:
    check = BodyCheck(Assertions(length=3), pool, md5=True)

    with pytest.raises(IncompleteBody):
        await check.add(b"1234")


async def test_what_closes_the_object_comes_last_and_knows_the_facts(pool: ThreadPoolExecutor) -> None:
    known: list[BodyFacts] = []

    def close(facts: BodyFacts) -> Iterable[Buffer]:
        known.append(facts)
        return [b"the end"]

    sealer = SegmentSealer(_KEY, 7)
    check = BodyCheck(Assertions(), pool, md5=True, algorithms=[ChecksumAlgorithm.CRC32])
    sealed = [bytes(data) async for data in seal_segment(body_of(b"1234", b"56789"), sealer, check, close)]

    assert b"".join(sealed).endswith(b"the end")
    assert len(b"".join(sealed)) == segment_stored_size(9) + len(b"the end")
    assert known[0].crc64 == 0x995DC9BBDF1939FA
    assert known[0].checksums == {ChecksumAlgorithm.CRC32: bytes.fromhex("cbf43926")}
    assert entry_of(sealer, 7).plaintext_size == 9


@pytest.mark.parametrize("size", [0, 1, FRAME, FRAME + 1, 1024 * 1024])
async def test_a_small_object_is_sealed_whole_and_its_footer_copied(pool: ThreadPoolExecutor, size: int) -> None:
    body = bytes(size)
    check = BodyCheck(Assertions(), pool, md5=True, algorithms=[ChecksumAlgorithm.CRC64NVME])
    await check.add(body)

    sealed = seal_whole(_KEY, _envelope(), [body], await check.verified(), EtagMode.MD5)

    assert len(sealed.stored) == stored_size(size)
    assert open_footer_copy(_KEY, sealed.envelope, stored_size=len(sealed.stored)) == sealed.attributes
    assert sealed.attributes.crc64nvme is not None


def test_an_opaque_object_has_no_md5() -> None:
    facts = BodyFacts(plaintext_size=0, crc64=0, md5=bytes(16), checksum=None, checksums={})

    assert attributes_of(Layout.SINGLE, facts, [], EtagMode.OPAQUE).md5 is None
    assert attributes_of(Layout.SINGLE, facts, [], EtagMode.MD5).md5 == bytes(16)


@pytest.mark.parametrize("algorithm", ChecksumAlgorithm)
def test_whatever_a_client_asserts_fits_into_the_attributes(algorithm: ChecksumAlgorithm) -> None:
    checksum = Checksum(algorithm=algorithm, type=ChecksumType.FULL_OBJECT, value=bytes(CHECKSUM_WIDTHS[algorithm]))

    assert fit_beside_the_table(
        Attributes(
            layout=Layout.MULTIPART,
            plaintext_size=0,
            segments=(),
            crc64=2**64 - 1,
            md5=bytes(16),
            checksum=checksum,
            crc64nvme=2**64 - 1,
        )
    )
