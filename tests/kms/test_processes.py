"""Several processes on one database, from its very beginning."""

import subprocess
import sys
from pathlib import Path

from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.settings import EmbeddedKmsSettings
from tests.kms.process import ALIAS
from tests.kms.suite import CONTEXT

_PROCESSES = 4
_ROOT = Path(__file__).parents[2]


def _start(directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.kms.process", str(directory)],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_processes_that_begin_at_once_share_one_key(settings: EmbeddedKmsSettings) -> None:
    processes = [_start(settings.database.parent) for _ in range(_PROCESSES)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()

    outcomes = [process.communicate(timeout=60) for process in processes]

    assert [errors for _, errors in outcomes] == [""] * _PROCESSES
    assert len({key_id for key_id, _ in outcomes}) == 1


async def test_their_rotations_and_keys_are_all_there(settings: EmbeddedKmsSettings, kms: EmbeddedKms) -> None:
    _, before = await kms.generate(ALIAS, CONTEXT)
    outcomes = [
        process.communicate("go\n", timeout=60) for process in [_start(settings.database.parent) for _ in range(2)]
    ]

    described = await kms.describe(ALIAS)

    assert [errors for _, errors in outcomes] == ["", ""]
    assert described.key_id == before.key_id == outcomes[0][0] == outcomes[1][0]
    assert described.current_version == 1 + 2 * 5
    await kms.unwrap(before, CONTEXT)
