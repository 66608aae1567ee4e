"""What every session of tests with servers needs, whatever servers these are."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.nonces import find_repeats
from tests.support.servers import Launcher


@contextmanager
def launching(directory: Path) -> Iterator[Launcher]:
    """Start servers below a directory; at the end no nonce may have repeated, in any process that was started."""
    launcher = Launcher(directory, nonce_log=directory / "nonces")
    yield launcher
    launcher.stop_all()
    assert find_repeats(directory / "nonces") == []


@contextmanager
def without_settings_of_this_machine() -> Iterator[None]:
    """Take away what SDKs read from the environment and the home directory: defaults are what is tested."""
    with pytest.MonkeyPatch.context() as patch:
        for name in tuple(os.environ):
            if name.startswith(("AWS_", "OSS_", "BOTO_")) or name.lower().endswith("_proxy"):
                patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        yield
