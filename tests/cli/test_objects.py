"""`sseproxy objects …` as typed: commands, usage errors, exit codes."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sseproxy.cli.main import app
from sseproxy.cli.objects_progress import human_size

COMMANDS = ("inspect", "unseal", "verify", "inventory", "migrate", "rewrap", "repair", "sweep")


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["objects", *arguments])


def test_help_names_every_command() -> None:
    result = _run("--help")

    assert result.exit_code == 0
    assert all(command in result.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_its_exit_codes_mean_and_where_it_works(command: str) -> None:
    text = " ".join(_run(command, "--help").stdout.split())

    assert "Exit codes: 0" in text
    assert "--config" in text
    assert "--data" in text


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["verify", "--config", "x"], "--bucket"),
        (["verify", "--bucket", "b"], "either --config FILE, or --data DIR"),
        (["migrate", "--bucket", "b", "--config", "x", "--concurrency", "0"], "--concurrency"),
        (["rewrap", "--bucket", "b", "--config", "x", "--aes256-too"], "--to-key"),
        (["repair", "--bucket", "b", "--config", "x", "--from-key", "k"], "--key"),
        (["sweep", "--config", "x", "--older-than", "-1"], "--older-than"),
        (["unseal", "file", "--bucket", "b", "--key", "k", "--config", "x"], "--output"),
        (["nonsense"], "nonsense"),
    ],
)
def test_wrong_arguments_are_told_with_exit_code_2(arguments: list[str], hint: str) -> None:
    result = _run(*arguments)

    assert result.exit_code == 2
    assert hint in " ".join(result.stderr.replace("│", " ").split())


def test_a_configuration_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = _run("inventory", "--bucket", "b", "--config", str(tmp_path / "none.toml"))

    assert result.exit_code == 2
    assert "cannot be read" in result.stderr


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (1023, "1,023 B"), (1024, "1.0 KiB"), (5 * 1024**3, "5.0 GiB"), (3 * 1024**5, "3.0 PiB")],
)
def test_sizes_are_shown_for_people(size: int, shown: str) -> None:
    assert human_size(size) == shown
