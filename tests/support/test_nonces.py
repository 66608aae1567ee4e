"""The nonce recorder: finds a deliberate repeat, sees nothing wrong in a normal run, and survives SIGKILL."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.nonces import LOG_VARIABLE, find_repeats, read_nonce_logs, recording_environment

ROOT = Path(__file__).parents[2]

NORMAL = """
from sseproxy.format import *
from sseproxy.model import *
for attempt in range(3):
    key = DataKey.draw()
    sealer = SegmentSealer(key, 1)
    sealer.feed(bytes(200_000)); sealer.finish()
    entry = SegmentEntry(number=1, plaintext_size=200_000, salt=sealer.salt)
    attributes = Attributes(layout=Layout.SINGLE, plaintext_size=200_000, segments=(entry,), crc64=attempt)
    seal_footer(key, attributes, recovery_length=0)
    seal_footer(key, attributes, recovery_length=0)   # a Complete that is tried again
"""
SAME_SALT = """
from sseproxy.format import *
key = DataKey.draw()
for content in (b"one", b"two"):
    sealer = SegmentSealer(key, 1, _salt=bytes(32))
    sealer.feed(content); sealer.finish()
"""
SAME_SALT_SM4 = SAME_SALT.replace("DataKey.draw()", "DataKey.draw(Suite.SM4_GCM)").replace(
    "import *", "import *\nfrom sseproxy.model import Suite"
)
SAME_CONTENT_TOO = SAME_SALT.replace('b"two"', 'b"one"')
DERIVED_BY_HAND = """
import os
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
cipher = AESGCM(bytes(32))
for content in (b"one", b"two"):
    cipher.encrypt(b"\\x77" * 12, content, None)
"""
KILLED = """
import os, signal
from sseproxy.format import *
sealer = SegmentSealer(DataKey.draw(), 1)
sealer.feed(bytes(200_000))
os.kill(os.getpid(), signal.SIGKILL)
"""
FORKED = """
import os
from sseproxy.format import *
key = DataKey.draw()
if child := os.fork():
    os.waitpid(child, 0)
sealer = SegmentSealer(key, 1, _salt=bytes(32))
sealer.feed(b"the same in parent and child"); sealer.finish()
"""


def record(directory: Path, program: str) -> int:
    environment = recording_environment(os.environ, directory)
    environment["PYTHONPATH"] += f":{ROOT}"
    return subprocess.run([sys.executable, "-c", program], env=environment, check=False, timeout=60).returncode


@pytest.mark.parametrize("suite", ["AES_256_GCM", "SM4_GCM"])
def test_a_normal_run_has_no_repeats(tmp_path: Path, suite: str) -> None:
    assert record(tmp_path, NORMAL.replace("draw()", f"draw(Suite.{suite})")) == 0

    assert find_repeats(tmp_path) == []
    counted = read_nonce_logs(tmp_path)
    assert len(counted) == 3 * (4 + 1)  # four frames and a footer
    assert sorted(counted.values()) == [1] * 12 + [2] * 3


@pytest.mark.parametrize(
    "program",
    [SAME_SALT, SAME_SALT_SM4, SAME_CONTENT_TOO, DERIVED_BY_HAND, FORKED],
    ids=["other", "SM4", "same", "by hand", "forked"],
)
def test_a_deliberate_repeat_is_found(tmp_path: Path, program: str) -> None:
    assert record(tmp_path, program) == 0

    repeats = find_repeats(tmp_path)

    assert [repeat.times for repeat in repeats] == [2]
    assert len(repeats[0].key_id) == 32
    assert len(repeats[0].nonce) == 24


def test_a_repeat_across_two_processes_is_found(tmp_path: Path) -> None:
    program = SAME_SALT.replace("DataKey.draw()", "DataKey(bytes(32))").replace('(b"one", b"two")', '(b"one",)')

    assert record(tmp_path, program) == record(tmp_path, program) == 0

    assert len(list(tmp_path.iterdir())) == 2
    assert [repeat.times for repeat in find_repeats(tmp_path)] == [2]


def test_a_killed_process_has_recorded_what_it_sealed(tmp_path: Path) -> None:
    assert record(tmp_path, KILLED) == -9

    assert len(read_nonce_logs(tmp_path)) == 3  # the fourth frame was still held


def test_without_the_variable_nothing_is_recorded(tmp_path: Path) -> None:
    environment = {**recording_environment(os.environ, tmp_path)}
    del environment[LOG_VARIABLE]
    environment["PYTHONPATH"] += f":{ROOT}"

    subprocess.run([sys.executable, "-c", NORMAL], env=environment, check=True, timeout=60)

    assert list(tmp_path.iterdir()) == []


def test_a_damaged_log_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "1.nonces").write_bytes(bytes(45))

    with pytest.raises(ValueError, match="whole records"):
        find_repeats(tmp_path)
