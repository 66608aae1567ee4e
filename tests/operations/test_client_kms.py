"""How clients' content keys are opened by Alibaba Cloud KMS, and how often it is asked (OSS dossier §8.5, §8.7)."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import pytest

from sseproxy.errors import KeyAccessRefused, KeyDisabled, KeyNotFound, KeyServiceUnavailable, WrappedKeyRejected
from sseproxy.model import WrapContext
from sseproxy.operations.client_content_key import ContentKey, WrittenKey
from sseproxy.operations.client_kms import ClientKeyPlace, ClientKms, OpenedKey
from sseproxy.settings import CacheSettings
from tests.operations.fakes import FakeObserver
from tests.support.fake_clock import FakeClock

NONE = WrapContext(aad=b"", pairs=())
PHRASE = WrapContext(aad=b"", pairs=(("x-passphrase", "p"),))
KEY = bytes(range(32))
COUNTER = b"12345678\x00\x00\x00\x00abcd"
OPENED = OpenedKey(ContentKey(KEY, COUNTER), "mine")
PLAIN = {"S0VZ": b64encode(KEY).decode(), "U1RBUlQ=": b64encode(COUNTER).decode()}  # by what KMS gave for it
AS_IT_IS = WrittenKey("KMS/ALICLOUD", "S0VZ", "U1RBUlQ=")
ONCE_MORE = WrittenKey("KMS/ALICLOUD", b64encode(b"S0VZ").decode(), b64encode(b"U1RBUlQ=").decode())
OLD = WrittenKey("kms", "S0VZ", "U1RBUlQ=", old=True)


class Service:
    """Opens the texts that it knows, under one context."""

    def __init__(
        self,
        texts: Mapping[str, str] = PLAIN,
        *,
        key_id: str = "mine",
        context: WrapContext = NONE,
        refusal: Exception | None = None,
    ) -> None:
        self.texts, self.key_id, self.context = texts, key_id, context
        self.refusal = refusal or WrappedKeyRejected()
        self.asked: list[str] = []

    async def decrypt(self, blob: str, context: WrapContext) -> tuple[str, str]:
        self.asked.append(blob)
        await asyncio.sleep(0)
        if blob not in self.texts or context != self.context:
            raise self.refusal
        return self.key_id, self.texts[blob]


def make(*services: Service, contexts: tuple[WrapContext, ...] = (NONE,), **fields: Any) -> ClientKms:
    places = [ClientKeyPlace(service, {"mine", "too"}) for service in services]
    clock = fields.pop("clock", FakeClock())
    return ClientKms(places, contexts, CacheSettings(**fields), clock=clock, observer=FakeObserver())


@pytest.mark.parametrize("written", [AS_IT_IS, ONCE_MORE], ids=["as KMS gave it", "encoded once more"])
async def test_both_forms_of_sdks_are_opened_by_two_calls_which_nothing_can_save(written: WrittenKey) -> None:
    service = Service()

    assert await make(service).open(written) == OPENED
    assert service.asked == ["S0VZ", "U1RBUlQ="]


async def test_what_only_looks_as_if_it_were_encoded_once_more_is_tried_as_it_is() -> None:
    key, start = ONCE_MORE.key, ONCE_MORE.start
    service = Service({key: PLAIN["S0VZ"], start: PLAIN["U1RBUlQ="]})

    assert await make(service).open(ONCE_MORE) == OPENED
    assert service.asked == ["S0VZ", key, start]


async def test_what_was_opened_serves_further_reads_for_its_lifetime_alone() -> None:
    service, clock = Service(), FakeClock()
    kms = make(service, clock=clock, unwrapped_key_lifetime=60)

    for _ in range(3):
        assert await kms.open(AS_IT_IS) == OPENED
    clock.advance(59)
    assert await kms.open(AS_IT_IS) == OPENED
    assert len(service.asked) == 2
    clock.advance(1)
    assert await kms.open(AS_IT_IS) == OPENED
    assert len(service.asked) == 4


async def test_that_a_key_is_somebody_elses_is_known_for_as_long() -> None:
    service, clock = Service({}), FakeClock()
    kms = make(service, clock=clock, unwrapped_key_lifetime=60)

    for _ in range(3):
        assert await kms.open(AS_IT_IS) is None
    assert len(service.asked) == 1
    service.texts = PLAIN  # the CMK's policy was changed
    clock.advance(59)
    assert await kms.open(AS_IT_IS) is None
    clock.advance(1)
    assert await kms.open(AS_IT_IS) == OPENED


async def test_another_counter_or_form_beside_the_same_key_is_another_question() -> None:
    service = Service(PLAIN | {"T1RIRVI=": b64encode(b"\x01" * 8 + bytes(8)).decode()})
    kms = make(service)
    await kms.open(AS_IT_IS)

    assert await kms.open(WrittenKey("KMS/ALICLOUD", "S0VZ", "T1RIRVI=")) == OpenedKey(
        ContentKey(KEY, b"\x01" * 8 + bytes(8)), "mine"
    )
    assert await kms.open(OLD) is None
    assert len(service.asked) == 6


async def test_without_room_every_read_asks() -> None:
    service = Service()
    kms = make(service, unwrapped_keys=0)

    await kms.open(AS_IT_IS)
    await kms.open(AS_IT_IS)

    assert len(service.asked) == 4


async def test_reads_at_the_same_time_share_the_question() -> None:
    service = Service()
    kms = make(service)

    async with asyncio.TaskGroup() as group:
        reads = [group.create_task(kms.open(AS_IT_IS)) for _ in range(8)]

    assert [read.result() for read in reads] == [OPENED] * 8
    assert len(service.asked) == 2


async def test_the_old_form_has_its_counter_in_decimal_digits_as_kms_had_been_given_them() -> None:
    for digits in ("1", "10", "1099511627776"):
        service = Service({"S0VZ": PLAIN["S0VZ"], "U1RBUlQ=": digits})

        assert await make(service).open(OLD) == OpenedKey(ContentKey(KEY, int(digits).to_bytes(16, "big")), "mine")
        assert service.asked == ["S0VZ", "U1RBUlQ="]


@pytest.mark.parametrize("digits", ["", "x", "-1", "1.5", "१", "1" * 19, b64encode(COUNTER).decode()])
async def test_an_old_counter_that_is_no_number_opens_nothing(digits: str) -> None:
    assert await make(Service({"S0VZ": PLAIN["S0VZ"], "U1RBUlQ=": digits})).open(OLD) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"S0VZ": b64encode(KEY[:16]).decode()},
        {"S0VZ": "no base64"},
        {"U1RBUlQ=": b64encode(COUNTER[:15]).decode()},
        {"U1RBUlQ=": b64encode(b"12345678abcd\x00\x00\x00\x00").decode()},
        {"U1RBUlQ=": "7"},
    ],
)
async def test_what_is_no_key_or_no_counter_opens_nothing(changed: dict[str, str]) -> None:
    assert await make(Service({**PLAIN, **changed})).open(AS_IT_IS) is None


async def test_a_key_wrapped_with_a_passphrase_is_opened_with_it() -> None:
    service = Service(context=PHRASE)

    assert await make(service, contexts=(NONE, PHRASE)).open(AS_IT_IS) == OPENED
    assert service.asked == ["S0VZ", "S0VZ", "U1RBUlQ="]
    assert await make(service).open(AS_IT_IS) is None


async def test_a_key_is_looked_for_at_every_service() -> None:
    first, second = Service({}), Service(key_id="too")

    assert await make(first, second).open(AS_IT_IS) == OpenedKey(OPENED.content, "too")
    assert (len(first.asked), len(second.asked)) == (1, 2)


async def test_what_another_cmk_opened_is_not_used() -> None:
    service = Service(key_id="theirs")

    assert await make(service).open(AS_IT_IS) is None
    assert service.asked == ["S0VZ"]


@pytest.mark.parametrize("refusal", [WrappedKeyRejected(), KeyAccessRefused(), KeyNotFound()])
async def test_a_key_that_is_refused_is_somebody_elses(refusal: Exception) -> None:
    assert await make(Service({}, refusal=refusal)).open(AS_IT_IS) is None


async def test_a_counter_that_does_not_open_beside_its_key_opens_nothing() -> None:
    assert await make(Service({"S0VZ": PLAIN["S0VZ"]})).open(AS_IT_IS) is None


@pytest.mark.parametrize("refusal", [KeyServiceUnavailable, KeyDisabled])
async def test_a_service_that_is_away_or_a_cmk_that_is_disabled_is_told(refusal: type[Exception]) -> None:
    service = Service({}, refusal=refusal())
    kms = make(service)

    with pytest.raises(refusal):
        await kms.open(AS_IT_IS)
    service.texts = PLAIN
    assert await kms.open(AS_IT_IS) == OPENED


async def test_values_that_kms_cannot_have_given_are_not_sent_to_it() -> None:
    service = Service()

    assert await make(service).open(WrittenKey("KMS/ALICLOUD", "", "größe")) is None
    assert service.asked == []
