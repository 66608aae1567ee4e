"""The shell: errors in both dialects, life and death of the process, and use within a process."""

import asyncio
import base64
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sseproxy.store import serve_store
from sseproxy.store.files import StoreInUse
from tests.store.wire import UNSIGNED, Wire
from tests.support.servers import ACCESS_KEY, SECRET_KEY, Launcher, Server, s3_client


def test_an_error_has_the_headers_of_its_dialect(wire: Wire, bucket: str) -> None:
    s3, oss = wire.s3("GET", f"/{bucket}/nothing"), wire.oss("GET", f"/{bucket}/nothing")

    assert s3.outcome == oss.outcome == (404, "NoSuchKey")
    assert s3.text("RequestId") == s3.headers["x-amz-request-id"]
    assert s3.text("HostId") == s3.headers["x-amz-id-2"]
    assert oss.text("RequestId") == oss.headers["x-oss-request-id"]
    assert re.fullmatch("[0-9A-F]{24}", oss.headers["x-oss-request-id"])
    assert oss.headers["x-oss-server-time"].isdigit()
    assert (oss.headers["server"], s3.headers["server"]) == ("AliyunOSS", "AmazonS3")
    assert s3.headers["content-type"] == oss.headers["content-type"] == "application/xml"
    assert {"date", "content-length"} <= s3.headers.keys() & oss.headers.keys()
    assert b"xmlns" not in s3.body + oss.body


def test_an_error_on_head_has_no_body_and_on_oss_a_header(wire: Wire, bucket: str) -> None:
    s3, oss = wire.s3("HEAD", f"/{bucket}/nothing"), wire.oss("HEAD", f"/{bucket}/nothing")

    assert (s3.status, s3.body, oss.status, oss.body) == (404, b"", 404, b"")
    assert b"<Code>NoSuchKey</Code>" in base64.b64decode(oss.headers["x-oss-err"])


@pytest.mark.parametrize("target", ["?torrent", "?select", "?x-oss-process=image", "?legal-hold"])
def test_an_unknown_sub_resource_is_never_taken_for_the_object(wire: Wire, bucket: str, target: str) -> None:
    wire.s3("PUT", f"/{bucket}/k", b"body")

    answer = wire.s3("GET", f"/{bucket}/k{target}")

    assert answer.outcome == (501, "NotImplemented")


def test_unknown_parameters_do_not_matter(wire: Wire, bucket: str) -> None:
    wire.s3("PUT", f"/{bucket}/k?x-id=PutObject", b"body")

    assert wire.s3("GET", f"/{bucket}/k?x-id=GetObject&y=z").body == b"body"


@pytest.mark.parametrize(("method", "target"), [("POST", "/{}"), ("POST", "/{}/k"), ("PATCH", "/{}/k"), ("PUT", "/")])
def test_other_methods_are_not_allowed(wire: Wire, bucket: str, method: str, target: str) -> None:
    assert wire.s3(method, target.format(bucket)).outcome == (405, "MethodNotAllowed")


def test_two_sub_resources_at_once_are_refused(wire: Wire, bucket: str) -> None:
    assert wire.s3("GET", f"/{bucket}?acl&cors").outcome == (400, "InvalidArgument")


def test_a_connection_is_kept_after_an_error_without_a_body(wire: Wire) -> None:
    connection = wire.connect()
    for _ in range(3):
        connection.request("GET", "/", headers=wire.sign_s3("GET", "/x", {}, UNSIGNED).headers)
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.getheader("Connection")) == (403, None)
    connection.close()


def test_an_unread_body_ends_the_connection(wire: Wire) -> None:
    answer = wire.s3("PUT", "/no-such-bucket/k", bytes(8_000_000))

    assert (answer.code, answer.headers["connection"]) == ("NoSuchBucket", "close")


def test_everything_is_there_after_a_restart(launcher: Launcher) -> None:
    first = launcher.store()
    client = s3_client(first)
    client.create_bucket(Bucket="bucket")
    client.put_object(Bucket="bucket", Key="k", Body=b"body", Metadata={"a": "1"})
    upload = client.create_multipart_upload(Bucket="bucket", Key="m")["UploadId"]
    etag = client.upload_part(Bucket="bucket", Key="m", UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
    assert first.stop() == 0

    second = s3_client(launcher.store(first.data))

    assert second.get_object(Bucket="bucket", Key="k")["Body"].read() == b"body"
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    second.complete_multipart_upload(Bucket="bucket", Key="m", UploadId=upload, MultipartUpload=parts)
    assert second.get_object(Bucket="bucket", Key="m")["Body"].read() == b"part"


def _begin_put(wire: Wire, store: Server, target: str, sent: int) -> socket.socket:
    signed = wire.sign_s3("PUT", target, {"content-length": str(sent + 1)}, UNSIGNED)
    head = "".join(f"{name}: {value}\r\n" for name, value in signed.headers.items())
    connection = socket.create_connection((store.host, store.port))
    connection.sendall(f"PUT {target} HTTP/1.1\r\n{head}\r\n".encode() + bytes(sent))
    return connection


def test_sigkill_leaves_the_old_object_and_the_next_start_removes_the_rest(launcher: Launcher) -> None:
    store = launcher.store()
    wire = Wire(store)
    wire.s3("PUT", "/bucket")
    wire.s3("PUT", "/bucket/k", b"old")
    connections = [_begin_put(wire, store, f"/bucket/{key}", 8_000_000) for key in ("k", "new")]

    store.kill()
    for connection in connections:
        connection.close()
    aside = Path(store.data) / "incoming"
    before = len(list(aside.iterdir()))
    again = Wire(launcher.store(store.data))

    assert before > 0
    assert list(aside.iterdir()) == []
    assert again.s3("GET", "/bucket/k").body == b"old"
    assert again.s3("GET", "/bucket").texts("Key") == ["k"]


def test_files_without_a_row_are_removed_at_the_next_start(launcher: Launcher) -> None:
    store = launcher.store()
    Wire(store).s3("PUT", "/bucket")
    Wire(store).s3("PUT", "/bucket/k", b"body")
    store.stop()
    orphan = Path(store.data) / "objects" / "00" / ("0" * 32 + ".body")
    orphan.write_bytes(b"what a process left that died before its commit")

    again = Wire(launcher.store(store.data))

    assert not orphan.exists()
    assert again.s3("GET", "/bucket/k").body == b"body"


def test_a_second_process_on_the_same_data_does_not_start(store: Server) -> None:
    command = [sys.executable, "-m", "sseproxy.store", "--listen", "127.0.0.1:0", "--data", str(store.data)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert "in use" in done.stderr


def test_it_ends_cleanly_on_sigint(launcher: Launcher) -> None:
    store = launcher.store()

    store.process.send_signal(signal.SIGINT)

    assert store.process.wait(20) == 0


async def test_it_serves_within_a_process(tmp_path: Path) -> None:
    credentials = {ACCESS_KEY: SECRET_KEY, "second": "another"}
    async with serve_store(tmp_path, "127.0.0.1", 0, credentials) as (host, port):
        server = Server(process=None, host=host, port=port, data=tmp_path)  # type: ignore[arg-type] # it is this process
        answers = [
            await asyncio.to_thread(Wire(server).s3, "PUT", "/bucket"),
            await asyncio.to_thread(Wire(server).s3, "GET", "/", access_key="second", secret="another"),
        ]
        with pytest.raises(StoreInUse):
            async with serve_store(tmp_path, host, 0, credentials):
                """Never reached."""

    assert [answer.status for answer in answers] == [200, 200]


async def test_durable_writes_are_written_too(tmp_path: Path) -> None:
    async with serve_store(tmp_path, "127.0.0.1", 0, {ACCESS_KEY: SECRET_KEY}, durable=True) as (host, port):
        wire = Wire(Server(process=None, host=host, port=port, data=tmp_path))  # type: ignore[arg-type] # it is this process
        await asyncio.to_thread(wire.s3, "PUT", "/bucket")
        await asyncio.to_thread(wire.s3, "PUT", "/bucket/k", b"body")
        assert (await asyncio.to_thread(wire.s3, "GET", "/bucket/k")).body == b"body"


def test_a_client_that_reads_nothing_does_not_hold_up_the_end(launcher: Launcher) -> None:
    store = launcher.store()
    wire = Wire(store)
    wire.s3("PUT", "/bucket")
    wire.s3("PUT", "/bucket/k", bytes(60_000))
    signed = wire.sign_s3("GET", "/bucket/k", {}, UNSIGNED)
    head = "".join(f"{name}: {value}\r\n" for name, value in signed.headers.items())

    with socket.create_connection((store.host, store.port), timeout=20) as connection:
        connection.sendall(f"GET /bucket/k HTTP/1.1\r\n{head}\r\n".encode() * 300)
        assert connection.recv(12) == b"HTTP/1.1 200"
        wire.s3("GET", "/")
        assert store.stop() == 0
