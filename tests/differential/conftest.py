"""One run in front of each backend, for all tests here."""

from collections.abc import Iterator

import pytest

from tests.differential.__main__ import BACKENDS, compare_started
from tests.differential.compared import Compared
from tests.support.servers import Launcher
from tests.support.sessions import launching


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """Starts servers for the whole session; at its end no nonce may have repeated, in any of them."""
    with launching(tmp_path_factory.mktemp("differential")) as launcher:
        yield launcher


@pytest.fixture(scope="session")
def runs(launcher: Launcher) -> dict[str, Compared]:
    """What the run in front of each backend found."""
    return {backend: compare_started(launcher, backend) for backend in BACKENDS}
