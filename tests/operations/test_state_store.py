"""The state bucket: records that prove what they are, kept parts, listings, and a storage that does not do as asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import msgpack
import pytest

from sseproxy.dialect import DIALECTS
from sseproxy.dialect.base import Dialect
from sseproxy.errors import (
    ConfigurationError,
    KeyDisabled,
    RequestError,
    StateRejected,
    UpstreamUnavailable,
    WrappedKeyRejected,
)
from sseproxy.exchange import Body, body_of
from sseproxy.kms import build_kms
from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.kms.root_key import create_root_key
from sseproxy.operations.state_store import StateEntry, StateStore
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS
from sseproxy.ports import UpstreamRequest
from sseproxy.settings import EmbeddedKmsSettings, StateSettings
from tests.support.fake_clock import FakeClock
from tests.support.memory_upstream import MemoryUpstream

_BUCKET = "sseproxy-state"


@dataclass
class _Bench:
    upstream: MemoryUpstream
    kms: EmbeddedKms
    clock: FakeClock
    prefix: str = ""

    @property
    def objects(self) -> dict[str, bytes]:
        """What lies in the state bucket, by key."""
        return {key: found.data for key, found in self.upstream.buckets[_BUCKET].items()}

    def store(self) -> StateStore:
        """Return the state store of one more process."""
        return StateStore(self.upstream, self.upstream.dialect, StateSettings(prefix=self.prefix), self.kms)

    def change(self, key: str, data: bytes) -> None:
        """Change a stored object behind the proxy's back."""
        self.upstream.buckets[_BUCKET][key].data = data


@pytest.fixture(params=list(DIALECTS.values()), ids=list(DIALECTS))
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[_Bench]:
    dialect: Dialect = request.param
    clock = FakeClock()
    create_root_key(tmp_path / "root.key")
    settings = EmbeddedKmsSettings(database=tmp_path / "kms.sqlite3", root_key_file=tmp_path / "root.key")
    kms = build_kms(settings, clock, created_on_first_use=(SERVICE_KEY_ALIAS,))
    upstream = MemoryUpstream(dialect, clock)
    upstream.buckets[_BUCKET] = {}
    yield _Bench(upstream, kms, clock)
    kms.close()


async def _listed(store: StateStore, prefix: str, *, start_after: str = "") -> list[StateEntry]:
    async with aclosing(store.list(prefix, start_after=start_after)) as entries:
        return [entry async for entry in entries]


async def _read(store: StateStore, key: str) -> bytes | None:
    async with store.get_stream(key) as body:
        return None if body is None else b"".join([bytes(data) async for data in body])


# ---- records ----


async def test_a_record_is_read_by_another_process(bench: _Bench) -> None:
    await bench.store().put("buckets/b/encryption", b"payload", purpose="test", bucket="b")

    assert await bench.store().get("buckets/b/encryption", purpose="test", bucket="b") == b"payload"


async def test_a_record_that_was_never_written_is_none(bench: _Bench) -> None:
    assert await bench.store().get("nothing", purpose="test", bucket="b") is None


async def test_a_record_is_replaced_and_deleted(bench: _Bench) -> None:
    store = bench.store()
    await store.put("k", b"one", purpose="test", bucket="b")
    await store.put("k", b"two", purpose="test", bucket="b")
    assert await store.get("k", purpose="test", bucket="b") == b"two"

    await store.delete(["k"])
    await store.delete(["k"])

    assert await store.get("k", purpose="test", bucket="b") is None


async def test_a_record_that_differs_in_any_byte_is_rejected(bench: _Bench) -> None:
    store = bench.store()
    await store.put("k", b"payload", purpose="test", bucket="b")
    await store.get("k", purpose="test", bucket="b")
    data = bench.objects["k"]
    assert data.endswith(b"payload")
    assert len(data) == 1 + 32 + 7

    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x01
        bench.change("k", bytes(changed))
        with pytest.raises(StateRejected):
            await store.get("k", purpose="test", bucket="b")
    for length in range(len(data)):
        bench.change("k", data[:length])
        with pytest.raises(StateRejected):
            await store.get("k", purpose="test", bucket="b")


async def test_no_record_passes_for_another(bench: _Bench) -> None:
    store = bench.store()
    await store.put("k", b"payload", purpose="test", bucket="b")
    await store.put("l", b"other", purpose="test", bucket="b")
    assert await store.get("k", purpose="test", bucket="b") == b"payload"

    with pytest.raises(StateRejected):
        await store.get("k", purpose="upload", bucket="b")
    with pytest.raises(StateRejected):
        await store.get("k", purpose="test", bucket="c")
    bench.change("l", bench.objects["k"])
    with pytest.raises(StateRejected):
        await store.get("l", purpose="test", bucket="b")


async def test_fields_of_the_mac_do_not_run_into_each_other(bench: _Bench) -> None:
    store = bench.store()
    await store.put("k", b"payload", purpose="ab", bucket="c")

    with pytest.raises(StateRejected):
        await store.get("k", purpose="a", bucket="bc")


async def test_keys_of_any_characters_travel(bench: _Bench) -> None:
    store = bench.store()
    key = "buckets/a b+c%2F&é?\udcff/encryption"

    await store.put(key, b"payload", purpose="test", bucket="a\udcff")

    assert await store.get(key, purpose="test", bucket="a\udcff") == b"payload"
    assert set(bench.objects) == {key, "state-key"}


# ---- the MAC key ----


async def test_the_mac_key_lies_wrapped_under_the_service_key(bench: _Bench) -> None:
    await bench.store().put("k", b"payload", purpose="test", bucket="b")

    key_id, blob = msgpack.unpackb(bench.objects["state-key"])

    assert key_id == (await bench.kms.describe(SERVICE_KEY_ALIAS)).key_id
    assert len(blob) == 21 + 32 + 32 + 16


async def test_processes_that_start_at_once_agree_on_one_mac_key(bench: _Bench) -> None:
    stores = [bench.store() for _ in range(8)]
    written = asyncio.gather(
        *(store.put(f"k{number}", b"payload", purpose="test", bucket="b") for number, store in enumerate(stores))
    )
    await written

    for reader in stores:
        for number in range(len(stores)):
            assert await reader.get(f"k{number}", purpose="test", bucket="b") == b"payload"


async def test_the_mac_key_is_opened_once(bench: _Bench) -> None:
    store = bench.store()
    await store.put("k", b"payload", purpose="test", bucket="b")
    bench.upstream.sent.clear()

    await asyncio.gather(*(store.get("k", purpose="test", bucket="b") for _ in range(5)))

    assert [request.raw_key for request in bench.upstream.sent] == ["k"] * 5


async def test_a_mac_key_that_was_changed_is_never_used(bench: _Bench) -> None:
    await bench.store().put("k", b"payload", purpose="test", bucket="b")
    data = bench.objects["state-key"]

    bench.change("state-key", data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(WrappedKeyRejected):
        await bench.store().get("k", purpose="test", bucket="b")
    for damaged in (b"", b"x", data[:-1], data + b"x", msgpack.packb({}), msgpack.packb([1, 2]), msgpack.packb(["a"])):
        bench.change("state-key", damaged)
        with pytest.raises(StateRejected):
            await bench.store().put("k", b"payload", purpose="test", bucket="b")


async def test_a_rotated_service_key_changes_nothing_for_records(bench: _Bench) -> None:
    await bench.store().put("k", b"payload", purpose="test", bucket="b")

    await bench.kms.rotate(SERVICE_KEY_ALIAS)

    assert await bench.store().get("k", purpose="test", bucket="b") == b"payload"


async def test_the_mac_key_is_wrapped_again_and_stays_the_same(bench: _Bench) -> None:
    store = bench.store()
    await store.put("k", b"record", purpose="p", bucket="b")
    before = await store.wrapped_key()
    await bench.kms.rotate(SERVICE_KEY_ALIAS)

    await bench.store().rewrap_key()

    after = await store.wrapped_key()
    assert before is not None
    assert after is not None
    assert [bench.kms.version_of(wrapped) for wrapped in (before, after)] == ["1", "2"]
    assert await bench.store().get("k", purpose="p", bucket="b") == b"record"


async def test_a_disabled_service_key_is_told_as_such(bench: _Bench) -> None:
    await bench.store().put("k", b"payload", purpose="test", bucket="b")
    await bench.kms.disable(SERVICE_KEY_ALIAS)

    with pytest.raises(KeyDisabled):
        await bench.store().get("k", purpose="test", bucket="b")


# ---- kept parts and markers ----


async def test_sealed_bytes_are_kept_as_they_are(bench: _Bench) -> None:
    store = bench.store()

    await store.put_stream("kept/00001", body_of(b"abc", b"def"), 6)

    assert bench.objects["kept/00001"] == b"abcdef"
    assert await _read(store, "kept/00001") == b"abcdef"
    assert await _read(store, "kept/00002") is None


async def test_a_body_that_fails_is_raised_and_not_kept(bench: _Bench) -> None:
    async def failing() -> Body:
        yield b"abc"
        raise RequestError("the client's mistake")

    with pytest.raises(RequestError, match="the client's mistake"):
        await bench.store().put_stream("kept/00001", failing(), 6)
    assert "kept/00001" not in bench.objects


async def test_markers_are_empty_and_cost_no_key(bench: _Bench) -> None:
    await bench.store().put_marker("uploads/x/parts/00001abc")

    assert bench.objects == {"uploads/x/parts/00001abc": b""}


# ---- listings and deletions ----


async def test_a_listing_goes_over_all_pages_in_order(bench: _Bench) -> None:
    bench.upstream.page = 3
    store = bench.store()
    for number in range(10):
        await store.put_marker(f"parts/{number:05d}")
    await store.put_marker("other/00000")

    entries = await _listed(store, "parts/")

    assert [entry.key for entry in entries] == [f"parts/{number:05d}" for number in range(10)]
    assert {(entry.size, entry.last_modified) for entry in entries} == {(0, bench.clock.now())}
    assert len([request for request in bench.upstream.sent if request.method == "GET"]) == 4


async def test_a_listing_begins_after_a_key(bench: _Bench) -> None:
    bench.upstream.page = 2
    store = bench.store()
    for number in range(6):
        await store.put_marker(f"parts/{number:05d}")

    entries = await _listed(store, "parts/", start_after="parts/00002")

    assert [entry.key for entry in entries] == ["parts/00003", "parts/00004", "parts/00005"]


async def test_keys_of_any_characters_are_listed(bench: _Bench) -> None:
    store = bench.store()
    keys = ["p/<&>", "p/a b", "p/a+b", "p/a%2Bb", "p/é", "p/\n"]
    for key in keys:
        await store.put_marker(key)

    assert sorted(entry.key for entry in await _listed(store, "p/")) == sorted(keys)


async def test_nothing_is_an_empty_listing(bench: _Bench) -> None:
    assert await _listed(bench.store(), "nothing/") == []


async def test_many_keys_are_deleted_in_one_request(bench: _Bench) -> None:
    store = bench.store()
    for key in ("a", "b", "c&"):
        await store.put_marker(key)
    bench.upstream.sent.clear()

    await store.delete(["a", "c&", "missing"])

    assert bench.objects == {"b": b""}
    assert len(bench.upstream.sent) == 1


@pytest.mark.parametrize(
    ("document", "is_done"),
    [
        (b"", True),
        (b"<DeleteResult/>", True),
        (b"<DeleteResult><Error><Key>a</Key><Code>NoSuchKey</Code></Error></DeleteResult>", True),
        (b"<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code></Error></DeleteResult>", False),
        (b"<DeleteResult", False),
    ],
    ids=["empty", "all", "absent", "denied", "broken"],
)
async def test_a_key_that_the_storage_did_not_remove_is_told(
    bench: _Bench, monkeypatch: pytest.MonkeyPatch, document: bytes, *, is_done: bool
) -> None:
    monkeypatch.setattr("tests.support.memory_upstream.DELETED", document)

    if is_done:
        await bench.store().delete(["a", "b"])
    else:
        with pytest.raises(UpstreamUnavailable):
            await bench.store().delete(["a", "b"])


async def test_a_prefix_is_before_every_key_and_never_seen(bench: _Bench) -> None:
    bench.prefix = "tenant one/"
    store = bench.store()
    await store.put("k", b"payload", purpose="test", bucket="b")
    await store.put_marker("parts/1")
    await store.put_marker("parts/2")

    assert set(bench.objects) == {"tenant one/k", "tenant one/state-key", "tenant one/parts/1", "tenant one/parts/2"}
    assert await store.get("k", purpose="test", bucket="b") == b"payload"
    assert [entry.key for entry in await _listed(store, "parts/", start_after="parts/1")] == ["parts/2"]
    await store.delete(["parts/1", "parts/2"])
    await store.delete(["k"])
    assert set(bench.objects) == {"tenant one/state-key"}


# ---- a storage that does not do as asked ----


@pytest.mark.parametrize("status", [400, 403, 409, 500, 503])
async def test_what_the_storage_refuses_is_unavailable(bench: _Bench, status: int) -> None:
    store = bench.store()
    await store.put("k", b"payload", purpose="test", bucket="b")
    bench.upstream.fail = lambda _request: status

    for use in (
        store.put("k", b"payload", purpose="test", bucket="b"),
        store.get("k", purpose="test", bucket="b"),
        store.put_marker("m"),
        store.put_stream("s", body_of(b"x"), 1),
        _read(store, "s"),
        store.delete(["k"]),
        store.delete(["k", "l"]),
        _listed(store, ""),
    ):
        with pytest.raises(UpstreamUnavailable, match=str(status)):
            await use


async def test_a_state_bucket_that_is_gone_is_no_empty_answer(bench: _Bench) -> None:
    store = bench.store()
    await store.put("k", b"payload", purpose="test", bucket="b")
    del bench.upstream.buckets[_BUCKET]

    with pytest.raises(UpstreamUnavailable, match="is gone"):
        await store.get("k", purpose="test", bucket="b")
    with pytest.raises(UpstreamUnavailable, match="is gone"):
        await _read(store, "k")
    with pytest.raises(UpstreamUnavailable):
        await bench.store().get("k", purpose="test", bucket="b")


async def test_a_record_beyond_all_measure_is_not_read(bench: _Bench) -> None:
    store = bench.store()
    await store.put("k", b"payload", purpose="test", bucket="b")
    bench.change("k", bytes(64 * 1024 + 1))

    with pytest.raises(UpstreamUnavailable):
        await store.get("k", purpose="test", bucket="b")


# ---- the bucket itself ----


async def test_the_bucket_is_created_where_that_is_allowed(bench: _Bench) -> None:
    del bench.upstream.buckets[_BUCKET]

    await bench.store().ensure_bucket(create=True)
    await bench.store().ensure_bucket(create=False)

    assert bench.upstream.buckets == {_BUCKET: {}}
    assert [request.method for request in bench.upstream.sent] == ["HEAD", "PUT", "HEAD", "HEAD"]


async def test_a_bucket_that_is_not_there_is_asked_for(bench: _Bench) -> None:
    del bench.upstream.buckets[_BUCKET]

    with pytest.raises(ConfigurationError, match=r"sseproxy-state does not exist: create it, or set state\.create"):
        await bench.store().ensure_bucket(create=False)
    assert bench.upstream.buckets == {}


async def test_a_bucket_that_cannot_be_created_is_told_with_the_storages_answer(bench: _Bench) -> None:
    del bench.upstream.buckets[_BUCKET]
    bench.upstream.fail = lambda request: 403 if request.method == "PUT" else None

    with pytest.raises(ConfigurationError, match=r"cannot be created \(the storage answered 403\)"):
        await bench.store().ensure_bucket(create=True)


async def test_a_bucket_of_somebody_else_is_never_created_again(bench: _Bench) -> None:
    bench.upstream.fail = lambda _request: 403

    with pytest.raises(ConfigurationError, match="answered 403"):
        await bench.store().ensure_bucket(create=True)
    assert [request.method for request in bench.upstream.sent] == ["HEAD"]


async def test_a_storage_that_fails_is_no_mistake_of_the_configuration(bench: _Bench) -> None:
    def fail(_request: UpstreamRequest) -> int:
        return 503

    bench.upstream.fail = fail

    with pytest.raises(UpstreamUnavailable, match="503"):
        await bench.store().ensure_bucket(create=True)
