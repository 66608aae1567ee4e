"""Promise: with bucket keys a remote KMS is asked once for thousands of objects, and a cold start asks once per key.

The KMS is a real OpenBao server. Short versions run by default, those with the promised numbers with `pytest -m soak`.
"""

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.metrics import kms_calls
from tests.support.openbao import ROOT_TOKEN, OpenBao
from tests.support.servers import Launcher, Server, s3_client

_WORKERS = 8


def _proxy(
    launcher: Launcher, store: Server, openbao: OpenBao, data: Path | None = None, encryption: str = ""
) -> Server:
    openbao.create_key("service")
    openbao.create_key("photos")
    extra = (
        f"[encryption]\n{encryption}\n"
        '[remote_kms]\ndefault = "bao"\nservice_key = "service"\n'
        f'[remote_kms.vault.bao]\naddress = "{openbao.address}"\ntoken = "{ROOT_TOKEN}"\ntimeout = 30\n'
    )
    return launcher.proxy(store, data, extra=extra)


@pytest.fixture(scope="module")
def with_keys(launcher: Launcher, store: Server, openbao: OpenBao) -> Server:
    """A proxy that wraps the keys of KMS objects under bucket keys, as is the default."""
    return _proxy(launcher, store, openbao)


def _put_all(server: Server, bucket: str, keys: Iterable[str], **how: Any) -> None:
    client = s3_client(server, max_pool_connections=_WORKERS)

    def put(key: str) -> None:
        client.put_object(
            Bucket=bucket, Key=key, Body=key.encode(), ServerSideEncryption="aws:kms", SSEKMSKeyId="photos", **how
        )

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(put, keys))


async def _get_all_at_once(urls: list[str]) -> list[bytes]:
    """GET everything at the same moment: no request waits for another one's connection."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def get(url: str) -> bytes:
            async with session.get(url) as answer:
                assert answer.status == 200, await answer.text()
                return await answer.read()

        return await asyncio.gather(*map(get, urls))


def _check_writing(with_keys: Server, bucket: str, objects: int) -> None:
    s3_client(with_keys).create_bucket(Bucket=bucket)
    before = kms_calls(with_keys)

    _put_all(with_keys, bucket, (f"with/{number}" for number in range(objects)))

    spent = kms_calls(with_keys) - before
    assert spent["wrap"] == 1
    assert spent["generate"] == 0
    assert spent.total() <= 10, spent


def _check_without(launcher: Launcher, store: Server, openbao: OpenBao, bucket: str, objects: int) -> None:
    without = _proxy(launcher, store, openbao, encryption="bucket_keys = []")
    s3_client(without).create_bucket(Bucket=bucket)
    before = kms_calls(without)

    _put_all(without, bucket, (f"without/{number}" for number in range(objects)))

    assert kms_calls(without) - before == {"generate": objects}


def _check_cold_start(
    launcher: Launcher, store: Server, openbao: OpenBao, warm: Server, bucket: str, objects: int
) -> None:
    keys = [f"{number}" for number in range(objects)]
    other = f"{bucket}-other"
    for name in (bucket, other):
        s3_client(warm).create_bucket(Bucket=name)
        _put_all(warm, name, keys[::2] if name == bucket else keys[1::2])
    cold = _proxy(launcher, store, openbao, warm.data)
    client = s3_client(cold)
    urls = [
        client.generate_presigned_url("get_object", Params={"Bucket": [bucket, other][number % 2], "Key": key})
        for number, key in enumerate(keys)
    ]
    before = kms_calls(cold)

    bodies = asyncio.run(_get_all_at_once(urls))

    assert bodies == [key.encode() for key in keys]
    assert kms_calls(cold) - before == {"unwrap": 2}  # two buckets, two KEKs


def test_many_objects_under_one_cmk_cost_one_wrap(with_keys: Server, bucket_name: str) -> None:
    _check_writing(with_keys, bucket_name, 40)


def test_without_bucket_keys_each_object_costs_a_call(
    launcher: Launcher, store: Server, openbao: OpenBao, bucket_name: str
) -> None:
    _check_without(launcher, store, openbao, bucket_name, 20)


def test_a_cold_start_under_load_asks_once_per_kek(
    launcher: Launcher, store: Server, openbao: OpenBao, with_keys: Server, bucket_name: str
) -> None:
    _check_cold_start(launcher, store, openbao, with_keys, bucket_name, 50)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_ten_thousand_objects_under_one_cmk_cost_at_most_ten_calls(with_keys: Server, bucket_name: str) -> None:
    _check_writing(with_keys, bucket_name, 10_000)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_ten_thousand_objects_without_bucket_keys_cost_exactly_as_many_calls(
    launcher: Launcher, store: Server, openbao: OpenBao, bucket_name: str
) -> None:
    _check_without(launcher, store, openbao, bucket_name, 10_000)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_cold_start_under_a_thousand_reads_asks_once_per_kek(
    launcher: Launcher, store: Server, openbao: OpenBao, with_keys: Server, bucket_name: str
) -> None:
    _check_cold_start(launcher, store, openbao, with_keys, bucket_name, 1000)
