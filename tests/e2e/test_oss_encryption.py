"""Promise: what OSS's encryption headers ask for is done and shown, row by row of the tables (OSS dossier §1).

What is rejected stands in test_oss_encryption_refused.py.
"""

import hashlib
import random
from collections.abc import Mapping
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest

from tests.support.kms_swap import create_key, key_ids
from tests.support.oss_clients import oss2_bucket, v2_client
from tests.support.raw_http import signed
from tests.support.servers import Server, s3_client

SSE = "x-oss-server-side-encryption"
KEY_ID = f"{SSE}-key-id"
DATA = "x-oss-server-side-data-encryption"
SHOWN = (SSE, KEY_ID, DATA)
PART = random.Random(1).randbytes(100 * 1024)
DEFAULT = "the default CMK"
OWN = "a CMK of one's own"

Choice = tuple[dict[str, str], dict[str, str]]
# What is said, and what every answer shows (§1.4). Without anything said the proxy's own default applies: AES256.
CHOICES: Mapping[str, Choice] = {
    "AES256": ({SSE: "AES256"}, {SSE: "AES256"}),
    "SM4": ({SSE: "SM4"}, {SSE: "SM4"}),
    "KMS": ({SSE: "KMS"}, {SSE: "KMS", KEY_ID: DEFAULT}),
    "KMS with a key id": ({SSE: "KMS", KEY_ID: OWN}, {SSE: "KMS", KEY_ID: OWN}),
    "KMS with SM4": ({SSE: "KMS", DATA: "SM4"}, {SSE: "KMS", KEY_ID: DEFAULT, DATA: "SM4"}),
    "KMS with both": ({SSE: "KMS", KEY_ID: OWN, DATA: "SM4"}, {SSE: "KMS", KEY_ID: OWN, DATA: "SM4"}),
    "AES256 with SM4": ({SSE: "AES256", DATA: "SM4"}, {SSE: "AES256"}),
    "SM4 with SM4": ({SSE: "SM4", DATA: "SM4"}, {SSE: "SM4"}),
    "a data cipher alone": ({DATA: "SM4"}, {SSE: "AES256"}),
    "nothing": ({}, {SSE: "AES256"}),
}


@pytest.fixture(scope="module")
def own_key(dev: Server) -> str:
    return create_key(dev.data, alias="alias/oss-own")


@pytest.fixture
def bucket(dev: Server, bucket_name: str) -> Any:
    bucket = oss2_bucket(dev, bucket_name)
    bucket.create_bucket()
    return bucket


@pytest.fixture
def v2(dev: Server) -> Any:
    return v2_client(dev)


@pytest.fixture(scope="module")
def default_key(dev: Server) -> str:
    """The default CMK, which the first KMS object creates."""
    bucket = oss2_bucket(dev, "first-of-kms")
    bucket.create_bucket()
    put = bucket.put_object("k", b"", headers={SSE: "KMS"})
    assert put.headers[KEY_ID] == key_ids(dev.data)["alias/acs/oss"]
    return str(put.headers[KEY_ID])


@pytest.fixture(params=CHOICES)
def choice(request: pytest.FixtureRequest, default_key: str, own_key: str) -> Choice:
    """Request headers and what is shown for them."""
    keys = {DEFAULT: default_key, OWN: own_key}
    said, shown = (
        {name: keys.get(value, value) for name, value in headers.items()} for headers in CHOICES[request.param]
    )
    return said, shown


def _shown(answer: Any) -> dict[str, str]:
    return {name: answer.headers[name] for name in SHOWN if name in answer.headers}


# ---- §1.3 and §1.4: where it is accepted, and what is shown ----


def test_put_get_and_head_show_what_was_chosen(bucket: Any, choice: Choice) -> None:
    said, shown = choice

    put = bucket.put_object("k", PART, headers=said)
    got, head = bucket.get_object("k"), bucket.head_object("k")

    assert _shown(put) == _shown(got) == _shown(head) == shown
    assert got.read() == PART
    assert put.etag == head.etag == hashlib.md5(PART).hexdigest().upper()
    part = bucket.get_object("k", byte_range=(65530, 65545))
    assert (_shown(part), part.read()) == (shown, PART[65530:65546])


def test_the_v2_sdk_says_and_hears_the_same(v2: Any, bucket: Any, choice: Choice) -> None:
    said, shown = choice
    named = {
        "server_side_encryption": said.get(SSE),
        "server_side_encryption_key_id": said.get(KEY_ID),
        "server_side_data_encryption": said.get(DATA),
    }
    place = {"bucket": bucket.bucket_name, "key": "k"}

    answers = [
        v2.put_object(oss_v2.PutObjectRequest(**place, body=b"x", **named)),
        v2.get_object(oss_v2.GetObjectRequest(**place)),
        v2.head_object(oss_v2.HeadObjectRequest(**place)),
        v2.copy_object(oss_v2.CopyObjectRequest(**place, source_key="k", **named)),
        v2.initiate_multipart_upload(oss_v2.InitiateMultipartUploadRequest(**place, **named)),
    ]

    assert [_shown(answer) for answer in answers] == [shown] * 5
    assert answers[1].server_side_encryption == shown[SSE]
    assert answers[1].server_side_encryption_key_id == shown.get(KEY_ID)
    assert answers[1].server_side_data_encryption == shown.get(DATA)


def test_an_upload_shows_what_was_chosen_at_its_start_in_every_answer(bucket: Any, choice: Choice) -> None:
    said, shown = choice
    bucket.put_object("source", PART)

    upload = bucket.init_multipart_upload("k", headers=said)
    sent = bucket.upload_part("k", upload.upload_id, 1, PART)
    copied = bucket.upload_part_copy(bucket.bucket_name, "source", (0, 9), "k", upload.upload_id, 2)
    parts = [oss2.models.PartInfo(1, sent.etag), oss2.models.PartInfo(2, copied.etag)]
    done = bucket.complete_multipart_upload("k", upload.upload_id, parts)
    got = bucket.get_object("k")

    assert [_shown(answer) for answer in (upload, sent, copied, done, got)] == [shown] * 5
    assert got.read() == PART + PART[:10]
    assert bucket.get_object("k", byte_range=(len(PART) - 3, len(PART) + 2)).read() == PART[-3:] + PART[:3]
    assert done.etag.endswith("-2")


def test_an_appendable_object_keeps_what_its_first_append_chose(bucket: Any, choice: Choice) -> None:
    said, shown = choice

    first = bucket.append_object("k", 0, PART, headers=said)
    second = bucket.append_object("k", len(PART), b"without a header")
    third = bucket.append_object("k", len(PART) + 16, b"with another", headers={SSE: "AES256"})
    got = bucket.get_object("k")

    assert [_shown(answer) for answer in (first, second, third, got)] == [shown] * 4
    assert got.read() == PART + b"without a header" + b"with another"
    assert bucket.get_object("k", byte_range=(len(PART) - 2, len(PART) + 6)).read() == PART[-2:] + b"without"


def test_a_body_of_unknown_length_has_what_was_chosen(bucket: Any, choice: Choice) -> None:
    said, shown = choice
    pieces = [PART] * 11  # longer than what is held in memory

    put = bucket.put_object("k", iter(pieces), headers=said)
    got = bucket.get_object("k")

    assert _shown(put) == _shown(got) == shown
    assert got.read() == PART * 11
    assert got.etag == hashlib.md5(PART * 11).hexdigest().upper()


def test_a_copy_has_what_its_request_chose_whatever_the_source_was(bucket: Any, choice: Choice) -> None:
    said, shown = choice
    for source in ({SSE: "KMS"}, {SSE: "SM4"}):
        before = bucket.put_object("source", PART, headers=source)

        copied = bucket.copy_object(bucket.bucket_name, "source", "k", headers=said)
        got = bucket.get_object("k")

        assert _shown(copied) == _shown(got) == shown
        assert got.read() == PART
        assert copied.etag == got.etag == before.etag


def test_neither_object_meta_nor_listings_show_anything(dev: Server, bucket: Any) -> None:
    name = bucket.bucket_name
    bucket.put_object("k", b"x", headers={SSE: "KMS"})
    upload = bucket.init_multipart_upload("u", headers={SSE: "KMS"}).upload_id

    assert _shown(bucket.get_object_meta("k")) == {}
    targets = ["", "?list-type=2", "?versions", "?uploads", f"/u?uploadId={upload}"]
    for target in targets:
        answer = bucket._do("GET", name, target.partition("?")[0].strip("/"), params=_parameters(target))
        text = answer.read()
        assert b"ncrypt" not in text
        assert _shown(answer) == {}


def _parameters(target: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in target.partition("?")[2].split("&") if pair)
    return {name: value for name, _, value in pairs}


# ---- §1.2: the misspelling ----


def test_the_misspelled_headers_are_taken_for_the_right_ones(bucket: Any, own_key: str) -> None:
    misspelled = {"X-OSS-server-side-encrpytion": "KMS", "X-oss-server-side-encrpytion-key-id": own_key}
    shown = {SSE: "KMS", KEY_ID: own_key}

    put = bucket.put_object("k", b"x", headers=misspelled)
    copied = bucket.copy_object(bucket.bucket_name, "k", "l", headers=misspelled)
    upload = bucket.init_multipart_upload("u", headers=misspelled)

    assert _shown(put) == _shown(copied) == _shown(upload) == shown
    assert "x-oss-server-side-encrpytion" not in put.headers


def test_the_misspelled_header_is_signed_as_it_was_sent(dev: Server, bucket: Any) -> None:
    misspelled = {"X-OSS-server-side-encrpytion": "KMS"}

    answer = signed(dev, "PUT", f"/{bucket.bucket_name}/k", misspelled, b"x", dialect="oss")  # by V1

    assert (answer.status, answer.headers[SSE]) == (200, "KMS")


def test_the_right_spelling_wins_over_the_wrong_one(bucket: Any) -> None:
    put = bucket.put_object("k", b"x", headers={"x-oss-server-side-encrpytion": "KMS", SSE: "AES256"})

    assert _shown(put) == {SSE: "AES256"}


# ---- §1.6: copies ----


def test_a_copy_without_the_header_follows_the_bucket_and_not_the_source(bucket: Any) -> None:
    bucket.put_object("source", b"x", headers={SSE: "KMS"})

    plain = bucket.copy_object(bucket.bucket_name, "source", "k")
    bucket.put_bucket_encryption(oss2.models.ServerSideEncryptionRule("SM4"))
    ruled = bucket.copy_object(bucket.bucket_name, "source", "l")

    assert _shown(plain) == {SSE: "AES256"}
    assert _shown(ruled) == {SSE: "SM4"}
    assert bucket.get_object("l").read() == b"x"


def test_the_nonsense_header_of_ali_oss_is_overlooked(bucket: Any) -> None:
    bucket.put_object("source", b"x")

    copied = bucket.copy_object(
        bucket.bucket_name, "source", "k", headers={SSE: "KMS", f"x-oss-copy-source-{SSE}": "AES256"}
    )

    assert copied.headers[SSE] == "KMS"


@pytest.mark.parametrize("size", [0, 1, 65536, 1024 * 1024 + 1])
def test_an_object_changes_its_cipher_in_place_and_back(bucket: Any, size: int) -> None:
    body = random.Random(size).randbytes(size)
    before = bucket.put_object("k", body)
    bucket.put_object_acl("k", oss2.OBJECT_ACL_PUBLIC_READ)
    bucket.put_object_tagging("k", _tags("a", "b"))

    for said in ({SSE: "SM4"}, {SSE: "KMS", DATA: "SM4"}, {SSE: "KMS"}, {SSE: "AES256"}):
        bucket.update_object_meta("k", said)
        got = bucket.get_object("k")
        assert got.read() == body
        assert got.headers[SSE] == said[SSE]
        assert got.headers.get(DATA) == said.get(DATA)
        assert got.etag == before.etag
        assert got.headers["x-oss-hash-crc64ecma"] == str(before.crc)
        assert got.headers["Content-MD5"] == before.headers["Content-MD5"]
        assert bucket.get_object_acl("k").acl == oss2.OBJECT_ACL_PUBLIC_READ
        assert bucket.get_object_tagging("k").tag_set.tagging_rule == {"a": "b"}


def test_an_object_in_parts_keeps_them_when_its_cipher_changes(bucket: Any) -> None:
    upload = bucket.init_multipart_upload("k").upload_id
    bodies = {3: PART, 5: PART[::-1], 9: b"the last"}
    parts = [oss2.models.PartInfo(n, bucket.upload_part("k", upload, n, body).etag) for n, body in bodies.items()]
    before = bucket.complete_multipart_upload("k", upload, parts)

    for said in ({SSE: "SM4"}, {SSE: "AES256"}):
        bucket.update_object_meta("k", said)
        got = bucket.get_object("k")
        assert got.read() == b"".join(bodies.values())
        assert got.etag == before.etag
        assert got.headers["x-oss-object-type"] == "Multipart"
        assert got.headers["x-oss-hash-crc64ecma"] == before.headers["x-oss-hash-crc64ecma"]


def _tags(name: str, value: str) -> Any:
    rule = oss2.models.TaggingRule()
    rule.add(name, value)
    return oss2.models.Tagging(rule)


# ---- the other dialect ----


@pytest.mark.parametrize("size", [5, 2 * 1024 * 1024])
def test_an_sm4_object_is_read_in_s3_without_a_word_for_it(dev: Server, bucket: Any, size: int) -> None:
    body = random.Random(size).randbytes(size)
    put = bucket.put_object("k", body, headers={SSE: "SM4"})

    got = s3_client(dev).get_object(Bucket=bucket.bucket_name, Key="k")

    assert got["Body"].read() == body
    assert "ServerSideEncryption" not in got
    assert got["ETag"] == f'"{put.etag.lower()}"'


# ---- §1.8 ----


def test_a_new_default_leaves_existing_objects_alone_and_the_request_wins_over_it(bucket: Any) -> None:
    bucket.put_object("old", b"x")
    bucket.put_bucket_encryption(oss2.models.ServerSideEncryptionRule("KMS"))

    new = bucket.put_object("new", b"x")
    asked = bucket.put_object("asked", b"x", headers={SSE: "AES256"})

    assert _shown(bucket.head_object("old")) == {SSE: "AES256"}
    assert new.headers[SSE] == "KMS"
    assert _shown(asked) == {SSE: "AES256"}
