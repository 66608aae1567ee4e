"""`sseproxy objects migrate`: everything plain is sealed once, nothing is lost, and everything else stays."""

from pathlib import Path

import pytest

from sseproxy.bulk.migration import part_size_for
from sseproxy.operations.access_lists import canned_or_grants
from tests.bulk.conftest import Place
from tests.support.killing import run_until_killed
from tests.support.objects_tool import read_report

GUARDED = "Concurrent writers are safe: every write names the state that it replaces (If-Match)."
MARKED = "The bucket is now marked as sealed."
EVERYBODY = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'


def test_what_is_plain_is_sealed_in_place_and_the_bucket_is_marked(place: Place, tmp_path: Path) -> None:
    bodies = {"empty": b"", "a/ü +%": b"hello", "large": bytes(range(256)) * 9000}
    for key, body in bodies.items():
        place.past.put_object(Bucket=place.bucket, Key=key, Body=body)
    place.through.put_object(Bucket=place.bucket, Key="sealed", Body=b"through the proxy")
    etags = {key: place.past.head_object(Bucket=place.bucket, Key=key)["ETag"] for key in bodies}

    done = place.run("migrate", "--json", report=tmp_path / "report")

    assert (done.code, done.err) == (0, "")
    assert done.outcomes == dict.fromkeys(bodies, "sealed") | {"sealed": "already sealed"}
    assert done.document["notes"] == [GUARDED, MARKED]
    for key, body in bodies.items():
        assert place.read(key) == body
        assert body not in place.stored(key)[64:] or not body
        assert place.stored(key) != body
        assert place.through.head_object(Bucket=place.bucket, Key=key)["ETag"] == etags[key]
    assert place.run("verify").code == 0


def test_a_second_run_finds_nothing_to_do(place: Place, tmp_path: Path) -> None:
    place.past.put_object(Bucket=place.bucket, Key="k", Body=b"hello")
    place.run("migrate")
    etag = place.past.head_object(Bucket=place.bucket, Key="k")["ETag"]

    done = place.run("migrate", report=tmp_path / "report")

    assert (done.code, done.outcomes) == (0, {"k": "already sealed"})
    assert "The bucket is marked as sealed." in done.out
    assert place.past.head_object(Bucket=place.bucket, Key="k")["ETag"] == etag


def test_metadata_tags_acl_class_and_checksum_stay(place: Place) -> None:
    said = {
        "ContentType": "text/plain; charset=utf-8", "CacheControl": "max-age=3", "ContentDisposition": "attachment",
        "ContentLanguage": "de", "ContentEncoding": "gzip", "Metadata": {"colour": "blue", "mtime": "12.5"},
    }  # fmt: skip
    place.past.put_object(
        Bucket=place.bucket, Key="k", Body=b"hello", **said, Tagging="a=1&b=%C3%BC", ACL="public-read",
        StorageClass="STANDARD_IA", ChecksumAlgorithm="SHA256",
    )  # fmt: skip
    before = place.past.get_object_acl(Bucket=place.bucket, Key="k")["Grants"]
    digest = place.past.head_object(Bucket=place.bucket, Key="k", ChecksumMode="ENABLED")["ChecksumSHA256"]

    done = place.run("migrate")

    assert done.code == 0, done.err
    head = place.through.head_object(Bucket=place.bucket, Key="k", ChecksumMode="ENABLED")
    assert {name: head[name] for name in said} == said
    assert (head["StorageClass"], head["ChecksumSHA256"]) == ("STANDARD_IA", digest)
    assert place.through.get_object_tagging(Bucket=place.bucket, Key="k")["TagSet"] == [
        {"Key": "a", "Value": "1"}, {"Key": "b", "Value": "ü"},
    ]  # fmt: skip
    assert place.past.get_object_acl(Bucket=place.bucket, Key="k")["Grants"] == before
    assert len(before) == 2


def test_an_object_that_was_an_upload_in_parts_gets_another_etag_which_is_told(place: Place, tmp_path: Path) -> None:
    names = {"Bucket": place.bucket, "Key": "k"}
    upload = {**names, "UploadId": place.past.create_multipart_upload(**names)["UploadId"]}
    parts = [bytes(5 * 1024 * 1024), b"the end"]
    etags = [place.past.upload_part(**upload, PartNumber=n, Body=part)["ETag"] for n, part in enumerate(parts, 1)]
    listed = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]
    before = place.past.complete_multipart_upload(**upload, MultipartUpload={"Parts": listed})["ETag"]

    done = place.run("migrate", report=tmp_path / "report")

    after = place.through.head_object(**names)["ETag"]
    (line,) = done.objects
    assert (done.code, line["outcome"]) == (0, "sealed (new ETag)")
    assert (f'"{line["etag_before"]}"', f'"{line["etag"]}"') == (before, after)
    assert place.read("k") == b"".join(parts)


def test_the_buckets_default_encryption_is_used(place: Place, tmp_path: Path) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    place.through.put_bucket_encryption(Bucket=place.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    place.past.put_object(Bucket=place.bucket, Key="k", Body=b"hello")

    done = place.run("migrate", report=tmp_path / "report")

    assert (done.code, done.outcomes) == (0, {"k": "sealed (new ETag)"})  # KMS objects have opaque ETags on S3
    assert place.through.head_object(Bucket=place.bucket, Key="k")["ServerSideEncryption"] == "aws:kms"


def test_a_dry_run_changes_nothing(place: Place, tmp_path: Path) -> None:
    place.past.put_object(Bucket=place.bucket, Key="k", Body=b"hello")
    state = place.past.list_objects_v2(Bucket="sseproxy-state").get("Contents", [])

    done = place.run("migrate", "--dry-run", report=tmp_path / "report")

    assert (done.code, done.outcomes) == (0, {"k": "would be sealed"})
    assert "(dry run: nothing was changed)" in done.out
    assert place.stored("k") == b"hello"
    assert place.past.list_objects_v2(Bucket="sseproxy-state").get("Contents", []) == state


def test_a_prefix_limits_the_work_and_the_bucket_is_not_marked(place: Place, tmp_path: Path) -> None:
    for key in ("a/1", "b/1"):
        place.past.put_object(Bucket=place.bucket, Key=key, Body=b"hello")

    done = place.run("migrate", "--prefix", "a/", report=tmp_path / "report")

    assert (done.code, done.outcomes) == (0, {"a/1": "sealed"})
    assert "The bucket was not marked as sealed: only a part of it was looked at." in done.out
    assert place.stored("b/1") == b"hello"


def test_a_sealed_object_that_lost_its_metadata_is_not_sealed_again(place: Place, tmp_path: Path) -> None:
    place.through.put_object(Bucket=place.bucket, Key="k", Body=b"hello")
    stored = place.stored("k")
    place.past.put_object(Bucket=place.bucket, Key="k", Body=stored)

    done = place.run("migrate", report=tmp_path / "report")

    (line,) = done.objects
    assert (done.code, line["outcome"], line["reason"]) == (1, "tampered", "MetadataLost")
    assert place.stored("k") == stored
    assert "The bucket was not marked as sealed: see the problems." in done.out


def test_what_others_write_through_the_proxy_meanwhile_is_never_lost(place: Place, tmp_path: Path) -> None:
    keys = [f"k{number:03}" for number in range(60)]
    for key in keys:
        place.past.put_object(Bucket=place.bucket, Key=key, Body=b"old " * 1000)
    report = tmp_path / "report"
    process = place.tool.start("migrate", "--bucket", place.bucket, "--concurrency", "8", "--report", str(report))
    written: dict[str, bytes] = {}
    rounds = 0
    while process.poll() is None and rounds < 20:  # whatever it seals, somebody may just be writing
        rounds += 1
        for key in keys:
            written[key] = b"new %d" % rounds
            place.through.put_object(Bucket=place.bucket, Key=key, Body=written[key])

    assert process.wait(60) == 0
    assert {key: place.read(key) for key in keys} == written
    assert {line["outcome"] for line in read_report(report) if "outcome" in line} <= {"sealed", "already sealed"}


def test_killed_three_times_everything_is_sealed_once_and_nothing_is_lost(place: Place, tmp_path: Path) -> None:
    migrate_under_kills(place, tmp_path, count=100)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_thousand_objects_killed_three_times_all_sealed_once_and_nothing_lost(place: Place, tmp_path: Path) -> None:
    migrate_under_kills(place, tmp_path, count=10_000)


def migrate_under_kills(place: Place, directory: Path, *, count: int) -> None:
    """Migrate with three kills in between; everything must read as before and have been written once."""
    bodies = {f"k{number:05}": b"%d" % number * 10 for number in range(count)}
    for key, body in bodies.items():
        place.past.put_object(Bucket=place.bucket, Key=key, Body=body)
    seen: dict[str, str] = {}  # stored ETag of every sealed object: a new sealing would give another one
    for attempt in range(1, 4):
        report = directory / f"report-{attempt}"
        arguments = ("--bucket", place.bucket, "--concurrency", "4", "--report", str(report))
        process = place.tool.start("migrate", *arguments)
        run_until_killed(process, lambda: _sealed_in(report) >= count // 5, place.tool.log)  # noqa: B023 - used at once
        seen = _same_or_new(seen, _sealed_now(place))
        assert count // 5 * attempt <= len(seen) < count
    done = place.run("migrate", "--concurrency", "4", report=directory / "report-4", timeout_s=1800)
    sealed = _same_or_new(seen, _sealed_now(place))

    assert done.code == 0, done.err
    assert MARKED in done.out
    assert sealed.keys() == bodies.keys()
    told = [
        line["key"]
        for n in range(1, 5)
        for line in read_report(directory / f"report-{n}")
        if line.get("outcome") == "sealed"
    ]
    assert len(told) == len(set(told))  # nothing was reported as sealed twice
    for key, body in bodies.items():
        assert place.read(key) == body


def _sealed_in(report: Path) -> int:
    return sum(line.get("outcome") == "sealed" for line in read_report(report))


def _sealed_now(place: Place) -> dict[str, str]:
    """The stored ETags of all sealed objects: those of more than a kilobyte, because the plain ones are short."""
    pages = place.past.get_paginator("list_objects_v2").paginate(Bucket=place.bucket)
    return {found["Key"]: found["ETag"] for page in pages for found in page.get("Contents", []) if found["Size"] > 1024}


def _same_or_new(before: dict[str, str], now: dict[str, str]) -> dict[str, str]:
    assert before.items() <= now.items()
    return now


def test_the_size_of_parts_grows_with_the_object() -> None:
    mib = 1024 * 1024

    assert part_size_for(6 * 1024 * mib, 10_000) == 16 * mib
    assert part_size_for(500 * 1024 * mib, 10_000) == 52 * mib
    assert 9_999 * part_size_for(5 * 1024 * 1024 * mib, 10_000) >= 5 * 1024 * 1024 * mib


def test_grants_become_one_word_where_there_is_one() -> None:
    mine = ('id="me"', "FULL_CONTROL")

    assert canned_or_grants([mine], "me") == {}
    assert canned_or_grants([mine, (EVERYBODY, "READ")], "me") == {"acl": "public-read"}
    assert canned_or_grants([mine, (EVERYBODY, "READ"), (EVERYBODY, "WRITE")], "me") == {"acl": "public-read-write"}
    assert canned_or_grants([mine, ('id="you"', "READ"), (EVERYBODY, "READ")], "me") == {
        "grant-full-control": 'id="me"', "grant-read": f'id="you", {EVERYBODY}',
    }  # fmt: skip
