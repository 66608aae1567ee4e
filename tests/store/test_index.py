"""The index: what is checked and what is written are one step."""

import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sseproxy.store.index import NEWEST, Index
from sseproxy.store.records import BucketRow, Change, ObjectRow, PartRow, UploadRow


def an_object(**changes: Any) -> ObjectRow:
    row = ObjectRow(
        bucket="bucket", key=b"k", body="b", meta="m", size=1, etag="e", modified=5, kind="Normal", storage_class="",
        checksum_algorithm="", checksum_type="", acl="", tags="",
    )  # fmt: skip
    return replace(row, **changes)


def a_part(number: int, body: str, upload: str = "u") -> PartRow:
    return PartRow(
        upload=upload, number=number, body=body, size=1, md5="", crc64=2**64 - 1, modified=0, checksums={"a": "b"}
    )


@pytest.fixture
def index(tmp_path: Path) -> Any:
    index = Index(tmp_path / "index")
    index.put_bucket(BucketRow(name="bucket", created=1, acl=""))
    index.put_upload(UploadRow(upload="u", bucket="bucket", key=b"k", initiated=1, settings={"a": [1]}))
    yield index
    index.close()


def _answer(_: Change) -> str:
    return "a"


def _fail(_: ObjectRow | None) -> None:
    raise LookupError


def test_a_check_that_fails_leaves_everything_as_it_was(index: Index) -> None:
    index.put_object(an_object(), lambda _: None)

    for attempt in (
        lambda: index.put_object(an_object(etag="new"), _fail),
        lambda: index.delete_object("bucket", b"k", 6, _fail),
        lambda: index.finish_upload(an_object(etag="new"), "u", [], _fail, (b"", _answer)),
    ):
        with pytest.raises(LookupError):
            attempt()

    assert index.object("bucket", b"k") == an_object()
    assert index.upload("bucket", b"k", "u") is not None


def test_a_write_returns_what_it_replaced(index: Index) -> None:
    seen: list[ObjectRow | None] = []

    assert index.put_object(an_object(), seen.append).gone is None
    assert index.put_object(an_object(etag="new"), seen.append).gone == an_object()
    assert index.delete_object("bucket", b"k", 6, seen.append).gone == an_object(etag="new")
    assert seen == [None, an_object(), an_object(etag="new")]


def test_rows_survive_reopening(index: Index, tmp_path: Path) -> None:
    index.put_object(an_object(key=b"\xff\x00"), lambda _: None)
    index.put_part(a_part(1, "p"))

    again = Index(tmp_path / "index")

    assert again.object("bucket", b"\xff\x00") == an_object(key=b"\xff\x00")
    assert list(again.parts("u")) == [a_part(1, "p")]
    assert again.files() == {"b", "m", "p"}
    again.close()


def test_keys_are_ordered_by_their_bytes(index: Index) -> None:
    keys = [b"a", b"a\x00", b"a/", b"b", b"\xc3\xbc", b"\xff"]
    for key in reversed(keys):
        index.put_object(an_object(key=key), lambda _: None)

    assert [row.key for row in index.objects("bucket", b"", None)] == keys
    assert [row.key for row in index.objects("bucket", b"a\x00", b"b")] == [b"a\x00", b"a/"]


def test_a_part_of_a_vanished_upload_is_not_kept(index: Index) -> None:
    assert index.put_part(a_part(1, "first")) == (True, None)
    assert index.put_part(a_part(1, "second")) == (True, "first")

    assert index.abort_upload("u") == ["second"]

    assert index.put_part(a_part(1, "third")) == (False, None)
    assert index.files() == set()


def test_finishing_fails_if_a_part_changed_meanwhile(index: Index) -> None:
    index.put_part(a_part(1, "first"))
    used = index.parts("u")
    index.put_part(a_part(1, "second"))

    assert index.finish_upload(an_object(), "u", used, lambda _: None, (b"r", _answer)) == (None, ())
    assert index.object("bucket", b"k") is None


def test_finishing_frees_all_parts_and_remembers_the_answer(index: Index) -> None:
    for number in (1, 2):
        index.put_part(a_part(number, f"p{number}"))
    used = [part for part in index.parts("u") if part.number == 2]

    assert index.finish_upload(an_object(), "u", used, lambda _: None, (b"r", _answer)) == (Change(), ["p1", "p2"])
    assert index.finished("bucket", b"k", "u") == (b"r", "a")
    assert index.upload("bucket", b"k", "u") is None
    assert index.files() == {"b", "m"}


def test_a_bucket_goes_only_when_it_is_empty(index: Index) -> None:
    index.put_configuration("bucket", "cors", b"x")
    index.put_object(an_object(), lambda _: None)
    assert not index.delete_bucket("bucket")
    index.delete_object("bucket", b"k", 6, lambda _: None)

    assert index.delete_bucket("bucket")
    assert (index.bucket("bucket"), index.configuration("bucket", "cors")) == (None, None)
    assert index.upload("bucket", b"k", "u") is None


def test_notes_on_an_object_change_alone(index: Index) -> None:
    index.put_object(an_object(), lambda _: None)

    index.annotate(an_object(), tags="t")
    index.annotate(an_object(), acl="a")

    assert index.object("bucket", b"k") == an_object(tags="t", acl="a")


_OLD = """
CREATE TABLE buckets (name TEXT PRIMARY KEY, created INTEGER NOT NULL, acl TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE objects (
    bucket TEXT NOT NULL, key BLOB NOT NULL, body TEXT NOT NULL, meta TEXT NOT NULL, size INTEGER NOT NULL,
    etag TEXT NOT NULL, modified INTEGER NOT NULL, kind TEXT NOT NULL, storage_class TEXT NOT NULL,
    checksum_algorithm TEXT NOT NULL, checksum_type TEXT NOT NULL, acl TEXT NOT NULL, tags TEXT NOT NULL,
    PRIMARY KEY (bucket, key)) WITHOUT ROWID;
INSERT INTO buckets VALUES ('bucket', 1, '');
INSERT INTO objects VALUES ('bucket', x'6b', 'b', 'm', 1, 'e', 5, 'Normal', '', '', '', '', '');
"""


def test_a_directory_of_before_versioning_opens_with_what_it_has(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "index")
    old.executescript(_OLD)
    old.close()

    for _ in range(2):
        index = Index(tmp_path / "index")
        assert index.bucket("bucket") == BucketRow(name="bucket", created=1, acl="")
        assert index.object("bucket", b"k") == an_object()
        assert index.files() == {"b", "m"}
        index.close()
    index = Index(tmp_path / "index")
    index.put_versioning("bucket", "Enabled")
    change = index.put_object(an_object(body="b2", meta="m2"), lambda _: None)
    assert (change.gone, index.version("bucket", b"k", "")) == (None, an_object())
    assert index.files() == {"b", "m", "b2", "m2"}
    index.close()


_KILLED = """
import os, signal, sys
from pathlib import Path
from sseproxy.store.index import NEWEST, Index
index, left = Index(Path(sys.argv[1])), [int(sys.argv[2])]
def die(statement):
    if statement.lstrip().upper().startswith(("INSERT", "DELETE", "COMMIT")):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
index._db.set_trace_callback(die)
index.delete_version("bucket", b"k", index.object("bucket", b"k").version, lambda _: None)
"""


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6])
def test_a_process_killed_while_it_deletes_a_version_leaves_either_state(
    index: Index, tmp_path: Path, step: int
) -> None:
    index.put_versioning("bucket", "Enabled")
    for name in ("1", "2"):
        index.put_object(an_object(body=name, meta=name), lambda _: None)
    index.close()

    died = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path / "index"), str(step)], check=False)

    assert died.returncode == -signal.SIGKILL
    again = Index(tmp_path / "index")
    found = [version.row.body for version in again.versions("bucket", b"", NEWEST, None)]
    shown = again.object("bucket", b"k")
    assert shown is not None
    assert (shown.body, found, again.files()) == ("2", ["2", "1"], {"1", "2"})
    again.close()
