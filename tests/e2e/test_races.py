"""Promise: two proxies on one bucket, everything at once, and no wrong byte, no mixed version, no stale size."""

from typing import Any

import pytest

from tests.support.places import STORE
from tests.support.races import Tally, Versions, race
from tests.support.servers import Launcher, Server, own_state, s3_client

_KEYS = ["a", "b", "dir/c"]


def _proxies(launcher: Launcher, behind: Server, bucket: str) -> list[Any]:
    """Two replicas: they share the store and the keys, and nothing else."""
    first = launcher.proxy(behind, extra=own_state(bucket))
    cache = f'[cache]\nentries_file = "{first.data / "elsewhere.sqlite3"}"\n'
    second = launcher.proxy(behind, first.data, extra=own_state(bucket) + cache)
    return [s3_client(first), s3_client(second)]


def _check(clients: list[Any], bucket: str, tally: Tally, versions: Versions) -> None:
    assert tally.wrong == []
    assert set(tally.done) == {"put", "get", "range", "head", "list", "complete", "copy", "delete"}
    listings = [client.list_objects_v2(Bucket=bucket).get("Contents", []) for client in clients]
    shown = [{entry["Key"]: (entry["ETag"], entry["Size"]) for entry in listing} for listing in listings]
    assert shown[0] == shown[1]
    for key, (etag, size) in shown[0].items():
        for client in clients:
            got = client.get_object(Bucket=bucket, Key=key)
            assert (got["ETag"], got["ContentLength"]) == (etag, size)
            assert got["Body"].read() == versions.body(etag.strip('"'))


@pytest.mark.parametrize("behind", [STORE, "weed"])
def test_two_proxies_at_once(launcher: Launcher, behind: str, request: pytest.FixtureRequest, bucket_name: str) -> None:
    clients = _proxies(launcher, request.getfixturevalue(behind), bucket_name)
    clients[0].create_bucket(Bucket=bucket_name)

    tally, versions = race(clients, bucket_name, _KEYS, seconds=2)

    _check(clients, bucket_name, tally, versions)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("behind", [STORE, "weed"])
def test_two_proxies_at_once_for_a_minute(
    launcher: Launcher, behind: str, request: pytest.FixtureRequest, bucket_name: str
) -> None:
    clients = _proxies(launcher, request.getfixturevalue(behind), bucket_name)
    clients[0].create_bucket(Bucket=bucket_name)

    tally, versions = race(clients, bucket_name, _KEYS, seconds=60)

    print(f"{behind}: {sum(tally.done.values())} actions, {tally.done}")  # noqa: T201  # for docs/proofs.md
    _check(clients, bucket_name, tally, versions)
