"""The RSA keys for which clients encrypted objects before they sent them."""

from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sseproxy.errors import ConfigurationError

_SETTING = "encryption.client_key_files"


def load_client_keys(paths: Sequence[Path]) -> tuple[RSAPrivateKey, ...]:
    """Read private keys in PEM, without a passphrase. Raises `ConfigurationError`, never with a word of the content."""
    return tuple(_load(path) for path in paths)


def _load(path: Path) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as cause:
        raise ConfigurationError(f"{_SETTING}: {path} cannot be read ({cause.strerror}).") from cause
    except (ValueError, TypeError, UnsupportedAlgorithm) as cause:
        raise ConfigurationError(f"{_SETTING}: {path} is no private key in PEM without a passphrase.") from cause
    if not isinstance(key, RSAPrivateKey):
        raise ConfigurationError(f"{_SETTING}: {path} is not an RSA key.")
    return key
