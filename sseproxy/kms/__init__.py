"""Adapters of the `Kms` port, and how one is built from its settings."""

from collections.abc import Collection

from sseproxy.dialect import DIALECTS
from sseproxy.kms.database import Database
from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.kms.root_key import read_root_key
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS
from sseproxy.ports import Clock
from sseproxy.settings import EmbeddedKmsSettings

# The service master key that AES256 runs under, and what KMS without a key id means in each dialect.
DEFAULT_ALIASES = frozenset({SERVICE_KEY_ALIAS, *(dialect.sse.default_key_alias for dialect in DIALECTS.values())})


def build_kms(
    settings: EmbeddedKmsSettings, clock: Clock, *, created_on_first_use: Collection[str] = DEFAULT_ALIASES
) -> EmbeddedKms:
    """Open the embedded KMS; its database is created where it does not exist. Raises `ConfigurationError`.

    Whoever builds it closes it.
    """
    root_key = read_root_key(settings.root_key_file)
    return EmbeddedKms(
        Database(settings.database, root_key), root_key, clock, created_on_first_use=created_on_first_use
    )
