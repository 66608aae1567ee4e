"""`sseproxy check`: say what is wrong with a configuration, show it, and ask store and key service."""

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from sseproxy.bootstrap import probe_services
from sseproxy.cli.failures import FAILED, foreseeable_failures
from sseproxy.cli.serve import ConfigOption
from sseproxy.config import load_settings
from sseproxy.settings import Settings
from sseproxy.telemetry.redaction import REDACTED

_MASK = "**********"  # how pydantic writes a SecretStr


def check(config: ConfigOption) -> None:
    """Check a configuration, show the settings in force (without secrets), ask store and key service.

    Exit codes: 0 all is well, 1 store or key service does not answer as it should, 2 wrong configuration.
    """
    with foreseeable_failures():
        settings = load_settings(config)
        typer.echo(f"{config}: the configuration is valid\n")
        for line in show_settings(settings):
            typer.echo(f"  {line}")
        typer.echo("")
        failed = False
        probed = probe_services(settings)
        for name, problem in probed.problems.items():
            failed = failed or problem is not None
            typer.echo(f"{name}: {problem or 'answers'}", err=problem is not None)
        for name, note in probed.notes.items():
            typer.echo(f"{name}: {note}")
        if failed:
            raise typer.Exit(FAILED)


def show_settings(settings: Settings) -> Iterator[str]:
    """Give every setting in force as a line `section.key = value`, secrets replaced."""
    yield from _show(settings.model_dump(mode="json"), "")


def _show(table: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, value in table.items():
        name = prefix + key
        if isinstance(value, Mapping):
            yield from _show(value, f"{name}.")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for position, item in enumerate(value):
                yield from _show(item, f"{name}[{position}].")
        elif value is None:
            yield f"{name} is absent"
        else:
            yield f"{name} = {REDACTED if value == _MASK else _toml(value)}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and _MASK in value:
        return f"[{', '.join(REDACTED for _ in value)}]"
    return f'"{value}"' if isinstance(value, str) else str(value)
