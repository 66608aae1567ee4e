"""Promise: the documents of OSS's listings are what its parsers need, element by element (OSS dossier §6.2, §6.5)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import oss2
import pytest

from tests.support.oss_clients import created_bucket
from tests.support.places import STORE
from tests.support.raw_http import Answer, exchange, sign_oss
from tests.support.servers import Server

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")
_ODD = "d+ ä/&<k\x01>"  # a key that XML cannot tell as it is
_PREFIX = "d+ ä/"
_SIZES = {"a": 3, _ODD: 65_537, "e/1": 1, "e/2": 2}


@pytest.fixture(scope="module", params=["dev", STORE])
def oss(request: pytest.FixtureRequest) -> Server:
    server: Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture(scope="module")
def bucket(oss: Server) -> Iterator[Any]:
    """A bucket that tests only read, or start uploads in that none of them lists."""
    with created_bucket(oss, "listing-documents") as bucket:
        for key, size in _SIZES.items():
            bucket.put_object(key, bytes(size))
        yield bucket


@pytest.fixture
def own(oss: Server, bucket_name: str) -> Iterator[Any]:
    """A bucket of one test's own, which keeps versions."""
    with created_bucket(oss, bucket_name) as bucket:
        for key, size in _SIZES.items():
            bucket.put_object(key, bytes(size))
        bucket.put_bucket_versioning(oss2.models.BucketVersioningConfig("Enabled"))
        yield bucket


def _list(oss: Server, bucket: Any, parameters: Mapping[str, str], key: str = "") -> Answer:
    """Ask for a listing; V1 signs sub-resources alone, and those without a value by their name."""
    path = f"/{bucket.bucket_name}/{key}"
    query = "&".join(f"{name}={quote(value, safe='')}" if value else name for name, value in parameters.items())
    sub = [name + (f"={parameters[name]}" if parameters[name] else "") for name in parameters if name in _SIGNED]
    signed_target = path + ("?" + "&".join(sorted(sub)) if sub else "")
    return exchange(oss, "GET", f"{path}?{query}", sign_oss(oss, "GET", signed_target))


_SIGNED = frozenset({"versions", "uploads", "uploadId", "continuation-token"})


def _document(answer: Answer, root: str) -> Element:
    assert (answer.status, answer.headers["content-type"]) == (200, "application/xml")
    document = ET.fromstring(answer.body)
    assert document.tag == root  # without a name space, which SDKs would not find anything in
    return document


def _head(document: Element) -> dict[str, str]:
    return {child.tag: child.text or "" for child in document if len(child) == 0}


def _texts(document: Element, tag: str) -> list[dict[str, str]]:
    return [{child.tag: child.text or "" for child in found} for found in document.findall(tag)]


def _prefixes(document: Element) -> list[str]:
    return [found.findtext("Prefix", "") for found in document.findall("CommonPrefixes")]


# ---- objects ----


def test_the_first_version_tells_what_it_was_asked_and_what_there_is(oss: Server, bucket: Any) -> None:
    document = _document(_list(oss, bucket, {"encoding-type": "url"}), "ListBucketResult")
    etag = bucket.head_object("a").headers["ETag"]

    assert _head(document) == {
        "Name": bucket.bucket_name, "Prefix": "", "Marker": "", "MaxKeys": "100", "Delimiter": "",
        "EncodingType": "url", "IsTruncated": "false",
    }  # fmt: skip
    entries = _texts(document, "Contents")
    assert [(entry["Key"], entry["Size"]) for entry in entries] == [
        (quote(key), str(_SIZES[key])) for key in sorted(_SIZES, key=str.encode)
    ]
    assert set(entries[0]) == {"Key", "LastModified", "ETag", "Type", "Size", "StorageClass", "Owner"}
    assert (entries[0]["ETag"], entries[0]["Type"], entries[0]["StorageClass"]) == (etag, "Normal", "Standard")
    assert all(_TIME.fullmatch(entry["LastModified"]) for entry in entries)
    assert [child.tag for child in document.findall("Contents/Owner")[0]] == ["ID", "DisplayName"]


def test_whatever_is_a_name_is_encoded_where_that_is_asked_for(oss: Server, bucket: Any) -> None:
    asked = {"encoding-type": "url", "max-keys": "1", "prefix": _PREFIX[:2], "delimiter": "ä/", "marker": "d+"}
    document = _document(_list(oss, bucket, asked), "ListBucketResult")
    page = _document(_list(oss, bucket, {"encoding-type": "url", "max-keys": "2", "marker": "+"}), "ListBucketResult")

    head = _head(document)
    assert {name: head[name] for name in ("Prefix", "Delimiter", "Marker")} == {
        "Prefix": quote(_PREFIX[:2]), "Delimiter": quote("ä/"), "Marker": quote("d+"),
    }  # fmt: skip
    assert _prefixes(document) == [quote(_PREFIX)]
    assert (_head(page)["IsTruncated"], _head(page)["NextMarker"]) == ("true", quote(_ODD))


def test_a_delimiter_groups_and_a_marker_goes_on(oss: Server, bucket: Any) -> None:
    first = _document(
        _list(oss, bucket, {"delimiter": "/", "max-keys": "2", "encoding-type": "url"}), "ListBucketResult"
    )
    marker = {"delimiter": "/", "marker": _PREFIX, "encoding-type": "url"}
    second = _document(_list(oss, bucket, marker), "ListBucketResult")

    assert ([entry["Key"] for entry in _texts(first, "Contents")], _prefixes(first)) == (
        ["a"],
        [quote(_PREFIX)],
    )
    assert (_head(first)["MaxKeys"], _head(first)["NextMarker"]) == ("2", quote(_PREFIX))
    assert (_texts(second, "Contents"), _prefixes(second)) == ([], [quote("e/")])


def test_the_second_version_counts_and_goes_on_by_token(oss: Server, bucket: Any) -> None:
    of_oss2 = {"list-type": "2", "continuation-token": "", "start-after": "", "fetch-owner": "false"}
    document = _document(
        _list(oss, bucket, {**of_oss2, "max-keys": "1", "delimiter": "/", "prefix": "e"}), "ListBucketResult"
    )
    whole = _document(
        _list(oss, bucket, {"list-type": "2", "encoding-type": "url", "max-keys": "3"}), "ListBucketResult"
    )
    token = _head(whole)["NextContinuationToken"]
    rest = _document(_list(oss, bucket, {"list-type": "2", "continuation-token": token}), "ListBucketResult")

    assert (_head(document)["KeyCount"], _prefixes(document), _texts(document, "Contents")) == ("1", ["e/"], [])
    assert _head(document)["IsTruncated"] == "false"
    assert [_head(whole)[name] for name in ("KeyCount", "MaxKeys", "IsTruncated")] == ["3", "3", "true"]
    assert [entry["Key"] for entry in _texts(rest, "Contents")] == ["e/2"]
    assert _head(rest)["ContinuationToken"] == token
    assert "NextContinuationToken" not in _head(rest)


def test_the_second_version_tells_owners_and_where_it_began_where_asked(oss: Server, bucket: Any) -> None:
    asked = {"list-type": "2", "encoding-type": "url", "start-after": _ODD}
    without = _document(_list(oss, bucket, asked), "ListBucketResult")
    owned = _document(_list(oss, bucket, {**asked, "fetch-owner": "true"}), "ListBucketResult")

    assert _head(without)["StartAfter"] == quote(_ODD)
    assert [entry["Key"] for entry in _texts(without, "Contents")] == ["e/1", "e/2"]
    assert without.find("Contents/Owner") is None
    assert [child.tag for child in owned.findall("Contents/Owner")[1]] == ["ID", "DisplayName"]


@pytest.mark.parametrize("kind", [{}, {"list-type": "2"}, {"versions": ""}], ids=["v1", "v2", "versions"])
@pytest.mark.parametrize(
    ("name", "value"), [("max-keys", "0"), ("max-keys", "1001"), ("max-keys", "x"), ("encoding-type", "base64")]
)
def test_what_cannot_be_asked_is_refused(oss: Server, bucket: Any, kind: dict[str, str], name: str, value: str) -> None:
    answer = _list(oss, bucket, {**kind, name: value})

    assert answer.error[:2] == (400, "InvalidArgument")
    assert (answer.text("ArgumentName"), answer.text("ArgumentValue")) == (name, value)


# ---- versions ----


def test_versions_and_delete_markers_are_told_with_all_that_is_known_of_them(oss: Server, own: Any) -> None:
    put = own.put_object("a", b"new!")
    marker = own.delete_object("e/1")
    asked = {"versions": "", "encoding-type": "url", "max-keys": "3"}
    document = _document(_list(oss, own, asked), "ListVersionsResult")
    next_page = {"key-marker": "d+ ä/&<k\x01>", "version-id-marker": "null", "encoding-type": "url", "delimiter": "/"}
    behind = _document(_list(oss, own, {"versions": "", **next_page}), "ListVersionsResult")

    head = _head(document)
    assert {name: head[name] for name in ("Name", "Prefix", "KeyMarker", "VersionIdMarker", "MaxKeys", "Delimiter")} == {
        "Name": own.bucket_name, "Prefix": "", "KeyMarker": "", "VersionIdMarker": "", "MaxKeys": "3", "Delimiter": "",
    }  # fmt: skip
    assert (head["EncodingType"], head["IsTruncated"]) == ("url", "true")
    assert (head["NextKeyMarker"], head["NextVersionIdMarker"]) == (quote(_ODD), "null")
    versions = _texts(document, "Version")
    assert [(one["Key"], one["VersionId"], one["IsLatest"], one["Size"]) for one in versions] == [
        ("a", put.versionid, "true", "4"), ("a", "null", "false", "3"), (quote(_ODD), "null", "true", "65537"),
    ]  # fmt: skip
    assert set(versions[0]) == {
        "Key", "VersionId", "IsLatest", "LastModified", "ETag", "Type", "Size", "StorageClass", "Owner"
    }  # fmt: skip
    assert (versions[0]["ETag"], versions[0]["Type"]) == (put.headers["ETag"], "Normal")
    assert (_prefixes(behind), _texts(behind, "Version")) == (["e/"], [])
    deleted = _document(_list(oss, own, {"versions": "", "prefix": "e/1"}), "ListVersionsResult")
    assert [(one["VersionId"], one["IsLatest"]) for one in _texts(deleted, "DeleteMarker")] == [
        (marker.versionid, "true")
    ]
    assert set(_texts(deleted, "DeleteMarker")[0]) == {"Key", "VersionId", "IsLatest", "LastModified", "Owner"}


# ---- uploads and parts ----


def test_uploads_are_listed_by_prefix_delimiter_and_markers(oss: Server, own: Any) -> None:
    ids = {key: own.init_multipart_upload(key).upload_id for key in ("d+ ä/x", "u", "v/1", "v/2")}
    tag = "ListMultipartUploadsResult"
    first = _document(_list(oss, own, {"uploads": "", "encoding-type": "url", "max-uploads": "1"}), tag)
    markers = {"key-marker": "d+ ä/x", "upload-id-marker": ids["d+ ä/x"]}
    rest = _document(_list(oss, own, {"uploads": "", **markers, "delimiter": "/", "encoding-type": "url"}), tag)
    prefixed = _document(_list(oss, own, {"uploads": "", "prefix": "v/"}), tag)

    head = _head(first)
    assert {name: head[name] for name in ("Bucket", "KeyMarker", "UploadIdMarker", "Delimiter", "Prefix")} == {
        "Bucket": own.bucket_name, "KeyMarker": "", "UploadIdMarker": "", "Delimiter": "", "Prefix": "",
    }  # fmt: skip
    assert (head["MaxUploads"], head["IsTruncated"], head["EncodingType"]) == ("1", "true", "url")
    assert (head["NextKeyMarker"], head["NextUploadIdMarker"]) == (quote("d+ ä/x"), ids["d+ ä/x"])
    (upload,) = _texts(first, "Upload")
    assert (upload["Key"], upload["UploadId"]) == (quote("d+ ä/x"), ids["d+ ä/x"])
    assert _TIME.fullmatch(upload["Initiated"])
    assert ([one["Key"] for one in _texts(rest, "Upload")], _prefixes(rest)) == (["u"], [quote("v/")])
    assert [one["UploadId"] for one in _texts(prefixed, "Upload")] == [ids["v/1"], ids["v/2"]]


def test_parts_are_listed_with_sizes_digests_and_markers(oss: Server, bucket: Any) -> None:
    key = "d+ ä"
    upload = bucket.init_multipart_upload(key).upload_id
    sent = {number: bucket.upload_part(key, upload, number, bytes(number * 1000)) for number in (2, 3, 7)}
    asked = {"uploadId": upload, "encoding-type": "url"}
    page = _document(_list(oss, bucket, {**asked, "max-parts": "2"}, quote(key)), "ListPartsResult")
    rest = _document(_list(oss, bucket, {"uploadId": upload, "part-number-marker": "3"}, quote(key)), "ListPartsResult")

    head = _head(page)
    assert (head["Bucket"], head["Key"], head["UploadId"]) == (bucket.bucket_name, quote(key), upload)
    assert [head[name] for name in ("PartNumberMarker", "NextPartNumberMarker", "MaxParts", "IsTruncated")] == [
        "0", "3", "2", "true"
    ]  # fmt: skip
    assert [
        (part["PartNumber"], part["Size"], part["ETag"], part["HashCrc64ecma"]) for part in _texts(page, "Part")
    ] == [
        (str(number), str(number * 1000), sent[number].headers["ETag"], str(sent[number].crc)) for number in (2, 3)
    ]  # fmt: skip
    assert all(_TIME.fullmatch(part["LastModified"]) for part in _texts(page, "Part"))
    assert (_head(rest)["Key"], _head(rest)["NextPartNumberMarker"], _head(rest)["IsTruncated"]) == (key, "7", "false")
    assert [part["PartNumber"] for part in _texts(rest, "Part")] == ["7"]


@pytest.mark.parametrize(("name", "value"), [("max-parts", "x"), ("part-number-marker", "-1")])
def test_parts_that_cannot_be_asked_for_are_refused(oss: Server, bucket: Any, name: str, value: str) -> None:
    upload = bucket.init_multipart_upload("p").upload_id

    answer = _list(oss, bucket, {"uploadId": upload, name: value}, "p")

    assert answer.error[:2] == (400, "InvalidArgument")
    assert (answer.text("ArgumentName"), answer.text("ArgumentValue")) == (name, value)


def test_a_bucket_that_is_not_there_lists_nothing(oss: Server) -> None:
    class Nowhere:
        bucket_name = "nowhere-to-be-found"

    for kind in ({}, {"list-type": "2"}, {"versions": ""}, {"uploads": ""}):
        answer = _list(oss, Nowhere, kind)
        assert answer.error == (404, "NoSuchBucket", "The specified bucket does not exist.")
        assert answer.text("BucketName") == Nowhere.bucket_name
