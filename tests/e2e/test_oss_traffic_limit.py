"""Promise: clients may limit their own speed, and are told where they limit it to nonsense (OSS dossier §3.4, §6.7)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import oss2
import pytest

from tests.support.oss_clients import created_bucket, oss2_refusal, v2_client, v2_refusal
from tests.support.raw_http import signed
from tests.support.servers import Server

_NAME = "x-oss-traffic-limit"
_FASTEST = {_NAME: "838860800"}
_BODY = bytes(range(256)) * 400
_WORDS = "x-oss-traffic-limit must be a number of bits per second from 819200 to 838860800."

Call = Callable[[Any, dict[str, str]], Any]
LIMITED: Mapping[str, Call] = {
    "PutObject": lambda b, h: b.put_object("new", b"x", headers=h),
    "AppendObject": lambda b, h: b.append_object("new", 0, b"x", headers=h),
    "CopyObject": lambda b, h: b.copy_object(b.bucket_name, "k", "new", headers=h),
    "GetObject": lambda b, h: b.get_object("k", headers=h),
    "GetObject by URL": lambda b, h: b.get_object_with_url(b.sign_url("GET", "k", 60, params=h)),
    "PutObject by URL": lambda b, h: b.put_object_with_url(b.sign_url("PUT", "new", 60, params=h), b"x"),
    "UploadPart": lambda b, h: b.upload_part("u", b.init_multipart_upload("u").upload_id, 1, b"x", headers=h),
    "UploadPartCopy": lambda b, h: b.upload_part_copy(
        b.bucket_name, "k", None, "u", b.init_multipart_upload("u").upload_id, 1, headers=h
    ),
}


@pytest.fixture
def bucket(dev: Server, bucket_name: str) -> Iterator[Any]:
    with created_bucket(dev, bucket_name) as bucket:
        bucket.put_object("k", _BODY)
        yield bucket


@pytest.mark.parametrize("operation", LIMITED)
def test_a_limit_is_taken_where_it_can_be(bucket: Any, operation: str) -> None:
    assert LIMITED[operation](bucket, dict(_FASTEST)).status == 200  # oss2 writes into it


@pytest.mark.parametrize("operation", LIMITED)
def test_a_limit_out_of_bounds_is_refused_and_nothing_is_stored(bucket: Any, operation: str) -> None:
    for limit in ("819199", "838860801", "fast"):
        assert oss2_refusal(LIMITED[operation], bucket, {_NAME: limit}) == (400, "InvalidArgument", _WORDS)
    assert not bucket.object_exists("new")


def test_the_bytes_are_the_same_and_the_v2_sdk_says_it_too(dev: Server, bucket: Any) -> None:
    client, place = v2_client(dev), {"bucket": bucket.bucket_name, "key": "v2"}

    client.put_object(oss_v2.PutObjectRequest(**place, body=_BODY, traffic_limit=838_860_800))
    got = client.get_object(oss_v2.GetObjectRequest(**place, traffic_limit=838_860_800))
    refused = v2_refusal(client.get_object, oss_v2.GetObjectRequest(**place, traffic_limit=1))

    assert got.body.read() == _BODY
    assert bucket.get_object("k", byte_range=(5, 70_000), headers=_FASTEST).read() == _BODY[5:70_001]
    assert refused == (400, "InvalidArgument", _WORDS)


def test_the_refusal_names_the_header_and_other_operations_overlook_it(dev: Server, bucket: Any) -> None:
    answer = signed(dev, "GET", f"/{bucket.bucket_name}/k", {_NAME: "1"}, dialect="oss")

    assert (answer.text("ArgumentName"), answer.text("ArgumentValue")) == (_NAME, "1")
    assert bucket.head_object("k", headers={_NAME: "1"}).content_length == len(_BODY)
    assert [entry.key for entry in oss2.ObjectIterator(bucket)] == ["k"]
