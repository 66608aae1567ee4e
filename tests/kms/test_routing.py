"""Several key services behind one: by the pattern of the id, and never another one instead."""

import pytest

from sseproxy.errors import KeyServiceError, KeyServiceUnavailable
from sseproxy.kms.routing import RoutedKms, Way
from sseproxy.model import WrappedKey
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS
from tests.kms.doubles import ScriptedKms
from tests.kms.suite import CONTEXT

NAMES = ("embedded", "aws", "vault")
WAYS = (Way("arn:aws:kms:*", "aws"), Way("alias/payroll", "aws"), Way("team-?", "vault"), Way("team-*", "embedded"))


class Bench:
    def __init__(self, service_key: str | None = None, **services: ScriptedKms) -> None:
        self.services = {name: services.get(name, ScriptedKms()) for name in NAMES}
        self.kms = RoutedKms(self.services, WAYS, default="embedded", service_key=service_key)

    @property
    def asked(self) -> list[str]:
        return [f"{name} {call}" for name in NAMES for call in self.services[name].calls]


@pytest.mark.parametrize(
    ("key_id", "service"),
    [
        ("arn:aws:kms:eu-west-1:1:key/k", "aws"),
        ("xarn:aws:kms:", "embedded"),
        ("team-a", "vault"),
        ("team-ab", "embedded"),
        ("Team-a", "embedded"),
        ("", "embedded"),
        ("team-\n", "vault"),
    ],
)
async def test_the_first_pattern_that_matches_the_whole_id_counts(key_id: str, service: str) -> None:
    bench = Bench()

    _, wrapped = await bench.kms.generate(key_id, CONTEXT)
    await bench.kms.unwrap(wrapped, CONTEXT)
    await bench.kms.wrap(key_id, b"k", CONTEXT)
    await bench.kms.describe(key_id)

    assert bench.asked == [f"{service} {call}" for call in ("generate", "unwrap", "wrap", "describe")]


async def test_the_service_key_is_the_one_that_is_configured() -> None:
    bench = Bench("team-s")

    _, wrapped = await bench.kms.generate(SERVICE_KEY_ALIAS, CONTEXT)
    await bench.kms.healthy()

    assert wrapped.key_id == "team-s"
    assert (await bench.kms.describe(SERVICE_KEY_ALIAS)).key_id == "team-s"
    assert bench.asked == ["vault generate", "vault healthy", "vault describe"]


async def test_without_one_it_is_the_default_services_own() -> None:
    bench = Bench()

    assert (await bench.kms.wrap(SERVICE_KEY_ALIAS, b"k", CONTEXT)).key_id == SERVICE_KEY_ALIAS
    await bench.kms.healthy()

    assert bench.asked == ["embedded wrap", "embedded healthy"]


async def test_a_service_that_is_away_is_replaced_by_no_other() -> None:
    bench = Bench(vault=ScriptedKms(KeyServiceUnavailable("vault is away")))

    with pytest.raises(KeyServiceUnavailable, match="vault is away"):
        await bench.kms.unwrap(WrappedKey(key_id="team-a", blob=b""), CONTEXT)
    assert bench.asked == ["vault unwrap"]


class AliasKms(ScriptedKms):
    """Knows every name as an alias of one key."""

    async def generate(self, key_id: str, context: object, *, length: int = 32) -> tuple[bytes, WrappedKey]:
        return b"k" * length, WrappedKey(key_id="the-real-id", blob=b"")

    async def wrap(self, key_id: str, key: bytes, context: object) -> WrappedKey:
        return WrappedKey(key_id="the-real-id", blob=b"")


async def test_nothing_is_wrapped_under_a_key_whose_id_leads_to_another_service() -> None:
    bench = Bench(aws=AliasKms())
    message = "The key the-real-id is in the key service aws, but remote_kms.routes leads its id to embedded: add a route for it."

    with pytest.raises(KeyServiceError) as drawn:
        await bench.kms.generate("alias/payroll", CONTEXT)
    with pytest.raises(KeyServiceError) as wrapped:
        await bench.kms.wrap("alias/payroll", b"k", CONTEXT)

    assert drawn.value.message == wrapped.value.message == message


async def test_the_version_is_told_by_the_service_of_the_key() -> None:
    assert Bench().kms.version_of(WrappedKey(key_id="team-7", blob=b"")) == "7"
