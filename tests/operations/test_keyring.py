"""The keyring: which keys are drawn and opened, under which conditions, and how often the KMS is asked."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from sseproxy.errors import (
    BindingRefused,
    CommitmentMismatch,
    KeyAccessRefused,
    KeyDisabled,
    KeyNotFound,
    KeyServiceUnavailable,
    WrappedKeyRejected,
    WrongPlace,
)
from sseproxy.format import DataKey, Envelope, decode_envelope, encode_envelope, place_of
from sseproxy.kms import build_kms
from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.kms.root_key import create_root_key
from sseproxy.model import Algorithm, Binding, EtagMode, KeyDescription, Layout, ObjectRef, WrapContext, WrappedKey
from sseproxy.operations.kek_records import NoKekRecords
from sseproxy.operations.keks import KekLimits, Keks
from sseproxy.operations.keyring import Keyring
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS, EncryptionDecision, EncryptionRule
from sseproxy.settings import CacheSettings, EmbeddedKmsSettings
from tests.support.fake_clock import FakeClock

_REF = ObjectRef("bucket", "folder/key")
_MOVED = ObjectRef("bucket", "folder/other")
_ELSEWHERE = ObjectRef("replica", "folder/key")
_DEFAULT_ALIAS = "alias/aws/s3"


@dataclass
class _Gate:
    """The embedded KMS, with calls counted and, where a test wants it, held up."""

    kms: EmbeddedKms
    calls: Counter[str] = field(default_factory=Counter)
    before: Callable[[], Awaitable[None]] | None = None

    async def generate(self, key_id: str, context: WrapContext, *, length: int = 32) -> tuple[bytes, WrappedKey]:
        self.calls["generate"] += 1
        return await self.kms.generate(key_id, context, length=length)

    async def wrap(self, key_id: str, key: bytes, context: WrapContext) -> WrappedKey:
        self.calls["wrap"] += 1
        return await self.kms.wrap(key_id, key, context)

    async def unwrap(self, wrapped: WrappedKey, context: WrapContext) -> bytes:
        self.calls["unwrap"] += 1
        if self.before is not None:
            await self.before()
        return await self.kms.unwrap(wrapped, context)

    async def describe(self, key_id: str) -> KeyDescription:
        self.calls["describe"] += 1
        return await self.kms.describe(key_id)

    def version_of(self, wrapped: WrappedKey) -> str | None:
        return self.kms.version_of(wrapped)

    async def healthy(self) -> None:
        await self.kms.healthy()


@dataclass
class _Observer:
    """Counts by name and labels."""

    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    observed: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def count(self, name: str, value: float = 1.0, /, **labels: str) -> None:
        self.counts[name, *labels.values()] += int(value)

    def observe(self, name: str, value: float, /, **labels: str) -> None:
        self.observed[name, *labels.values()] += 1

    def event(self, name: str, /, **fields: str | float | bool | None) -> None:
        """Nothing here is logged."""


@dataclass
class _Bench:
    gate: _Gate
    clock: FakeClock
    observer: _Observer

    def keyring(self, rule: EncryptionRule | None = None, *, capacity: int = 100) -> Keyring:
        """Return a keyring that knows nothing yet."""
        cache = CacheSettings(unwrapped_keys=capacity, unwrapped_key_lifetime=60)
        the_rule = rule or EncryptionRule()
        return self.keyring_of(lambda _bucket: the_rule, cache)

    def keyring_of(self, rule_of: Callable[[str], EncryptionRule], cache: CacheSettings) -> Keyring:
        """Return a keyring whose rules may change. It seals without KEKs, which have tests of their own."""
        keks = Keks(self.gate, NoKekRecords(), KekLimits(86400, 1000), cache, clock=self.clock, observer=self.observer)
        return Keyring(self.gate, cache, rule_of, keks=keks, clock=self.clock, observer=self.observer)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[_Bench]:
    create_root_key(tmp_path / "root.key")
    settings = EmbeddedKmsSettings(database=tmp_path / "kms.sqlite3", root_key_file=tmp_path / "root.key")
    clock = FakeClock()
    kms = build_kms(settings, clock, created_on_first_use=(SERVICE_KEY_ALIAS, _DEFAULT_ALIAS))
    yield _Bench(_Gate(kms), clock, _Observer())
    kms.close()


def _decision(
    key_id: str = SERVICE_KEY_ALIAS,
    algorithm: Algorithm = Algorithm.AES256,
    binding: Binding = Binding.BUCKET_KEY,
) -> EncryptionDecision:
    return EncryptionDecision(algorithm=algorithm, key_id=key_id, etag_mode=EtagMode.MD5, binding=binding)


async def _drawn(bench: _Bench, binding: Binding = Binding.BUCKET_KEY) -> tuple[DataKey, Envelope]:
    return await bench.keyring().draw(_decision(binding=binding), _REF, Layout.SINGLE)


# ---- drawing ----


@pytest.mark.parametrize("layout", [Layout.SINGLE, Layout.MULTIPART])
async def test_a_drawn_key_opens_from_its_envelope_in_another_process(bench: _Bench, layout: Layout) -> None:
    key, envelope = await bench.keyring().draw(_decision(), _REF, layout)

    opened = await bench.keyring().open(decode_envelope(encode_envelope(envelope)), _REF)

    assert opened.raw == key.raw
    assert envelope.layout is layout
    assert envelope.commitment == key.commitment
    assert envelope.place == place_of(_REF.bucket, _REF.key)


async def test_an_envelope_names_the_key_by_its_id_and_never_by_an_alias(bench: _Bench) -> None:
    _, envelope = await bench.keyring().draw(_decision(_DEFAULT_ALIAS, Algorithm.KMS), _REF, Layout.SINGLE)

    assert envelope.key_id == (await bench.gate.describe(_DEFAULT_ALIAS)).key_id
    assert envelope.algorithm is Algorithm.KMS


async def test_every_object_has_a_key_of_its_own(bench: _Bench) -> None:
    keyring = bench.keyring()

    drawn = [(await keyring.draw(_decision(), _REF, Layout.SINGLE))[0].raw for _ in range(20)]

    assert len(set(drawn)) == 20


async def test_a_key_that_is_not_there_is_not_replaced_by_another(bench: _Bench) -> None:
    with pytest.raises(KeyNotFound):
        await bench.keyring().draw(_decision("alias/nobody", Algorithm.KMS), _REF, Layout.SINGLE)


# ---- what does not open ----


@pytest.mark.parametrize("ref", [_MOVED, _ELSEWHERE], ids=["key", "bucket"])
async def test_an_object_under_another_name_is_told_as_moved(bench: _Bench, ref: ObjectRef) -> None:
    keyring = bench.keyring()
    _, envelope = await keyring.draw(_decision(), _REF, Layout.SINGLE)
    await keyring.open(envelope, _REF)

    with pytest.raises(WrongPlace, match="moved or copied behind the proxy"):
        await keyring.open(envelope, ref)


async def test_an_edited_place_does_not_open_a_moved_object(bench: _Bench) -> None:
    keyring = bench.keyring()
    _, envelope = await keyring.draw(_decision(), _REF, Layout.SINGLE)

    with pytest.raises(WrappedKeyRejected):
        await keyring.open(replace(envelope, place=place_of(_MOVED.bucket, _MOVED.key)), _MOVED)


@pytest.mark.parametrize(
    ("binding", "opening"),
    [(Binding.KEY, {_REF, _ELSEWHERE}), (Binding.NONE, {_REF, _ELSEWHERE, _MOVED})],
    ids=["key", "none"],
)
async def test_a_weaker_binding_opens_under_more_names(
    bench: _Bench, binding: Binding, opening: set[ObjectRef]
) -> None:
    _, envelope = await _drawn(bench, binding)
    keyring = bench.keyring(EncryptionRule(binding=binding))

    for ref in (_REF, _ELSEWHERE, _MOVED):
        if ref in opening:
            await keyring.open(envelope, ref)
        else:
            with pytest.raises(WrongPlace):
                await keyring.open(envelope, ref)


@pytest.mark.parametrize(
    ("configured", "accepted", "binding", "is_opened"),
    [
        (Binding.BUCKET_KEY, (), Binding.KEY, False),
        (Binding.BUCKET_KEY, (), Binding.NONE, False),
        (Binding.KEY, (), Binding.NONE, False),
        (Binding.BUCKET_KEY, (Binding.KEY,), Binding.KEY, True),
        (Binding.BUCKET_KEY, (Binding.KEY,), Binding.NONE, False),
        (Binding.BUCKET_KEY, (Binding.NONE,), Binding.NONE, True),
        (Binding.KEY, (), Binding.BUCKET_KEY, True),
        (Binding.NONE, (), Binding.BUCKET_KEY, True),
    ],
)
async def test_a_binding_weaker_than_configured_is_opened_only_where_it_is_accepted(
    bench: _Bench, configured: Binding, accepted: tuple[Binding, ...], binding: Binding, *, is_opened: bool
) -> None:
    _, envelope = await _drawn(bench, binding)
    keyring = bench.keyring(EncryptionRule(binding=configured, accept_bindings=frozenset(accepted)))

    if is_opened:
        await keyring.open(envelope, _REF)
    else:
        with pytest.raises(BindingRefused, match="accept_bindings"):
            await keyring.open(envelope, _REF)
        assert bench.gate.calls["unwrap"] == 0


async def test_a_binding_that_the_envelope_only_claims_does_not_open(bench: _Bench) -> None:
    _, envelope = await _drawn(bench, Binding.NONE)
    keyring = bench.keyring()

    with pytest.raises(WrappedKeyRejected):
        await keyring.open(replace(envelope, binding=Binding.BUCKET_KEY), _REF)


@pytest.mark.parametrize(
    "edited",
    [
        lambda envelope: replace(envelope, algorithm=Algorithm.KMS),
        lambda envelope: replace(envelope, layout=Layout.MULTIPART),
        lambda envelope: replace(envelope, caller_context=b'{"a":"b"}'),
    ],
    ids=["algorithm", "layout", "context"],
)
async def test_what_the_wrap_is_bound_to_cannot_be_edited(
    bench: _Bench, edited: Callable[[Envelope], Envelope]
) -> None:
    keyring = bench.keyring()
    _, envelope = await keyring.draw(_decision(), _REF, Layout.SINGLE)
    await keyring.open(envelope, _REF)

    with pytest.raises(WrappedKeyRejected):
        await keyring.open(edited(envelope), _REF)


async def test_the_wrapped_key_of_another_object_does_not_open(bench: _Bench) -> None:
    keyring = bench.keyring()
    _, mine = await keyring.draw(_decision(), _REF, Layout.SINGLE)
    _, other = await keyring.draw(_decision(), _MOVED, Layout.SINGLE)

    with pytest.raises(WrappedKeyRejected):
        await keyring.open(replace(mine, wrapped_key=other.wrapped_key), _REF)


async def test_the_commitment_is_checked_though_the_key_is_kept(bench: _Bench) -> None:
    keyring = bench.keyring()
    _, first = await keyring.draw(_decision(), _REF, Layout.SINGLE)
    _, second = await keyring.draw(_decision(), _REF, Layout.SINGLE)
    await keyring.open(first, _REF)

    # The same name and both wraps intact: nothing but the commitment tells that this key is of another object.
    with pytest.raises(CommitmentMismatch):
        await keyring.open(replace(first, wrapped_key=second.wrapped_key), _REF)


# ---- which CMKs are allowed ----


async def test_a_cmk_that_the_configuration_does_not_name_neither_seals_nor_opens(bench: _Bench) -> None:
    _, envelope = await _drawn(bench)
    other = (await bench.gate.kms.create_key()).key_id
    keyring = bench.keyring(EncryptionRule(allowed_keys=frozenset({other})))

    with pytest.raises(KeyAccessRefused):
        await keyring.open(envelope, _REF)
    with pytest.raises(KeyAccessRefused):
        await keyring.draw(_decision(), _REF, Layout.SINGLE)
    with pytest.raises(KeyAccessRefused):
        await keyring.rewrap(DataKey.draw(), envelope, _decision(), _REF)
    assert bench.gate.calls["unwrap"] == bench.gate.calls["wrap"] == 0


@pytest.mark.parametrize("by_alias", [True, False], ids=["alias", "id"])
@pytest.mark.parametrize("asked_by_alias", [True, False], ids=["asked-by-alias", "asked-by-id"])
async def test_a_cmk_is_allowed_by_id_or_alias_however_it_is_asked_for(
    bench: _Bench, *, by_alias: bool, asked_by_alias: bool
) -> None:
    key_id = (await bench.gate.kms.create_key(alias="alias/photos")).key_id
    keyring = bench.keyring(EncryptionRule(allowed_keys=frozenset({"alias/photos" if by_alias else key_id})))
    decision = _decision("alias/photos" if asked_by_alias else key_id, Algorithm.KMS)

    key, envelope = await keyring.draw(decision, _REF, Layout.SINGLE)

    assert envelope.key_id == key_id
    assert await keyring.open(envelope, _REF) is key


async def test_an_allowed_alias_that_names_nothing_allows_nothing(bench: _Bench) -> None:
    keyring = bench.keyring(EncryptionRule(allowed_keys=frozenset({"alias/nobody"})))
    _, envelope = await _drawn(bench)

    with pytest.raises(KeyAccessRefused):
        await keyring.open(envelope, _REF)


async def test_allowed_keys_are_checked_though_the_key_is_kept(bench: _Bench) -> None:
    rules = {"now": EncryptionRule()}
    cache = CacheSettings(unwrapped_keys=10, unwrapped_key_lifetime=60)
    keyring = bench.keyring_of(lambda _bucket: rules["now"], cache)
    _, envelope = await keyring.draw(_decision(), _REF, Layout.SINGLE)
    await keyring.open(envelope, _REF)

    rules["now"] = EncryptionRule(allowed_keys=frozenset())

    with pytest.raises(KeyAccessRefused):
        await keyring.open(envelope, _REF)


# ---- rewrapping ----


async def test_a_rewrapped_key_is_the_same_key_under_another_name_and_cmk(bench: _Bench) -> None:
    key, envelope = await bench.keyring().draw(_decision(), _REF, Layout.SINGLE)
    source = replace(envelope, footer=b"f" * 64)

    copied = await bench.keyring().rewrap(key, source, _decision(_DEFAULT_ALIAS, Algorithm.KMS), _ELSEWHERE)
    opened = await bench.keyring().open(copied, _ELSEWHERE)

    assert opened.raw == key.raw
    assert copied.algorithm is Algorithm.KMS
    assert copied.key_id != envelope.key_id
    assert copied.place == place_of(_ELSEWHERE.bucket, _ELSEWHERE.key)
    assert (copied.layout, copied.commitment, copied.footer, copied.suite) == (
        source.layout,
        source.commitment,
        source.footer,
        source.suite,
    )
    with pytest.raises(WrongPlace):
        await bench.keyring().open(copied, _REF)


async def test_rewrapping_after_a_rotation_uses_the_new_version(bench: _Bench) -> None:
    key, envelope = await bench.keyring().draw(_decision(), _REF, Layout.SINGLE)
    await bench.gate.kms.rotate(SERVICE_KEY_ALIAS)

    again = await bench.keyring().rewrap(key, envelope, _decision(), _REF)

    assert (envelope.wrapped_key[17:21], again.wrapped_key[17:21]) == (b"\0\0\0\x01", b"\0\0\0\x02")
    assert (await bench.keyring().open(envelope, _REF)).raw == key.raw
    assert (await bench.keyring().open(again, _REF)).raw == key.raw


# ---- how often the KMS is asked ----


async def test_a_key_is_asked_for_once_within_its_lifetime(bench: _Bench) -> None:
    _, envelope = await _drawn(bench)
    keyring = bench.keyring()

    first = await keyring.open(envelope, _REF)
    bench.clock.advance(59)
    second = await keyring.open(envelope, _REF)
    bench.clock.advance(1)
    await keyring.open(envelope, _REF)

    assert first is second
    assert bench.gate.calls["unwrap"] == 2
    assert bench.observer.counts["kms_calls_total", "unwrap", "ok"] == 2
    assert bench.observer.counts["kms_calls_total", "generate", "ok"] == 1
    assert bench.observer.observed["kms_seconds", "unwrap"] == 2
    assert bench.observer.counts["unwrap_cache_total", "hit"] == 1
    assert bench.observer.counts["unwrap_cache_total", "miss"] == 2


async def test_a_disabled_key_stops_reads_within_the_lifetime(bench: _Bench) -> None:
    _, envelope = await _drawn(bench)
    keyring = bench.keyring()
    await keyring.open(envelope, _REF)

    await bench.gate.kms.disable(SERVICE_KEY_ALIAS)
    await keyring.open(envelope, _REF)  # the bound: an object that was read just before
    bench.clock.advance(60)

    with pytest.raises(KeyDisabled):
        await keyring.open(envelope, _REF)
    assert bench.observer.counts["kms_calls_total", "unwrap", "error"] == 1


async def test_without_room_for_keys_the_kms_is_asked_every_time(bench: _Bench) -> None:
    keyring = bench.keyring(capacity=0)
    _, envelope = await keyring.draw(_decision(), _REF, Layout.SINGLE)

    await keyring.open(envelope, _REF)
    await keyring.open(envelope, _REF)

    assert bench.gate.calls["unwrap"] == 2


async def test_an_object_that_was_just_written_or_copied_is_read_without_the_kms(bench: _Bench) -> None:
    keyring = bench.keyring()
    key, envelope = await keyring.draw(_decision(), _REF, Layout.SINGLE)
    copied = await keyring.rewrap(key, envelope, _decision(), _ELSEWHERE)

    await keyring.open(envelope, _REF)
    await keyring.open(copied, _ELSEWHERE)

    assert bench.gate.calls == {"generate": 1, "wrap": 1}


async def test_requests_that_open_the_same_key_at_once_ask_once(bench: _Bench) -> None:
    _, envelope = await _drawn(bench)
    keyring = bench.keyring()
    all_wait = asyncio.Event()

    async def hold() -> None:
        await all_wait.wait()

    bench.gate.before = hold
    async with asyncio.TaskGroup() as group:
        readers = [group.create_task(keyring.open(envelope, _REF)) for _ in range(100)]
        await asyncio.sleep(0)
        all_wait.set()

    assert len({reader.result().raw for reader in readers}) == 1
    assert bench.gate.calls["unwrap"] == 1


async def test_an_error_is_told_to_all_that_waited_and_not_kept(bench: _Bench) -> None:
    _, envelope = await _drawn(bench)
    keyring = bench.keyring()

    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyServiceUnavailable

    bench.gate.before = fail
    outcomes = await asyncio.gather(*(keyring.open(envelope, _REF) for _ in range(10)), return_exceptions=True)
    bench.gate.before = None

    assert [type(outcome) for outcome in outcomes] == [KeyServiceUnavailable] * 10
    assert bench.gate.calls["unwrap"] == 1
    await keyring.open(envelope, _REF)


async def test_a_reader_that_leaves_takes_nobody_with_it(bench: _Bench) -> None:
    _, envelope = await _drawn(bench)
    keyring = bench.keyring()
    released = asyncio.Event()

    async def hold() -> None:
        await released.wait()

    bench.gate.before = hold
    async with asyncio.TaskGroup() as group:
        readers = [group.create_task(keyring.open(envelope, _REF)) for _ in range(5)]
        await asyncio.sleep(0)
        readers[0].cancel()  # the one that asks
        readers[1].cancel()  # one of those that wait
        released.set()

    assert [reader.cancelled() for reader in readers] == [True, True, False, False, False]
    assert len({reader.result().raw for reader in readers[2:]}) == 1
    assert bench.gate.calls["unwrap"] == 2
