"""`sseproxy objects migrate` on a store that speaks OSS: no condition on writes, symbolic links, appendable objects."""

from pathlib import Path

import oss2
import pytest

from tests.bulk.conftest import Place, oss_bucket
from tests.support.rotation import create_key
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


@pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated")  # the SDK's own
def test_what_clients_encrypted_stays_readable_for_them_and_its_marks_do_not_concern_the_storage(
    oss_place: Place, tmp_path: Path
) -> None:
    """The service would hold sealed parts to the sizes that are named there, and would not let a copy rename them."""
    past = _past(oss_place)
    mark, body = "x-oss-meta-client-side-encryption-", bytes(range(256)) * 800
    said = {"key": "K", "start": "S", "cek-alg": "AES/CTR/NoPadding", "wrap-alg": "RSA/NONE/PKCS1Padding"}
    sizes = {"data-size": str(len(body)), "part-size": "102400"}
    marks = {mark + name: value for name, value in {**said, **sizes}.items()}
    upload = past.init_multipart_upload("k", headers=marks).upload_id
    parts = [
        oss2.models.PartInfo(number, past.upload_part("k", upload, number, body[at : at + 102_400]).etag)
        for number, at in enumerate(range(0, len(body), 102_400), 1)
    ]
    past.complete_multipart_upload("k", upload, parts)

    other = create_key(oss_place.proxy.data, "alias/other")
    for command, arguments, outcome in (
        ("migrate", (), "sealed (new ETag)"),
        ("rewrap", ("--to-key", other, "--aes256-too"), "rewrapped"),
    ):
        done = oss_place.run(command, "--nobody-writes", *arguments, report=tmp_path / command)
        assert (done.code, done.outcomes) == (0, {"k": outcome}), done.err
        stored = past.head_object("k").headers
        assert not [name for name in stored if name.lower().startswith(mark)]
        assert {name: stored[f"x-oss-meta-sseproxy-client-{name}"] for name in said} == said
        shown = oss_bucket(oss_place).get_object("k")
        assert shown.read() == body
        assert {name: shown.headers[name] for name in marks} == marks
