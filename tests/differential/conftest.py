"""One run in front of each backend, for all tests here."""

from collections.abc import Iterator

import pytest

from tests.differential.__main__ import BACKENDS, compare_started
from tests.differential.compared import Compared
from tests.support.nonces import find_repeats
from tests.support.servers import Launcher


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """Starts servers for the whole session; at its end no nonce may have repeated, in any of them."""
    directory = tmp_path_factory.mktemp("differential")
    launcher = Launcher(directory, nonce_log=directory / "nonces")
    yield launcher
    launcher.stop_all()
    assert find_repeats(directory / "nonces") == []


@pytest.fixture(scope="session")
def runs(launcher: Launcher) -> dict[str, Compared]:
    """What the run in front of each backend found."""
    return {backend: compare_started(launcher, backend) for backend in BACKENDS}
