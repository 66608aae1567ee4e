"""The index: what is checked and what is written are one step."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sseproxy.store.index import Index
from sseproxy.store.records import BucketRow, ObjectRow, PartRow, UploadRow


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


def _fail(_: ObjectRow | None) -> None:
    raise LookupError


def test_a_check_that_fails_leaves_everything_as_it_was(index: Index) -> None:
    index.put_object(an_object(), lambda _: None)

    for attempt in (
        lambda: index.put_object(an_object(etag="new"), _fail),
        lambda: index.delete_object("bucket", b"k", _fail),
        lambda: index.finish_upload(an_object(etag="new"), "u", [], _fail, (b"", "")),
    ):
        with pytest.raises(LookupError):
            attempt()

    assert index.object("bucket", b"k") == an_object()
    assert index.upload("bucket", b"k", "u") is not None


def test_a_write_returns_what_it_replaced(index: Index) -> None:
    seen: list[ObjectRow | None] = []

    assert index.put_object(an_object(), seen.append) is None
    assert index.put_object(an_object(etag="new"), seen.append) == an_object()
    assert index.delete_object("bucket", b"k", seen.append) == an_object(etag="new")
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

    assert index.finish_upload(an_object(), "u", used, lambda _: None, (b"r", "a")) == (False, None, ())
    assert index.object("bucket", b"k") is None


def test_finishing_frees_all_parts_and_remembers_the_answer(index: Index) -> None:
    for number in (1, 2):
        index.put_part(a_part(number, f"p{number}"))
    used = [part for part in index.parts("u") if part.number == 2]

    assert index.finish_upload(an_object(), "u", used, lambda _: None, (b"r", "a")) == (True, None, ["p1", "p2"])
    assert index.finished("bucket", b"k", "u") == (b"r", "a")
    assert index.upload("bucket", b"k", "u") is None
    assert index.files() == {"b", "m"}


def test_a_bucket_goes_only_when_it_is_empty(index: Index) -> None:
    index.put_configuration("bucket", "cors", b"x")
    index.put_object(an_object(), lambda _: None)
    assert not index.delete_bucket("bucket")
    index.delete_object("bucket", b"k", lambda _: None)

    assert index.delete_bucket("bucket")
    assert (index.bucket("bucket"), index.configuration("bucket", "cors")) == (None, None)
    assert index.upload("bucket", b"k", "u") is None


def test_notes_on_an_object_change_alone(index: Index) -> None:
    index.put_object(an_object(), lambda _: None)

    index.annotate("bucket", b"k", tags="t")
    index.annotate("bucket", b"k", acl="a")

    assert index.object("bucket", b"k") == an_object(tags="t", acl="a")
