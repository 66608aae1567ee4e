"""GetObject and HeadObject through the front door of the operations."""

import random
from dataclasses import replace

import pytest

from sseproxy.errors import (
    EnvelopeRejected,
    FooterRejected,
    FrameRejected,
    IntegrityError,
    InvalidArgument,
    InvalidRequest,
    MetadataLost,
    PartNumberNotSatisfiable,
    PreconditionFailed,
    RangeNotSatisfiable,
    UpstreamAnswered,
    UpstreamUnavailable,
)
from sseproxy.exchange import Response
from sseproxy.operations.dispatch import handle
from sseproxy.settings import BucketRule, EncryptionSettings
from tests.operations.fakes import Sent, make_request
from tests.operations.world import World

_MIB = 1024 * 1024
_SIZES = [0, 1, 65535, 65536, 65537, _MIB - 1, _MIB, _MIB + 1, 3 * _MIB + 5]


def _bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", _SIZES)
async def test_what_was_put_comes_back(world: World, size: int) -> None:
    put = await world.put("k", _bytes(size), Content_Type="text/x-test", own_meta_colour="blue")

    got = await world.get("k")
    head = await world.head("k")

    assert got.body == _bytes(size)
    assert got.status == head.status == 200
    assert got.content_length == head.content_length == size
    assert got["ETag"] == head["ETag"] == put["ETag"]
    assert got["Content-Type"] == head["Content-Type"] == "text/x-test"
    assert got[world.name("meta-colour")] == head[world.name("meta-colour")] == "blue"
    assert got[world.name("server-side-encryption")] == head[world.name("server-side-encryption")] == "AES256"
    assert world.dialect.envelope_header not in got
    assert got["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(("size", "requests"), [(1, 1), (_MIB, 1), (_MIB + 1, 2)])
async def test_a_small_object_costs_one_request_and_a_large_one_two(world: World, size: int, requests: int) -> None:
    await world.put("k", _bytes(size))

    for read in (world.get, world.head):
        world.journal.sent.clear()
        await read("k")
        assert len(world.journal.said()) == requests


async def test_the_keys_spelling_goes_up_byte_for_byte(world: World) -> None:
    await world.put("a%2Fb//c%20d+e/../f", b"x")

    assert (await world.get("a%2Fb//c%20d+e/../f")).body == b"x"
    assert world.journal.said() == ["PUT /bucket/a%2Fb//c%20d+e/../f", "GET /bucket/a%2Fb//c%20d+e/../f"]


@pytest.mark.parametrize(
    ("value", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=65535-65536", 65535, 65536),
        ("bytes=196608-", 196608, 196707),
        ("bytes=-10", 196698, 196707),
        ("bytes=0-196707", 0, 196707),
        ("bytes=131072-196607", 131072, 196607),
    ],
)
async def test_ranges_are_those_of_the_plaintext(world: World, value: str, first: int, last: int) -> None:
    body = _bytes(3 * 65536 + 100)
    await world.put("k", body)

    got = await world.get("k", Range=value)
    head = await world.head("k", Range=value)

    assert got.body == body[first : last + 1]
    assert got.status == head.status == 206
    assert got["Content-Range"] == head["Content-Range"] == f"bytes {first}-{last}/{len(body)}"
    assert got.content_length == head.content_length == last + 1 - first


async def test_any_range_of_a_large_object_is_right(world: World) -> None:
    rng = random.Random(7)
    body = rng.randbytes(2 * _MIB + 12345)
    await world.put("k", body)

    for _ in range(20):
        first = rng.randrange(len(body))
        last = rng.randrange(first, len(body))
        assert (await world.get("k", Range=f"bytes={first}-{last}")).body == body[first : last + 1]


@pytest.mark.parametrize("value", ["bytes=5-4", "bytes=abc", "bytes=0-0,2-3", "chars=0-1", "bytes=-"])
async def test_a_range_that_is_none_is_ignored(world: World, value: str) -> None:
    await world.put("k", b"0123456789")

    got = await world.get("k", Range=value)

    assert (got.status, got.body) == (200, b"0123456789")
    assert "Content-Range" not in got


@pytest.mark.parametrize("value", ["bytes=10-", "bytes=10-20", "bytes=-0"])
async def test_s3_refuses_a_range_outside_the_object(s3: World, value: str) -> None:
    await s3.put("k", b"0123456789")

    for read in (s3.get, s3.head):
        with pytest.raises(RangeNotSatisfiable) as refused:
            await read("k", Range=value)
        assert refused.value.details == {"RangeRequested": value, "ActualObjectSize": "10"}


async def test_s3_clamps_a_range_that_goes_on_behind_the_object(s3: World) -> None:
    await s3.put("k", b"0123456789")

    assert (await s3.get("k", Range="bytes=8-20")).body == b"89"
    assert (await s3.get("k", Range="bytes=-20"))["Content-Range"] == "bytes 0-9/10"


@pytest.mark.parametrize("value", ["bytes=10-", "bytes=8-20", "bytes=-0", "bytes=-11"])
async def test_oss_sends_the_whole_object_for_a_range_that_is_not_inside(oss: World, value: str) -> None:
    await oss.put("k", b"0123456789")

    got = await oss.get("k", Range=value)

    assert (got.status, got.body) == (200, b"0123456789")


async def test_oss_keeps_to_the_standard_where_it_is_asked_to(oss: World) -> None:
    await oss.put("k", b"0123456789")

    assert (await oss.get("k", Range="bytes=8-20", own_range_behavior="standard")).body == b"89"
    with pytest.raises(RangeNotSatisfiable):
        await oss.get("k", Range="bytes=10-", own_range_behavior="standard")


async def test_ranges_of_an_empty_object(s3: World) -> None:
    await s3.put("k", b"")

    assert (await s3.get("k", Range="bytes=-1")).status == 200
    with pytest.raises(RangeNotSatisfiable):
        await s3.get("k", Range="bytes=0-")


async def test_if_range_decides_between_part_and_whole(world: World) -> None:
    etag = (await world.put("k", b"0123456789"))["ETag"]

    assert (await world.get("k", Range="bytes=0-1", If_Range=etag)).body == b"01"
    assert (await world.get("k", Range="bytes=0-1", If_Range='"other"')).body == b"0123456789"


async def test_an_object_sent_in_one_request_is_its_own_first_part(s3: World) -> None:
    await s3.put("k", b"0123456789")

    got = await s3.do("GET", "/bucket/k?partNumber=1")

    assert (got.status, got.body, got["Content-Range"]) == (206, b"0123456789", "bytes 0-9/10")
    assert "x-amz-mp-parts-count" not in got
    with pytest.raises(PartNumberNotSatisfiable):
        await s3.do("GET", "/bucket/k?partNumber=2")
    with pytest.raises(InvalidArgument):
        await s3.do("GET", "/bucket/k?partNumber=0")
    with pytest.raises(InvalidRequest):
        await s3.do("GET", "/bucket/k?partNumber=1", headers={"Range": "bytes=0-1"})


async def test_checksums_come_where_they_are_asked_for_and_everything_is_sent(s3: World) -> None:
    await s3.put("k", b"hello world", own_checksum_crc32="DUoRhQ==")

    whole = await s3.get("k", own_checksum_mode="ENABLED")
    covered = await s3.get("k", own_checksum_mode="ENABLED", Range="bytes=0-100")
    some = await s3.get("k", own_checksum_mode="ENABLED", Range="bytes=0-5")
    unasked = await s3.get("k")

    assert whole["x-amz-checksum-crc32"] == covered["x-amz-checksum-crc32"] == "DUoRhQ=="
    assert whole["x-amz-checksum-type"] == "FULL_OBJECT"
    assert covered.status == 206
    assert "x-amz-checksum-crc32" not in some
    assert "x-amz-checksum-crc32" not in unasked


async def test_oss_shows_crc_md5_and_type_of_the_plaintext(oss: World) -> None:
    put = await oss.put("k", b"123456789")

    for got in (await oss.get("k"), await oss.head("k"), await oss.get("k", Range="bytes=0-0")):
        assert got["x-oss-hash-crc64ecma"] == "11051210869376104954"
        assert got["Content-MD5"] == put["Content-MD5"]
        assert got["x-oss-object-type"] == "Normal"


async def test_object_meta_is_short(oss: World) -> None:
    await oss.put("k", b"123456789", own_meta_colour="blue")

    meta = await oss.do("HEAD", "/bucket/k?objectMeta")

    assert meta.content_length == 9
    assert set(meta.headers) == {"ETag", "Last-Modified", "x-oss-hash-crc64ecma"}


async def test_conditions_are_decided_on_the_clients_etag(world: World) -> None:
    etag = (await world.put("k", b"x"))["ETag"]

    for read in (world.get, world.head):
        assert (await read("k", If_Match=etag)).status == 200
        assert (await read("k", If_None_Match='"other"')).status == 200
        unchanged = await read("k", If_None_Match=etag)
        assert (unchanged.status, unchanged.body, unchanged["ETag"]) == (304, b"", etag)
        assert "Content-Length" not in unchanged
        with pytest.raises(PreconditionFailed):
            await read("k", If_Match='"other"')
        with pytest.raises(PreconditionFailed):
            await read("k", If_Unmodified_Since="Sat, 01 Jan 2000 00:00:00 GMT", Range="bytes=0-0")


async def test_a_storage_that_breaks_off_is_asked_again_and_the_client_notices_nothing(world: World) -> None:
    body = _bytes(2 * _MIB)
    await world.put("k", body)
    world.journal.sent.clear()
    world.journal.break_off += [200_000, 16384, 300_000, 10]  # the second is the look at the end, whole

    got = await world.get("k")

    assert got.body == body
    assert len([sent for sent in world.journal.sent if "If-Match" in sent.headers]) == 4  # the tail, three resumptions


async def test_a_range_is_resumed_as_well(world: World) -> None:
    body = _bytes(2 * _MIB)
    await world.put("k", body)
    world.journal.break_off += [16384, 200_000, 1]  # the first is the look at the end, whole

    assert (await world.get("k", Range="bytes=1000-1999999")).body == body[1000:2_000_000]


async def test_a_storage_that_always_breaks_off_is_given_up(world: World) -> None:
    await world.put("k", _bytes(2 * _MIB))
    world.journal.break_off += [100] * 50

    with pytest.raises(UpstreamUnavailable):
        await world.get("k")


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=5-1500000"}])
async def test_an_object_that_is_overwritten_between_two_requests_is_read_anew(
    world: World, headers: dict[str, str]
) -> None:
    other = _bytes(3 * _MIB)
    await world.put("k", _bytes(2 * _MIB))

    async def overwrite(sent: Sent) -> None:
        if "If-Match" in sent.headers and sent.method == "GET":
            world.journal.before = None
            await world.put("k", other)

    world.journal.before = overwrite
    got = await world.get("k", **headers)

    assert got.body == (other[5:1500001] if headers else other)


@pytest.mark.parametrize("size", [1000, 200_000, 2 * _MIB])
@pytest.mark.parametrize("at", [0, 32, 40, -1, -20, -600])
async def test_a_changed_byte_is_never_served(world: World, size: int, at: int) -> None:
    body = _bytes(size)
    await world.put("k", body)
    stored = bytearray(await world.stored("k"))
    stored[at] ^= 1
    await world.reseed("k", bytes(stored))

    try:
        got = await world.get("k")
    except IntegrityError:
        return
    assert got.body == body  # salt, padding and the copied footer are not needed to read it


async def test_a_bad_first_frame_is_an_error_before_the_answer_begins(world: World) -> None:
    await world.put("k", _bytes(2 * _MIB))
    stored = bytearray(await world.stored("k"))
    stored[100] ^= 1
    await world.reseed("k", bytes(stored))

    with pytest.raises(FrameRejected):
        await handle(world.services, make_request("GET", "/bucket/k"))


async def test_a_bad_later_frame_breaks_the_body_off(world: World) -> None:
    body = _bytes(2 * _MIB)
    await world.put("k", body)
    stored = bytearray(await world.stored("k"))
    stored[_MIB] ^= 1
    await world.reseed("k", bytes(stored))

    response = await handle(world.services, make_request("GET", "/bucket/k"))
    received = b""
    with pytest.raises(FrameRejected):
        received = await _until_it_fails(response)
    assert body.startswith(received)


async def _until_it_fails(response: Response) -> bytes:
    received = bytearray()
    assert not isinstance(response.body, bytes)
    async for data in response.body:
        received += data
    return bytes(received)


async def test_a_truncated_object_is_refused(world: World) -> None:
    await world.put("k", _bytes(2 * _MIB))
    await world.reseed("k", (await world.stored("k"))[:-1000])

    with pytest.raises(FooterRejected):
        await world.get("k")


async def test_an_envelope_that_is_damaged_is_refused(world: World) -> None:
    await world.put("k", b"x")
    await world.seed("k", await world.stored("k"), {world.dialect.envelope_header: "AAAA"})

    for read in (world.get, world.head):
        with pytest.raises(EnvelopeRejected):
            await read("k")


async def test_an_object_that_was_there_before_is_served_as_it_is(world: World) -> None:
    await world.seed("old", b"0123456789", {"Content-Type": "text/plain"})

    got, head, some = await world.get("old"), await world.head("old"), await world.get("old", Range="bytes=2-3")

    assert got.body == b"0123456789"
    assert got.content_length == head.content_length == 10
    assert (some.status, some.body, some["Content-Range"]) == (206, b"23", "bytes 2-3/10")
    assert got["Content-Type"] == "text/plain"
    assert not [name for name in (*got.headers, *head.headers) if "server-side" in name.lower()]
    assert (await world.head("old", If_None_Match=got["ETag"])).status == 304


async def test_an_empty_object_that_was_there_before_is_served(s3: World) -> None:
    await s3.seed("old", b"")

    assert (await s3.get("old")).body == b""
    with pytest.raises(UpstreamAnswered):
        await s3.get("old", Range="bytes=0-")


@pytest.mark.parametrize("size", [0, 1000, 2 * _MIB])
async def test_a_sealed_object_that_lost_its_envelope_is_never_served_as_good(world: World, size: int) -> None:
    await world.put("k", _bytes(size))
    await world.seed("k", await world.stored("k"))

    with pytest.raises(MetadataLost):
        await world.get("k")
    with pytest.raises(MetadataLost):
        await world.get("k", Range="bytes=0-9")


async def test_a_bucket_marked_as_sealed_refuses_what_is_not(world: World) -> None:
    await world.seed("old", b"x")
    settings = EncryptionSettings(buckets={"bucket": BucketRule(sealed=True)})
    world.services = replace(world.services, encryption=settings)

    for read in (world.get, world.head):
        with pytest.raises(EnvelopeRejected):
            await read("old")


async def test_what_is_not_there_is_told_as_the_storage_tells_it(world: World) -> None:
    with pytest.raises(UpstreamAnswered) as missing:
        await world.get("nothing")
    assert (missing.value.status, missing.value.code) == (404, "NoSuchKey")
    with pytest.raises(UpstreamAnswered) as also:
        await world.head("nothing")
    assert also.value.status == 404


async def test_response_overrides_go_up(s3: World) -> None:
    await s3.put("k", b"x")
    s3.journal.sent.clear()

    await s3.do("GET", "/bucket/k?response-content-type=text%2Fx&X-Amz-Nothing=1")

    assert "response-content-type=text%2Fx" in s3.journal.said()[0]


async def test_anonymous_clients_may_not_override(s3: World) -> None:
    with pytest.raises(InvalidRequest):
        await s3.do("GET", "/bucket/k?response-content-type=text%2Fx", signed=False)


def _sent_range(sent: Sent) -> str | None:
    return sent.headers.get("Range")


async def test_a_range_asks_only_for_the_frames_that_it_needs(world: World) -> None:
    await world.put("k", _bytes(2 * _MIB))
    world.journal.sent.clear()

    await world.get("k", Range="bytes=65536-65537")

    first = 32 + 65536 + 16
    assert _sent_range(world.journal.sent[-1]) == f"bytes={first}-{first + 65536 + 16 - 1}"


async def test_a_client_that_goes_away_ends_the_exchange_with_the_storage(world: World) -> None:
    await world.put("k", _bytes(2 * _MIB))
    await world.seed("old", _bytes(2 * _MIB))

    for key, headers in (("k", {}), ("k", {"Range": "bytes=1-"}), ("old", {}), ("old", {"Range": "bytes=1-"})):
        response = await handle(world.services, make_request("GET", f"/bucket/{key}", headers=headers))
        assert not isinstance(response.body, bytes)
        assert world.journal.open_exchanges == 1
        await response.body.aclose()
        assert world.journal.open_exchanges == 0


async def test_a_client_that_goes_away_in_the_middle_does_so_too(world: World) -> None:
    await world.put("k", _bytes(2 * _MIB))

    response = await handle(world.services, make_request("GET", "/bucket/k"))
    assert not isinstance(response.body, bytes)
    async for _ in response.body:
        break
    await response.body.aclose()

    assert world.journal.open_exchanges == 0
