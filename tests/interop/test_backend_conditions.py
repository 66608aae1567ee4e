"""Promise: a condition on a write is kept by every store, or refused; and what the proxy itself does is guarded everywhere.

What each store overlooks is written down in `backends.py`; a store that learns or unlearns something fails here.
"""

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.interop.backends import BACKENDS
from tests.support.objects_tool import ObjectsTool
from tests.support.servers import Server

if "SSEPROXY_INTEROP" not in os.environ:
    pytest.skip("real stores run by tests/interop/run.sh alone", allow_module_level=True)

_NO_ETAG = '"00000000000000000000000000000000"'
_KEPT, _REFUSED = (412, "PreconditionFailed"), (501, "NotImplemented")


@pytest.fixture
def lacks(request: pytest.FixtureRequest) -> frozenset[str]:
    """What the store that the test runs on overlooks."""
    return BACKENDS[request.node.callspec.params["backend"]].lacks


def _answer(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    answer: Any = raised.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def _expected(lacks: frozenset[str], *conditions: str) -> tuple[int, str]:
    return _REFUSED if lacks.issuperset(conditions) else _KEPT


def test_what_the_store_overlooks_is_found_out(
    backend: Server, proxy: Server, client: Any, bucket: str, lacks: frozenset[str]
) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    client.put_object(Bucket=bucket, Key="k", Body=b"y", IfMatch=client.head_object(Bucket=bucket, Key="k")["ETag"])

    found = re.findall(r'"conditions": "([^"]*)", "event": "storage_overlooks"', proxy.output())
    assert found == ([",".join(sorted(lacks))] if lacks else [])


def test_a_put_replaces_what_it_names_and_nothing_else(client: Any, bucket: str, lacks: frozenset[str]) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    etag = client.put_object(**where, Body=b"1", IfNoneMatch="*")["ETag"]

    refused = [
        _answer(client.put_object, **where, Body=b"2", IfNoneMatch="*"),
        _answer(client.put_object, **where, Body=b"2", IfMatch=_NO_ETAG),
    ]
    client.put_object(**where, Body=b"3" * 70_000, IfMatch=etag)

    assert refused == [_KEPT, _KEPT]
    assert client.get_object(**where)["Body"].read() == b"3" * 70_000


def test_of_many_that_create_an_object_at_once_one_does(client: Any, bucket: str) -> None:
    def create(number: int) -> int:
        try:
            client.put_object(Bucket=bucket, Key="k", Body=b"%d" % number, IfNoneMatch="*")
        except ClientError as error:
            answer: Any = error.response
            assert answer["ResponseMetadata"]["HTTPStatusCode"] in {409, 412}
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(16))) == 1


def test_a_complete_keeps_its_condition_or_is_refused(client: Any, bucket: str, lacks: frozenset[str]) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    client.put_object(**where, Body=b"old")
    upload = client.create_multipart_upload(**where)["UploadId"]
    part = client.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"new")["ETag"]
    listed = {"Parts": [{"PartNumber": 1, "ETag": part}]}

    refused = [
        _answer(client.complete_multipart_upload, **where, UploadId=upload, MultipartUpload=listed, IfNoneMatch="*"),
        _answer(client.complete_multipart_upload, **where, UploadId=upload, MultipartUpload=listed, IfMatch=_NO_ETAG),
    ]

    assert refused[0] == _expected(lacks, "complete-if-none-match")
    assert refused[1] in {_expected(lacks, "complete-if-match"), (404, "NoSuchUpload")}
    assert client.get_object(**where)["Body"].read() == b"old"


def test_a_delete_keeps_its_condition_or_is_refused(client: Any, bucket: str, lacks: frozenset[str]) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    etag = client.put_object(**where, Body=b"x")["ETag"]

    assert _answer(client.delete_object, **where, IfMatch=_NO_ETAG) == _expected(lacks, "delete-if-match")
    assert client.get_object(**where)["Body"].read() == b"x"
    if "delete-if-match" not in lacks:
        client.delete_object(**where, IfMatch=etag)
        assert "Contents" not in client.list_objects_v2(Bucket=bucket)


def test_a_copy_keeps_a_condition_on_its_destination(client: Any, bucket: str) -> None:
    for key in ("from", "there"):
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    source = {"Bucket": bucket, "Key": "from"}

    refused = _answer(client.copy_object, Bucket=bucket, Key="there", CopySource=source, IfNoneMatch="*")
    client.copy_object(Bucket=bucket, Key="free", CopySource=source, IfNoneMatch="*")

    assert refused == _KEPT
    assert [client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in ("there", "free")] == [
        b"there",
        b"from",
    ]


def test_copies_of_an_object_that_is_overwritten_all_the_time_can_all_be_read(client: Any, bucket: str) -> None:
    bodies = [bytes([number]) * (1000 + number) for number in range(12)]
    client.put_object(Bucket=bucket, Key="k", Body=bodies[0])

    def overwrite(_: int) -> None:
        for body in bodies:
            client.put_object(Bucket=bucket, Key="k", Body=body)

    def copy(number: int) -> None:
        try:
            client.copy_object(Bucket=bucket, Key=f"copy{number}", CopySource=f"{bucket}/k")
        except ClientError as error:
            answer: Any = error.response
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == 503  # overwritten under it too often

    with ThreadPoolExecutor(6) as pool:
        writers = [pool.submit(overwrite, number) for number in range(2)]
        list(pool.map(copy, range(24)))
        for writer in writers:
            writer.result()

    copies = [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket, Prefix="copy").get("Contents", [])]
    assert copies
    assert all(client.get_object(Bucket=bucket, Key=key)["Body"].read() in bodies for key in copies)


@pytest.mark.parametrize("size", [7, 2 * 1024 * 1024])
def test_an_object_is_put_under_another_key(client: Any, bucket: str, size: int) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    arn = client.put_object(Bucket=bucket, Key="other", Body=b"x", ServerSideEncryption="aws:kms")["SSEKMSKeyId"]
    client.put_object(**where, Body=b"x" * size, Metadata={"a": "b"}, ContentType="text/x", Tagging="t=1")
    old = client.head_object(**where)

    client.update_object_encryption(**where, ObjectEncryption={"SSEKMS": {"KMSKeyArn": arn}})

    new = client.head_object(**where)
    assert (new["ServerSideEncryption"], new["SSEKMSKeyId"]) == ("aws:kms", arn)
    assert [new[name] for name in ("ETag", "ContentLength", "Metadata", "ContentType")] == [
        old[name] for name in ("ETag", "ContentLength", "Metadata", "ContentType")
    ]
    assert client.get_object(**where)["Body"].read() == b"x" * size
    assert client.get_object_tagging(**where)["TagSet"] == [{"Key": "t", "Value": "1"}]


def test_rewrap_asks_for_a_promise_where_copies_are_not_guarded(
    client: Any, objects: ObjectsTool, bucket: str, lacks: frozenset[str], tmp_path: Path
) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms")

    careful = objects.run("rewrap", "--bucket", bucket)
    promised = objects.run("rewrap", "--bucket", bucket, "--nobody-writes", report=tmp_path / "report")

    assert careful.code == (2 if "copy-if-match" in lacks else 0), careful.err
    assert ("--nobody-writes" in careful.err) == ("copy-if-match" in lacks)
    assert promised.code == 0, promised.err
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
