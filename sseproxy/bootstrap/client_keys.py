"""The keys for which clients encrypted objects before they sent them: RSA keys, and CMKs in Alibaba Cloud KMS."""

import json
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sseproxy.errors import ConfigurationError
from sseproxy.kms.resilience import ResilientClientKeyKms
from sseproxy.kms.routing import RoutedKms
from sseproxy.model import WrapContext
from sseproxy.operations.client_kms import ClientKeyPlace, ClientKms
from sseproxy.ports import Clock, Kms, Observer
from sseproxy.settings import Settings

_FILES = "encryption.client_key_files"
_KMS_KEYS = "encryption.client_kms_keys"
_PASSPHRASES = "encryption.client_kms_passphrases"
_NO_CONTEXT = WrapContext(aad=b"", pairs=())


def load_client_keys(paths: Sequence[Path]) -> tuple[RSAPrivateKey, ...]:
    """Read private keys in PEM, without a passphrase. Raises `ConfigurationError`, never with a word of the content."""
    return tuple(_load(path) for path in paths)


def _load(path: Path) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as cause:
        raise ConfigurationError(f"{_FILES}: {path} cannot be read ({cause.strerror}).") from cause
    except (ValueError, TypeError, UnsupportedAlgorithm) as cause:
        raise ConfigurationError(f"{_FILES}: {path} is no private key in PEM without a passphrase.") from cause
    if not isinstance(key, RSAPrivateKey):
        raise ConfigurationError(f"{_FILES}: {path} is not an RSA key.")
    return key


def build_client_kms(settings: Settings, kms: Kms, clock: Clock, observer: Observer) -> ClientKms | None:
    """Return what opens keys under the configured CMKs, None where there are none.

    Raises `ConfigurationError` where one of them is not in Alibaba Cloud KMS, or a passphrase cannot be one.
    """
    key_ids = settings.encryption.client_kms_keys
    passphrases = [passphrase.get_secret_value() for passphrase in settings.encryption.client_kms_passphrases]
    if not key_ids:
        if passphrases:
            raise ConfigurationError(f"{_PASSPHRASES} need {_KMS_KEYS}.")
        return None
    contexts = [_NO_CONTEXT, *map(_context_of, passphrases)]
    return ClientKms(_places(kms, key_ids), contexts, settings.cache, clock=clock, observer=observer)


def _places(kms: Kms, key_ids: Sequence[str]) -> list[ClientKeyPlace]:
    """Return each key service with those CMKs that lead to it: one question there is one for all of them."""
    found: dict[int, tuple[ResilientClientKeyKms, set[str]]] = {}
    for key_id in key_ids:
        service = kms.service_for(key_id) if isinstance(kms, RoutedKms) else kms
        if not isinstance(service, ResilientClientKeyKms):
            raise ConfigurationError(
                f"{_KMS_KEYS}: {key_id} leads to a key service that is not Alibaba Cloud KMS; add a route for it."
            )
        found.setdefault(id(service), (service, set()))[1].add(key_id)
    return [ClientKeyPlace(service, frozenset(ids)) for service, ids in found.values()]


def _context_of(passphrase: str) -> WrapContext:
    """Return what KMS made of a passphrase: oss2 puts it between two quotes of a JSON document, as it is."""
    try:
        pairs = json.loads(f'{{"x-passphrase":"{passphrase}"}}')
    except ValueError:
        pairs = {}
    if not pairs or not all(isinstance(value, str) for value in pairs.values()):
        raise ConfigurationError(
            f"{_PASSPHRASES}: KMS takes none with a quotation mark, or a backslash that escapes nothing."
        )
    return WrapContext(aad=b"", pairs=tuple(pairs.items()))
