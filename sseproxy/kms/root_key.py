"""The root key: a file with 32 random bytes, under which the embedded KMS seals everything else."""

import os
import secrets
import stat
from pathlib import Path

from sseproxy.errors import ConfigurationError

LENGTH = 32
_FEWEST_VALUES = 8  # 32 random bytes have fewer different values once in far more than 2^100 draws


class RootKey:
    """The root key. Its `repr` shows no key."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        if len(raw) != LENGTH:
            raise ConfigurationError(f"A root key has {LENGTH} bytes (raw, or {2 * LENGTH} hex digits).")
        if len(set(raw)) < _FEWEST_VALUES:
            raise ConfigurationError("The root key is not random: make one with `openssl rand -hex 32`.")
        self._raw = bytes(raw)

    def __repr__(self) -> str:
        return "RootKey(<redacted>)"

    @property
    def raw(self) -> bytes:
        """The key itself: for deriving keys, nothing else."""
        return self._raw


def read_root_key(path: Path) -> RootKey:
    """Read a root key file: 32 bytes, raw or as 64 hex digits, readable by its owner alone.

    Raises `ConfigurationError` with a message that says what to do.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(4 * LENGTH)
    except OSError as cause:
        raise ConfigurationError(f"The root key file {path} cannot be read: {cause.strerror}.") from cause
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationError(f"The root key file {path} can be read by others: run `chmod 600 {path}`.")
    return RootKey(data if len(data) == LENGTH else _from_hex(path, data))


def create_root_key(path: Path) -> RootKey:
    """Make a root key file that did not exist, mode 0600. Raises `ConfigurationError`."""
    text = secrets.token_hex(LENGTH)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as cause:
        raise ConfigurationError(f"The root key file {path} cannot be created: {cause.strerror}.") from cause
    return RootKey(bytes.fromhex(text))


def _from_hex(path: Path, data: bytes) -> bytes:
    try:
        return bytes.fromhex(data.decode("ascii").strip())
    except ValueError:
        raise ConfigurationError(
            f"The root key file {path} holds no key: it must have {LENGTH} raw bytes or {2 * LENGTH} hex digits."
        ) from None
