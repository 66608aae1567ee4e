"""`sseproxy objects repair`: lost and damaged envelopes come back, and nothing else is touched."""

from pathlib import Path
from typing import Any

from tests.bulk.conftest import Place

BIG = bytes(range(256)) * 9000  # no copy of its footer in the envelope


def _lose(place: Place, key: str, metadata: dict[str, str] | None = None, **more: Any) -> None:
    """Replace an object's metadata, its bytes untouched, as careless tools do."""
    place.past.copy_object(
        Bucket=place.bucket, Key=key, CopySource={"Bucket": place.bucket, "Key": key}, MetadataDirective="REPLACE",
        Metadata=metadata or {}, **more,
    )  # fmt: skip


def test_objects_that_lost_their_envelopes_read_again(place: Place, tmp_path: Path) -> None:
    bodies = {"big": BIG, "empty": b"", "small/ü": b"hello", "untouched": b"never lost"}
    for key, body in bodies.items():
        place.through.put_object(Bucket=place.bucket, Key=key, Body=body)
    etags = {key: place.through.head_object(Bucket=place.bucket, Key=key)["ETag"] for key in bodies}
    envelope = place.past.head_object(Bucket=place.bucket, Key="small/ü")["Metadata"]["sseproxy"]
    for key in ("big", "empty", "small/ü"):
        _lose(place, key, {"colour": "blue"}, ContentType="text/plain")
    place.past.put_object(Bucket=place.bucket, Key="plain", Body=b"was never sealed")

    dry = place.run("repair", "--dry-run", report=tmp_path / "dry")
    assert place.run("verify").code == 1
    done = place.run("repair", report=tmp_path / "report")

    untouched = {"plain": "plain", "untouched": "whole"}
    lost = ("big", "empty", "small/ü")
    assert (dry.code, dry.outcomes) == (0, untouched | dict.fromkeys(lost, "would be repaired"))
    assert (done.code, done.outcomes) == (0, untouched | dict.fromkeys(lost, "repaired")), done.err
    assert {key: place.read(key) for key in bodies} == bodies
    assert {key: place.through.head_object(Bucket=place.bucket, Key=key)["ETag"] for key in bodies} == etags
    head = place.past.head_object(Bucket=place.bucket, Key="small/ü")
    assert head["Metadata"] == {"colour": "blue", "sseproxy": envelope}
    assert head["ContentType"] == "text/plain"


def test_an_envelope_of_another_object_or_of_nothing_is_replaced(place: Place, tmp_path: Path) -> None:
    for key in ("a", "b", "c"):
        place.through.put_object(Bucket=place.bucket, Key=key, Body=key.encode())
    other = place.past.head_object(Bucket=place.bucket, Key="c")["Metadata"]
    _lose(place, "a", {"sseproxy": "AAAA"})
    _lose(place, "b", other)

    done = place.run("repair", report=tmp_path / "report")

    assert (done.code, done.outcomes) == (0, {"a": "repaired", "b": "repaired", "c": "whole"}), done.err
    assert [place.read(key) for key in ("a", "b", "c")] == [b"a", b"b", b"c"]


def test_a_copy_is_repaired_where_its_original_is_named(place: Place, tmp_path: Path) -> None:
    place.through.put_object(Bucket=place.bucket, Key="original", Body=b"hello")
    place.through.copy_object(Bucket=place.bucket, Key="copy", CopySource=f"{place.bucket}/original")
    _lose(place, "copy")

    refused = place.run("repair", "--key", "copy", report=tmp_path / "refused")
    done = place.run("repair", "--key", "copy", "--from-key", "original", report=tmp_path / "report")

    assert (refused.code, refused.outcomes) == (1, {"copy": "tampered"})
    assert "written for another name" in refused.err
    assert (done.code, done.outcomes) == (0, {"copy": "repaired"}), done.err
    assert place.read("copy") == b"hello"


def test_what_cannot_be_repaired_is_told_and_stays_as_it_is(place: Place, tmp_path: Path) -> None:
    place.through.put_object(Bucket=place.bucket, Key="k", Body=b"hello")
    stored = bytearray(place.stored("k"))
    stored[-40] ^= 1  # in the footer
    place.past.put_object(Bucket=place.bucket, Key="k", Body=bytes(stored))

    done = place.run("repair", report=tmp_path / "report")

    (line,) = done.objects
    assert (done.code, line["outcome"], line["reason"]) == (1, "tampered", "FooterRejected")
    assert place.past.head_object(Bucket=place.bucket, Key="k")["Metadata"] == {}


def test_repair_makes_the_names_of_other_options_clear(place: Place) -> None:
    alone, both = place.run("repair", "--from-key", "k"), place.run("repair", "--key", "k", "--prefix", "k")

    assert (alone.code, both.code) == (2, 2)
    assert "name it with --key" in alone.err
    assert "give one of the two" in both.err
