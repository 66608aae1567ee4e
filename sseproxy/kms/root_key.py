"""The root key, under which the embedded KMS seals all else: 32 random bytes, or a passphrase that gives them."""

import os
import secrets
import stat
from itertools import pairwise
from pathlib import Path

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from sseproxy.errors import ConfigurationError

LENGTH = 32
_LONGEST_FILE = 4 * LENGTH  # 64 hex digits and a line end fit well
_FEWEST_VALUES = 16  # 32 random bytes have fewer different values once in far more than 2^60 draws
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**17, 8, 1  # 128 MiB and some tenths of a second, once at start
_SALT = 32
_SHORTEST_PASSPHRASE, _FEWEST_CHARACTERS = 20, 8
_PRINTABLE = frozenset(range(0x20, 0x7F)) | frozenset(b"\t\r\n")


class RootKey:
    """The root key. Its `repr` shows no key.

    Raises `ConfigurationError` where it is not 32 bytes long, or obviously not random.
    """

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        if len(raw) != LENGTH:
            raise ConfigurationError(f"A root key has {LENGTH} bytes: as they are, or as {2 * LENGTH} hex digits.")
        if _is_regular(raw):
            raise ConfigurationError("The root key is not random: make one with `openssl rand -hex 32`.")
        self._raw = bytes(raw)

    def __repr__(self) -> str:
        return "RootKey(<redacted>)"

    @property
    def raw(self) -> bytes:
        """The key itself: for deriving keys, nothing else."""
        return self._raw


class Passphrase:
    """What a root key is made of with scrypt. Its `repr` shows nothing.

    Raises `ConfigurationError` where it is short or repeats itself.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if len(text) < _SHORTEST_PASSPHRASE or len(set(text)) < _FEWEST_CHARACTERS:
            raise ConfigurationError(
                f"The passphrase is too weak: it needs {_SHORTEST_PASSPHRASE} characters, {_FEWEST_CHARACTERS} of them "
                "different. Five random words or more are a good one."
            )
        self._text = text

    def __repr__(self) -> str:
        return "Passphrase(<redacted>)"

    def root_key(self, salt: bytes) -> RootKey:
        """Derive the root key. Takes some tenths of a second and 128 MiB, as it is meant to."""
        scrypt = Scrypt(salt=salt, length=LENGTH, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P)
        return RootKey(scrypt.derive(self._text.encode()))


RootSecret = RootKey | Passphrase


def new_salt() -> bytes:
    """Return what a passphrase is derived with; lies openly in the database."""
    return secrets.token_bytes(_SALT)


def parse_root_key(text: str) -> RootKey:
    """Return the root key that 64 hex digits say. Raises `ConfigurationError`."""
    try:
        return RootKey(bytes.fromhex(text.strip()))
    except ValueError:
        raise ConfigurationError(
            f"kms.root_key holds no key: it must have {2 * LENGTH} hex digits. Make one with `openssl rand -hex 32`."
        ) from None


def read_root_key(path: Path) -> RootKey:
    """Read a root key file: 32 bytes, as they are or as 64 hex digits.

    Its owner alone may read it. One exception: a file of root's that this process, being another user, may only read
    through its group, as Kubernetes mounts secrets. Raises `ConfigurationError` with a message that says what to do.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(_LONGEST_FILE + 1)
    except OSError as cause:
        raise ConfigurationError(f"The root key file {path} cannot be read: {cause.strerror}.") from cause
    if status.st_mode & _forbidden_bits(status.st_uid):
        raise ConfigurationError(f"The root key file {path} is open to other users: run `chmod 600 {path}`.")
    return RootKey(_parse(path, data))


def create_root_key(path: Path) -> RootKey:
    """Make a root key file that did not exist, mode 0600, and return when it is on the disk.

    Raises `ConfigurationError`.
    """
    text = secrets.token_hex(LENGTH)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        _sync_directory(path.parent)
    except OSError as cause:
        raise ConfigurationError(f"The root key file {path} cannot be created: {cause.strerror}.") from cause
    return RootKey(bytes.fromhex(text))


def _forbidden_bits(owner: int) -> int:
    if owner == 0 and os.geteuid() != 0:
        return stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP
    return stat.S_IRWXO | stat.S_IRWXG


def _parse(path: Path, data: bytes) -> bytes:
    if len(data) == LENGTH and not _PRINTABLE.issuperset(data):
        return data
    try:
        return bytes.fromhex(data.decode("ascii").strip())
    except ValueError:
        raise ConfigurationError(
            f"The root key file {path} holds no key: it must have {LENGTH} random bytes or {2 * LENGTH} hex digits. "
            "Make one with `openssl rand -hex 32`."
        ) from None


def _is_regular(raw: bytes) -> bool:
    """Whether a key shows that nobody drew it: few values, a count, a repetition, a text."""
    steps = {(later - earlier) % 256 for earlier, later in pairwise(raw)}
    repeats = raw[: LENGTH // 2] == raw[LENGTH // 2 :]
    return len(set(raw)) < _FEWEST_VALUES or len(steps) == 1 or repeats or _PRINTABLE.issuperset(raw)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
