"""AppendObject through the SDKs: positions, digests, conflicts, and everything else that is done with such an object."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest

from tests.support.oss_clients import v2_client
from tests.support.servers import Server

_MIB = 1024 * 1024
_SSE = "x-oss-server-side-encryption"
_KEY_ID = f"{_SSE}-key-id"
_TYPE = "x-oss-object-type"
_NEXT = "x-oss-next-append-position"
_CRC = "x-oss-hash-crc64ecma"


def _crc(body: bytes) -> int:
    crc = oss2.utils.Crc64(0)
    crc.update(body)
    return int(crc.crc)


def _append_all(bucket: Any, key: str, pieces: list[bytes]) -> Any:
    """Append the pieces one after the other, with oss2's own check of the CRC of the whole."""
    position, crc, result = 0, 0, None
    for piece in pieces:
        result = bucket.append_object(key, position, piece, init_crc=crc)
        position, crc = result.next_position, result.crc
    return result


@pytest.mark.parametrize(
    "sizes",
    [[0], [1], [0, 0, 5], [10, 20], [5, 0, 0, 7], [65536, 65536, 1], [_MIB + 1, 3, 2 * _MIB]],
    ids=lambda sizes: "+".join(map(str, sizes)),
)
def test_oss2_reads_what_it_appended_whole_and_in_ranges(bucket: Any, sizes: list[int]) -> None:
    rng = random.Random(sum(sizes))
    pieces = [rng.randbytes(size) for size in sizes]
    whole = b"".join(pieces)

    last = _append_all(bucket, "log", pieces)
    head = bucket.head_object("log")
    got = bucket.get_object("log")

    assert got.read() == whole
    assert (last.next_position, head.content_length) == (len(whole), len(whole))
    assert last.crc == _crc(whole) == int(head.headers[_CRC])
    assert (head.headers[_TYPE], head.headers[_NEXT]) == ("Appendable", str(len(whole)))
    assert last.etag == head.etag == got.etag
    assert "Content-MD5" not in head.headers
    for first, end in ((0, 0), (len(whole) // 2, len(whole) - 1), (len(whole) - 1, len(whole) - 1)):
        if whole:
            assert bucket.get_object("log", byte_range=(first, end)).read() == whole[first : end + 1]


def test_an_object_of_hundreds_of_appends_is_read_from_any_byte(bucket: Any) -> None:
    rng = random.Random(7)
    pieces = [rng.randbytes(rng.randrange(40)) for _ in range(290)]
    whole = b"".join(pieces)

    _append_all(bucket, "log", pieces)

    assert bucket.get_object("log").read() == whole
    for first in range(0, len(whole), 1501):
        assert bucket.get_object("log", byte_range=(first, first + 99)).read() == whole[first : first + 100] or (
            first + 99 >= len(whole)
        )
    assert bucket.get_object("log", byte_range=(None, 17)).read() == whole[-17:]


def test_a_wrong_position_is_answered_with_the_right_one(bucket: Any) -> None:
    with pytest.raises(oss2.exceptions.PositionNotEqualToLength) as missing:
        bucket.append_object("log", 3, b"x")
    bucket.append_object("log", 0, b"abcde")
    with pytest.raises(oss2.exceptions.PositionNotEqualToLength) as behind:
        bucket.append_object("log", 0, b"x")
    with pytest.raises(oss2.exceptions.PositionNotEqualToLength) as ahead:
        bucket.append_object("log", 6, b"x")

    assert [error.value.next_position for error in (missing, behind, ahead)] == [0, 5, 5]
    assert (behind.value.status, behind.value.code) == (409, "PositionNotEqualToLength")
    assert behind.value.message == "Position is not equal to file length"
    assert bucket.get_object("log").read() == b"abcde"


def test_only_what_was_appended_can_be_appended_to(bucket: Any) -> None:
    bucket.put_object("plain", b"abc")
    bucket.put_symlink("plain", "link")

    for key in ("plain", "link"):
        with pytest.raises(oss2.exceptions.ObjectNotAppendable) as refused:
            bucket.append_object(key, 3, b"x")
        assert (refused.value.status, refused.value.message) == (409, "The object is not appendable.")
    bucket.append_object("log", 0, b"abc")
    bucket.put_object("log", b"now in one piece")

    assert bucket.head_object("log").headers[_TYPE] == "Normal"
    with pytest.raises(oss2.exceptions.ObjectNotAppendable):
        bucket.append_object("log", 16, b"x")


@pytest.mark.parametrize("position", ["", "-1", "x", "1.5"])
def test_a_position_that_is_no_number_is_refused(bucket: Any, position: str) -> None:
    with pytest.raises(oss2.exceptions.InvalidArgument) as refused:
        bucket.append_object("log", position, b"x")

    assert (refused.value.status, refused.value.details["ArgumentName"]) == (400, "position")


def test_the_first_append_decides_the_encryption(sealed: Any) -> None:
    first = sealed.append_object("log", 0, b"abc", headers={_SSE: "KMS", "x-oss-meta-a": "first"})
    second = sealed.append_object("log", 3, b"def", headers={_SSE: "AES256", "x-oss-meta-a": "second"})
    head = sealed.head_object("log")

    assert {answer.headers[_SSE] for answer in (first, second, head)} == {"KMS"}
    assert len({answer.headers[_KEY_ID] for answer in (first, second, head)}) == 1
    assert head.headers["x-oss-meta-a"] == "first"
    with pytest.raises(oss2.exceptions.ServerError) as unknown:
        sealed.append_object("log", 6, b"x", headers={_SSE: "rot13"})
    assert unknown.value.code == "InvalidEncryptionAlgorithmError"


def test_appends_without_a_word_are_sealed_by_default(sealed: Any) -> None:
    assert sealed.append_object("log", 0, b"abc").headers[_SSE] == "AES256"


def test_wrong_digests_append_nothing(bucket: Any) -> None:
    bucket.append_object("log", 0, b"abc")
    for headers, code in (
        ({"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, "InvalidDigest"),
        ({_CRC: "1"}, "InvalidCRC64"),
    ):
        for body in (b"def", bytes(2 * _MIB)):
            with pytest.raises(oss2.exceptions.ServerError) as refused:
                bucket.append_object("log", 3, body, headers=headers)
            assert (refused.value.status, refused.value.code) == (400, code)

    assert bucket.get_object("log").read() == b"abc"
    assert bucket.append_object("log", 3, b"def").next_position == 6


def test_bodies_of_unknown_length_are_appended(bucket: Any) -> None:
    big = random.Random(1).randbytes(3 * _MIB)

    bucket.append_object("log", 0, iter([b"a", b"b"]))
    result = bucket.append_object("log", 2, (big[at : at + 100_000] for at in range(0, len(big), 100_000)))

    assert result.next_position == 2 + len(big)
    assert bucket.get_object("log").read() == b"ab" + big


def test_of_many_appends_at_one_position_one_wins_and_none_is_lost(bucket: Any) -> None:
    bodies = [bytes([number]) * (1000 + number * 40_000) for number in range(12)]

    def append(position: int, body: bytes) -> bool:
        try:
            bucket.append_object("log", position, body)
        except oss2.exceptions.PositionNotEqualToLength:
            return False
        return True

    position, expected, waiting = 0, b"", bodies
    with ThreadPoolExecutor(6) as pool:
        while waiting:
            won = list(pool.map(append, [position] * len(waiting), waiting))
            assert sum(won) == 1
            expected += waiting[won.index(True)]
            waiting = [body for body, has_won in zip(waiting, won, strict=True) if not has_won]
            position = len(expected)

    assert bucket.get_object("log").read() == expected


def test_whoever_reads_while_it_grows_reads_what_was_there_when_it_began(bucket: Any) -> None:
    pieces = [bytes([number]) * 3000 for number in range(60)]
    whole = b"".join(pieces)
    position = _append_all(bucket, "log", pieces[:20]).next_position

    def grow() -> None:
        at = position
        for piece in pieces[20:]:
            at = bucket.append_object("log", at, piece).next_position

    with ThreadPoolExecutor(1) as pool:
        growing = pool.submit(grow)
        while not growing.done():
            got = bucket.get_object("log").read()
            assert got == whole[: len(got)]
            assert len(got) % 3000 == 0
            assert bucket.get_object("log", byte_range=(100, 50_000)).read() == whole[100:50_001]
        growing.result()

    assert bucket.get_object("log").read() == whole


def test_listings_show_plaintext_sizes_and_types(bucket: Any) -> None:
    _append_all(bucket, "log", [b"abc", b"defgh"])
    bucket.put_object("one", b"x")

    for found in (oss2.ObjectIterator(bucket), oss2.ObjectIteratorV2(bucket)):
        assert [(entry.key, entry.size, entry.type) for entry in found] == [
            ("log", 8, "Appendable"),
            ("one", 1, "Normal"),
        ]
    assert next(iter(oss2.ObjectIterator(bucket))).etag == bucket.head_object("log").etag
    _append_all(bucket, "other", [b"abc"])
    bucket.append_object("log", 8, b"!")
    assert [entry.size for entry in oss2.ObjectIterator(bucket)] == [9, 1, 3]


def test_copies_have_the_same_bytes(bucket: Any) -> None:
    pieces = [bytes([n]) * n for n in range(40)]
    _append_all(bucket, "log", pieces)

    bucket.copy_object(bucket.bucket_name, "log", "copy")
    upload = bucket.init_multipart_upload("parts").upload_id
    part = bucket.upload_part_copy(bucket.bucket_name, "log", (100, 699), "parts", upload, 1)
    bucket.complete_multipart_upload("parts", upload, [oss2.models.PartInfo(1, part.etag)])

    assert bucket.get_object("copy").read() == b"".join(pieces)
    assert bucket.get_object("parts").read() == b"".join(pieces)[100:700]


def test_new_metadata_leaves_it_appendable(bucket: Any) -> None:
    _append_all(bucket, "log", [b"abc", b"def"])

    bucket.update_object_meta("log", {"x-oss-meta-a": "b"})
    bucket.append_object("log", 6, b"ghi")

    assert bucket.get_object("log").read() == b"abcdefghi"
    assert bucket.head_object("log").headers["x-oss-meta-a"] == "b"


def test_the_v2_sdk_appends(dev_or_store: Server, bucket: Any) -> None:
    client = v2_client(dev_or_store)
    name = bucket.bucket_name

    first = client.append_object(oss_v2.AppendObjectRequest(bucket=name, key="log", position=0, body=b"abc"))
    with client.append_file(bucket=name, key="log") as file:
        file.write(b"def")
        file.write(b"ghi")
    with pytest.raises(oss_v2.exceptions.OperationError) as behind:
        client.append_object(oss_v2.AppendObjectRequest(bucket=name, key="log", position=0, body=b"abc"))

    cause = behind.value.unwrap()
    assert (first.next_position, first.hash_crc64) == (3, str(_crc(b"abc")))
    assert (cause.status_code, cause.code) == (409, "PositionNotEqualToLength")
    assert cause.headers[_NEXT] == "9"
    assert bucket.get_object("log").read() == b"abcdefghi"
