"""What a command says when something foreseeable goes wrong: one clear line and an exit code, never a traceback.

2: the configuration or the arguments are wrong. 1: something this program depends on is. Anything else is a mistake in
the program and shows its traceback.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from sseproxy.bootstrap import StartFailed
from sseproxy.errors import ConfigurationError, SseProxyError

FAILED = 1
MISUSED = 2

_FORESEEABLE = (SseProxyError, StartFailed, OSError)


@contextmanager
def foreseeable_failures() -> Iterator[None]:
    """Turn foreseeable exceptions, also in groups, into lines on standard error and an exit code."""
    try:
        yield
    except _FORESEEABLE as error:
        _end([error])
    except ExceptionGroup as group:
        errors = list(_leaves(group))
        if not all(isinstance(error, _FORESEEABLE) for error in errors):
            raise
        _end(errors)


def describe(error: Exception) -> str:
    """Say what went wrong and, for files, with which."""
    if isinstance(error, SseProxyError):
        return error.message
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _end(errors: Sequence[Exception]) -> None:
    for error in errors:
        typer.echo(f"sseproxy: {describe(error)}", err=True)
    misused = any(isinstance(error, ConfigurationError) for error in errors)
    raise typer.Exit(MISUSED if misused else FAILED)


def _leaves(group: ExceptionGroup[Exception]) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
