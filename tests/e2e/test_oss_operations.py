"""OSS operations beyond put and get, through the SDKs: links, complete-all, annotations, ranges, conditions."""

import random
from typing import Any

import oss2
import pytest

from tests.support.oss_clients import oss2_bucket, oss2_refusal
from tests.support.servers import Server

_MIB = 1024 * 1024
_SSE = "x-oss-server-side-encryption"
_TYPE = "x-oss-object-type"
_CRC = "x-oss-hash-crc64ecma"
_STANDARD = {"x-oss-range-behavior": "standard"}


# Links


def test_a_link_shows_its_targets_bytes_and_its_own_metadata(dev_or_store: Server, bucket: Any) -> None:
    body = random.Random(1).randbytes(100_000)
    put = bucket.put_object("täget +", body, headers={"x-oss-meta-of": "target", "Content-Type": "text/target"})
    bucket.put_symlink("täget +", "link", headers={"x-oss-meta-of": "link", "Content-Type": "text/link"})

    got, head = bucket.get_object("link"), bucket.head_object("link")
    part = bucket.get_object("link", byte_range=(65_530, 65_540))
    shown = bucket.get_symlink("link")

    assert (got.read(), part.read()) == (body, body[65_530:65_541])
    assert part.headers["Content-Range"] == "bytes 65530-65540/100000"
    for answer in (got, head, part):
        assert (answer.headers["x-oss-meta-of"], answer.headers["Content-Type"]) == ("link", "text/link")
        assert (answer.headers["ETag"], answer.headers[_CRC]) == (put.headers["ETag"], put.headers[_CRC])
        assert answer.headers[_TYPE] == "Symlink"
        assert answer.headers.get(_SSE) == ("AES256" if dev_or_store.seals else None)
    assert head.content_length == len(body)
    assert shown.target_key == "täget +"


def test_links_that_lead_nowhere_or_to_links_are_told(bucket: Any) -> None:
    bucket.put_symlink("missing", "dangling")
    bucket.put_symlink("dangling", "twice")
    bucket.put_object("plain", b"x")

    assert oss2_refusal(bucket.get_object, "dangling")[:2] == (404, "SymlinkTargetNotExist")
    assert oss2_refusal(bucket.get_object, "twice") == (
        400, "InvalidTargetType", "The symbolic's target file type is invalid."
    )  # fmt: skip
    assert oss2_refusal(bucket.get_symlink, "plain")[1] == "NotSymlink"
    assert bucket.get_object_meta("plain").content_length == 1


def test_a_link_follows_its_target_and_conditions_are_the_targets(bucket: Any) -> None:
    bucket.put_object("target", b"first")
    bucket.put_symlink("target", "link")
    etag = bucket.put_object("target", b"second, and longer").etag

    assert bucket.get_object("link", headers={"If-Match": etag}).read() == b"second, and longer"
    with pytest.raises(oss2.exceptions.NotModified):
        bucket.get_object("link", headers={"If-None-Match": etag})
    with pytest.raises(oss2.exceptions.PreconditionFailed):
        bucket.get_object("link", headers={"If-Match": '"0"'})


def test_a_copied_link_is_a_link(bucket: Any) -> None:
    bucket.put_object("target", b"body")
    bucket.put_symlink("target", "link")

    bucket.copy_object(bucket.bucket_name, "link", "copy")

    assert bucket.get_symlink("copy").target_key == "target"
    assert bucket.get_object("copy").read() == b"body"


def test_links_take_no_encryption_header(dev: Server, bucket_name: str) -> None:
    bucket = oss2_bucket(dev, bucket_name)
    bucket.create_bucket()

    assert oss2_refusal(bucket.put_symlink, "a", "b", {_SSE: "AES256"}) == (
        400, "InvalidArgument", "x-oss-server-side-encryption header is not supported for this operation."
    )  # fmt: skip


# Complete-all


def test_complete_all_takes_every_part_as_it_was_sent_last(bucket: Any) -> None:
    rng = random.Random(2)
    bodies = {number: rng.randbytes(size) for number, size in ((2, 120_000), (5, 100 * 1024), (9, 7))}
    upload = bucket.init_multipart_upload("all").upload_id
    bucket.upload_part("all", upload, 5, rng.randbytes(200_000))
    for number in (9, 5, 2):
        bucket.upload_part("all", upload, number, bodies[number])

    done = bucket.complete_multipart_upload("all", upload, None, headers={"x-oss-complete-all": "yes"})

    whole = bodies[2] + bodies[5] + bodies[9]
    crc = oss2.utils.Crc64(0)
    crc.update(whole)
    assert bucket.get_object("all").read() == whole
    assert done.etag.endswith("-3")
    assert (done.headers[_CRC], bucket.head_object("all").headers["ETag"]) == (str(crc.crc), done.headers["ETag"])


def test_complete_all_and_a_list_contradict_each_other(bucket: Any) -> None:
    upload = bucket.init_multipart_upload("all").upload_id
    part = oss2.models.PartInfo(1, bucket.upload_part("all", upload, 1, b"x").etag)
    everything = {"x-oss-complete-all": "yes"}

    assert oss2_refusal(bucket.complete_multipart_upload, "all", upload, [part], headers=everything) == (
        400, "InvalidArgument", "Should not speficy both complete all header and http body."
    )  # fmt: skip
    assert oss2_refusal(bucket.complete_multipart_upload, "all", "0" * 32, None, headers=everything)[:2] == (
        404, "NoSuchUpload"
    )  # fmt: skip
    assert bucket.complete_multipart_upload("all", upload, None, headers=everything).status == 200
    assert bucket.get_object("all").read() == b"x"


# GetObjectMeta, tags, ACLs, restore


def test_object_meta_tells_size_etag_date_and_crc_alone(dev_or_store: Server, bucket: Any) -> None:
    put = bucket.put_object("k", b"x" * 1000, headers={"x-oss-meta-a": "b"})

    meta = bucket.get_object_meta("k")

    assert (meta.content_length, meta.etag, meta.headers[_CRC]) == (1000, put.etag, put.headers[_CRC])
    assert not [name for name in meta.headers if name.lower().startswith(("x-oss-meta-", _SSE))]
    assert bucket.object_exists("k")


def test_tags_and_acls_are_the_storages(bucket: Any) -> None:
    bucket.put_object("k", b"x", headers={"x-oss-tagging": "a=1&b=%20", "x-oss-object-acl": "private"})
    tags = bucket.get_object_tagging("k").tag_set.tagging_rule

    rule = oss2.models.TaggingRule()
    rule.add("c", "3")
    bucket.put_object_tagging("k", oss2.models.Tagging(rule))
    bucket.put_object_acl("k", oss2.OBJECT_ACL_PUBLIC_READ)

    assert tags == {"a": "1", "b": " "}
    assert bucket.get_object_tagging("k").tag_set.tagging_rule == {"c": "3"}
    assert bucket.head_object("k").headers["x-oss-tagging-count"] == "1"
    assert bucket.get_object_acl("k").acl == "public-read"
    bucket.delete_object_tagging("k")
    assert bucket.get_object_tagging("k").tag_set.tagging_rule == {}
    assert bucket.get_object("k").read() == b"x"


# Ranges, conditions, overrides


@pytest.mark.parametrize(
    ("asked", "headers", "status", "first", "length"),
    [
        ("bytes=0-0", {}, 206, 0, 1),
        ("bytes=100-", {}, 206, 100, 900),
        ("bytes=-10", {}, 206, 990, 10),
        ("bytes=0-999", {}, 206, 0, 1000),
        ("bytes=0-1000", {}, 200, 0, 1000),
        ("bytes=1000-1001", {}, 200, 0, 1000),
        ("bytes=5-2", {}, 200, 0, 1000),
        ("bytes=-1001", {}, 200, 0, 1000),
        ("bytes=-0", {}, 200, 0, 1000),
        ("bytes=a-b", {}, 200, 0, 1000),
        ("bytes=0-1,4-5", {}, 200, 0, 1000),
        ("lines=0-1", {}, 200, 0, 1000),
        ("bytes=0-1000", _STANDARD, 206, 0, 1000),
        ("bytes=990-2000", _STANDARD, 206, 990, 10),
        ("bytes=-2000", _STANDARD, 206, 0, 1000),
        ("bytes=1000-1001", _STANDARD, 416, 0, 0),
        ("bytes=1000-", _STANDARD, 416, 0, 0),
    ],
)
def test_ranges_are_answered_the_oss_way(
    bucket: Any, asked: str, headers: dict[str, str], status: int, first: int, length: int
) -> None:
    body = random.Random(3).randbytes(1000)
    bucket.put_object("r", body)

    if status == 416:
        assert oss2_refusal(bucket.get_object, "r", headers={"Range": asked, **headers}) == (
            416, "InvalidRange", "The requested range cannot be satisfied"
        )  # fmt: skip
        return
    got = bucket.get_object("r", headers={"Range": asked, **headers})

    assert (got.status, got.read()) == (status, body[first : first + length])
    expected = f"bytes {first}-{first + length - 1}/1000" if status == 206 else None
    assert got.headers.get("Content-Range") == expected


def test_an_empty_object_has_no_range_but_itself(bucket: Any) -> None:
    bucket.put_object("empty", b"")

    for asked in ("bytes=0-0", "bytes=-1", "bytes=0-"):
        got = bucket.get_object("empty", headers={"Range": asked})
        assert (got.status, got.read(), got.headers.get("Content-Range")) == (200, b"", None)
    for asked in ("bytes=0-0", "bytes=0-", "bytes=-0"):
        refusal = oss2_refusal(bucket.get_object, "empty", headers={"Range": asked, **_STANDARD})
        assert refusal[:2] == (416, "InvalidRange")


def test_reads_obey_their_conditions(bucket: Any) -> None:
    etag = bucket.put_object("c", b"x").etag
    date = bucket.head_object("c").headers["Last-Modified"]
    old, new = "Mon, 01 Jan 2001 00:00:00 GMT", date

    def get(key: str, headers: dict[str, str]) -> int:
        got = bucket.get_object(key, headers=headers)
        got.read()
        return int(got.status)

    def head(key: str, headers: dict[str, str]) -> int:
        return int(bucket.head_object(key, headers=headers).status)

    for read in (get, head):
        for headers in (
            {"If-Match": f'"{etag}"'},
            {"If-Match": etag},
            {"If-Unmodified-Since": new},
            {"If-Modified-Since": old},
        ):
            assert read("c", headers) == 200
        for headers in ({"If-None-Match": f'"{etag}"'}, {"If-Modified-Since": new}):
            with pytest.raises(oss2.exceptions.NotModified):
                read("c", headers)
        for headers in ({"If-Match": '"0"'}, {"If-Unmodified-Since": old}):
            with pytest.raises(oss2.exceptions.PreconditionFailed):
                read("c", headers)


def test_copies_obey_their_conditions(bucket: Any) -> None:
    etag = bucket.put_object("c", b"x").etag
    name = bucket.bucket_name

    bucket.copy_object(name, "c", "d", headers={"x-oss-copy-source-if-match": f'"{etag}"'})
    with pytest.raises(oss2.exceptions.PreconditionFailed):
        bucket.copy_object(name, "c", "e", headers={"x-oss-copy-source-if-match": '"0"'})
    with pytest.raises(oss2.exceptions.NotModified):
        bucket.copy_object(name, "c", "e", headers={"x-oss-copy-source-if-none-match": f'"{etag}"'})

    assert bucket.get_object("d").read() == b"x"
    assert [entry.key for entry in oss2.ObjectIterator(bucket)] == ["c", "d"]


def test_nothing_is_overwritten_where_that_is_forbidden(bucket: Any) -> None:
    forbid = {"x-oss-forbid-overwrite": "true"}
    words = (409, "FileAlreadyExists", "The object you specified already exists and can not be overwritten.")
    bucket.put_object("o", b"first", headers=forbid)
    upload = bucket.init_multipart_upload("o").upload_id
    part = oss2.models.PartInfo(1, bucket.upload_part("o", upload, 1, b"x").etag)

    assert oss2_refusal(bucket.put_object, "o", b"second", headers=forbid) == words
    assert oss2_refusal(bucket.put_object, "o", bytes(2 * _MIB), headers=forbid) == words
    assert oss2_refusal(bucket.put_object, "o", iter([b"x", b"y"]), headers=forbid) == words
    assert oss2_refusal(bucket.put_object, "o", iter([bytes(_MIB), bytes(_MIB)]), headers=forbid) == words
    assert bucket.list_multipart_uploads().upload_list[1:] == []
    assert oss2_refusal(bucket.copy_object, bucket.bucket_name, "o", "o", headers=forbid) == words
    assert oss2_refusal(bucket.complete_multipart_upload, "o", upload, [part], headers=forbid) == words
    assert oss2_refusal(bucket.put_symlink, "x", "o", forbid) == words
    assert bucket.get_object("o").read() == b"first"
    bucket.put_object("o", b"second", headers={"x-oss-forbid-overwrite": "false"})
    assert bucket.get_object("o").read() == b"second"


def test_signed_reads_may_override_headers(bucket: Any) -> None:
    bucket.put_object("o", b"x", headers={"Content-Type": "text/a", "Cache-Control": "no-store"})
    overrides = {
        "response-content-type": "text/b",
        "response-content-language": "gsw",
        "response-expires": "Thu, 01 Jan 2026 00:00:00 GMT",
        "response-cache-control": "max-age=1",
        "response-content-disposition": 'attachment; filename="ü.txt"',
        "response-content-encoding": "identity",
    }

    got = bucket.get_object("o", params=overrides)
    ranged = bucket.get_object("o", params=overrides, byte_range=(0, 0))

    for answer in (got, ranged):
        assert answer.read() == b"x"
        assert answer.headers["Content-Type"] == "text/b"
        assert answer.headers["Cache-Control"] == "max-age=1"
        assert answer.headers["Content-Language"] == "gsw"
        assert answer.headers["Expires"] == overrides["response-expires"]
        assert answer.headers["Content-Encoding"] == "identity"
        disposition = answer.headers["Content-Disposition"].encode("latin-1").decode()
        assert disposition == overrides["response-content-disposition"]
    assert bucket.head_object("o").headers["Content-Type"] == "text/a"
