"""Adapters of the `Kms` port, and how one is built from its settings."""

from collections.abc import Collection
from contextlib import closing
from datetime import timedelta

from sseproxy.errors import ConfigurationError
from sseproxy.kms.database import Database
from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.kms.root_key import Passphrase, RootSecret, parse_root_key, read_root_key
from sseproxy.ports import Clock
from sseproxy.settings import EmbeddedKmsSettings


def build_kms(settings: EmbeddedKmsSettings, clock: Clock, *, created_on_first_use: Collection[str]) -> EmbeddedKms:
    """Open the embedded KMS; its database is created where it does not exist. Raises `ConfigurationError`.

    `created_on_first_use` are aliases that get a CMK when first asked for. Whoever builds the KMS closes it.
    """
    return EmbeddedKms(
        Database(settings.database, root_secret(settings)),
        clock,
        created_on_first_use=created_on_first_use,
        service_key_period=timedelta(seconds=settings.service_key_period),
    )


def root_secret(settings: EmbeddedKmsSettings) -> RootSecret:
    """Return the root key, or the passphrase that it is made of. Raises `ConfigurationError`."""
    if settings.root_passphrase is not None:
        return Passphrase(settings.root_passphrase.get_secret_value())
    if settings.root_key is not None:
        return parse_root_key(settings.root_key.get_secret_value())
    if settings.root_key_file is None:
        raise ConfigurationError("kms has no root key.")
    return read_root_key(settings.root_key_file)


def change_root_key(settings: EmbeddedKmsSettings, root: RootSecret) -> None:
    """Seal the key database under another root key. Proxies that have it open go on. Raises `ConfigurationError`."""
    with closing(Database(settings.database, root_secret(settings))) as database:
        database.change_root(root)
