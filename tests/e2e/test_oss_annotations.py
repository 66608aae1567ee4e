"""Promise: deleting, tagging, ACLs, versions and links of OSS clients, row by row (OSS dossier §6.6 to §6.8)."""

import base64
import hashlib
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest

from tests.support.oss_clients import oss2_refusal, v2_client, v2_refusal
from tests.support.oss_requests import Answer, ask, document_of, texts
from tests.support.servers import Server

# oss2 drops answers without closing them.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*socket:pytest.PytestUnraisableExceptionWarning")

_NO_KEY = (404, "NoSuchKey", "The specified key does not exist.")
_NO_VERSION = "The specified version does not exist."
_MARKER = "x-oss-delete-marker"
_VERSION = "x-oss-version-id"


@pytest.fixture
def versioned(bucket: Any) -> Any:
    bucket.put_bucket_versioning(oss2.models.BucketVersioningConfig("Enabled"))
    return bucket


def _delete(bucket: Any, document: str, **query: str) -> Answer:
    body = document.encode()
    headers = {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}
    return ask(bucket, "POST", "", {"delete": "", **query}, body, headers)


def _objects(*keys: str, quiet: str = "false", version: str = "") -> str:
    named = f"<VersionId>{version}</VersionId>" if version else ""
    listed = "".join(f"<Object><Key>{key}</Key>{named}</Object>" for key in keys)
    return f"<Delete><Quiet>{quiet}</Quiet>{listed}</Delete>"


# ---- DeleteObject ----


def test_deleting_is_204_whether_there_is_an_object_or_not(bucket: Any) -> None:
    bucket.put_object("k", b"x")

    for _ in range(2):
        answer = ask(bucket, "DELETE", "k", {})
        assert (answer.status, answer.headers.get(_MARKER), answer.headers.get(_VERSION)) == (204, None, None)
    assert oss2_refusal(bucket.get_object, "k") == _NO_KEY


def test_deleting_in_a_versioned_bucket_leaves_a_marker_and_tells_it(versioned: Any) -> None:
    version = versioned.put_object("k", b"x").versionid

    deleted = ask(versioned, "DELETE", "k", {})
    marker = deleted.headers[_VERSION]
    removed = ask(versioned, "DELETE", "k", {"versionId": marker})

    assert (deleted.status, deleted.headers[_MARKER]) == (204, "true")
    assert (removed.headers[_MARKER], removed.headers[_VERSION]) == ("true", marker)
    got = versioned.get_object("k")
    assert (got.read(), got.headers[_VERSION]) == (b"x", version)
    gone = ask(versioned, "DELETE", "k", {"versionId": version})
    assert (gone.headers.get(_MARKER), gone.headers[_VERSION]) == (None, version)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_marker_is_404_and_by_its_version_405(versioned: Any, method: str) -> None:
    versioned.put_object("k", b"x")
    marker = ask(versioned, "DELETE", "k", {}).headers[_VERSION]

    with pytest.raises(oss2.exceptions.NoSuchKey) as present:
        ask(versioned, method, "k", {})
    with pytest.raises(oss2.exceptions.ServerError) as named:
        ask(versioned, method, "k", {"versionId": marker})

    assert present.value.headers[_MARKER] == "true"
    error = named.value
    assert (error.status, error.code, error.headers[_MARKER], error.headers["Allow"]) == (
        405, "MethodNotAllowed", "true", "DELETE"
    )  # fmt: skip


def test_every_write_and_read_tells_its_version(versioned: Any) -> None:
    put = versioned.put_object("k", b"1").headers[_VERSION]
    appended = versioned.append_object("log", 0, b"x").headers[_VERSION]
    copied = versioned.copy_object(versioned.bucket_name, "k", "copy").headers
    upload = versioned.init_multipart_upload("parts").upload_id
    part = oss2.models.PartInfo(1, versioned.upload_part("parts", upload, 1, b"x").etag)
    completed = versioned.complete_multipart_upload("parts", upload, [part]).headers[_VERSION]
    link = versioned.put_symlink("k", "link").headers[_VERSION]

    assert appended == "null"
    assert copied["x-oss-copy-source-version-id"] == put
    for key, version in {"k": put, "log": appended, "copy": copied[_VERSION], "parts": completed, "link": link}.items():
        for read in (versioned.get_object, versioned.head_object, versioned.get_object_meta):
            assert (key, read(key).headers[_VERSION]) == (key, version)
    assert versioned.get_symlink("link").headers[_VERSION] == link


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_version_that_is_missing_or_none_is_told(versioned: Any, method: str) -> None:
    versioned.put_object("k", b"x")

    assert oss2_refusal(ask, versioned, method, "k", {"versionId": "0" * 32}) == (404, "NoSuchVersion", _NO_VERSION)
    assert oss2_refusal(ask, versioned, method, "k", {"versionId": "x"}) == (
        400, "InvalidArgument", "Invalid version id specified."
    )  # fmt: skip
    assert oss2_refusal(ask, versioned, method, "k", {"versionId": "null"})[:2] == (404, "NoSuchVersion")


# ---- DeleteMultipleObjects ----


def test_a_batch_tells_what_it_deleted(bucket: Any) -> None:
    keys = ["a b", "c&amp;d", "missing"]
    bucket.put_object("a b", b"x")
    bucket.put_object("c&d", b"x")

    plain = document_of(_delete(bucket, _objects(*keys)))
    encoded = document_of(_delete(bucket, _objects(*keys), **{"encoding-type": "url"}))

    assert (plain.tag, encoded.tag) == ("DeleteResult", "DeleteResult")
    assert [entry.findtext("Key") for entry in plain.findall("Deleted")] == ["a b", "c&d", "missing"]
    assert encoded.findtext("EncodingType") == "url"
    assert [entry.findtext("Key") for entry in encoded.findall("Deleted")] == ["a%20b", "c%26d", "missing"]
    assert list(oss2.ObjectIterator(bucket)) == []


def test_a_quiet_batch_says_nothing(bucket: Any) -> None:
    bucket.put_object("k", b"x")

    answer = _delete(bucket, _objects("k", "missing", quiet="true"))

    assert (answer.status, answer.body) == (200, b"")
    assert not bucket.object_exists("k")


def test_a_batch_leaves_markers_and_takes_versions(versioned: Any) -> None:
    version = versioned.put_object("k", b"x").versionid

    marked = document_of(_delete(versioned, _objects("k"))).find("Deleted")
    assert marked is not None
    marker = marked.findtext("DeleteMarkerVersionId", "")
    removed = document_of(_delete(versioned, _objects("k", version=marker))).find("Deleted")
    taken = document_of(_delete(versioned, _objects("k", version=version))).find("Deleted")

    assert dict(texts(marked)) == {"Key": "k", "DeleteMarker": "true", "DeleteMarkerVersionId": marker}
    assert removed is not None
    assert dict(texts(removed)) == {
        "Key": "k", "VersionId": marker, "DeleteMarker": "true", "DeleteMarkerVersionId": marker
    }  # fmt: skip
    assert taken is not None
    assert dict(texts(taken)) == {"Key": "k", "VersionId": version}


def test_a_batch_of_a_thousand_is_taken_and_one_more_is_not(bucket: Any) -> None:
    keys = [f"k{number}" for number in range(1001)]
    bucket.put_object("k0", b"x")

    assert oss2_refusal(_delete, bucket, _objects(*keys))[:2] == (400, "MalformedXML")
    assert bucket.object_exists("k0")
    assert _delete(bucket, _objects(*keys[:1000], quiet="true")).status == 200
    assert not bucket.object_exists("k0")


@pytest.mark.parametrize("document", ["", "<", "<Delete/>", "<Other/>", "<Delete><Object/></Delete>"])
def test_a_batch_that_is_none_is_refused(bucket: Any, document: str) -> None:
    assert oss2_refusal(_delete, bucket, document)[:2] == (400, "MalformedXML")


def test_a_batch_needs_the_digest_of_its_document(bucket: Any) -> None:
    bucket.put_object("k", b"x")
    document = _objects("k").encode()
    other = {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}

    assert oss2_refusal(ask, bucket, "POST", "", {"delete": ""}, document) == (
        400, "MissingArgument", "Missing Some Required Arguments."
    )  # fmt: skip
    assert oss2_refusal(ask, bucket, "POST", "", {"delete": ""}, document, other) == (
        400, "InvalidDigest", "The Content-MD5 you specified was invalid."
    )  # fmt: skip
    assert bucket.object_exists("k")


# ---- Tags ----


def _tagging(*pairs: tuple[str, str]) -> bytes:
    tags = "".join(f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in pairs)
    return f"<Tagging><TagSet>{tags}</TagSet></Tagging>".encode()


def test_tags_are_put_counted_and_taken_away(bucket: Any) -> None:
    pairs = [(f"k{number}", "v" * 256) for number in range(9)] + [("k" * 128, "")]
    bucket.put_object("k", b"x")

    ask(bucket, "PUT", "k", {"tagging": ""}, _tagging(*pairs))
    root = document_of(ask(bucket, "GET", "k", {"tagging": ""}))
    counted = bucket.head_object("k").headers["x-oss-tagging-count"]
    removed = ask(bucket, "DELETE", "k", {"tagging": ""})

    assert root.tag == "Tagging"
    assert [(tag.findtext("Key"), tag.findtext("Value")) for tag in root.findall("TagSet/Tag")] == pairs
    assert (counted, removed.status) == ("10", 204)
    assert "x-oss-tagging-count" not in bucket.head_object("k").headers
    assert document_of(ask(bucket, "GET", "k", {"tagging": ""})).findall("TagSet/Tag") == []
    assert bucket.get_object("k").read() == b"x"


@pytest.mark.parametrize(
    "pairs",
    [
        [(f"k{number}", "v") for number in range(11)], [("k" * 129, "v")], [("k", "v" * 257)], [("", "v")],
        [("k", "v"), ("k", "w")],
    ],
    ids=["eleven", "a long key", "a long value", "no key", "a key twice"],
)  # fmt: skip
def test_tags_that_cannot_be_change_nothing(bucket: Any, pairs: list[tuple[str, str]]) -> None:
    bucket.put_object("k", b"x", headers={"x-oss-tagging": "a=1&b=%20%26"})
    header = {"x-oss-tagging": "&".join(f"{key}={value}" for key, value in pairs)}

    for refusal in (
        oss2_refusal(ask, bucket, "PUT", "k", {"tagging": ""}, _tagging(*pairs)),
        oss2_refusal(bucket.put_object, "k", b"y", headers=header),
        oss2_refusal(
            bucket.copy_object, bucket.bucket_name, "k", "new", {**header, "x-oss-tagging-directive": "Replace"}
        ),
        oss2_refusal(bucket.init_multipart_upload, "new", headers=header),
    ):
        assert refusal[0] == 400
        assert refusal[1] in {"InvalidTag", "BadRequest"}
    assert bucket.get_object_tagging("k").tag_set.tagging_rule == {"a": "1", "b": " &"}
    assert bucket.get_object("k").read() == b"x"
    assert [one.key for one in oss2.ObjectIterator(bucket)] == ["k"]


@pytest.mark.parametrize(
    ("headers", "tags"),
    [
        ({}, {"a": "1"}),
        ({"x-oss-tagging-directive": "Copy", "x-oss-tagging": "b=2"}, {"a": "1"}),
        ({"x-oss-tagging-directive": "Replace", "x-oss-tagging": "b=2"}, {"b": "2"}),
        ({"x-oss-tagging-directive": "Replace"}, {}),
    ],
    ids=str,
)
def test_a_copy_has_the_tags_that_its_directive_says(
    bucket: Any, headers: dict[str, str], tags: dict[str, str]
) -> None:
    bucket.put_object("k", b"x", headers={"x-oss-tagging": "a=1"})

    bucket.copy_object(bucket.bucket_name, "k", "copy", headers=headers)

    assert bucket.get_object_tagging("copy").tag_set.tagging_rule == tags
    assert oss2_refusal(
        bucket.copy_object, bucket.bucket_name, "k", "new", headers={"x-oss-tagging-directive": "Keep"}
    )[:2] == (400, "InvalidArgument")


def test_what_is_not_there_has_no_tags_and_no_acl(bucket: Any) -> None:
    for query in ({"tagging": ""}, {"acl": ""}, {"symlink": ""}):
        assert oss2_refusal(ask, bucket, "GET", "none", query) == _NO_KEY
    assert oss2_refusal(bucket.put_object_acl, "none", "private") == _NO_KEY


# ---- ACLs ----


@pytest.mark.parametrize("acl", ["default", "private", "public-read", "public-read-write"])
def test_an_acl_is_given_with_the_object_or_later(bucket: Any, acl: str) -> None:
    bucket.put_object("with", b"x", headers={"x-oss-object-acl": acl})
    bucket.append_object("log", 0, b"x", headers={"x-oss-object-acl": acl})
    bucket.copy_object(bucket.bucket_name, "with", "copy", headers={"x-oss-object-acl": acl})
    bucket.put_object("later", b"x")
    bucket.put_object_acl("later", acl)

    for key in ("with", "log", "copy", "later"):
        root = document_of(ask(bucket, "GET", key, {"acl": ""}))
        assert (key, root.tag, root.findtext("AccessControlList/Grant")) == (key, "AccessControlPolicy", acl)


def test_an_acl_that_is_none_is_refused_and_named(bucket: Any) -> None:
    bucket.put_object("k", b"x")

    said = {"x-oss-object-acl": "open"}
    for method, key, query in (
        ("PUT", "k", "acl"),
        ("PUT", "new", ""),
        ("POST", "new", "append"),
        ("POST", "new", "uploads"),
    ):
        asked = {query: "", **({"position": "0"} if query == "append" else {})} if query else {}
        with pytest.raises(oss2.exceptions.InvalidArgument) as refused:
            ask(bucket, method, key, asked, b"x" if query in {"", "append"} else b"", said)
        details = refused.value.details
        assert (details["ArgumentName"], details["ArgumentValue"]) == ("x-oss-object-acl", "open")
    assert [one.key for one in oss2.ObjectIterator(bucket)] == ["k"]


# ---- Links ----


def test_a_link_tells_its_target_encoded(bucket: Any) -> None:
    put = bucket.put_symlink("dir/täget +&", "link")

    shown = bucket.get_symlink("link")

    assert put.status == 200
    assert (shown.headers["x-oss-symlink-target"], shown.target_key) == ("dir/t%C3%A4get%20%2B%26", "dir/täget +&")
    assert shown.headers["ETag"]


def test_a_link_needs_a_target(bucket: Any) -> None:
    with pytest.raises(oss2.exceptions.InvalidArgument) as refused:
        ask(bucket, "PUT", "link", {"symlink": ""})

    assert refused.value.details["ArgumentName"] == "x-oss-symlink-target"
    assert not bucket.object_exists("link")


@pytest.mark.parametrize("read", ["GET", "HEAD"])
def test_links_that_lead_nowhere_are_told_on_every_read(bucket: Any, read: str) -> None:
    bucket.put_symlink("missing", "dangling")
    bucket.put_symlink("dangling", "twice")

    assert oss2_refusal(ask, bucket, read, "dangling", {}) == (
        404, "SymlinkTargetNotExist", "The symlink target object does not exist."
    )  # fmt: skip
    assert oss2_refusal(ask, bucket, read, "twice", {}) == (
        400, "InvalidTargetType", "The symbolic's target file type is invalid."
    )  # fmt: skip


def test_a_link_is_deleted_without_its_target_and_has_tags_of_its_own(bucket: Any) -> None:
    bucket.put_object("target", b"x", headers={"x-oss-tagging": "of=target"})
    bucket.put_symlink("target", "link", headers={"x-oss-meta-of": "link"})
    ask(bucket, "PUT", "link", {"tagging": ""}, _tagging(("of", "link")))

    assert bucket.get_object_tagging("link").tag_set.tagging_rule == {"of": "link"}
    assert bucket.head_object("link").headers["x-oss-meta-of"] == "link"
    ask(bucket, "DELETE", "link", {})

    assert bucket.get_object("target").read() == b"x"
    assert oss2_refusal(bucket.get_object, "link") == _NO_KEY


# ---- The second SDK ----


def test_the_v2_sdk_understands_them_as_well(dev_or_store: Server, bucket: Any) -> None:
    client, name = v2_client(dev_or_store), bucket.bucket_name
    place = {"bucket": name, "key": "k"}
    bucket.put_object("k", b"x")
    tags = [oss_v2.Tag(key=f"k{number}", value="v") for number in range(11)]

    def tagged(count: int) -> Any:
        chosen = oss_v2.Tagging(tag_set=oss_v2.TagSet(tags=tags[:count]))
        return oss_v2.PutObjectTaggingRequest(tagging=chosen, **place)

    client.put_object_tagging(tagged(10))
    assert v2_refusal(client.put_object_tagging, tagged(11))[:2] == (400, "BadRequest")
    found = client.get_object_tagging(oss_v2.GetObjectTaggingRequest(**place))
    assert [tag.key for tag in found.tag_set.tags] == [f"k{number}" for number in range(10)]
    client.put_object_acl(oss_v2.PutObjectAclRequest(acl="public-read", **place))
    assert client.get_object_acl(oss_v2.GetObjectAclRequest(**place)).acl == "public-read"
    client.put_symlink(oss_v2.PutSymlinkRequest(bucket=name, key="link", symlink_target="k"))
    assert client.get_symlink(oss_v2.GetSymlinkRequest(bucket=name, key="link")).target == "k"
    none = oss_v2.GetSymlinkRequest(**place)
    assert v2_refusal(client.get_symlink, none) == (400, "NotSymlink", "The object is not symlink")
    objects = [oss_v2.DeleteObject(key=key) for key in ("k", "link", "none")]
    deleted = client.delete_multiple_objects(oss_v2.DeleteMultipleObjectsRequest(bucket=name, objects=objects))
    assert [one.key for one in deleted.deleted_objects] == ["k", "link", "none"]
