"""Promise: multipart uploads of OSS clients, row by row: what is taken, refused and told (OSS dossier §6.2)."""

import re
from typing import Any

import oss2
import pytest

from tests.support.oss_clients import oss2_refusal
from tests.support.oss_requests import CRC_OF_X, ETAG_OF_X, ask, complete, document_of, send_part, texts
from tests.support.servers import Server

# oss2 drops answers without closing them.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*socket:pytest.PytestUnraisableExceptionWarning")

_CRC = "x-oss-hash-crc64ecma"
_KEY = "dir/a b&<é>+"
_ENCODED = "dir/a%20b%26%3C%C3%A9%3E%2B"
_SMALLEST = 100 * 1024
_NO_UPLOAD = (
    404,
    "NoSuchUpload",
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
    "completed.",
)
_INVALID_PART = (
    400,
    "InvalidPart",
    "One or more of the specified parts could not be found or the specified entity tag might not have matched the "
    "part's entity tag.",
)
_DISORDER = (400, "InvalidPartOrder", "The list of parts was not in ascending order.")
_NUMBER = (400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive.")
_MALFORMED = (
    400,
    "MalformedXML",
    "The XML you provided was not well-formed or did not validate against our published schema.",
)
_TOO_SMALL = (400, "EntityTooSmall", "Your proposed upload smaller than the minimum allowed size.")


# ---- Initiate ----


@pytest.mark.parametrize("query", [{}, {"encoding-type": "url"}, {"sequential": ""}], ids=str)
def test_initiate_tells_bucket_key_and_id(bucket: Any, query: dict[str, str]) -> None:
    root = document_of(ask(bucket, "POST", _KEY, {"uploads": "", **query}))

    told = texts(root)
    assert (root.tag, re.fullmatch("[0-9A-F]{32}", told[-1][1]) is not None) == ("InitiateMultipartUploadResult", True)
    if "encoding-type" in query:
        assert told[:-1] == [("EncodingType", "url"), ("Bucket", bucket.bucket_name), ("Key", _ENCODED)]
    else:
        assert told[:-1] == [("Bucket", bucket.bucket_name), ("Key", _KEY)]


def test_the_object_has_what_initiate_said_of_it(bucket: Any) -> None:
    said = {
        "Content-Type": "text/a", "Cache-Control": "no-store", "Content-Disposition": "inline", "Content-Language": "gsw",
        "Expires": "Thu, 01 Jan 2026 00:00:00 GMT", "x-oss-meta-a": "b", "x-oss-storage-class": "IA",
    }  # fmt: skip
    other = {"x-oss-object-acl": "public-read", "x-oss-tagging": "a=1&b=2"}

    upload = bucket.init_multipart_upload("k", headers={**said, **other}).upload_id
    complete(bucket, upload, (1, send_part(bucket, upload, 1)))
    head = bucket.head_object("k")

    assert {name: head.headers[name] for name in said} == said
    assert (head.headers["x-oss-tagging-count"], head.headers["x-oss-object-type"]) == ("2", "Multipart")
    assert bucket.get_object_acl("k").acl == "public-read"
    assert bucket.get_object_tagging("k").tag_set.tagging_rule == {"a": "1", "b": "2"}
    assert "Content-MD5" not in head.headers


# ---- UploadPart ----


def test_a_part_is_answered_with_its_digests(bucket: Any) -> None:
    upload = bucket.init_multipart_upload("k").upload_id

    for number in (1, 10_000):
        headers = bucket.upload_part("k", upload, number, b"x").headers
        assert (headers["ETag"], headers["Content-MD5"]) == (f'"{ETAG_OF_X}"', "ndTkYSaMgDT1yFZOFVxnpg==")
        assert headers[_CRC] == CRC_OF_X


@pytest.mark.parametrize("number", ["0", "10001", "-1", "1.5", "x", ""])
def test_a_part_has_a_number_from_1_to_10000(sealed: Any, number: str) -> None:
    upload = sealed.init_multipart_upload("k").upload_id
    copied = {"x-oss-copy-source": f"/{sealed.bucket_name}/source"}
    sealed.put_object("source", b"x")

    for headers in ({}, copied):
        with pytest.raises(oss2.exceptions.InvalidArgument) as refused:
            ask(
                sealed,
                "PUT",
                "k",
                {"partNumber": number, "uploadId": upload},
                b"" if headers else b"x",
                headers=headers,
            )
        error = refused.value
        assert (error.status, error.code, error.message) == _NUMBER
        assert (error.details["ArgumentName"], error.details["ArgumentValue"] or "") == ("partNumber", number)
    assert sealed.list_parts("k", upload).parts == []


def test_parts_need_their_own_upload(bucket: Any) -> None:
    upload = bucket.init_multipart_upload("k").upload_id
    bucket.put_object("source", b"x")

    for key, named in (("k", "0" * 32), ("other", upload)):
        assert oss2_refusal(bucket.upload_part, key, named, 1, b"x") == _NO_UPLOAD
        source = (bucket.bucket_name, "source", None)
        assert oss2_refusal(bucket.upload_part_copy, *source, key, named, 1) == _NO_UPLOAD
        assert oss2_refusal(bucket.list_parts, key, named) == _NO_UPLOAD
        assert oss2_refusal(bucket.abort_multipart_upload, key, named) == _NO_UPLOAD
        assert oss2_refusal(complete, bucket, named, (1, ETAG_OF_X), key=key) == _NO_UPLOAD


def test_a_number_sent_again_replaces_the_part(bucket: Any) -> None:
    upload = bucket.init_multipart_upload("k").upload_id
    first = send_part(bucket, upload, 1, b"first")
    second = send_part(bucket, upload, 1, b"second")

    assert oss2_refusal(complete, bucket, upload, (1, first)) == _INVALID_PART
    complete(bucket, upload, (1, second))
    assert bucket.get_object("k").read() == b"second"


# ---- Complete ----


def test_complete_tells_location_bucket_key_and_etag(dev_or_store: Server, bucket: Any) -> None:
    upload = bucket.init_multipart_upload(_KEY).upload_id
    part = (1, send_part(bucket, upload, 1, key=_KEY))

    answer = complete(bucket, upload, part, key=_KEY)
    root = document_of(answer)

    place = f"{dev_or_store.url}/{bucket.bucket_name}/{_ENCODED.replace('/', '%2F')}"
    assert root.tag == "CompleteMultipartUploadResult"
    assert texts(root)[:3] == [("Location", place), ("Bucket", bucket.bucket_name), ("Key", _KEY)]
    assert re.fullmatch('"[0-9A-F]{32}-1"', root.findtext("ETag", ""))
    assert (answer.headers["ETag"], answer.headers[_CRC]) == (root.findtext("ETag"), CRC_OF_X)


def test_complete_encodes_the_key_where_it_is_asked_to(bucket: Any) -> None:
    upload = bucket.init_multipart_upload(_KEY).upload_id
    part = f"<Part><PartNumber>1</PartNumber><ETag>{send_part(bucket, upload, 1, key=_KEY)}</ETag></Part>"
    document = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()

    told = texts(document_of(ask(bucket, "POST", _KEY, {"uploadId": upload, "encoding-type": "url"}, document)))

    assert (told[0], told[3]) == (("EncodingType", "url"), ("Key", _ENCODED))


@pytest.mark.parametrize("shown", ["{}", '"{}"', "&quot;{}&quot;"])
@pytest.mark.parametrize("lower", ["lower", "upper"])
def test_etags_are_listed_in_any_form(bucket: Any, shown: str, lower: str) -> None:
    upload = bucket.init_multipart_upload("k").upload_id
    etag = send_part(bucket, upload, 7)

    complete(bucket, upload, (7, shown.format(getattr(etag, lower)())))

    assert bucket.get_object("k").read() == b"x"


def test_numbers_may_have_gaps_but_must_ascend(bucket: Any) -> None:
    upload = bucket.init_multipart_upload("k").upload_id
    etags = {
        number: send_part(bucket, upload, number, bytes([number % 256]) * _SMALLEST) for number in (3, 500, 10_000)
    }

    def named(*numbers: int) -> list[tuple[int, str]]:
        return [(number, etags[number]) for number in numbers]

    assert oss2_refusal(complete, bucket, upload, *named(500, 3)) == _DISORDER
    assert oss2_refusal(complete, bucket, upload, *named(3, 3)) == _DISORDER
    assert oss2_refusal(complete, bucket, upload, *named(3, 10_000, 500)) == _DISORDER
    complete(bucket, upload, *named(3, 10_000))
    assert bucket.get_object("k").read() == bytes([3]) * _SMALLEST + bytes([10_000 % 256]) * _SMALLEST


@pytest.mark.parametrize(
    "parts",
    [[(1, "0" * 32)], [(2, ETAG_OF_X)], [(1, ETAG_OF_X), (2, ETAG_OF_X)], [(0, ETAG_OF_X)], [(10_001, ETAG_OF_X)]],
    ids=["another ETag", "another number", "one too many", "number 0", "number 10001"],
)
def test_a_list_of_parts_that_are_not_there_is_refused(sealed: Any, parts: list[tuple[int, str]]) -> None:
    upload = sealed.init_multipart_upload("k").upload_id
    send_part(sealed, upload, 1)

    assert oss2_refusal(complete, sealed, upload, *parts) == _INVALID_PART
    assert not sealed.object_exists("k")
    assert len(sealed.list_parts("k", upload).parts) == 1


@pytest.mark.parametrize(
    "document",
    [
        b"", b"<", b"<CompleteMultipartUpload>", b"<Other/>", b"<CompleteMultipartUpload><Part/></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><PartNumber>x</PartNumber><ETag>e</ETag></Part></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>",
    ],
)  # fmt: skip
def test_a_list_that_is_none_is_refused(sealed: Any, document: bytes) -> None:
    upload = sealed.init_multipart_upload("k").upload_id
    send_part(sealed, upload, 1)

    assert oss2_refusal(ask, sealed, "POST", "k", {"uploadId": upload}, document) == _MALFORMED
    assert not sealed.object_exists("k")


def test_a_list_without_parts_is_refused(bucket: Any) -> None:
    upload = bucket.init_multipart_upload("k").upload_id
    nothing = (400, "MalformedXML", "You must specify at least one part")

    assert oss2_refusal(complete, bucket, upload) == nothing
    everything = {"x-oss-complete-all": "yes"}
    assert oss2_refusal(ask, bucket, "POST", "k", {"uploadId": upload}, b"", headers=everything) == nothing


@pytest.mark.parametrize("size", [0, 1, _SMALLEST - 1, _SMALLEST])
def test_all_parts_but_the_last_have_a_least_size_that_complete_judges(bucket: Any, size: int) -> None:
    upload = bucket.init_multipart_upload("k").upload_id
    parts = [(1, send_part(bucket, upload, 1, bytes(size))), (2, send_part(bucket, upload, 2, b""))]

    if size >= _SMALLEST:
        complete(bucket, upload, *parts)
        assert bucket.head_object("k").content_length == size
        return
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        complete(bucket, upload, *parts)
    error = refused.value
    assert (error.status, error.code, error.message) == _TOO_SMALL
    told = [error.details[name] for name in ("PartNumber", "ProposedSize", "MinSizeAllowed")]
    assert told == ["1", str(size), str(_SMALLEST)]
    assert not bucket.object_exists("k")


@pytest.mark.parametrize("value", ["yes", "YES", "no", "true"])
def test_complete_all_is_a_yes(sealed: Any, value: str) -> None:
    upload = sealed.init_multipart_upload("k").upload_id
    send_part(sealed, upload, 1)
    said = {"x-oss-complete-all": value}

    if value.lower() == "yes":
        assert ask(sealed, "POST", "k", {"uploadId": upload}, b"", headers=said).status == 200
    else:
        assert oss2_refusal(ask, sealed, "POST", "k", {"uploadId": upload}, b"", headers=said) == _MALFORMED
    assert sealed.object_exists("k") is (value.lower() == "yes")


def test_complete_may_give_the_object_its_acl(bucket: Any) -> None:
    upload = bucket.init_multipart_upload("k", headers={"x-oss-object-acl": "private"}).upload_id
    part = (1, send_part(bucket, upload, 1))

    assert oss2_refusal(complete, bucket, upload, part, headers={"x-oss-object-acl": "open"})[:2] == (
        400,
        "InvalidArgument",
    )
    complete(bucket, upload, part, headers={"x-oss-object-acl": "public-read"})

    assert bucket.get_object_acl("k").acl == "public-read"
    later = bucket.init_multipart_upload("k", headers={"x-oss-object-acl": "private"}).upload_id
    complete(bucket, later, (1, send_part(bucket, later, 1)))
    assert bucket.get_object_acl("k").acl == "private"


def test_complete_sent_again_is_answered_again(bucket: Any) -> None:
    upload = bucket.init_multipart_upload("k").upload_id
    part = (1, send_part(bucket, upload, 1))

    first, again = complete(bucket, upload, part), complete(bucket, upload, part)

    assert first.headers["ETag"] == again.headers["ETag"]
    assert first.body == again.body


# ---- Abort ----


def test_abort_takes_the_upload_away(bucket: Any) -> None:
    upload = bucket.init_multipart_upload("k").upload_id
    send_part(bucket, upload, 1)

    assert bucket.abort_multipart_upload("k", upload).status == 204
    assert bucket.list_multipart_uploads().upload_list == []
    assert oss2_refusal(bucket.upload_part, "k", upload, 1, b"x") == _NO_UPLOAD
    assert oss2_refusal(bucket.abort_multipart_upload, "k", upload) == _NO_UPLOAD
