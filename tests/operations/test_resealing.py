"""What exists is sealed under another cipher, or for the first time, and stays the same object to its clients."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sseproxy.errors import CipherUnavailable, EnvelopeRejected, IntegrityError, KeyNotFound, WrappedKeyRejected
from sseproxy.format import encode_envelope, stored_size
from sseproxy.model import Algorithm, ObjectRef, Suite
from sseproxy.operations.attributes import Found, Unsealed
from sseproxy.operations.backend import Address
from sseproxy.operations.resealing import PartsEtag, parts_etag
from sseproxy.settings import EncryptionSettings
from tests.independent_reader import read
from tests.operations.fakes import Sent
from tests.operations.world import Answer, World
from tests.support.ciphers import without_sm4

_MIB = 1024 * 1024
_SIZES = [0, 1, 65536, 65537, _MIB + 1]


def _bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


async def _copy(world: World, source: str, key: str, **headers: str) -> Answer:
    return await world.do("PUT", f"/bucket/{key}", headers={"own_copy_source": f"/bucket/{source}", **headers})


@pytest.mark.parametrize("size", _SIZES)
async def test_a_copy_under_another_cipher_is_sealed_again_and_the_same_object(oss: World, size: int) -> None:
    put = await oss.put("from", _bytes(size), own_meta_colour="blue", Content_Type="text/x")

    copied = await _copy(oss, "from", "to", own_server_side_encryption="SM4")
    got = await oss.get("to")
    part = await oss.get("to", Range="bytes=-1") if size else got

    assert got.body == _bytes(size)
    assert part.body == _bytes(size)[-1:]
    for name in ("ETag", "x-oss-hash-crc64ecma"):
        assert put[name] == copied[name] == got[name]
    assert got["Content-MD5"] == put["Content-MD5"]
    assert got["x-oss-server-side-encryption"] == "SM4"
    assert (got["x-oss-meta-colour"], got["Content-Type"]) == ("blue", "text/x")
    envelope = await oss.envelope("to")
    assert (envelope.suite, envelope.algorithm) == (Suite.SM4_GCM, Algorithm.SM4)
    assert len(await oss.stored("to")) == stored_size(size)
    assert (await oss.stored("to"))[:32] != (await oss.stored("from"))[:32]


async def test_the_independent_reader_reads_what_was_sealed_with_sm4(oss: World) -> None:
    put = {"own_server_side_encryption": "KMS", "own_server_side_data_encryption": "SM4"}
    await oss.put("k", _bytes(2 * _MIB), **put)
    envelope = await oss.envelope("k")
    key = await oss.services.keyring.open(envelope, ObjectRef("bucket", "k"))

    header = (await oss.stored_headers("k"))[oss.dialect.envelope_header]

    assert len(key.raw) == 16
    assert read(header, await oss.stored("k"), lambda _: key.raw) == _bytes(2 * _MIB)


@pytest.mark.parametrize("at", [32, 32 + 65536, 200_000, -1, -17, -60])
async def test_a_changed_byte_of_an_sm4_object_is_never_served(oss: World, at: int) -> None:
    await oss.put("k", _bytes(200_000), own_server_side_encryption="SM4")
    stored = bytearray(await oss.stored("k"))
    stored[at] ^= 1
    envelope = replace(await oss.envelope("k"), footer=None)  # so that the end of the object is read
    await oss.seed("k", bytes(stored), {oss.dialect.envelope_header: encode_envelope(envelope)})

    with pytest.raises(IntegrityError):
        await oss.get("k")


@pytest.mark.parametrize("said", [{}, {"own_server_side_data_encryption": "SM4"}], ids=["AES", "SM4"])
async def test_an_envelope_cannot_be_made_to_name_another_cipher(oss: World, said: dict[str, str]) -> None:
    oss.services = replace(oss.services, encryption=EncryptionSettings(bucket_keys=()))
    await oss.put("k", b"x", own_server_side_encryption="KMS", **said)
    envelope = await oss.envelope("k")
    other = Suite.AES_256_GCM if said else Suite.SM4_GCM
    forged = encode_envelope(replace(envelope, suite=other))
    await oss.seed("k", await oss.stored("k"), {oss.dialect.envelope_header: forged})

    with pytest.raises(EnvelopeRejected):  # the key is kept
        await oss.get("k")
    with pytest.raises(WrappedKeyRejected):
        await oss.other_process().get("k")


async def test_a_copy_within_a_cipher_moves_no_bytes(oss: World) -> None:
    await oss.put("from", _bytes(1000), own_server_side_encryption="SM4")

    await _copy(oss, "from", "to", own_server_side_encryption="KMS", own_server_side_data_encryption="SM4")

    assert await oss.stored("to") == await oss.stored("from")
    assert (await oss.get("to")).body == _bytes(1000)
    assert (await oss.envelope("to")).algorithm is Algorithm.KMS


async def test_a_source_that_breaks_off_is_read_on(oss: World) -> None:
    await oss.put("from", _bytes(3 * _MIB))
    oss.journal.break_off = [100_000, 300_000]

    await _copy(oss, "from", "to", own_server_side_encryption="SM4")

    assert (await oss.get("to")).body == _bytes(3 * _MIB)


async def test_a_source_that_is_overwritten_meanwhile_is_copied_anew(oss: World) -> None:
    await oss.put("from", _bytes(2 * _MIB))

    async def overwrite(sent: Sent) -> None:
        if sent.method == "GET" and sent.raw_key == "from":
            oss.journal.before = None
            await oss.put("from", _bytes(100))

    oss.journal.before = overwrite
    await _copy(oss, "from", "to", own_server_side_encryption="SM4")

    assert (await oss.get("to")).body == _bytes(100)


async def test_a_refused_key_leaves_no_exchange_with_the_storage_open(world: World) -> None:
    await world.seed("plain", _bytes(3 * _MIB))
    await world.put("sealed", _bytes(10))
    world.kms.unknown.add("nobody")
    words = world.dialect.sse

    for source in ("plain", "sealed"):
        with pytest.raises(KeyNotFound):
            await _copy(
                world,
                source,
                "to",
                **{words.algorithm_header: words.words[Algorithm.KMS], words.key_id_header: "nobody"},
            )
    assert not await world.has("to")


async def test_what_was_not_sealed_keeps_everything_when_it_is_encrypted_in_place(oss: World) -> None:
    await oss.seed("plain", _bytes(_MIB), {"Content-Type": "text/x"})
    before = await oss.head("plain")

    await _copy(oss, "plain", "plain", own_server_side_encryption="SM4", own_metadata_directive="REPLACE")

    after = await oss.head("plain")
    names = ["ETag", "Content-Length", "Content-MD5", "Content-Type", "x-oss-hash-crc64ecma", "x-oss-object-type"]
    assert [after[name] for name in names if name in before] == [before[name] for name in names if name in before]
    assert after["x-oss-server-side-encryption"] == "SM4"
    assert "x-oss-server-side-encryption" not in before
    assert (await oss.get("plain")).body == _bytes(_MIB)


@pytest.mark.parametrize(
    ("etag", "size", "expected"),
    [
        ("ab" * 16 + "-1", 0, PartsEtag(b"\xab" * 16, 1)),
        ("AB" * 16 + "-3", 3 * 102_400, PartsEtag(b"\xab" * 16, 3)),
        ("ab" * 16 + "-3", 3 * 102_400 - 1, None),  # such parts cannot have been
        ("ab" * 16 + "-10001", 10_001 * 102_400, None),
        ("ab" * 16 + "-0", 5, None),
        ("ab" * 16, 5, None),
        ("opaque-2", 5 * _MIB, None),
    ],
)
def test_the_etag_of_an_object_in_parts_is_kept_where_it_can_be(
    etag: str, size: int, expected: PartsEtag | None
) -> None:
    headers = {"ETag": f'"{etag}"', "Last-Modified": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")}
    found = Found(address=Address(ObjectRef("bucket", "k"), "k"), headers=headers, stored_size=size)

    assert parts_etag(Unsealed(found=found)) == expected


async def test_a_host_without_sm4_neither_writes_nor_reads_it(oss: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await oss.put("old", b"x", own_server_side_encryption="SM4")
    await oss.do("PUT", "/bucket?encryption", _SM4_RULE)
    without_sm4(monkeypatch)
    words = {"own_server_side_encryption": "KMS", "own_server_side_data_encryption": "SM4"}

    for attempt in (
        oss.put("a", b"x", own_server_side_encryption="SM4"),
        oss.put("b", b"x", **words),
        oss.put("c", b"x"),  # by the bucket's rule
        oss.do("POST", "/bucket/d?uploads", headers=words),
        oss.do("PUT", "/other", headers=words),
        oss.do("PUT", "/bucket?encryption", _SM4_RULE),
        oss.other_process().get("old"),
    ):
        with pytest.raises(CipherUnavailable):
            await attempt
    assert [key for key in "abcd" if await oss.has(key)] == []


_SM4_RULE = (
    b"<ServerSideEncryptionRule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>SM4</SSEAlgorithm>"
    b"</ApplyServerSideEncryptionByDefault></ServerSideEncryptionRule>"
)
