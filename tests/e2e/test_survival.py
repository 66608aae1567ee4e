"""Promise: killing the proxy at any moment leaves no broken object, and uploads go on in another process."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.flaky import Relay
from tests.support.raw_http import SIGNERS, connect, head_bytes, signed
from tests.support.servers import Launcher, Server, s3_client

_MIB = 1024 * 1024

both_dialects = pytest.mark.parametrize("dialect", ["s3", "oss"])


@pytest.fixture(scope="module")
def store(launcher: Launcher) -> Server:
    return launcher.store()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all proxies of this module have their keys: they stand in front of one store."""
    return tmp_path_factory.mktemp("keys")


@pytest.fixture
def relay(store: Server) -> Iterator[Relay]:
    relay = Relay(store)
    yield relay
    relay.close()


def _send_until(relay: Relay, proxy: Server, dialect: str, target: str, *, least: int) -> None:
    """Begin a PUT of 64 MiB, and kill the proxy when the store has `least` bytes of it."""
    headers = {**SIGNERS[dialect](proxy, "PUT", target, {}), "Content-Length": str(64 * _MIB)}
    before = sum(link.sent for link in relay.links)
    with connect(proxy) as connection:
        connection.sendall(head_bytes(proxy, "PUT", target, headers) + bytes(least + _MIB))
        relay.wait_until(lambda: sum(link.sent for link in relay.links) - before >= least)
        proxy.kill()
    relay.wait_until(lambda: all(link.is_closed for link in relay.links))


@both_dialects
def test_a_put_cut_off_by_sigkill_leaves_the_old_object(
    launcher: Launcher, relay: Relay, keys: Path, dialect: str
) -> None:
    bucket = f"killed-{dialect}"
    proxy = launcher.proxy(relay.server, keys, dialect=dialect)
    signed(proxy, "PUT", f"/{bucket}", dialect=dialect)
    assert signed(proxy, "PUT", f"/{bucket}/k", {}, b"old", dialect=dialect).status == 200

    _send_until(relay, proxy, dialect, f"/{bucket}/k", least=6 * _MIB)

    reborn = launcher.proxy(relay.server, keys, dialect=dialect)
    assert signed(reborn, "GET", f"/{bucket}/k", dialect=dialect).body == b"old"
    listed = signed(reborn, "GET", f"/{bucket}/", dialect=dialect)
    assert listed.body.count(b"<Key>") == 1
    assert listed.text("Size") == "3"


def test_a_put_of_unknown_length_cut_off_by_sigkill_leaves_the_old_object(
    launcher: Launcher, relay: Relay, keys: Path
) -> None:
    """OSS takes such bodies; they become an upload at the store that nobody but the proxy knows."""
    proxy = launcher.proxy(relay.server, keys, dialect="oss")
    signed(proxy, "PUT", "/killed-chunked", dialect="oss")
    assert signed(proxy, "PUT", "/killed-chunked/k", {}, b"old", dialect="oss").status == 200
    headers = {**SIGNERS["oss"](proxy, "PUT", "/killed-chunked/k", {}), "Transfer-Encoding": "chunked"}
    before = sum(link.sent for link in relay.links)

    with connect(proxy) as connection:
        chunks = (b"100000\r\n" + bytes(_MIB) + b"\r\n") * 20
        connection.sendall(head_bytes(proxy, "PUT", "/killed-chunked/k", headers) + chunks)
        relay.wait_until(lambda: sum(link.sent for link in relay.links) - before >= 12 * _MIB)
        proxy.kill()

    reborn = launcher.proxy(relay.server, keys, dialect="oss")
    assert signed(reborn, "GET", "/killed-chunked/k", dialect="oss").body == b"old"
    assert signed(reborn, "GET", "/killed-chunked/", dialect="oss").text("Size") == "3"


def test_an_upload_goes_on_in_another_process_after_sigkill(launcher: Launcher, relay: Relay, keys: Path) -> None:
    rng = random.Random(9)
    first = launcher.proxy(relay.server, keys)
    client = s3_client(first)
    client.create_bucket(Bucket="resumed")
    bodies = {1: rng.randbytes(5 * _MIB), 2: rng.randbytes(6 * _MIB + 1), 3: rng.randbytes(77)}
    common = {"Bucket": "resumed", "Key": "k"}
    common["UploadId"] = client.create_multipart_upload(**common)["UploadId"]
    etags = {1: client.upload_part(**common, PartNumber=1, Body=bodies[1])["ETag"]}
    etags[3] = client.upload_part(**common, PartNumber=3, Body=bodies[3])["ETag"]
    upload = f"/resumed/k?partNumber=2&uploadId={common['UploadId']}"

    _send_until(relay, first, "s3", upload, least=6 * _MIB)
    second = s3_client(launcher.proxy(relay.server, keys))
    before = second.list_objects_v2(Bucket="resumed")["KeyCount"]
    survived = [(part["PartNumber"], part["Size"], part["ETag"]) for part in second.list_parts(**common)["Parts"]]
    etags[2] = second.upload_part(**common, PartNumber=2, Body=bodies[2])["ETag"]
    shown = [(part["PartNumber"], part["Size"]) for part in second.list_parts(**common)["Parts"]]
    complete: dict[str, Any] = {"MultipartUpload": {"Parts": [{"PartNumber": n, "ETag": etags[n]} for n in (1, 2, 3)]}}
    done = second.complete_multipart_upload(**common, **complete)
    again = second.complete_multipart_upload(**common, **complete)

    assert before == 0
    assert survived == [(1, len(bodies[1]), etags[1]), (3, len(bodies[3]), etags[3])]
    assert shown == [(n, len(bodies[n])) for n in (1, 2, 3)]
    assert second.get_object(Bucket="resumed", Key="k")["Body"].read() == bodies[1] + bodies[2] + bodies[3]
    assert done["ETag"] == again["ETag"] == second.head_object(Bucket="resumed", Key="k")["ETag"]


def test_a_proxy_killed_between_the_stores_complete_and_its_answer_is_made_good(
    launcher: Launcher, relay: Relay, keys: Path
) -> None:
    body = random.Random(10).randbytes(5 * _MIB)
    first = launcher.proxy(relay.server, keys)
    client = s3_client(first)
    client.create_bucket(Bucket="completed")
    common = {"Bucket": "completed", "Key": "k"}
    upload = client.create_multipart_upload(**common)["UploadId"]
    etag = client.upload_part(**common, UploadId=upload, PartNumber=1, Body=body)["ETag"]
    parts = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    target, cuts = f"/completed/k?uploadId={upload}", relay.cuts
    relay.lose_answer = b"POST " + target.encode()
    headers = {**SIGNERS["s3"](first, "POST", target, {}), "Content-Length": str(len(document))}

    with connect(first) as connection:
        connection.sendall(head_bytes(first, "POST", target, headers) + document)
        relay.wait_until(lambda: relay.cuts > cuts)  # the store has answered, and nobody has heard it
        first.kill()
    second = launcher.proxy(relay.server, keys)
    again = signed(second, "POST", target, {}, document)

    assert (again.status, again.text("Key")) == (200, "k")
    got = signed(second, "GET", "/completed/k")
    assert (got.body, got.headers["etag"]) == (body, again.text("ETag").replace("&quot;", '"'))


def test_two_proxies_share_an_upload(launcher: Launcher, store: Server, keys: Path) -> None:
    one = launcher.proxy(store, keys)
    two = launcher.proxy(store, keys)
    left, right = s3_client(one), s3_client(two)
    left.create_bucket(Bucket="shared")
    common = {"Bucket": "shared", "Key": "k"}
    common["UploadId"] = left.create_multipart_upload(**common)["UploadId"]
    etags: dict[int, str] = {}

    def send(client: Any, number: int, body: bytes) -> None:
        etags[number] = client.upload_part(**common, PartNumber=number, Body=body)["ETag"]

    threads = [
        threading.Thread(target=send, args=(client, number, bytes([number]) * (5 * _MIB)))
        for number, client in ((1, left), (2, right), (3, left), (4, right))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    right.complete_multipart_upload(
        **common, MultipartUpload={"Parts": [{"PartNumber": n, "ETag": etags[n]} for n in (1, 2, 3, 4)]}
    )

    body = left.get_object(Bucket="shared", Key="k")["Body"].read()
    assert body == b"".join(bytes([n]) * (5 * _MIB) for n in (1, 2, 3, 4))
    with pytest.raises(ClientError) as gone:
        left.list_parts(**common)
    assert gone.value.response["Error"]["Code"] == "NoSuchUpload"


def test_two_proxies_that_write_one_key_at_once_leave_one_whole_object(
    launcher: Launcher, store: Server, keys: Path
) -> None:
    one = launcher.proxy(store, keys)
    proxies = [one, launcher.proxy(store, keys)]
    signed(one, "PUT", "/contended")
    bodies = [bytes([n]) * (2 * _MIB + n) for n in range(6)]
    answers: list[int] = []

    def put(number: int) -> None:
        answers.append(signed(proxies[number % 2], "PUT", "/contended/k", {}, bodies[number]).status)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(len(bodies))]
    for thread in threads:
        thread.start()
    seen = [signed(proxies[number % 2], "GET", "/contended/k") for number in range(8)]
    for thread in threads:
        thread.join()
    last = [signed(proxy, "GET", "/contended/k").body for proxy in proxies]

    assert answers == [200] * 6
    assert last[0] == last[1]
    assert last[0] in bodies
    assert {answer.status for answer in seen} <= {200, 404, 503}  # the last where it was overwritten again and again
    assert [answer for answer in seen if answer.status == 200 and answer.body not in bodies] == []
