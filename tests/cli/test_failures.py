"""What the operator reads instead of a traceback."""

from pathlib import Path

import pytest
import typer

from sseproxy.bootstrap import StartFailed
from sseproxy.cli.failures import foreseeable_failures
from sseproxy.errors import ConfigurationError, KeyServiceError, UpstreamUnavailable


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigurationError("limits.requests: is wrong"), 2, "sseproxy: limits.requests: is wrong\n"),
        (UpstreamUnavailable("The store is away."), 1, "sseproxy: The store is away.\n"),
        (KeyServiceError("The root key does not fit."), 1, "sseproxy: The root key does not fit.\n"),
        (StartFailed("cannot listen on h:1"), 1, "sseproxy: cannot listen on h:1\n"),
        (PermissionError(13, "Permission denied", "/data"), 1, "sseproxy: /data: Permission denied\n"),
        (OSError(98, "Address already in use"), 1, "sseproxy: Address already in use\n"),
        (OSError("no number"), 1, "sseproxy: no number\n"),
        (ExceptionGroup("two", [ExceptionGroup("in", [StartFailed("a")]), StartFailed("b")]), 1, "sseproxy: a\nsseproxy: b\n"),
        (ExceptionGroup("two", [StartFailed("a"), ConfigurationError("b")]), 2, "sseproxy: a\nsseproxy: b\n"),
    ],
)  # fmt: skip
def test_a_foreseeable_failure_is_a_line_and_an_exit_code(
    capsys: pytest.CaptureFixture[str], error: Exception, code: int, line: str
) -> None:
    with pytest.raises(typer.Exit) as ended, foreseeable_failures():
        raise error

    assert ended.value.exit_code == code
    assert capsys.readouterr() == ("", line)


@pytest.mark.parametrize("error", [ValueError("a bug"), ExceptionGroup("g", [StartFailed("a"), KeyError("a bug")])])
def test_a_mistake_in_the_program_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)), foreseeable_failures():
        raise error


def test_nothing_happens_without_a_failure(tmp_path: Path) -> None:
    with foreseeable_failures():
        result = tmp_path.exists()

    assert result
