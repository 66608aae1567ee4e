"""The command line as typed: options, usage errors, exit codes."""

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sseproxy import __version__
from sseproxy.cli.main import app


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_the_version_is_shown() -> None:
    result = _run("--version")

    assert (result.exit_code, result.stdout) == (0, f"sseproxy {__version__}\n")


def test_help_names_every_command() -> None:
    result = _run("--help")

    assert result.exit_code == 0
    assert all(command in result.stdout for command in ("serve", "check", "dev"))


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["serve"], "--config"),
        (["check"], "--config"),
        (["nonsense"], "nonsense"),
        (["dev", "--listen", "9000"], "HOST:PORT"),
        (["dev", "--admin", "here"], "HOST:PORT"),
        (["dev", "--tls-cert", "cert.pem"], "--tls-key"),
        (["dev", "--port", "1"], "--port"),
    ],
)
def test_wrong_arguments_end_with_code_2_and_a_hint(arguments: list[str], hint: str) -> None:
    result = _run(*arguments)

    assert result.exit_code == 2
    assert hint in result.stderr


@pytest.mark.parametrize("command", ["serve", "check"])
@pytest.mark.parametrize("content", [None, "[listen", "[listen]\naddress = 3\n"], ids=["missing", "no TOML", "wrong"])
def test_a_wrong_configuration_ends_with_code_2_and_says_what_is_wrong(
    tmp_path: Path, command: str, content: str | None
) -> None:
    path = tmp_path / "sseproxy.toml"
    if content is not None:
        path.write_text(content)

    result = _run(command, "--config", str(path))

    assert result.exit_code == 2
    assert result.stderr.startswith(f"sseproxy: {path}: ")
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_dev_in_a_directory_that_cannot_be_made_ends_with_code_1(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    result = _run("dev", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "file" / "data"))

    assert result.exit_code == 1
    assert result.stderr == f"sseproxy: {tmp_path / 'file' / 'data'}: Not a directory\n"


def test_dev_without_its_root_key_refuses_to_make_another_one(tmp_path: Path) -> None:
    (tmp_path / "kms.sqlite3").touch()

    result = _run("dev", "--listen", "127.0.0.1:0", "--data", str(tmp_path))

    assert result.exit_code == 1
    assert result.stderr == (
        f"sseproxy: {tmp_path}/root.key is missing, and {tmp_path}/kms.sqlite3 cannot be opened without it; put it back\n"
    )
    assert not (tmp_path / "root.key").exists()


def test_dev_on_a_port_that_is_taken_ends_with_code_1(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        result = _run("dev", "--listen", f"127.0.0.1:{port}", "--data", str(tmp_path))

    assert result.exit_code == 1
    assert f"sseproxy: cannot listen on 127.0.0.1:{port}: " in result.stderr
    assert "Traceback" not in result.output


def test_dev_with_a_certificate_that_is_none_ends_with_code_1(tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("nothing of the kind")

    result = _run(
        "dev", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data"),
        "--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"),
    )  # fmt: skip

    assert result.exit_code == 1
    assert f"cannot use the certificate {tmp_path}/cert.pem" in result.stderr
