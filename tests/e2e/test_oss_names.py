"""Promise: names, metadata and headers that an OSS object is stored with, and their limits (OSS dossier §6.1)."""

from collections.abc import Callable, Mapping
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest

from tests.support.oss_clients import created_bucket, oss2_refusal, v2_client
from tests.support.oss_requests import ask
from tests.support.raw_http import exchange, sign_oss, signed
from tests.support.servers import Server

_BAD_KEY = (400, "InvalidObjectName", "The specified object is not valid.")
_BAD_BUCKET = (400, "InvalidBucketName", "The specified bucket is not valid.")
_TOO_LARGE = (400, "InvalidArgument", "Your metadata headers exceed the maximum allowed metadata size")


def _complete(bucket: Any, key: str, headers: dict[str, str]) -> Any:
    upload = bucket.init_multipart_upload(key, headers=headers).upload_id
    part = oss2.models.PartInfo(1, bucket.upload_part(key, upload, 1, b"x").etag)
    return bucket.complete_multipart_upload(key, upload, [part])


WRITES: Mapping[str, Callable[[Any, str, dict[str, str]], Any]] = {
    "PutObject": lambda b, key, h: b.put_object(key, b"x", headers=h),
    "AppendObject": lambda b, key, h: b.append_object(key, 0, b"x", headers=h),
    "multipart": _complete,
    "CopyObject": lambda b, key, h: b.copy_object(
        b.bucket_name, "source", key, headers={"x-oss-metadata-directive": "REPLACE", **h}
    ),
}
every_write = pytest.mark.parametrize("write", WRITES)


# ---- Buckets and keys ----


@pytest.mark.parametrize("name", ["abc", "a-1", "1b2", "b" * 63])
def test_a_bucket_may_be_called_so(dev_or_store: Server, name: str) -> None:
    with created_bucket(dev_or_store, name) as bucket:
        assert bucket.get_bucket_info().name == name
        bucket.delete_bucket()


@pytest.mark.parametrize("name", ["ab", "b" * 64, "-ab", "ab-", "a.b", "a_b", "aBc", "a%20b", "b%C3%BCcket"])
@pytest.mark.parametrize(("method", "key"), [("PUT", ""), ("GET", ""), ("GET", "k"), ("PUT", "k")])
def test_no_bucket_is_called_so(dev: Server, name: str, method: str, key: str) -> None:
    answer = signed(dev, method, f"/{name}/{key}", dialect="oss")

    assert answer.error == _BAD_BUCKET


@pytest.mark.parametrize(
    "key", ["k", "k" * 1023, "é" * 511, "😀", "a//b", "a/", "../a", "...", "a\\b", " ", "a\tb", "%41"]
)
def test_a_key_may_be_called_so(bucket: Any, key: str) -> None:
    bucket.put_object(key, b"x")

    assert bucket.get_object(key).read() == b"x"
    assert [one.key for one in oss2.ObjectIteratorV2(bucket)] == [key]
    assert bucket.batch_delete_objects([key]).deleted_keys == [key]
    assert not bucket.object_exists(key)


@pytest.mark.parametrize("key", ["/k", "\\k", "k" * 1024, "é" * 512])
def test_no_key_is_called_so_whatever_is_asked(bucket: Any, key: str) -> None:
    bucket.put_object("source", b"x")

    for write in WRITES.values():
        assert oss2_refusal(write, bucket, key, {}) == _BAD_KEY
    for method, query in (("GET", {}), ("HEAD", {}), ("DELETE", {}), ("GET", {"acl": ""}), ("PUT", {"symlink": ""})):
        assert oss2_refusal(ask, bucket, method, key, query) == _BAD_KEY


# ---- Metadata ----


@every_write
def test_metadata_comes_back_with_its_names_in_lower_case(bucket: Any, write: str) -> None:
    bucket.put_object("source", b"x")
    WRITES[write](bucket, "k", {"X-OSS-Meta-Colour-1": "Blue", "x-oss-meta-empty": "", "x-oss-meta-blank": "a  b"})

    for headers in (bucket.head_object("k").headers, bucket.get_object("k").headers):
        found = {name: value for name, value in headers.items() if name.lower().startswith("x-oss-meta-")}
        assert found == {"x-oss-meta-colour-1": "Blue", "x-oss-meta-empty": "", "x-oss-meta-blank": "a  b"}


def test_metadata_keeps_the_bytes_that_it_was_sent_in(dev_or_store: Server, bucket: Any) -> None:
    at = f"/{bucket.bucket_name}/k"
    utf8, encoded = "grün", "gr%C3%BCn"
    sent = sign_oss(dev_or_store, "PUT", at, {"x-oss-meta-a": utf8, "x-oss-meta-b": encoded})
    sent["x-oss-meta-a"] = utf8.encode().decode("latin-1")

    put = exchange(dev_or_store, "PUT", at, {**sent, "Content-Length": "1"}, b"x")
    head = signed(dev_or_store, "HEAD", at, dialect="oss")

    assert put.status == 200
    assert head.headers["x-oss-meta-a"].encode("latin-1").decode() == utf8
    assert head.headers["x-oss-meta-b"] == encoded


@every_write
def test_metadata_has_eight_kilobytes_less_what_the_envelope_takes(sealed: Any, write: str) -> None:
    sealed.put_object("source", b"x")
    fits, not_quite = {"x-oss-meta-a": "v" * 7000}, {"x-oss-meta-a": "v" * 4096, "x-oss-meta-b": "v" * 4096}

    WRITES[write](sealed, "k", fits)
    assert oss2_refusal(WRITES[write], sealed, "new", not_quite) == _TOO_LARGE

    assert sealed.head_object("k").headers["x-oss-meta-a"] == "v" * 7000
    assert not sealed.object_exists("new")
    assert sealed.list_multipart_uploads().upload_list == []


@every_write
@pytest.mark.parametrize("name", ["x-oss-meta-sseproxy", "X-OSS-Meta-SSEProxy"])
def test_the_envelopes_name_is_nobodys(sealed: Any, write: str, name: str) -> None:
    sealed.put_object("source", b"x")

    refusal = oss2_refusal(WRITES[write], sealed, "new", {name: "e30="})

    assert refusal == (400, "InvalidArgument", "The metadata name 'sseproxy' is reserved.")
    assert not sealed.object_exists("new")
    assert "x-oss-meta-sseproxy" not in sealed.head_object("source").headers


# ---- Standard headers ----

STANDARD = {
    "Content-Type": "text/a; charset=utf-8",
    "Content-Encoding": "identity",
    "Content-Language": "gsw",
    "Content-Disposition": 'attachment; filename="a.txt"',
    "Cache-Control": "max-age=1, no-transform",
    "Expires": "Thu, 01 Jan 2026 00:00:00 GMT",
}


@every_write
def test_standard_headers_are_stored_and_come_back(bucket: Any, write: str) -> None:
    bucket.put_object("source", b"x")
    WRITES[write](bucket, "k", STANDARD)

    for headers in (bucket.head_object("k").headers, bucket.get_object("k").headers):
        assert {name: headers[name] for name in STANDARD} == STANDARD


def test_a_copy_has_the_headers_of_its_source_or_of_its_request(bucket: Any) -> None:
    bucket.put_object("source", b"x", headers={**STANDARD, "x-oss-meta-a": "1"})
    other = {"Content-Type": "text/b", "x-oss-meta-b": "2"}

    bucket.copy_object(bucket.bucket_name, "source", "same", headers=other)
    bucket.copy_object(bucket.bucket_name, "source", "new", headers={**other, "x-oss-metadata-directive": "REPLACE"})
    same, new = bucket.head_object("same").headers, bucket.head_object("new").headers

    assert {name: same[name] for name in (*STANDARD, "x-oss-meta-a")} == {**STANDARD, "x-oss-meta-a": "1"}
    assert {name: new[name] for name in other} == other
    assert "x-oss-meta-b" not in same
    assert not {"x-oss-meta-a", "Cache-Control", "Expires"} & set(new)
    unknown = {"x-oss-metadata-directive": "KEEP"}
    refusal = oss2_refusal(bucket.copy_object, bucket.bucket_name, "source", "third", headers=unknown)
    assert refusal[:2] == (400, "InvalidArgument")


def test_an_object_without_a_type_has_the_services(bucket: Any) -> None:
    ask(bucket, "PUT", "plain", {}, b"x")

    assert bucket.head_object("plain").headers["Content-Type"] == "application/octet-stream"


@every_write
def test_a_storage_class_is_the_storages(bucket: Any, write: str) -> None:
    bucket.put_object("source", b"x")
    kinds = ["Archive", "ColdArchive", "DeepColdArchive", "IA", "Standard"]
    for kind in kinds:
        WRITES[write](bucket, kind, {"x-oss-storage-class": kind})
        assert bucket.head_object(kind).headers["x-oss-storage-class"] == kind

    listed = {one.key: one.storage_class for one in oss2.ObjectIterator(bucket)}
    assert {kind: listed[kind] for kind in kinds} == {kind: kind for kind in kinds}
    assert oss2_refusal(WRITES[write], bucket, "new", {"x-oss-storage-class": "Cold"})[:2] == (
        400,
        "InvalidStorageClass",
    )
    assert not bucket.object_exists("new")


def test_the_v2_sdk_stores_and_reads_them_as_fields(dev_or_store: Server, bucket: Any) -> None:
    client, place = v2_client(dev_or_store), {"bucket": bucket.bucket_name, "key": "k"}
    client.put_object(
        oss_v2.PutObjectRequest(
            **place, body=b"x", metadata={"Colour": "blue"}, content_type="text/a", content_disposition="inline",
            cache_control="no-store", content_encoding="identity", expires="Thu, 01 Jan 2026 00:00:00 GMT",
            storage_class="IA", acl="public-read", tagging="a=1",
        )
    )  # fmt: skip

    head = client.head_object(oss_v2.HeadObjectRequest(**place))

    assert (head.metadata, head.content_type, head.content_disposition) == ({"colour": "blue"}, "text/a", "inline")
    assert (head.cache_control, head.content_encoding, head.storage_class) == ("no-store", "identity", "IA")
    assert (head.expires, head.tagging_count) == ("Thu, 01 Jan 2026 00:00:00 GMT", 1)
    assert (head.object_type, head.content_length) == ("Normal", 1)
