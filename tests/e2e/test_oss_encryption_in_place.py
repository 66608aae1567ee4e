"""Promise: what was in the store before the proxy can be encrypted in place, and nobody notices (OSS dossier §1.6)."""

import random
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import oss2
import pytest

from tests.support.kms_swap import create_key, key_ids
from tests.support.oss_clients import oss2_bucket
from tests.support.servers import Launcher, Server

SSE = "x-oss-server-side-encryption"
KEY_ID = f"{SSE}-key-id"
DATA = "x-oss-server-side-data-encryption"
STAT = ("Content-Length", "Content-MD5", "Content-Type", "ETag", "x-oss-hash-crc64ecma", "x-oss-object-type")
BODY = random.Random(5).randbytes(300_000)


@pytest.fixture(scope="module")
def store_behind(launcher: Launcher) -> Server:
    return launcher.store()


@pytest.fixture(scope="module")
def proxy(launcher: Launcher, store_behind: Server) -> Server:
    return launcher.proxy(store_behind, dialect="oss")


@pytest.fixture
def behind(store_behind: Server, bucket_name: str) -> Any:
    """A bucket, seen past the proxy."""
    bucket = oss2_bucket(store_behind, bucket_name)
    bucket.create_bucket()
    return bucket


@pytest.fixture
def bucket(proxy: Server, behind: Any) -> Any:
    """The same bucket through the proxy."""
    return oss2_bucket(proxy, behind.bucket_name)


def _in_one_piece(bucket: Any) -> None:
    bucket.put_object("k", BODY, headers={"Content-Type": "text/plain"})


def _in_parts(bucket: Any) -> None:
    upload = bucket.init_multipart_upload("k", headers={"Content-Type": "text/plain"}).upload_id
    pieces = {1: BODY[:120_000], 4: BODY[120_000:]}
    parts = [oss2.models.PartInfo(n, bucket.upload_part("k", upload, n, piece).etag) for n, piece in pieces.items()]
    bucket.complete_multipart_upload("k", upload, parts)


def _stat(bucket: Any) -> dict[str, Any]:
    head = bucket.head_object("k")
    entry = next(entry for entry in bucket.list_objects().object_list if entry.key == "k")
    stat = {name: head.headers.get(name) for name in STAT}
    return {
        **stat,
        "ACL": bucket.get_object_acl("k").acl,
        "listed": (entry.etag, entry.size),
    }  # its type is the storage's


@pytest.mark.parametrize("write", [_in_one_piece, _in_parts], ids=["in one piece", "in parts"])
@pytest.mark.parametrize("acl", [oss2.OBJECT_ACL_DEFAULT, oss2.OBJECT_ACL_PUBLIC_READ])
def test_an_object_of_the_store_goes_through_all_encryptions_and_stays_what_it_was(
    proxy: Server, behind: Any, bucket: Any, write: Callable[[Any], None], acl: str
) -> None:
    write(behind)
    behind.put_object_acl("k", acl)
    own = create_key(proxy.data, alias=f"alias/in-place-{behind.bucket_name}")
    before = _stat(bucket)
    assert before == _stat(behind)
    assert SSE not in bucket.head_object("k").headers
    modified = parsedate_to_datetime(bucket.head_object("k").headers["Last-Modified"])

    steps: list[tuple[dict[str, str], dict[str, str]]] = [
        ({SSE: "AES256"}, {SSE: "AES256"}),
        ({SSE: "KMS"}, {SSE: "KMS", KEY_ID: "alias/acs/oss"}),
        ({SSE: "KMS", KEY_ID: own}, {SSE: "KMS", KEY_ID: own}),
        ({SSE: "KMS", KEY_ID: own, DATA: "SM4"}, {SSE: "KMS", KEY_ID: own, DATA: "SM4"}),
        ({SSE: "SM4"}, {SSE: "SM4"}),
        ({SSE: "AES256"}, {SSE: "AES256"}),
    ]
    for said, shown in steps:
        answer = bucket.update_object_meta("k", said)
        got = bucket.get_object("k")
        head = bucket.head_object("k").headers
        keys = key_ids(proxy.data)
        expected = {name: keys.get(value, value) for name, value in shown.items()}

        assert got.read() == BODY
        assert _stat(bucket) == before
        assert {name: head[name] for name in (SSE, KEY_ID, DATA) if name in head} == expected
        assert {name: answer.headers[name] for name in (SSE, KEY_ID, DATA) if name in answer.headers} == expected
        assert parsedate_to_datetime(head["Last-Modified"]) >= modified
        modified = parsedate_to_datetime(head["Last-Modified"])
        assert BODY[:1000] not in behind.get_object("k").read()


def test_the_first_kms_object_creates_the_default_cmk(launcher: Launcher) -> None:
    fresh = launcher.proxy(launcher.store(), dialect="oss")
    bucket = oss2_bucket(fresh, "b-first")
    bucket.create_bucket()
    assert "alias/acs/oss" not in key_ids(fresh.data)

    first, second = (bucket.put_object(key, b"x", headers={SSE: "KMS"}) for key in "ab")

    assert first.headers[KEY_ID] == second.headers[KEY_ID] == key_ids(fresh.data)["alias/acs/oss"]


def test_metadata_that_the_request_does_not_repeat_is_gone_as_the_service_has_it(behind: Any, bucket: Any) -> None:
    behind.put_object("k", BODY, headers={"Content-Type": "text/plain", "x-oss-meta-a": "b"})

    bucket.update_object_meta("k", {SSE: "AES256", "x-oss-meta-c": "d"})

    head = bucket.head_object("k").headers
    assert ("x-oss-meta-a" in head, head["x-oss-meta-c"], head["Content-Type"]) == (False, "d", "text/plain")
