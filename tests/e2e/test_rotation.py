"""Promise: rotating a CMK under load fails no request, and a CMK that is disabled stops reads within the stated bound."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sseproxy.bootstrap.tools import run_with_tools
from sseproxy.bulk.context import Tools
from sseproxy.cli.main import app
from sseproxy.config import load_settings
from tests.support.kms_swap import create_key, set_state
from tests.support.openbao import ROOT_TOKEN, OpenBao
from tests.support.races import race
from tests.support.raw_http import Answer, signed
from tests.support.rotation import rotate_key
from tests.support.servers import Launcher, Server, s3_client

_KEYS = ["a", "b", "dir/c"]
_LOAD = '[encryption]\ndefault_algorithm = "KMS"\netag = "md5"\n'
_SHORT = "[cache]\nunwrapped_key_lifetime = 0.2\n"


@contextmanager
def _meanwhile(work: Callable[[], None]) -> Iterator[list[int]]:
    """Do something over and over, in a thread, as long as the context is open. Yields how often it was done."""
    done, count, failed = threading.Event(), [0], list[Exception]()

    def again() -> None:
        while not done.is_set():
            try:
                work()
            except Exception as error:  # noqa: BLE001  # told to the test below
                failed.append(error)
                return
            count[0] += 1

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield count
    finally:
        done.set()
        thread.join()
    assert failed == []


def _race_and_rotate(
    proxies: list[Server], bucket: str, key_id: str, rotate: Callable[[], object], seconds: float
) -> None:
    clients = [s3_client(proxy) for proxy in proxies]
    clients[0].create_bucket(Bucket=bucket)
    settings = load_settings(next(iter(sorted(proxies[0].data.glob("sseproxy-*.toml")))))

    async def rewrap(tools: Tools) -> int:
        return await tools.services.keyring.rewrap_keks(key_id)

    def rotate_and_rewrap() -> None:
        rotate()
        run_with_tools(settings, rewrap)

    with _meanwhile(rotate_and_rewrap) as rotations:
        tally, versions = race(clients, bucket, _KEYS, seconds=seconds)

    assert tally.wrong == []
    assert rotations[0] >= 3
    assert sum(tally.done.values()) >= 20
    assert run_with_tools(settings, rewrap) == 0  # the last rotation's were re-wrapped as well
    for entry in clients[0].list_objects_v2(Bucket=bucket).get("Contents", []):
        got = clients[1].get_object(Bucket=bucket, Key=entry["Key"])
        assert got["Body"].read() == versions.body(entry["ETag"].strip('"'))


def _embedded(launcher: Launcher, store: Server) -> list[Server]:
    first = launcher.proxy(store, extra=_LOAD + _SHORT)
    second = launcher.proxy(store, first.data, extra=_LOAD + _SHORT)
    return [first, second]


def test_the_embedded_kms_rotates_under_load_without_a_failed_request(launcher: Launcher, bucket_name: str) -> None:
    proxies = _embedded(launcher, launcher.store())
    key_id = create_key(proxies[0].data, "alias/aws/s3")

    _race_and_rotate(proxies, bucket_name, key_id, lambda: rotate_key(proxies[0].data, key_id), seconds=3)


def test_the_command_re_wraps_bucket_keys_beside_the_running_proxy(launcher: Launcher, bucket_name: str) -> None:
    proxy = launcher.proxy(launcher.store())
    config = next(iter(sorted(proxy.data.glob("sseproxy-*.toml"))))
    client = s3_client(proxy)
    client.create_bucket(Bucket=bucket_name)
    client.put_object(Bucket=bucket_name, Key="k", Body=b"x", ServerSideEncryption="aws:kms")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["keys", *arguments, "--config", str(config)])

    rotated = run("rotate", "alias/aws/s3", "--json")
    first = run("rewrap", "alias/aws/s3", "--json")
    rotate_key(proxy.data, "alias/aws/s3")
    second = run("rewrap", "alias/aws/s3")
    third = run("rewrap", "alias/aws/s3", "--bucket", bucket_name)

    assert (rotated.exit_code, rotated.stderr) == (0, "")
    assert json.loads(first.stdout) == {"key_id": "alias/aws/s3", "rewrapped": 0}  # `rotate` has done it
    assert second.stdout == "1 bucket key was wrapped again, by the newest version.\n"
    assert third.stdout == "All bucket keys are wrapped by the newest version.\n"
    assert client.get_object(Bucket=bucket_name, Key="k")["Body"].read() == b"x"


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_the_embedded_kms_rotates_under_load_for_a_minute(launcher: Launcher, bucket_name: str) -> None:
    proxies = _embedded(launcher, launcher.store())
    key_id = create_key(proxies[0].data, "alias/aws/s3")

    _race_and_rotate(proxies, bucket_name, key_id, lambda: rotate_key(proxies[0].data, key_id), seconds=60)


def test_a_transit_key_rotates_under_load_without_a_failed_request(
    launcher: Launcher, openbao: OpenBao, bucket_name: str
) -> None:
    openbao.create_key("service")
    openbao.create_key("rotating")
    load = _LOAD + 'default_key_id = "rotating"\n' + _SHORT
    load += (
        '[remote_kms]\ndefault = "bao"\nservice_key = "service"\n'
        f'[remote_kms.vault.bao]\naddress = "{openbao.address}"\ntoken = "{ROOT_TOKEN}"\n'
    )
    store = launcher.store()
    first = launcher.proxy(store, extra=load)
    proxies = [first, launcher.proxy(store, first.data, extra=load)]

    def rotate() -> None:
        openbao.ask("POST", "transit/keys/rotating/rotate", {})

    _race_and_rotate(proxies, bucket_name, "rotating", rotate, seconds=3)


# ---- the bound within which a disabled CMK stops working ----

_BOUND_S = 1.0
_SSE = {"s3": ("x-amz-server-side-encryption", "aws:kms"), "oss": ("x-oss-server-side-encryption", "KMS")}
_REFUSED = {"s3": (400, "KMS.DisabledException"), "oss": (409, "KeyDisabled")}


@pytest.mark.parametrize("dialect", ["s3", "oss"])
@pytest.mark.parametrize("bucket_keys", [True, False], ids=["with bucket keys", "without"])
def test_a_disabled_cmk_stops_reads_and_writes_within_the_bound_at_every_replica(
    launcher: Launcher, tmp_path: Path, bucket_name: str, dialect: str, *, bucket_keys: bool
) -> None:
    """Every request that begins later than the bound after the CMK was disabled is refused, however busy the key was."""
    extra = f"[cache]\nunwrapped_key_lifetime = {_BOUND_S}\n" + (
        "" if bucket_keys else "[encryption]\nbucket_keys = []\n"
    )
    store = launcher.store()
    replicas = [launcher.proxy(store, tmp_path / "keys", extra=extra, dialect=dialect) for _ in range(2)]
    key_id = create_key(tmp_path / "keys", f"alias/{'aws/s3' if dialect == 's3' else 'acs/oss'}")
    header = dict([_SSE[dialect]])

    def ask(proxy: Server, method: str, key: str, headers: dict[str, str] | None = None) -> Answer:
        body = b"x" if method == "PUT" else b""
        return signed(proxy, method, f"/{bucket_name}/{key}", headers or {}, body, dialect=dialect)

    assert signed(replicas[0], "PUT", f"/{bucket_name}", dialect=dialect).status == 200
    assert ask(replicas[0], "PUT", "key", header).status == 200
    for proxy in replicas:
        assert ask(proxy, "GET", "key").body == b"x"

    set_state(tmp_path / "keys", key_id, "Disabled")
    disabled = time.monotonic()
    served_last = _served_until_refused(replicas, lambda proxy: ask(proxy, "GET", "key"), _REFUSED[dialect])

    assert served_last - disabled <= _BOUND_S
    for proxy in replicas:
        assert ask(proxy, "GET", "key", {"Range": "bytes=0-0"}).error[:2] == _REFUSED[dialect]
        assert ask(proxy, "HEAD", "key").status == _REFUSED[dialect][0]
        assert ask(proxy, "PUT", "new", header).error[:2] == _REFUSED[dialect]
    set_state(tmp_path / "keys", key_id, "Enabled")
    assert [ask(proxy, "GET", "key").body for proxy in replicas] == [b"x", b"x"]


def _served_until_refused(replicas: list[Server], ask: Callable[[Server], Answer], refusal: tuple[int, str]) -> float:
    """Ask without a pause until every replica refuses; return when the last request that was served began."""
    served_last = 0.0
    left = list(replicas)
    while left:
        for proxy in tuple(left):
            began = time.monotonic()
            answer = ask(proxy)
            if answer.status == 200:
                served_last = max(served_last, began)
            else:
                assert answer.error[:2] == refusal
                left.remove(proxy)
    return served_last
