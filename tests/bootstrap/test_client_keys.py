"""What opens clients' content keys, as the settings ask for it."""

import pytest
from pydantic import SecretStr

from sseproxy.bootstrap.client_keys import build_client_kms
from sseproxy.errors import ConfigurationError
from sseproxy.kms.resilience import Endurance, ResilientClientKeyKms, ResilientKms
from sseproxy.kms.routing import RoutedKms, Way
from sseproxy.model import WrapContext
from sseproxy.operations.client_content_key import ContentKey, WrittenKey
from sseproxy.operations.client_kms import OpenedKey
from sseproxy.ports import Kms
from sseproxy.settings import EncryptionSettings, Settings
from tests.kms.doubles import RecordingObserver, ScriptedKms
from tests.support.fake_clock import FakeClock

CLOCK, OBSERVER = FakeClock(), RecordingObserver()
KEY, COUNTER = "A" * 43 + "=", "A" * 22 + "=="  # zeros, in base64
OPENED = OpenedKey(ContentKey(bytes(32), bytes(16)), "cmk")
WRITTEN = WrittenKey("KMS/ALICLOUD", "Sw==", "Uw==")


class Alibaba(ScriptedKms):
    """A key service that opens everything under the CMK `cmk`, and notes with which pairs it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[tuple[tuple[str, str], ...]] = []

    async def decrypt(self, blob: str, context: WrapContext) -> tuple[str, str]:
        self.pairs.append(context.pairs)
        return "cmk", KEY if blob == WRITTEN.key else COUNTER


def settings(*key_ids: str, passphrases: tuple[str, ...] = ()) -> Settings:
    chosen = EncryptionSettings(
        client_kms_keys=key_ids, client_kms_passphrases=tuple(SecretStr(one) for one in passphrases)
    )
    return Settings.model_construct(encryption=chosen, cache=Settings.model_fields["cache"].default)


def routed(alibaba: Alibaba) -> RoutedKms:
    cloud = ResilientClientKeyKms("cloud", alibaba, Endurance(), clock=CLOCK, observer=OBSERVER)
    other = ResilientKms("vault", ScriptedKms(), Endurance(), clock=CLOCK, observer=OBSERVER)
    return RoutedKms({"cloud": cloud, "vault": other}, [Way("cmk*", "cloud")], default="vault", service_key=None)


async def opened(kms: Kms, *key_ids: str, passphrases: tuple[str, ...] = ()) -> OpenedKey | None:
    client_kms = build_client_kms(settings(*key_ids, passphrases=passphrases), kms, CLOCK, OBSERVER)
    assert client_kms is not None
    return await client_kms.open(WRITTEN)


def test_without_keys_there_is_nothing() -> None:
    assert build_client_kms(settings(), ScriptedKms(), CLOCK, OBSERVER) is None


async def test_several_keys_at_one_service_are_one_question() -> None:
    alibaba = Alibaba()

    assert await opened(routed(alibaba), "cmk-2", "cmk", "cmk-3") == OPENED
    assert alibaba.pairs == [(), ()]


async def test_the_only_key_service_needs_no_route() -> None:
    alibaba = Alibaba()

    alone = ResilientClientKeyKms("cloud", alibaba, Endurance(), clock=CLOCK, observer=OBSERVER)

    assert await opened(alone, "cmk") == OPENED
    assert OBSERVER.counts["key_service_attempts_total", "cloud", "decrypt", "ok"] >= 2


async def test_every_passphrase_is_tried_as_oss2_writes_it_into_a_document() -> None:
    alibaba = Alibaba()

    assert await opened(routed(alibaba), "cmk-2", passphrases=("größe 1", "a\\u0041", "b\\\\")) is None  # another CMK's

    assert alibaba.pairs == [
        (),
        (("x-passphrase", "größe 1"),),
        (("x-passphrase", "aA"),),
        (("x-passphrase", "b\\"),),
    ]


@pytest.mark.parametrize("passphrase", ['a"b', "a\\", "a\\x", '1","b":2,"c":"'])
def test_a_passphrase_that_kms_would_not_have_taken_is_refused_and_not_shown(passphrase: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        build_client_kms(settings("cmk", passphrases=(passphrase,)), routed(Alibaba()), CLOCK, OBSERVER)

    assert refused.value.message == (
        "encryption.client_kms_passphrases: KMS takes none with a quotation mark, or a backslash that escapes nothing."
    )


def test_a_key_that_is_elsewhere_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^encryption\.client_kms_keys: other leads to a key service that is not"
    ):
        build_client_kms(settings("cmk", "other"), routed(Alibaba()), CLOCK, OBSERVER)


def test_passphrases_alone_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"client_kms_passphrases need encryption\.client_kms_keys"):
        build_client_kms(settings(passphrases=("p",)), routed(Alibaba()), CLOCK, OBSERVER)
