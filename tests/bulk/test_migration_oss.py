"""`sseproxy objects migrate` on a store that speaks OSS: no condition on writes, symbolic links, appendable objects."""

from pathlib import Path

import oss2

from tests.bulk.conftest import Place, oss_bucket
from tests.support.servers import ACCESS_KEY, SECRET_KEY


def _past(place: Place) -> "oss2.Bucket":
    return oss2.Bucket(oss2.Auth(ACCESS_KEY, SECRET_KEY), place.store.url, place.bucket)


def test_without_protection_for_concurrent_writers_it_is_refused_and_nothing_changes(oss_place: Place) -> None:
    _past(oss_place).put_object("k", b"hello")

    done = oss_place.run("migrate")

    assert (done.code, done.out) == (2, "")
    assert "sseproxy: this storage cannot make a write depend on what it replaces" in done.err
    assert "--nobody-writes" in done.err
    assert oss_place.stored("k") == b"hello"


def test_with_nobody_writing_everything_is_sealed_and_what_belongs_to_it_stays(
    oss_place: Place, tmp_path: Path
) -> None:
    past = _past(oss_place)
    past.put_object(
        "a/ü",
        b"hello",
        headers={"Content-Type": "text/plain", "x-oss-meta-colour": "blue", "x-oss-object-acl": "public-read",
                 "x-oss-tagging": "a=1", "x-oss-storage-class": "IA"},
    )  # fmt: skip
    past.put_symlink("a/ü", "link")
    before = past.head_object("a/ü")

    done = oss_place.run("migrate", "--nobody-writes", "--json", report=tmp_path / "report")

    assert (done.code, done.outcomes) == (0, {"a/ü": "sealed", "link": "symlink"}), done.err
    assert done.document["notes"] == [
        "Nothing protected concurrent writers, as --nobody-writes allowed.", "The bucket is now marked as sealed.",
    ]  # fmt: skip
    through = oss_bucket(oss_place)
    after = through.head_object("a/ü")
    assert through.get_object("a/ü").read() == through.get_object("link").read() == b"hello"
    kept = ("Content-Type", "x-oss-meta-colour", "x-oss-storage-class", "ETag", "x-oss-hash-crc64ecma")
    assert {name: after.headers[name] for name in kept} == {name: before.headers[name] for name in kept}
    assert past.get_object_acl("a/ü").acl == "public-read"
    assert past.get_object_tagging("a/ü").tag_set.tagging_rule == {"a": "1"}
    assert oss_place.stored("a/ü") != b"hello"
    verified = oss_place.run("verify", report=tmp_path / "verified")
    assert (verified.code, verified.outcomes) == (0, {"a/ü": "verified", "link": "symlink"})
    found = oss_place.run("inventory", report=tmp_path / "inventory")
    assert (found.code, found.outcomes) == (0, {"a/ü": "sealed", "link": "symlink"})
