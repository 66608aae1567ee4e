"""`sseproxy buckets …`, and what `sseproxy objects migrate` marks where ETags are opaque."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.nursery import run_command
from tests.support.objects_tool import Done, ObjectsTool, tool_of
from tests.support.servers import Launcher, Server, own_state, s3_client

OPAQUE = '[encryption]\netag = "opaque"\n'


def _buckets(tool: ObjectsTool, name: str, *arguments: str) -> Done:
    code, out, err = run_command(["buckets", name, *tool.place, *arguments], tool.nonces, timeout_s=120)
    assert "Traceback" not in err, err
    return Done(code, out, err, [])


@pytest.fixture(scope="module")
def opaque(launcher: Launcher, store: Server) -> Server:
    """A proxy with keys and state of its own, whose ETags are opaque."""
    return launcher.proxy(store, extra=own_state("opaque") + OPAQUE)


def _tool(launcher: Launcher, proxy: Server) -> ObjectsTool:
    assert launcher.nonce_log is not None
    return tool_of(proxy, launcher.nonce_log)


def _told(client: Any, bucket: str) -> tuple[dict[str, tuple[int, str]], dict[str, tuple[int, str]]]:
    """Return what the listing says of each object, and what HEAD says."""
    listed = client.list_objects_v2(Bucket=bucket)["Contents"]
    heads = {entry["Key"]: client.head_object(Bucket=bucket, Key=entry["Key"]) for entry in listed}
    return (
        {entry["Key"]: (entry["Size"], entry["ETag"]) for entry in listed},
        {key: (head["ContentLength"], head["ETag"]) for key, head in heads.items()},
    )


def test_buckets_are_listed_and_marked_and_a_mark_only_goes_down(
    launcher: Launcher, store: Server, opaque: Server
) -> None:
    client, past, tool = s3_client(opaque), s3_client(store), _tool(launcher, opaque)
    client.create_bucket(Bucket="made-here")
    client.put_object(Bucket="made-here", Key="sealed", Body=b"sealed")
    past.create_bucket(Bucket="found-here")

    listed = _buckets(tool, "list")
    up = _buckets(tool, "mark", "sealed", "--bucket", "found-here")
    down = _buckets(tool, "mark", "sealed", "--bucket", "made-here")
    as_json = _buckets(tool, "list", "--json")

    assert (listed.code, listed.out, listed.err) == (0, "made-here  sealed opaque\n", "")
    assert (up.code, up.out) == (2, "")
    assert up.err == (
        "sseproxy: found-here is mixed: `sseproxy objects migrate` seals what is plain and marks it then as sealed\n"
    )
    assert (down.code, down.err) == (0, "")
    assert down.out == (
        "made-here is now marked as sealed; proxies that run see it after encryption.bucket_settings_lifetime\n"
    )
    assert json.loads(as_json.out) == {"made-here": "sealed"}


def test_a_bucket_marked_as_mixed_serves_objects_without_an_envelope_again(
    launcher: Launcher, store: Server, opaque: Server
) -> None:
    client, past, tool = s3_client(opaque), s3_client(store), _tool(launcher, opaque)
    client.create_bucket(Bucket="logs")
    past.put_object(Bucket="logs", Key="plain", Body=b"written by the store")

    with pytest.raises(ClientError) as refused:
        client.get_object(Bucket="logs", Key="plain")
    marked = _buckets(tool, "mark", "mixed", "--bucket", "logs")
    replica = launcher.proxy(store, opaque.data, extra=own_state("opaque") + OPAQUE)

    error = refused.value.response
    assert (error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]) == (500, "InternalError")
    assert "marked as sealed, and the object has no envelope" in error["Error"]["Message"]
    assert (marked.code, marked.out.split(";")[0]) == (0, "logs is now marked as mixed")
    assert s3_client(replica).get_object(Bucket="logs", Key="plain")["Body"].read() == b"written by the store"
    assert "logs" not in _buckets(tool, "list").out


def test_a_migrated_bucket_gets_opaque_etags_once_no_object_has_another(
    launcher: Launcher, store: Server, opaque: Server, tmp_path: Path
) -> None:
    before = launcher.proxy(store, opaque.data, extra=own_state("opaque"))  # as it was configured before
    past, client, tool = s3_client(store), s3_client(opaque), _tool(launcher, opaque)
    config = max(opaque.data.glob("sseproxy-*.toml"), key=lambda path: OPAQUE in path.read_text())
    tool = ObjectsTool(("--config", str(config)), tool.nonces)
    past.create_bucket(Bucket="old")
    past.put_object(Bucket="old", Key="plain", Body=bytes(2_000_000))
    s3_client(before).put_object(Bucket="old", Key="md5", Body=b"x")
    client.put_object(Bucket="old", Key="opaque", Body=b"y")

    first = tool.run("migrate", "--bucket", "old", "--json", report=tmp_path / "first")
    told = _told(client, "old")
    client.delete_object(Bucket="old", Key="md5")
    second = tool.run("migrate", "--bucket", "old", "--json", report=tmp_path / "second")
    third = tool.run("migrate", "--bucket", "old", "--json")

    assert first.outcomes == {
        "md5": "already sealed (ETag not opaque)", "opaque": "already sealed", "plain": "sealed (new ETag)",
    }  # fmt: skip
    assert first.document["notes"][-1] == "The bucket is now marked as sealed."
    assert told[0] == told[1]
    assert told[0]["md5"] == (1, '"9dd4e461268c8034f5c8564e155c67a6"')
    assert second.outcomes == {"opaque": "already sealed", "plain": "already sealed"}
    assert second.document["notes"][-1] == "The bucket is now marked as sealed opaque."
    assert third.document["notes"][-1] == "The bucket is marked as sealed opaque."
    listed, heads = _told(s3_client(launcher.proxy(store, opaque.data, extra=own_state("opaque"))), "old")
    assert listed == heads
    assert [etag[-3:] for _, etag in listed.values()] == ['-0"', '-0"']
