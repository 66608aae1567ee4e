"""Object and bucket listings in both dialects."""

from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest

from tests.store.wire import Wire
from tests.support.servers import ACCESS_KEY, REGION, SECRET_KEY, Server

_KEYS = ["a", "a/", "a/b", "a/b/c", "b//c", "b/c", "ü/1", "ü/2", "z", "z%2F", "z+ "]
_SORTED = sorted(_KEYS, key=str.encode)


@pytest.fixture
def full(s3: Any, bucket: str) -> str:
    for key in _KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    return bucket


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2", "list_object_versions"])
def test_boto3_pages_through_everything(s3: Any, full: str, operation: str, size: int) -> None:
    pages = s3.get_paginator(operation).paginate(Bucket=full, PaginationConfig={"PageSize": size})

    entries = [entry for page in pages for entry in page.get("Contents", page.get("Versions", []))]

    assert [entry["Key"] for entry in entries] == _SORTED
    assert [entry["Size"] for entry in entries] == [len(key.encode()) for key in _SORTED]


@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2", "list_object_versions"])
@pytest.mark.parametrize(
    ("prefix", "keys", "groups"),
    [
        ("", ["a", "z", "z%2F", "z+ "], ["a/", "b/", "ü/"]),
        ("a/", ["a/", "a/b"], ["a/b/"]),
        ("b/", ["b/c"], ["b//"]),
        ("z", ["z", "z%2F", "z+ "], []),
        ("nothing", [], []),
    ],
)
def test_boto3_pages_through_one_level(
    s3: Any, full: str, operation: str, size: int, prefix: str, keys: list[str], groups: list[str]
) -> None:
    pages = s3.get_paginator(operation).paginate(
        Bucket=full, Prefix=prefix, Delimiter="/", PaginationConfig={"PageSize": size}
    )

    found = list(pages)

    assert [e["Key"] for page in found for e in page.get("Contents", page.get("Versions", []))] == sorted(keys)
    assert [e["Prefix"] for page in found for e in page.get("CommonPrefixes", [])] == groups


def test_start_after_and_marker_are_excluded(s3: Any, full: str) -> None:
    after = [e["Key"] for e in s3.list_objects_v2(Bucket=full, StartAfter="b/c")["Contents"]]
    marked = [e["Key"] for e in s3.list_objects(Bucket=full, Marker="b/c")["Contents"]]

    assert after == marked == _SORTED[_SORTED.index("b/c") + 1 :]


def test_v2_tells_the_owner_only_if_asked(wire: Wire, full: str) -> None:
    assert wire.s3("GET", f"/{full}?list-type=2").texts("Owner") == []
    assert len(wire.s3("GET", f"/{full}?list-type=2&fetch-owner=true").texts("Owner")) == len(_KEYS)
    assert len(wire.s3("GET", f"/{full}").texts("Owner")) == len(_KEYS)


def test_names_are_encoded_only_if_asked(wire: Wire, full: str) -> None:
    plain, encoded = wire.s3("GET", f"/{full}?prefix=z"), wire.s3("GET", f"/{full}?encoding-type=url&prefix=z")

    assert plain.texts("Key") == ["z", "z%2F", "z+ "]
    assert encoded.texts("Key") == ["z", "z%252F", "z%2B%20"]
    assert wire.s3("GET", f"/{full}?encoding-type=x").outcome == (400, "InvalidArgument")


@pytest.mark.parametrize("token", ["", "nonsense", "AAAAAAAA", "%21"])
def test_a_foreign_continuation_token_is_refused(wire: Wire, full: str, token: str) -> None:
    answer = wire.s3("GET", f"/{full}?continuation-token={token}&list-type=2")

    assert (answer.outcome, answer.text("ArgumentName")) == ((400, "InvalidArgument"), "continuation-token")


@pytest.mark.parametrize("number", ["-1", "x", "2147483648", "9" * 5000])
def test_max_keys_must_be_a_number(wire: Wire, full: str, number: str) -> None:
    assert wire.s3("GET", f"/{full}?max-keys={number}").outcome == (400, "InvalidArgument")


def test_max_keys_of_zero_and_of_too_many(wire: Wire, full: str) -> None:
    none = wire.s3("GET", f"/{full}?max-keys=0")

    assert (none.texts("Key"), none.text("IsTruncated")) == ([], "false")
    assert wire.s3("GET", f"/{full}?max-keys=5000").text("MaxKeys") == "1000"
    assert wire.oss("GET", f"/{full}?max-keys=1001").outcome == (400, "InvalidArgument")
    assert wire.oss("GET", f"/{full}?max-keys=0").outcome == (400, "InvalidArgument")
    assert wire.oss("GET", f"/{full}").text("MaxKeys") == "100"


def test_versions_are_null_without_versioning(s3: Any, wire: Wire, full: str) -> None:
    versions = s3.list_object_versions(Bucket=full)["Versions"]

    assert {(entry["VersionId"], entry["IsLatest"]) for entry in versions} == {("null", True)}
    assert wire.s3("GET", f"/{full}?version-id-marker=null&versions").outcome == (400, "InvalidArgument")


def test_oss2_pages_through_everything(oss: oss2.Bucket, full: str) -> None:
    assert [info.key for info in oss2.ObjectIterator(oss, max_keys=2)] == _SORTED
    assert [info.key for info in oss2.ObjectIteratorV2(oss, max_keys=2)] == _SORTED
    level = list(oss2.ObjectIterator(oss, delimiter="/", max_keys=2))
    assert [info.key for info in level if info.is_prefix()] == ["a/", "b/", "ü/"]
    versions = oss.list_object_versions().versions
    assert [(info.key, info.versionid) for info in versions] == [(key, "null") for key in _SORTED]


def test_oss_entries_have_upper_case_etags_types_and_no_namespace(oss: oss2.Bucket, wire: Wire, full: str) -> None:
    info = oss.list_objects(prefix="a").object_list[0]

    assert (info.etag, info.type, info.storage_class, info.size) == (
        "0CC175B9C0F1B6A831C399E269772661",
        "Normal",
        "Standard",
        1,
    )
    assert b"xmlns" not in wire.oss("GET", f"/{full}").body
    assert b'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"' in wire.s3("GET", f"/{full}").body


def test_the_second_oss_sdk_pages_through_everything(v2: oss_v2.Client, full: str) -> None:
    paginator = v2.list_objects_v2_paginator()

    pages = list(paginator.iter_page(oss_v2.ListObjectsV2Request(bucket=full, max_keys=3)))

    assert [entry.key for page in pages for entry in page.contents or []] == _SORTED
    assert [page.key_count for page in pages] == [3, 3, 3, 2]


def test_last_modified_is_the_same_everywhere(s3: Any, full: str) -> None:
    listed = s3.list_objects_v2(Bucket=full)["Contents"][0]["LastModified"]

    assert listed == s3.head_object(Bucket=full, Key="a")["LastModified"]


def test_buckets_are_listed(s3: Any, store: Server, v2: oss_v2.Client, bucket: str) -> None:
    service = oss2.Service(oss2.Auth(ACCESS_KEY, SECRET_KEY), store.url)

    assert bucket in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    found = {info.name: info for info in oss2.BucketIterator(service)}
    assert (found[bucket].location, found[bucket].storage_class) == (f"oss-{REGION}", "Standard")
    assert bucket in [entry.name for entry in v2.list_buckets(oss_v2.ListBucketsRequest()).buckets or []]
    assert [entry["Name"] for entry in s3.list_buckets(Prefix=bucket)["Buckets"]] == [bucket]


def test_control_characters_do_not_break_the_document(wire: Wire, s3: Any, bucket: str) -> None:
    wire.s3("PUT", f"/{bucket}/%01%26%3C%FF")

    assert wire.s3("GET", f"/{bucket}").text("Key") == "&#x1;&amp;&lt;\ufffd"
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
