"""Promise: through the proxy every S3 operation answers as the store itself, but for what allowed.toml says and why."""

import pytest

from tests.differential.__main__ import BACKENDS
from tests.differential.compared import Compared
from tests.differential.table import DOCUMENT, render


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_differs_is_allowed_and_what_is_allowed_differs(runs: dict[str, Compared], backend: str) -> None:
    assert runs[backend].verdict.problems == []


def test_the_table_in_the_documents_is_what_this_run_found(runs: dict[str, Compared]) -> None:
    rendered = render(runs[backend] for backend in BACKENDS)

    assert DOCUMENT.read_text(encoding="utf-8") == rendered, "write it again: python -m tests.differential"
