"""Root key files: what is read, what is refused, what is made."""

import os
import stat
from pathlib import Path

import pytest

from sseproxy.errors import ConfigurationError
from sseproxy.kms.root_key import RootKey, create_root_key, read_root_key

_KEY = bytes.fromhex("8f1d2e6b90a4c75342fe0b68d9137ca5e2476809bd31f5ac5e80971c62db04f3")


def _file(directory: Path, content: bytes, mode: int = 0o600) -> Path:
    path = directory / "root.key"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "content",
    [
        _KEY,
        _KEY.hex().encode(),
        _KEY.hex().upper().encode(),
        _KEY.hex().encode() + b"\n",
        _KEY.hex().encode() + b"\r\n",
    ],
    ids=["raw", "hex", "upper", "line", "crlf"],
)
def test_a_root_key_is_32_bytes_or_64_hex_digits(tmp_path: Path, content: bytes) -> None:
    assert read_root_key(_file(tmp_path, content)).raw == _KEY


@pytest.mark.parametrize(
    "content",
    [
        b"",
        _KEY[:31],
        _KEY + b"x",
        _KEY.hex().encode()[:62],
        _KEY.hex().encode() + b"00",
        b"0123456789abcdef" * 2,  # 128 bits in 32 characters
        b"correct horse battery staple....",
        b"x" * 1000,
    ],
    ids=["empty", "31", "33", "31-hex", "33-hex", "16-as-hex", "text", "long"],
)
def test_anything_else_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigurationError):
        read_root_key(_file(tmp_path, content))


@pytest.mark.parametrize(
    "raw",
    [bytes(32), b"\xff" * 32, bytes(range(32)), bytes(range(64, 0, -2)), _KEY[:16] * 2, _KEY[:8] + bytes(24)],
    ids=["zero", "ones", "count", "steps", "twice", "mostly-zero"],
)
def test_a_key_that_nobody_drew_is_refused(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(ConfigurationError, match="not random"):
        read_root_key(_file(tmp_path, raw.hex().encode()))


def test_text_in_hex_digits_is_no_key() -> None:
    with pytest.raises(ConfigurationError, match="not random"):
        RootKey(b"correct horse battery staple!?-/")


def test_keys_that_were_drawn_are_taken() -> None:
    for _ in range(1000):
        RootKey(os.urandom(32))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o606, 0o644, 0o777, 0o610, 0o601])
def test_a_file_that_others_may_use_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = _file(tmp_path, _KEY, mode)

    with pytest.raises(ConfigurationError, match=f"run `chmod 600 {path}`"):
        read_root_key(path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_that_its_owner_alone_may_read_is_taken(tmp_path: Path, mode: int) -> None:
    assert read_root_key(_file(tmp_path, _KEY, mode)).raw == _KEY


@pytest.mark.parametrize(("mode", "is_taken"), [(0o440, True), (0o640, True), (0o460, False), (0o444, False)])
def test_a_mounted_secret_of_roots_may_be_read_through_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, *, is_taken: bool
) -> None:
    path = _file(tmp_path, _KEY, mode)
    real = os.fstat

    def owned_by_root(descriptor: int) -> os.stat_result:
        fields = list(real(descriptor))
        fields[stat.ST_UID] = 0
        return os.stat_result(fields)

    monkeypatch.setattr(os, "fstat", owned_by_root)
    monkeypatch.setattr(os, "geteuid", lambda: 10001)

    if is_taken:
        assert read_root_key(path).raw == _KEY
    else:
        with pytest.raises(ConfigurationError, match="chmod 600"):
            read_root_key(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=str(tmp_path / "none")):
        read_root_key(tmp_path / "none")


def test_a_made_file_is_read_by_its_owner_alone_and_holds_a_key(tmp_path: Path) -> None:
    path = tmp_path / "root.key"

    made = create_root_key(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_root_key(path).raw == made.raw
    assert create_root_key(tmp_path / "other").raw != made.raw


def test_a_file_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    path = _file(tmp_path, _KEY)

    with pytest.raises(ConfigurationError, match="cannot be created"):
        create_root_key(path)
    assert path.read_bytes() == _KEY


def test_a_root_key_does_not_show() -> None:
    assert repr(RootKey(_KEY)) == "RootKey(<redacted>)"
    for refused in (_KEY[:31], bytes(32)):
        with pytest.raises(ConfigurationError) as error:
            RootKey(refused)
        assert refused.hex() not in str(error.value)
