"""Adapters of the `Kms` port, and how one is built from its settings."""

from collections.abc import Collection

from sseproxy.kms.database import Database
from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.kms.root_key import read_root_key
from sseproxy.ports import Clock
from sseproxy.settings import EmbeddedKmsSettings


def build_kms(settings: EmbeddedKmsSettings, clock: Clock, *, created_on_first_use: Collection[str]) -> EmbeddedKms:
    """Open the embedded KMS; its database is created where it does not exist. Raises `ConfigurationError`.

    `created_on_first_use` are aliases that get a CMK when first asked for. Whoever builds the KMS closes it.
    """
    root_key = read_root_key(settings.root_key_file)
    return EmbeddedKms(Database(settings.database, root_key), clock, created_on_first_use=created_on_first_use)
