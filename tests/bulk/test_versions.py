"""Buckets that keep versions: which versions the tools look at, and what is in the way of deleting a CMK."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from typer.testing import CliRunner, Result

from sseproxy.cli.main import app
from tests.bulk.conftest import Place, oss_bucket
from tests.support.nursery import command_environment
from tests.support.rotation import create_key


def test_inventory_and_verify_look_at_all_versions_where_that_is_asked_for(place: Place, tmp_path: Path) -> None:
    place.past.put_object(Bucket=place.bucket, Key="k", Body=b"plain, of before")
    place.past.put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration={"Status": "Enabled"})
    old = place.through.put_object(Bucket=place.bucket, Key="k", Body=b"old")["VersionId"]
    new = place.through.put_object(Bucket=place.bucket, Key="k", Body=b"newer")["VersionId"]
    deleted = place.through.put_object(Bucket=place.bucket, Key="x", Body=b"hidden")["VersionId"]
    place.through.delete_object(Bucket=place.bucket, Key="x")
    place.through.put_object(Bucket=place.bucket, Key="z", Body=b"")

    for tool, word in (("inventory", "sealed"), ("verify", "verified")):
        present = place.run(tool, report=tmp_path / f"{tool}-present")
        every = place.run(tool, "--all-versions", report=tmp_path / f"{tool}-every")

        assert (present.code, every.code) == (0, 0)
        assert [(line["key"], line["outcome"], line["bytes"]) for line in present.objects] == [
            ("k", word, 5), ("z", word, 0),
        ]  # fmt: skip
        assert [(line["key"], line["version_id"], line["outcome"], line["bytes"]) for line in every.objects][:4] == [
            ("k", new, word, 5), ("k", old, word, 3), ("k", "null", "plain", 16), ("x", deleted, word, 6),
        ]  # fmt: skip
        assert len(every.objects) == 5
        assert f"{tool} of all versions of {place.bucket}/: 5 objects" in every.out


def test_a_damaged_old_version_is_told_with_its_id(place: Place, tmp_path: Path) -> None:
    place.past.put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration={"Status": "Enabled"})
    odd = place.past.put_object(Bucket=place.bucket, Key="k", Body=b"x", Metadata={"sseproxy": "AAAA"})["VersionId"]
    place.through.put_object(Bucket=place.bucket, Key="k", Body=b"good")

    assert place.run("verify").code == 0
    done = place.run("verify", "--all-versions", report=tmp_path / "report")

    (line,) = [line for line in done.objects if "problem" in line]
    assert (done.code, line["version_id"], line["reason"]) == (1, odd, "EnvelopeRejected")


def test_a_run_over_all_versions_goes_on_within_the_versions_of_a_key(place: Place, tmp_path: Path) -> None:
    place.past.put_object(Bucket=place.bucket, Key="a", Body=b"of before")
    place.past.put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in ("a", "b", "b", "b", "c", "c"):
        place.through.put_object(Bucket=place.bucket, Key=key, Body=b"x")
    report = tmp_path / "report"
    place.run("inventory", "--all-versions", report=report)
    begin, *lines, _ = report.read_bytes().splitlines(keepends=True)

    for done_before in range(8):
        report.write_bytes(begin + b"".join(lines[:done_before]))
        done = place.run("inventory", "--all-versions", "--resume", "--json", report=report)

        assert (done.code, done.document["objects"], len(lines)) == (0, 7, 7), done.err
        assert [line for line in report.read_bytes().splitlines(keepends=True) if line.startswith(b'{"key"')] == lines


def _deletion(place: Place, key_id: str) -> Result:
    config = max(place.proxy.data.glob("sseproxy-*.toml"), key=lambda path: path.stat().st_mtime_ns)
    return CliRunner().invoke(app, ["keys", "schedule-deletion", key_id, "--config", str(config)])


def test_a_cmk_that_only_an_old_version_is_under_is_not_deleted(place: Place) -> None:
    key_id = create_key(place.proxy.data, alias=f"alias/{place.bucket}")
    place.past.put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration={"Status": "Enabled"})
    headers = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id}
    old = place.through.put_object(Bucket=place.bucket, Key="k", Body=b"old", **headers)["VersionId"]
    place.through.put_object(Bucket=place.bucket, Key="k", Body=b"new", ServerSideEncryption="AES256")

    refused = _deletion(place, key_id)
    place.through.delete_object(Bucket=place.bucket, Key="k", VersionId=old)
    done = _deletion(place, key_id)

    assert (refused.exit_code, done.exit_code) == (1, 0)
    assert f"is in use: {place.bucket}/k (version {old}) is under it, and perhaps more." in refused.output


def test_a_terminal_shows_how_many_versions_were_looked_at_for_a_cmk(place: Place) -> None:
    key_id = create_key(place.proxy.data, alias=f"alias/{place.bucket}")
    place.past.put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(40):
        place.through.put_object(Bucket=place.bucket, Key="k", Body=b"x")
    versions = sum(
        len(page.get("Versions", []))
        for bucket in place.through.list_buckets()["Buckets"]
        for page in place.past.get_paginator("list_object_versions").paginate(Bucket=bucket["Name"])
    )
    terminal, slave = os.openpty()
    environment = command_environment(place.tool.nonces) | {"TERM": "xterm"}
    command = [sys.executable, "-m", "sseproxy", "keys", "schedule-deletion", key_id, *place.tool.place]

    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=slave, env=environment) as process:
        os.close(slave)
        shown = b"".join(_read(terminal)).decode()
    os.close(terminal)

    assert process.returncode == 0
    assert versions >= 40
    assert re.search(rf"objects looked at [ ━]+ {versions} ", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)), shown


def _read(terminal: int) -> Iterator[bytes]:
    """Yield what comes out of a terminal until its other side is closed."""
    with suppress(OSError):
        while data := os.read(terminal, 4096):
            yield data


def test_on_oss_too_a_deleted_object_keeps_its_cmk(oss_place: Place) -> None:
    key_id = create_key(oss_place.proxy.data, alias=f"alias/{oss_place.bucket}")
    oss_place.past.put_bucket_versioning(Bucket=oss_place.bucket, VersioningConfiguration={"Status": "Enabled"})
    bucket = oss_bucket(oss_place)
    headers = {"x-oss-server-side-encryption": "KMS", "x-oss-server-side-encryption-key-id": key_id}
    old = bucket.put_object("k", b"old", headers=headers).versionid
    bucket.delete_object("k")

    refused = _deletion(oss_place, key_id)
    bucket.delete_object("k", params={"versionId": old})
    done = _deletion(oss_place, key_id)

    assert (refused.exit_code, done.exit_code) == (1, 0)
    assert f"is in use: {oss_place.bucket}/k (version {old}) is under it, and perhaps more." in refused.output
    bucket.session.session.close()
