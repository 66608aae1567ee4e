"""A store that stays away while a tool works: the run ends, and `--resume` goes on where it was."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bulk.conftest import Place
from tests.support.flaky import Relay
from tests.support.killing import run_until
from tests.support.objects_tool import read_report, tool_of
from tests.support.servers import Launcher, Server, own_state

_KEYS = [f"k{number:03}" for number in range(60)]


@pytest.fixture
def relay(store: Server) -> Iterator[Relay]:
    relay = Relay(store)
    yield relay
    relay.close()


@pytest.fixture
def behind_relay(launcher: Launcher, store: Server, relay: Relay) -> Place:
    """A bucket with plain objects on a store that proxy and tools reach through the relay."""
    assert launcher.nonce_log is not None
    proxy = launcher.proxy(relay.server, extra=own_state("outages"))
    place = Place(proxy, store, tool_of(proxy, launcher.nonce_log), "outages")
    place.past.create_bucket(Bucket=place.bucket)
    for key in _KEYS:
        place.past.put_object(Bucket=place.bucket, Key=key, Body=key.encode())
    return place


def test_a_migration_goes_on_after_an_outage_of_the_store(behind_relay: Place, relay: Relay, tmp_path: Path) -> None:
    place, report = behind_relay, tmp_path / "report"
    process = place.tool.start("migrate", "--bucket", place.bucket, "--concurrency", "4", "--report", str(report))
    run_until(process, lambda: len(_sealed(report)) >= len(_KEYS) // 3, place.tool.log)
    relay.go_down()
    code = process.wait(120)
    before, said = _sealed(report), place.tool.log.read_text()
    kept = _stored_etags(place)

    relay.is_down = False
    done = place.run("migrate", "--resume", "--concurrency", "4", report=report)

    assert (code, done.code) == (1, 0), (said, done.err)
    assert len(before) < len(_KEYS)
    assert [line["key"] for line in done.objects] == _KEYS
    assert set(done.outcomes.values()) <= {"sealed", "already sealed"}
    assert {key: _stored_etags(place)[key] for key in before} == {key: kept[key] for key in before}  # nothing twice
    assert {key: place.read(key) for key in _KEYS} == {key: key.encode() for key in _KEYS}


def _sealed(report: Path) -> list[str]:
    return [line["key"] for line in read_report(report) if line.get("outcome") == "sealed"]


def _stored_etags(place: Place) -> dict[str, str]:
    return {one["Key"]: one["ETag"] for one in place.past.list_objects_v2(Bucket=place.bucket)["Contents"]}
