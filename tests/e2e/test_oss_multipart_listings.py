"""Promise: listings of OSS uploads and parts, and parts that are copied, row by row (OSS dossier §6.2)."""

import re
from typing import Any

import oss2
import pytest

from tests.support.oss_requests import CRC_OF_X, ETAG_OF_X, ask, complete, document_of, send_part, texts

# oss2 drops answers without closing them.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*socket:pytest.PytestUnraisableExceptionWarning")

_KEY = "dir/a b&<é>+"
_ENCODED = "dir/a%20b%26%3C%C3%A9%3E%2B"


# ---- ListParts ----


def test_parts_are_listed_with_plaintext_sizes_and_digests(bucket: Any) -> None:
    upload = bucket.init_multipart_upload(_KEY).upload_id
    send_part(bucket, upload, 2, b"x", key=_KEY)
    send_part(bucket, upload, 9, bytes(70_000), key=_KEY)

    root = document_of(ask(bucket, "GET", _KEY, {"uploadId": upload, "encoding-type": "url", "max-parts": "1"}))
    part = root.find("Part")

    assert part is not None
    assert [tag for tag, _ in texts(part)] == ["PartNumber", "LastModified", "ETag", "Size", "HashCrc64ecma"]
    assert [part.findtext(name) for name in ("PartNumber", "ETag", "Size", "HashCrc64ecma")] == [
        "2", f'"{ETAG_OF_X}"', "1", CRC_OF_X,
    ]  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", part.findtext("LastModified", ""))
    told = dict(texts(root))
    expected = {
        "EncodingType": "url", "Bucket": bucket.bucket_name, "Key": _ENCODED, "UploadId": upload,
        "PartNumberMarker": "0", "NextPartNumberMarker": "2", "MaxParts": "1", "IsTruncated": "true",
    }  # fmt: skip
    assert {name: told[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("query", "numbers", "told"),
    [
        ({}, [2, 9], ("0", "9", "1000", "false")),
        ({"part-number-marker": "2"}, [9], ("2", "9", "1000", "false")),
        ({"part-number-marker": "9"}, [], ("9", None, "1000", "false")),
        ({"max-parts": "0"}, [], ("0", None, "0", "false")),
        ({"max-parts": "1"}, [2], ("0", "2", "1", "true")),
        ({"max-parts": "2"}, [2, 9], ("0", "9", "2", "false")),
        ({"max-parts": "5000"}, [2, 9], ("0", "9", "1000", "false")),
    ],
    ids=str,
)
def test_parts_are_listed_in_pages(
    bucket: Any, query: dict[str, str], numbers: list[int], told: tuple[str, str | None, str, str]
) -> None:
    upload = bucket.init_multipart_upload("k").upload_id
    for number in (2, 9):
        send_part(bucket, upload, number)

    root = document_of(ask(bucket, "GET", "k", {"uploadId": upload, **query}))

    assert [int(part.findtext("PartNumber", "")) for part in root.findall("Part")] == numbers
    names = ("PartNumberMarker", "NextPartNumberMarker", "MaxParts", "IsTruncated")
    found = [root.findtext(name) for name in names]
    assert found[1] is not None  # oss2 cannot do without it
    assert [found[0], found[1] if told[1] else None, *found[2:]] == list(told)


@pytest.mark.parametrize("query", [{"max-parts": "x"}, {"max-parts": "-1"}, {"part-number-marker": "x"}], ids=str)
def test_numbers_of_a_listing_that_are_none_are_refused(bucket: Any, query: dict[str, str]) -> None:
    upload = bucket.init_multipart_upload("k").upload_id

    with pytest.raises(oss2.exceptions.InvalidArgument) as refused:
        ask(bucket, "GET", "k", {"uploadId": upload, **query})

    details = refused.value.details
    assert {details["ArgumentName"]: details["ArgumentValue"]} == query


# ---- ListMultipartUploads ----


def test_uploads_are_listed_by_prefix_group_and_marker(bucket: Any) -> None:
    uploads = {key: bucket.init_multipart_upload(key).upload_id for key in ("a/1", "a/2", "b", _KEY)}

    grouped = bucket.list_multipart_uploads(delimiter="/")
    within = bucket.list_multipart_uploads(prefix="a/")
    after = bucket.list_multipart_uploads(key_marker="a/1", upload_id_marker=uploads["a/1"])
    first = bucket.list_multipart_uploads(max_uploads=1)

    assert [(one.key, one.upload_id) for one in grouped.upload_list] == [("b", uploads["b"])]
    assert grouped.prefix_list == ["a/", "dir/"]
    assert [one.key for one in within.upload_list] == ["a/1", "a/2"]
    assert [one.key for one in after.upload_list] == ["a/2", "b", _KEY]
    assert (first.is_truncated, first.next_key_marker, first.next_upload_id_marker) == (True, "a/1", uploads["a/1"])
    raw = document_of(ask(bucket, "GET", "", {"uploads": "", "prefix": _KEY, "encoding-type": "url"}))
    assert [raw.findtext(name) for name in ("EncodingType", "Prefix", "Upload/Key")] == ["url", _ENCODED, _ENCODED]
    assert raw.findtext("Upload/UploadId") == uploads[_KEY]


# ---- UploadPartCopy ----


def test_a_copied_part_is_told_in_document_and_headers(bucket: Any) -> None:
    body = bytes(range(200))
    bucket.put_object("source", body)
    upload = bucket.init_multipart_upload("k").upload_id
    source = {"x-oss-copy-source": f"/{bucket.bucket_name}/source"}

    whole = ask(bucket, "PUT", "k", {"partNumber": "1", "uploadId": upload}, headers=source)
    root = document_of(whole)
    complete(bucket, upload, (1, root.findtext("ETag", "")))

    assert root.tag == "CopyPartResult"
    assert [tag for tag, _ in texts(root)] == ["LastModified", "ETag"]
    assert root.findtext("ETag") == bucket.head_object("source").headers["ETag"]
    assert bucket.get_object("k").read() == body


@pytest.mark.parametrize(
    ("asked", "part"), [("bytes=0-0", (0, 1)), ("bytes=7-199", (7, 200)), ("bytes=0-199", (0, 200))]
)
def test_a_range_of_a_source_is_copied(bucket: Any, asked: str, part: tuple[int, int]) -> None:
    body = bytes(range(200))
    bucket.put_object("source", body)
    upload = bucket.init_multipart_upload("k").upload_id
    source = {"x-oss-copy-source": f"/{bucket.bucket_name}/source", "x-oss-copy-source-range": asked}

    etag = document_of(ask(bucket, "PUT", "k", {"partNumber": "1", "uploadId": upload}, headers=source)).findtext(
        "ETag", ""
    )
    complete(bucket, upload, (1, etag))

    assert bucket.get_object("k").read() == body[slice(*part)]


@pytest.mark.parametrize(
    "asked", ["bytes=5-2", "bytes=3-", "bytes=-3", "0-1", "bytes=0-0,1-1", "bytes=0-200", "bytes=x-y"]
)
def test_a_range_that_is_none_of_the_source_copies_nothing(sealed: Any, asked: str) -> None:
    sealed.put_object("source", bytes(200))
    upload = sealed.init_multipart_upload("k").upload_id
    source = {"x-oss-copy-source": f"/{sealed.bucket_name}/source", "x-oss-copy-source-range": asked}

    with pytest.raises(oss2.exceptions.InvalidArgument) as refused:
        ask(sealed, "PUT", "k", {"partNumber": "1", "uploadId": upload}, headers=source)

    assert refused.value.status == 400
    assert refused.value.details["ArgumentName"] == "x-oss-copy-source-range"
    assert "x-amz" not in refused.value.message
    assert sealed.list_parts("k", upload).parts == []


@pytest.mark.parametrize(
    ("condition", "value", "status"),
    [
        ("if-match", f'"{ETAG_OF_X}"', 200),
        ("if-match", '"0"', 412),
        ("if-none-match", '"0"', 200),
        ("if-none-match", f'"{ETAG_OF_X}"', 304),
        ("if-modified-since", "Mon, 01 Jan 2001 00:00:00 GMT", 200),
        ("if-unmodified-since", "Mon, 01 Jan 2001 00:00:00 GMT", 412),
    ],
)
def test_a_copied_part_obeys_the_conditions_on_its_source(bucket: Any, condition: str, value: str, status: int) -> None:
    bucket.put_object("source", b"x")
    upload = bucket.init_multipart_upload("k").upload_id
    headers = {"x-oss-copy-source": f"/{bucket.bucket_name}/source", f"x-oss-copy-source-{condition}": value}

    def copy() -> int:
        try:
            return int(ask(bucket, "PUT", "k", {"partNumber": "1", "uploadId": upload}, headers=headers).status)
        except (oss2.exceptions.NotModified, oss2.exceptions.PreconditionFailed) as refused:
            return int(refused.status)

    assert copy() == status
    assert len(bucket.list_parts("k", upload).parts) == (status == 200)


def test_a_part_is_copied_through_a_link(sealed: Any) -> None:
    body = bytes(range(256)) * 1000
    sealed.put_object("dir/täget +", body)
    sealed.put_symlink("dir/täget +", "link")
    sealed.put_symlink("none", "dangling")
    upload = sealed.init_multipart_upload("k").upload_id

    def copy(link: str, number: int, asked: str) -> str:
        source = {"x-oss-copy-source": f"/{sealed.bucket_name}/{link}", "x-oss-copy-source-range": asked}
        told = document_of(ask(sealed, "PUT", "k", {"partNumber": str(number), "uploadId": upload}, headers=source))
        return told.findtext("ETag", "")

    parts = (1, copy("link", 1, "bytes=0-199999")), (2, copy("link", 2, "bytes=200000-255999"))
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        copy("dangling", 3, "bytes=0-1")
    assert (refused.value.status, refused.value.code) == (404, "SymlinkTargetNotExist")
    complete(sealed, upload, *parts)
    assert sealed.get_object("k").read() == body
