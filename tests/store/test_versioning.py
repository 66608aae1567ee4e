"""Versions: what is kept, what is shown, and how each comes back."""

import hashlib
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest
from botocore.exceptions import ClientError

from tests.store.wire import Wire, md5_b64

# oss2 drops the answers that it makes errors of without closing them.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*socket:pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def versioned(s3: Any, bucket: str) -> str:
    """A bucket with versioning."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def _put(s3: Any, bucket: str, *bodies: bytes, key: str = "k") -> list[str]:
    return [s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"] for body in bodies]


def _read(s3: Any, bucket: str, version: str | None = None, key: str = "k") -> tuple[bytes, str]:
    answer = s3.get_object(Bucket=bucket, Key=key, **({"VersionId": version} if version else {}))
    return answer["Body"].read(), answer["VersionId"]


def _listed(s3: Any, bucket: str, **asked: Any) -> list[tuple[str, str, bool, int | None]]:
    page = s3.list_object_versions(Bucket=bucket, **asked)
    entries = page.get("Versions", []) + page.get("DeleteMarkers", [])
    return [(entry["Key"], entry["VersionId"], entry["IsLatest"], entry.get("Size")) for entry in entries]


def _suspend(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


def _failure(call: Any, **arguments: Any) -> tuple[int, str, dict[str, str]]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    meta = caught.value.response["ResponseMetadata"]
    return meta["HTTPStatusCode"], caught.value.response["Error"]["Code"], meta["HTTPHeaders"]


def test_the_switch_is_read_back_and_never_turned_off_again(s3: Any, oss: oss2.Bucket, bucket: str) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)

    for state in ("Enabled", "Suspended", "Enabled"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": state})
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == state
        assert oss.get_bucket_versioning().status == state
        assert oss.get_bucket_info().versioning_status == state


@pytest.mark.parametrize(
    ("document", "s3_outcome", "oss_outcome"),
    [
        ("<Status>Off</Status>", (400, "MalformedXML"), (400, "MalformedXML")),
        ("<Status></Status>", (400, "MalformedXML"), (400, "MalformedXML")),
        ("", (400, "IllegalVersioningConfigurationException"), (400, "MalformedXML")),
        (
            "<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>",
            (501, "NotImplemented"),
            (400, "NotImplemented"),
        ),
    ],
)
def test_other_states_are_refused(
    wire: Wire, bucket: str, document: str, s3_outcome: tuple[int, str], oss_outcome: tuple[int, str]
) -> None:
    body = f"<VersioningConfiguration>{document}</VersioningConfiguration>".encode()

    assert wire.s3("PUT", f"/{bucket}?versioning", body).outcome == s3_outcome
    assert wire.oss("PUT", f"/{bucket}/?versioning", body).outcome == oss_outcome
    assert wire.s3("GET", f"/{bucket}?versioning").text("Status") == ""


def test_a_bucket_without_versioning_tells_no_versions(s3: Any, oss: oss2.Bucket, bucket: str) -> None:
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert "VersionId" not in s3.get_object(Bucket=bucket, Key="k")
    assert oss.put_object("k", b"x").versionid is None
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"x"
    assert _failure(s3.get_object, Bucket=bucket, Key="k", VersionId="a" * 32)[:2] == (404, "NoSuchVersion")
    assert "VersionId" not in s3.delete_object(Bucket=bucket, Key="k")


def test_every_write_is_a_version_that_can_be_read(s3: Any, oss: oss2.Bucket, versioned: str) -> None:
    first, second = _put(s3, versioned, b"one", b"two!")
    third = oss.put_object("k", b"three").versionid

    assert len({first, second, third}) == 3
    assert _read(s3, versioned) == (b"three", third)
    assert [_read(s3, versioned, version)[0] for version in (first, second, third)] == [b"one", b"two!", b"three"]
    assert _listed(s3, versioned) == [
        ("k", third, True, 5), ("k", second, False, 4), ("k", first, False, 3),
    ]  # fmt: skip
    old = oss.get_object("k", params={"versionId": first}, byte_range=(1, 2))
    assert (old.read(), old.versionid, old.content_range) == (b"ne", first, "bytes 1-2/3")
    head = s3.head_object(Bucket=versioned, Key="k", VersionId=second)
    assert (head["ContentLength"], head["ETag"], head["VersionId"]) == (
        4, f'"{hashlib.md5(b"two!").hexdigest()}"', second,
    )  # fmt: skip


def test_what_was_there_before_is_the_null_version(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert _read(s3, bucket) == (b"before", "null")

    (second,) = _put(s3, bucket, b"after")

    assert _listed(s3, bucket) == [("k", second, True, 5), ("k", "null", False, 6)]
    assert _read(s3, bucket, "null") == (b"before", "null")


def test_a_delete_hides_behind_a_marker_and_undelete_removes_it(s3: Any, versioned: str) -> None:
    (first,) = _put(s3, versioned, b"x")

    deleted = s3.delete_object(Bucket=versioned, Key="k")

    marker = deleted["VersionId"]
    assert deleted["DeleteMarker"]
    told = {"x-amz-delete-marker": "true", "x-amz-version-id": marker}
    for call in (s3.get_object, s3.head_object):
        status, code, headers = _failure(call, Bucket=versioned, Key="k")
        assert (status, code) == (404, "NoSuchKey" if call == s3.get_object else "404")
        assert told.items() <= headers.items()
        status, code, headers = _failure(call, Bucket=versioned, Key="k", VersionId=marker)
        assert (status, code) == (405, "MethodNotAllowed" if call == s3.get_object else "405")
        assert (told | {"allow": "DELETE"}).items() <= headers.items()
        assert headers["last-modified"].endswith(" GMT")
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    assert _read(s3, versioned, first) == (b"x", first)
    assert _listed(s3, versioned) == [("k", first, False, 1), ("k", marker, True, None)]

    undone = s3.delete_object(Bucket=versioned, Key="k", VersionId=marker)

    assert (undone["DeleteMarker"], undone["VersionId"]) == (True, marker)
    assert _read(s3, versioned) == (b"x", first)
    assert _listed(s3, versioned) == [("k", first, True, 1)]


def test_oss_tells_delete_markers_in_its_own_words(oss: oss2.Bucket, versioned: str) -> None:
    first = oss.put_object("k", b"x").versionid

    deleted = oss.delete_object("k")

    marker = deleted.versionid
    assert deleted.delete_marker is True
    with pytest.raises(oss2.exceptions.NoSuchKey) as missing:
        oss.get_object("k")
    assert missing.value.headers["x-oss-delete-marker"] == "true"
    assert missing.value.headers["x-oss-version-id"] == marker
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        oss.get_object("k", params={"versionId": marker})
    assert (refused.value.status, refused.value.code) == (405, "MethodNotAllowed")
    assert refused.value.headers["x-oss-delete-marker"] == "true"
    listed = oss.list_object_versions()
    assert [(entry.key, entry.versionid, entry.is_latest) for entry in listed.delete_marker] == [("k", marker, True)]
    assert [(entry.key, entry.versionid, entry.is_latest) for entry in listed.versions] == [("k", first, False)]
    assert oss.delete_object("k", params={"versionId": marker}).delete_marker is True
    assert oss.get_object("k").read() == b"x"


def test_deleting_the_newest_version_shows_the_one_before(s3: Any, versioned: str) -> None:
    first, second = _put(s3, versioned, b"1", b"2")

    answer = s3.delete_object(Bucket=versioned, Key="k", VersionId=second)

    assert (answer["VersionId"], "DeleteMarker" in answer) == (second, False)
    assert _read(s3, versioned) == (b"1", first)
    assert _failure(s3.get_object, Bucket=versioned, Key="k", VersionId=second)[:2] == (404, "NoSuchVersion")
    assert s3.delete_object(Bucket=versioned, Key="k", VersionId=second)["VersionId"] == second


def test_a_version_between_others_goes_alone(s3: Any, versioned: str) -> None:
    first, second, third = _put(s3, versioned, b"1", b"2", b"3")
    s3.delete_object(Bucket=versioned, Key="k", VersionId=second)

    assert _listed(s3, versioned) == [("k", third, True, 1), ("k", first, False, 1)]


def test_below_a_deleted_newest_version_lies_a_marker(s3: Any, versioned: str) -> None:
    _put(s3, versioned, b"1")
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    (third,) = _put(s3, versioned, b"3")

    s3.delete_object(Bucket=versioned, Key="k", VersionId=third)

    status, code, headers = _failure(s3.get_object, Bucket=versioned, Key="k")
    assert (status, code, headers["x-amz-version-id"]) == (404, "NoSuchKey", marker)


def test_suspended_writes_and_deletes_replace_the_null_version_alone(s3: Any, versioned: str) -> None:
    (first,) = _put(s3, versioned, b"kept")
    _suspend(s3, versioned)

    assert _put(s3, versioned, b"a", b"bb") == ["null", "null"]
    assert _listed(s3, versioned) == [("k", "null", True, 2), ("k", first, False, 4)]

    deleted = s3.delete_object(Bucket=versioned, Key="k")
    assert (deleted["VersionId"], deleted["DeleteMarker"]) == ("null", True)
    assert _listed(s3, versioned) == [("k", first, False, 4), ("k", "null", True, None)]
    assert _failure(s3.get_object, Bucket=versioned, Key="k", VersionId="null")[:2] == (405, "MethodNotAllowed")

    assert _put(s3, versioned, b"ccc") == ["null"]
    assert _listed(s3, versioned) == [("k", "null", True, 3), ("k", first, False, 4)]
    assert _read(s3, versioned, first) == (b"kept", first)


def test_a_null_version_in_the_middle_is_replaced_by_a_newer_one(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"null")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    (second,) = _put(s3, bucket, b"2")
    _suspend(s3, bucket)

    _put(s3, bucket, b"newer")

    assert _listed(s3, bucket) == [("k", "null", True, 5), ("k", second, False, 1)]


def test_a_bucket_with_versions_or_markers_is_not_empty(s3: Any, versioned: str) -> None:
    (first,) = _put(s3, versioned, b"x")
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    assert _failure(s3.delete_bucket, Bucket=versioned)[:2] == (409, "BucketNotEmpty")

    s3.delete_object(Bucket=versioned, Key="k", VersionId=first)
    assert _failure(s3.delete_bucket, Bucket=versioned)[:2] == (409, "BucketNotEmpty")
    s3.delete_object(Bucket=versioned, Key="k", VersionId=marker)

    s3.delete_bucket(Bucket=versioned)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize("operation", ["s3", "v2"])
def test_pages_of_versions_join_to_the_whole(
    s3: Any, v2: oss_v2.Client, versioned: str, size: int, operation: str
) -> None:
    keys = ["a b/1", "a b/2", "c", "d+ü"]
    expected = []
    for key in keys:
        versions = _put(s3, versioned, b"1", b"22", key=key)
        versions.append(s3.delete_object(Bucket=versioned, Key=key)["VersionId"])
        expected += [(key, version) for version in reversed(versions)]

    if operation == "s3":
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=versioned, PaginationConfig={"PageSize": size})
        found = [
            (entry["Key"], entry["VersionId"])
            for page in pages
            for entry in page.get("Versions", []) + page.get("DeleteMarkers", [])
        ]
    else:
        paginator = v2.list_object_versions_paginator(limit=size)
        found = [
            (entry.key, entry.version_id)
            for page in paginator.iter_page(oss_v2.ListObjectVersionsRequest(bucket=versioned))
            for entry in (page.version or []) + (page.delete_marker or [])
        ]
    assert sorted(found) == sorted(expected)


def test_entries_come_by_key_and_newest_first(s3: Any, wire: Wire, versioned: str) -> None:
    old = _put(s3, versioned, b"1", b"2", key="a")
    marker = s3.delete_object(Bucket=versioned, Key="a")["VersionId"]
    other = _put(s3, versioned, b"1", key="b")

    page = wire.s3("GET", f"/{versioned}?versions&max-keys=2")

    assert page.texts("VersionId") == [marker, old[1]]
    assert (page.text("NextKeyMarker"), page.text("NextVersionIdMarker")) == ("a", old[1])
    rest = wire.s3("GET", f"/{versioned}?key-marker=a&version-id-marker={old[1]}&versions")
    assert (rest.texts("VersionId"), rest.texts("IsLatest")) == ([old[0], *other], ["false", "true"])
    assert wire.s3("GET", f"/{versioned}?key-marker=a&versions").texts("VersionId") == other


def test_common_prefixes_stand_for_all_versions_below(s3: Any, wire: Wire, versioned: str) -> None:
    for key in ("d/1", "d/2", "e"):
        _put(s3, versioned, b"1", b"2", key=key)

    first = wire.s3("GET", f"/{versioned}?delimiter=%2F&encoding-type=url&max-keys=1&versions")
    rest = wire.s3("GET", f"/{versioned}?delimiter=%2F&key-marker=d%2F&max-keys=9&versions")

    assert (first.texts("Prefix"), first.text("NextKeyMarker"), first.texts("Key")) == (["", "d/"], "d/", [])
    assert "NextVersionIdMarker" not in first.body.decode()
    assert (rest.texts("Key"), rest.texts("CommonPrefixes")) == (["e", "e"], [])


def test_a_marker_whose_version_is_gone_skips_nothing(s3: Any, wire: Wire, versioned: str) -> None:
    first, second, third = _put(s3, versioned, b"1", b"2", b"3")
    s3.delete_object(Bucket=versioned, Key="k", VersionId=second)

    page = wire.s3("GET", f"/{versioned}?key-marker=k&version-id-marker={second}&versions")

    assert page.texts("VersionId") == [third, first]


@pytest.mark.parametrize("query", ["key-marker=k&version-id-marker=abc&versions", "version-id-marker=null&versions"])
def test_markers_that_cannot_be_are_refused(wire: Wire, versioned: str, query: str) -> None:
    assert wire.s3("GET", f"/{versioned}?{query}").outcome == (400, "InvalidArgument")


@pytest.mark.parametrize("text", ["abc", "", "a" * 31, "a" * 33, "-" * 32, "NULL"])
def test_version_ids_that_cannot_be_are_refused(wire: Wire, oss: oss2.Bucket, versioned: str, text: str) -> None:
    oss.put_object("k", b"x")

    assert wire.s3("GET", f"/{versioned}/k?versionId={text}").outcome == (400, "InvalidArgument")
    if text:
        assert wire.oss("DELETE", f"/{versioned}/k?versionId={text}").outcome == (400, "InvalidArgument")


def test_a_key_without_a_null_version_says_so(s3: Any, versioned: str) -> None:
    _put(s3, versioned, b"x")

    assert _failure(s3.get_object, Bucket=versioned, Key="k", VersionId="null")[:2] == (404, "NoSuchVersion")


def test_many_versions_are_deleted_in_one_request(s3: Any, oss: oss2.Bucket, wire: Wire, versioned: str) -> None:
    first, second = _put(s3, versioned, b"1", b"2")
    _put(s3, versioned, b"1", key="other")
    objects = [{"Key": "k", "VersionId": first}, {"Key": "other"}, {"Key": "never"}, {"Key": "k", "VersionId": "bad"}]

    answer = s3.delete_objects(Bucket=versioned, Delete={"Objects": objects})

    deleted = answer["Deleted"]
    assert deleted[0] == {"Key": "k", "VersionId": first}
    assert [(entry["Key"], entry["DeleteMarker"]) for entry in deleted[1:]] == [("other", True), ("never", True)]
    assert [(entry["Key"], entry["VersionId"], entry["Code"]) for entry in answer["Errors"]] == [
        ("k", "bad", "NoSuchVersion")
    ]
    marker = deleted[1]["DeleteMarkerVersionId"]
    versions = oss2.models.BatchDeleteObjectVersionList()
    versions.append(oss2.models.BatchDeleteObjectVersion("other", marker))
    versions.append(oss2.models.BatchDeleteObjectVersion("k", second))
    gone = oss.delete_object_versions(versions).delete_versions
    assert [(one.key, one.versionid, bool(one.delete_marker), one.delete_marker_versionid) for one in gone] == [
        ("other", marker, True, marker), ("k", second, False, ""),
    ]  # fmt: skip
    assert _read(s3, versioned, key="other")[0] == b"1"
    quiet = b"<Delete><Quiet>true</Quiet><Object><Key>other</Key></Object></Delete>"
    assert wire.oss("POST", f"/{versioned}/?delete", quiet, {"Content-MD5": md5_b64(quiet)}).body == b""


def test_a_copy_is_taken_from_a_version(s3: Any, oss: oss2.Bucket, versioned: str) -> None:
    first, _ = _put(s3, versioned, b"old", b"new!")
    source = {"Bucket": versioned, "Key": "k", "VersionId": first}

    back = s3.copy_object(Bucket=versioned, Key="k", CopySource=source)

    assert back["CopySourceVersionId"] == first
    assert _read(s3, versioned) == (b"old", back["VersionId"])
    copied = oss.copy_object(versioned, "k", "other", params={"versionId": first})
    assert copied.headers["x-oss-copy-source-version-id"] == first
    assert _read(s3, versioned, key="other") == (b"old", copied.versionid)
    upload = s3.create_multipart_upload(Bucket=versioned, Key="parts")["UploadId"]
    part = s3.upload_part_copy(Bucket=versioned, Key="parts", UploadId=upload, PartNumber=1, CopySource=source)
    assert part["CopySourceVersionId"] == first
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]}
    made = s3.complete_multipart_upload(Bucket=versioned, Key="parts", UploadId=upload, MultipartUpload=parts)
    assert _read(s3, versioned, key="parts") == (b"old", made["VersionId"])
    again = s3.complete_multipart_upload(Bucket=versioned, Key="parts", UploadId=upload, MultipartUpload=parts)
    assert again["VersionId"] == made["VersionId"]


def test_copies_from_delete_markers_are_refused(s3: Any, versioned: str) -> None:
    _put(s3, versioned, b"x")
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]

    named = {"Bucket": versioned, "Key": "k", "VersionId": marker}
    assert _failure(s3.copy_object, Bucket=versioned, Key="c", CopySource=named)[:2] == (400, "InvalidRequest")
    status, code, headers = _failure(s3.copy_object, Bucket=versioned, Key="c", CopySource=f"{versioned}/k")
    assert (status, code, "x-amz-delete-marker" in headers) == (404, "NoSuchKey", False)


def test_a_copy_onto_itself_without_a_change_is_refused_in_its_present_version_only(s3: Any, versioned: str) -> None:
    first, second = _put(s3, versioned, b"1", b"2")
    present = {"Bucket": versioned, "Key": "k", "VersionId": second}

    assert _failure(s3.copy_object, Bucket=versioned, Key="k", CopySource=present)[:2] == (400, "InvalidRequest")
    s3.copy_object(Bucket=versioned, Key="k", CopySource=present | {"VersionId": first})

    assert _read(s3, versioned)[0] == b"1"


def test_oss_copies_onto_themselves_keep_metadata_in_buckets_with_versioning(oss: oss2.Bucket, versioned: str) -> None:
    oss.put_object("k", b"x", headers={"x-oss-meta-a": "1"})

    oss.copy_object(versioned, "k", "k", headers={"x-oss-meta-a": "2"})
    assert oss.head_object("k").headers["x-oss-meta-a"] == "1"
    oss.copy_object(versioned, "k", "k", headers={"x-oss-meta-a": "2", "x-oss-metadata-directive": "REPLACE"})

    assert oss.head_object("k").headers["x-oss-meta-a"] == "2"
    assert len(oss.list_object_versions().versions) == 3


def test_tags_acls_and_attributes_belong_to_a_version(s3: Any, versioned: str) -> None:
    first, second = _put(s3, versioned, b"1", b"22")
    one = {"Bucket": versioned, "Key": "k", "VersionId": first}

    tagged = s3.put_object_tagging(**one, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.put_object_acl(**one, ACL="public-read")

    assert tagged["VersionId"] == first
    assert s3.get_object_tagging(**one)["TagSet"] == [{"Key": "a", "Value": "b"}]
    now = s3.get_object_tagging(Bucket=versioned, Key="k")
    assert (now["VersionId"], now["TagSet"]) == (second, [])
    assert len(s3.get_object_acl(**one)["Grants"]) == 2
    assert len(s3.get_object_acl(Bucket=versioned, Key="k")["Grants"]) == 1
    attributes = s3.get_object_attributes(**one, ObjectAttributes=["ObjectSize"])
    assert (attributes["ObjectSize"], attributes["VersionId"]) == (1, first)
    s3.delete_object_tagging(**one)
    assert s3.get_object_tagging(**one)["TagSet"] == []


def test_conditions_of_writes_see_through_delete_markers(s3: Any, oss: oss2.Bucket, versioned: str) -> None:
    _put(s3, versioned, b"1")
    exists = _failure(s3.put_object, Bucket=versioned, Key="k", Body=b"2", IfNoneMatch="*")
    assert exists[:2] == (412, "PreconditionFailed")
    s3.delete_object(Bucket=versioned, Key="k")

    assert _failure(s3.put_object, Bucket=versioned, Key="k", Body=b"2", IfMatch='"x"')[:2] == (404, "NoSuchKey")
    s3.put_object(Bucket=versioned, Key="k", Body=b"2", IfNoneMatch="*")
    oss.put_object("k", b"3", headers={"x-oss-forbid-overwrite": "true"})  # nothing is overwritten, so nothing refused

    assert _read(s3, versioned)[0] == b"3"


def test_appends_make_no_versions_and_end_with_the_next_write(s3: Any, oss: oss2.Bucket, versioned: str) -> None:
    assert oss.append_object("a", 0, b"one").versionid == "null"
    assert oss.append_object("a", 3, b"two").versionid == "null"
    assert _listed(s3, versioned) == [("a", "null", True, 6)]

    put = oss.put_object("a", b"new").versionid

    with pytest.raises(oss2.exceptions.ObjectNotAppendable):
        oss.append_object("a", 3, b"x")
    assert _listed(s3, versioned) == [("a", put, True, 3), ("a", "null", False, 6)]
    assert _read(s3, versioned, "null", key="a")[0] == b"onetwo"
    oss.delete_object("a")
    with pytest.raises(oss2.exceptions.ObjectNotAppendable):
        oss.append_object("a", 0, b"x")


def test_symlinks_have_versions_and_point_to_the_present_target(oss: oss2.Bucket, versioned: str) -> None:
    oss.put_object("t1", b"one")
    oss.put_object("t2", b"two")
    first = oss.put_symlink("t1", "link").versionid
    second = oss.put_symlink("t2", "link").versionid
    oss.put_object("t1", b"one again")

    assert oss.get_symlink("link", params={"versionId": first}).target_key == "t1"
    now = oss.get_symlink("link")
    assert (now.target_key, now.versionid) == ("t2", second)
    old = oss.get_object("link", params={"versionId": first})
    assert (old.read(), old.versionid) == (b"one again", first)


def test_object_meta_tells_the_version(oss: oss2.Bucket, versioned: str) -> None:
    first = oss.put_object("k", b"1").versionid
    oss.put_object("k", b"22")

    meta = oss.get_object_meta("k", params={"versionId": first})

    assert (meta.versionid, meta.content_length) == (first, 1)


@pytest.mark.parametrize(("stored", "status"), [("STANDARD", 403), ("GLACIER", 200)])
def test_restoring_what_was_never_frozen_is_an_error(
    s3: Any, wire: Wire, bucket: str, stored: str, status: int
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass=stored)
    body = b"<RestoreRequest><Days>2</Days></RestoreRequest>"

    outcome = wire.s3("POST", f"/{bucket}/k?restore", body).outcome

    assert outcome == (status, "InvalidObjectState" if status == 403 else "")


def test_oss_says_restoring_is_not_supported_for_standard_objects(oss: oss2.Bucket) -> None:
    oss.put_object("k", b"x")
    with pytest.raises(oss2.exceptions.OperationNotSupported) as caught:
        oss.restore_object("k")
    assert caught.value.status == 400
