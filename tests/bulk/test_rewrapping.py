"""`sseproxy objects rewrap`: other wraps, the same bytes; once each, whatever is killed, and no writer loses anything."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.bulk.conftest import Place
from tests.support.killing import run_until_killed
from tests.support.objects_tool import read_report
from tests.support.rotation import create_key, rotate_key

ALIAS = "alias/aws/s3"
SAID: dict[str, Any] = {
    "ContentType": "text/plain", "CacheControl": "max-age=3", "Metadata": {"colour": "blue"},
    "StorageClass": "STANDARD_IA",
}  # fmt: skip


def _put_kms(place: Place, key: str, body: bytes, **more: Any) -> str:
    """Put an object under the default CMK and return the CMK's id."""
    answer = place.through.put_object(Bucket=place.bucket, Key=key, Body=body, ServerSideEncryption="aws:kms", **more)
    return str(answer["SSEKMSKeyId"].rpartition("/")[2])


def _versions(place: Place, report: Path) -> dict[str, tuple[str, str]]:
    """The CMK and its version of every object."""
    place.run("inventory", report=report, timeout_s=1800)
    return {line["key"]: (line["cmk"], line["cmk_version"]) for line in read_report(report) if "cmk" in line}


def test_after_a_rotation_every_object_gets_the_newest_version_and_nothing_else_changes(
    place: Place, tmp_path: Path
) -> None:
    cmk = _put_kms(place, "k", b"hello", **SAID, Tagging="a=1", ACL="public-read")
    before = place.through.head_object(Bucket=place.bucket, Key="k")
    stored, acl = place.stored("k"), place.past.get_object_acl(Bucket=place.bucket, Key="k")["Grants"]
    newest = rotate_key(place.proxy.data, cmk)

    done = place.run("rewrap", report=tmp_path / "report")

    (line,) = done.objects
    assert (done.code, line["outcome"], line["cmk"], line["cmk_version"]) == (0, "rewrapped", cmk, str(newest)), (
        done.err
    )
    assert line["cmk_version_before"] == str(newest - 1)
    after = place.through.head_object(Bucket=place.bucket, Key="k")
    kept = (*SAID, "ETag", "ContentLength", "ServerSideEncryption", "SSEKMSKeyId")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert (place.read("k"), place.stored("k")) == (b"hello", stored)
    assert place.past.get_object_acl(Bucket=place.bucket, Key="k")["Grants"] == acl
    assert place.through.get_object_tagging(Bucket=place.bucket, Key="k")["TagSet"] == [{"Key": "a", "Value": "1"}]
    again = place.run("rewrap", report=tmp_path / "again")
    assert again.outcomes == {"k": "current"}


def test_another_cmk_takes_kms_objects_and_others_only_where_told(place: Place, tmp_path: Path) -> None:
    _put_kms(place, "kms", b"one")
    place.through.put_object(Bucket=place.bucket, Key="aes", Body=b"two")
    place.past.put_object(Bucket=place.bucket, Key="plain", Body=b"three")
    alias = f"alias/{place.bucket}"
    other = create_key(place.proxy.data, alias)

    first = place.run("rewrap", "--to-key", alias, report=tmp_path / "first")
    told = place.run("rewrap", "--to-key", alias, "--aes256-too", report=tmp_path / "told")

    assert (first.code, first.outcomes) == (0, {"kms": "rewrapped", "aes": "current", "plain": "plain"}), first.err
    assert (told.code, told.outcomes) == (0, {"kms": "current", "aes": "rewrapped", "plain": "plain"})
    assert _versions(place, tmp_path / "inventory") == {"kms": (other, "1"), "aes": (other, "1")}
    assert [place.read(key) for key in ("kms", "aes", "plain")] == [b"one", b"two", b"three"]
    assert place.through.head_object(Bucket=place.bucket, Key="aes")["SSEKMSKeyId"].endswith(other)


def test_a_key_that_is_not_there_is_told_before_anything_is_done(place: Place) -> None:
    _put_kms(place, "k", b"hello")

    done = place.run("rewrap", "--to-key", "alias/none")

    assert (done.code, done.err) == (1, "sseproxy: The key alias/none does not exist.\n")


def test_a_replica_under_another_bucket_name_becomes_readable(place: Place, tmp_path: Path) -> None:
    bodies = {"a": b"hello", "b/ü": bytes(100_000)}
    for key, body in bodies.items():
        place.through.put_object(Bucket=place.bucket, Key=key, Body=body)
    replica = Place(place.proxy, place.store, place.tool, f"{place.bucket}-replica")
    replica.past.create_bucket(Bucket=replica.bucket)
    for key in bodies:
        replica.past.copy_object(Bucket=replica.bucket, Key=key, CopySource={"Bucket": place.bucket, "Key": key})
    replica.through.put_object(Bucket=replica.bucket, Key="new", Body=b"written there")
    assert replica.run("verify").code == 1

    done = replica.run("rewrap", "--from-bucket", place.bucket, report=tmp_path / "report")

    assert (done.code, done.outcomes) == (0, {"a": "rewrapped", "b/ü": "rewrapped", "new": "current"}), done.err
    assert {key: replica.read(key) for key in bodies} == bodies
    assert {key: place.read(key) for key in bodies} == bodies
    again = replica.run("rewrap", "--from-bucket", place.bucket, report=tmp_path / "again")
    assert set(again.outcomes.values()) == {"current"}


def _upload_in_parts(place: Place, key: str, parts: list[bytes], **how: Any) -> None:
    client, target = place.through, {"Bucket": place.bucket, "Key": key}
    upload = client.create_multipart_upload(**target, **how)["UploadId"]
    sent = [
        {
            "PartNumber": number,
            "ETag": client.upload_part(**target, UploadId=upload, PartNumber=number, Body=part)["ETag"],
        }
        for number, part in enumerate(parts, 1)
    ]
    client.complete_multipart_upload(**target, UploadId=upload, MultipartUpload={"Parts": sent})


def _back_up(place: Place, replica: Place, key: str) -> None:
    """Carry an object over past the proxy, as a backup tool does: bytes and metadata, in one piece."""
    found = place.past.get_object(Bucket=place.bucket, Key=key)
    body, metadata = found["Body"].read(), found["Metadata"]
    replica.past.put_object(Bucket=replica.bucket, Key=key, Body=body, Metadata=metadata)


def test_a_backup_of_objects_of_all_kinds_is_readable_when_the_bucket_itself_is_gone(
    place: Place, tmp_path: Path
) -> None:
    kms, parts = {"ServerSideEncryption": "aws:kms"}, [b"a" * (5 * 1024 * 1024), b"b" * 70_000]
    cmk = _put_kms(place, "bucket-key", b"one")
    _put_kms(place, "no-bucket-key", b"two", BucketKeyEnabled=False)
    place.through.put_object(
        Bucket=place.bucket, Key="context", Body=b"three", **kms, SSEKMSEncryptionContext="eyJhIjoiYiJ9"
    )
    _upload_in_parts(place, "parts-kms", parts, **kms)
    _upload_in_parts(place, "parts-aes", parts)
    bodies = {"bucket-key": b"one", "no-bucket-key": b"two", "context": b"three"}
    bodies |= dict.fromkeys(["parts-kms", "parts-aes"], b"".join(parts))
    replica = Place(place.proxy, place.store, place.tool, f"{place.bucket}-restored")
    replica.past.create_bucket(Bucket=replica.bucket)
    for key in bodies:
        _back_up(place, replica, key)
        place.through.delete_object(Bucket=place.bucket, Key=key)
    place.through.delete_bucket(Bucket=place.bucket)
    rotate_key(place.proxy.data, cmk)

    done = replica.run("rewrap", "--from-bucket", place.bucket, report=tmp_path / "report")

    assert (done.code, done.outcomes) == (0, dict.fromkeys(bodies, "rewrapped")), done.err
    assert {key: replica.read(key) for key in bodies} == bodies
    second = replica.through.get_object(Bucket=replica.bucket, Key="parts-kms", PartNumber=2)
    assert (second["Body"].read(), second["PartsCount"]) == (parts[1], 2)
    assert replica.run("verify").code == 0


def test_a_dry_run_changes_nothing(place: Place, tmp_path: Path) -> None:
    rotate_key(place.proxy.data, _put_kms(place, "k", b"hello"))
    envelope = place.past.head_object(Bucket=place.bucket, Key="k")["Metadata"]

    done = place.run("rewrap", "--dry-run", report=tmp_path / "report")

    assert (done.code, done.outcomes) == (0, {"k": "would be rewrapped"})
    assert place.past.head_object(Bucket=place.bucket, Key="k")["Metadata"] == envelope


def test_what_others_write_meanwhile_is_never_lost(place: Place) -> None:
    keys = [f"k{number:03}" for number in range(60)]
    (cmk,) = {_put_kms(place, key, b"old") for key in keys}
    rotate_key(place.proxy.data, cmk)
    process = place.tool.start("rewrap", "--bucket", place.bucket, "--concurrency", "8")
    written: dict[str, bytes] = {}
    rounds = 0
    while process.poll() is None and rounds < 20:
        rounds += 1
        for key in keys:
            written[key] = b"new %d" % rounds
            _put_kms(place, key, written[key])

    assert process.wait(60) == 0
    assert {key: place.read(key) for key in keys} == written


def test_on_a_store_that_cannot_guard_it_is_refused(oss_place: Place) -> None:
    done = oss_place.run("rewrap")

    assert done.code == 2
    assert "cannot make a write depend on what it replaces" in done.err


def test_killed_three_times_every_object_is_rewrapped_once_and_nothing_is_lost(place: Place, tmp_path: Path) -> None:
    rewrap_under_kills(place, tmp_path, count=100)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_thousand_objects_killed_three_times_all_rewrapped_once_and_nothing_lost(
    place: Place, tmp_path: Path
) -> None:
    rewrap_under_kills(place, tmp_path, count=10_000)


def rewrap_under_kills(place: Place, directory: Path, *, count: int) -> None:
    """Rewrap with three kills in between; everything must read as before and have been written once.

    Writing an object again would give it another time of its last change.
    """
    bodies = {f"k{number:05}": b"%d" % number * 10 for number in range(count)}
    (cmk,) = {_put_kms(place, key, body) for key, body in bodies.items()}
    newest = str(rotate_key(place.proxy.data, cmk))
    before = _written(place)
    done: dict[str, datetime] = {}
    for attempt in range(1, 4):
        report = directory / f"report-{attempt}"
        arguments = ("--bucket", place.bucket, "--concurrency", "4", "--report", str(report))
        process = place.tool.start("rewrap", *arguments)
        run_until_killed(process, lambda: _rewrapped_in(report) >= count // 5, place.tool.log)  # noqa: B023 - used at once
        now = dict(_written(place).items() - before.items())
        assert count // 5 * attempt <= len(now) < count
        assert done.items() <= now.items()
        done = now
    last = place.run("rewrap", "--concurrency", "4", report=directory / "report-4", timeout_s=1800)

    assert last.code == 0, last.err
    assert done.items() <= _written(place).items()
    assert _versions(place, directory / "inventory") == dict.fromkeys(bodies, (cmk, newest))
    reports = [read_report(directory / f"report-{number}") for number in range(1, 5)]
    told = [line["key"] for report in reports for line in report if line.get("outcome") == "rewrapped"]
    assert len(told) == len(set(told))  # nothing was reported as re-wrapped twice
    for key, body in bodies.items():
        assert place.read(key) == body


def _rewrapped_in(report: Path) -> int:
    return sum(line.get("outcome") == "rewrapped" for line in read_report(report))


def _written(place: Place) -> dict[str, datetime]:
    """When each object was last written, to the millisecond."""
    pages = place.past.get_paginator("list_objects_v2").paginate(Bucket=place.bucket)
    return {found["Key"]: found["LastModified"] for page in pages for found in page["Contents"]}
