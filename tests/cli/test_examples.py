"""What the help of every command shows: what it does, and an example that could be typed so."""

import shlex

import pytest
import typer.main
from typer.core import TyperCommand, TyperGroup

from sseproxy.cli.main import app


def _commands() -> list[tuple[str, TyperCommand]]:
    return [
        (f"{name} {inner}", command)
        for name, group in typer.main.get_group(app).commands.items()
        if isinstance(group, TyperGroup) and name in {"keys", "objects"}
        for inner, command in group.commands.items()
        if isinstance(command, TyperCommand)
    ]


def test_all_commands_are_seen() -> None:
    assert len(_commands()) == 28


@pytest.mark.parametrize(("name", "command"), _commands(), ids=lambda value: value if isinstance(value, str) else "")
def test_help_says_what_a_command_does_and_shows_how_it_is_typed(name: str, command: TyperCommand) -> None:
    assert command.help
    assert command.epilog is not None
    assert command.epilog.startswith(f"Example: sseproxy {name} ")

    arguments = shlex.split(command.epilog.removeprefix(f"Example: sseproxy {name} "))
    assert command.make_context(name, arguments).params["config"] is not None  # raises where it would be refused
