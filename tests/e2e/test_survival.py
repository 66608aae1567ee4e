"""Promise: killing the proxy at any moment leaves no broken object, and uploads go on in another process."""

import random
import socket
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.raw_http import signed_put_head
from tests.support.servers import Launcher, s3_client

_MIB = 1024 * 1024


def test_a_put_cut_off_by_sigkill_leaves_the_old_object(launcher: Launcher) -> None:
    store = launcher.store()
    proxy = launcher.proxy(store)
    client = s3_client(proxy)
    client.create_bucket(Bucket="killed")
    client.put_object(Bucket="killed", Key="k", Body=b"old")
    connection = socket.create_connection((proxy.host, proxy.port))
    connection.sendall(signed_put_head(proxy, "/killed/k", length=64 * _MIB))
    connection.sendall(bytes(40 * _MIB))  # accepted beyond every buffer: the backend has most of it

    proxy.kill()
    connection.close()

    reborn = s3_client(launcher.proxy(store, proxy.data))
    assert reborn.get_object(Bucket="killed", Key="k")["Body"].read() == b"old"
    assert [entry["Size"] for entry in reborn.list_objects_v2(Bucket="killed")["Contents"]] == [3]


def test_an_upload_goes_on_in_another_process_after_sigkill(launcher: Launcher) -> None:
    rng = random.Random(9)
    store = launcher.store()
    first = launcher.proxy(store)
    client = s3_client(first)
    client.create_bucket(Bucket="resumed")
    bodies = {1: rng.randbytes(5 * _MIB), 2: rng.randbytes(6 * _MIB + 1), 3: rng.randbytes(77)}
    common = {"Bucket": "resumed", "Key": "k"}
    common["UploadId"] = client.create_multipart_upload(**common)["UploadId"]
    etags = {1: client.upload_part(**common, PartNumber=1, Body=bodies[1])["ETag"]}
    etags[3] = client.upload_part(**common, PartNumber=3, Body=bodies[3])["ETag"]

    first.kill()
    second = s3_client(launcher.proxy(store, first.data))
    before = second.list_objects_v2(Bucket="resumed")["KeyCount"]
    etags[2] = second.upload_part(**common, PartNumber=2, Body=bodies[2])["ETag"]
    shown = [(part["PartNumber"], part["Size"]) for part in second.list_parts(**common)["Parts"]]
    complete: dict[str, Any] = {"MultipartUpload": {"Parts": [{"PartNumber": n, "ETag": etags[n]} for n in (1, 2, 3)]}}
    second.complete_multipart_upload(**common, **complete)
    again = second.complete_multipart_upload(**common, **complete)

    assert before == 0
    assert shown == [(n, len(bodies[n])) for n in (1, 2, 3)]
    assert second.get_object(Bucket="resumed", Key="k")["Body"].read() == bodies[1] + bodies[2] + bodies[3]
    assert again["ETag"] == second.head_object(Bucket="resumed", Key="k")["ETag"]


def test_two_proxies_share_an_upload(launcher: Launcher) -> None:
    store = launcher.store()
    one = launcher.proxy(store)
    two = launcher.proxy(store, one.data)
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
