"""The adversary's tools: finding and changing what lies on the disk."""

import json
from typing import Any

import pytest

from sseproxy.store.locate import NoSuchObject, describe_object, locate_object, replace_body, replace_metadata
from tests.store.wire import Wire
from tests.support.servers import Server


@pytest.fixture
def k(s3: Any, bucket: str) -> str:
    s3.put_object(Bucket=bucket, Key="ü/k", Body=b"0123456789" * 10, Metadata={"a": "1"})
    return "ü/k"


def test_the_body_lies_there_as_it_was_sent(store: Server, bucket: str, k: str) -> None:
    files = locate_object(store.data, bucket, k)

    body = files.body.read_bytes()[files.offset : files.offset + files.size]
    assert body == b"0123456789" * 10
    assert json.loads(files.metadata.read_bytes())["user"] == {"a": "1"}
    assert locate_object(store.data, bucket, k.encode()) == files
    assert describe_object(store.data, bucket, k)["size"] == 100


def test_a_flipped_bit_is_served(store: Server, wire: Wire, bucket: str, k: str) -> None:
    files = locate_object(store.data, bucket, k)

    with files.body.open("r+b") as body:
        body.seek(files.offset + 3)
        body.write(b"X")

    assert wire.s3("GET", f"/{bucket}/%C3%BC/k").body == b"012X456789" + b"0123456789" * 9


def test_another_body_of_another_size_is_served(store: Server, wire: Wire, bucket: str, k: str) -> None:
    replace_body(store.data, bucket, k, b"short")

    answer = wire.s3("GET", f"/{bucket}/%C3%BC/k")
    assert (answer.body, answer.headers["content-length"], answer.headers["x-amz-meta-a"]) == (b"short", "5", "1")
    assert wire.s3("GET", f"/{bucket}").text("Size") == "5"


@pytest.mark.parametrize("document", [b"", b"{", b"[]", b"{}", b"\xff", b'{"headers": 1, "parts": [], "crc64": 0}'])
def test_broken_metadata_is_an_internal_error(store: Server, wire: Wire, bucket: str, k: str, document: bytes) -> None:
    replace_metadata(store.data, bucket, k, document)

    assert wire.s3("GET", f"/{bucket}/%C3%BC/k").outcome == (500, "InternalError")


def test_changed_metadata_is_served(store: Server, wire: Wire, bucket: str, k: str) -> None:
    document = json.loads(locate_object(store.data, bucket, k).metadata.read_bytes())
    document["user"]["a"] = "2"

    replace_metadata(store.data, bucket, k, json.dumps(document).encode())

    assert wire.s3("HEAD", f"/{bucket}/%C3%BC/k").headers["x-amz-meta-a"] == "2"


@pytest.mark.parametrize("size", [0, 49, 51, 2_000_000])
def test_a_body_cut_or_grown_in_place_is_served_as_it_lies(
    store: Server, wire: Wire, bucket: str, k: str, size: int
) -> None:
    with locate_object(store.data, bucket, k).body.open("r+b") as body:
        body.truncate(size)

    for method in ("GET", "HEAD"):
        assert wire.s3(method, f"/{bucket}/%C3%BC/k").headers["content-length"] == str(size)


def test_a_missing_body_is_an_internal_error(store: Server, wire: Wire, bucket: str, k: str) -> None:
    locate_object(store.data, bucket, k).body.unlink()

    assert wire.s3("GET", f"/{bucket}/%C3%BC/k").outcome == (500, "InternalError")


def test_what_is_not_there_is_not_found(store: Server, bucket: str) -> None:
    with pytest.raises(NoSuchObject):
        locate_object(store.data, bucket, "nothing")
