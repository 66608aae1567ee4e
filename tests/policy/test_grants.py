"""Grants of the configuration, and that those of the KMS count beside them."""

import pytest

from sseproxy.model import KeyUse
from sseproxy.policy.grants import ConfiguredGrants, NamedClientsOnly
from sseproxy.settings import Grant

_GRANTS = ConfiguredGrants(
    [
        Grant(principal="reader", keys="team-*", uses=(KeyUse.DECRYPT,)),
        Grant(principal="writer", keys="team-?", uses=(KeyUse.ENCRYPT, KeyUse.DECRYPT)),
    ]
)


class _Everything:
    def allows(self, principal: str, key_id: str, use: KeyUse) -> bool:
        return key_id == "theirs"


@pytest.mark.parametrize(
    ("principal", "key_id", "use", "allowed"),
    [
        ("reader", "team-photos", KeyUse.DECRYPT, True),
        ("reader", "team-photos", KeyUse.ENCRYPT, False),
        ("reader", "other", KeyUse.DECRYPT, False),
        ("reader", "my-team-photos", KeyUse.DECRYPT, False),
        ("reader", "Team-photos", KeyUse.DECRYPT, False),
        ("writer", "team-1", KeyUse.ENCRYPT, True),
        ("writer", "team-12", KeyUse.ENCRYPT, False),
        ("nobody", "team-1", KeyUse.DECRYPT, False),
        ("", "team-1", KeyUse.DECRYPT, False),
    ],
)
def test_a_grant_counts_for_its_principal_keys_and_uses(
    principal: str, key_id: str, use: KeyUse, *, allowed: bool
) -> None:
    assert _GRANTS.allows(principal, key_id, use) is allowed


def test_other_grants_count_as_well_but_never_for_the_anonymous() -> None:
    grants = ConfiguredGrants([], _Everything())

    assert grants.allows("anybody", "theirs", KeyUse.DECRYPT)
    assert not grants.allows("anybody", "others", KeyUse.DECRYPT)
    assert not grants.allows("", "theirs", KeyUse.DECRYPT)


def test_an_anonymous_client_has_no_cmk_and_the_others_what_is_granted() -> None:
    everybody = [NamedClientsOnly(None).allows(name, "team-a", KeyUse.DECRYPT) for name in ("", "reader", "other")]
    granted = [NamedClientsOnly(_GRANTS).allows(name, "team-a", KeyUse.DECRYPT) for name in ("", "reader", "other")]

    assert everybody == [False, True, True]
    assert granted == [False, True, False]
