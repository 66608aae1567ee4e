"""Promise: no pair of key and nonce seals twice, in whatever process; and the check that says so is no formality.

Every process that the tests start is recorded, and the fixture `launcher` checks all of them at the end of the session.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.nonces import find_repeats, read_nonce_logs, recording_environment
from tests.support.raw_http import signed
from tests.support.servers import Launcher, Server

_MIB = 1024 * 1024
_FRAMES = 100 * 1024 // 65536 + 1  # of a part of 100 KiB

_SAME_SALT = """
import secrets, sys
from sseproxy.format import segment
class Fixed:
    token_bytes = staticmethod(lambda length: bytes(length))
segment.secrets = Fixed
from sseproxy.cli.main import main
main()
"""


def _start_mistaken(launcher: Launcher) -> Server:
    """Start a dev server that draws the same salt each time."""
    assert launcher.nonce_log is not None
    launcher.nonce_log.mkdir()
    data, log = launcher.directory / "dev", launcher.directory / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-c", _SAME_SALT, "dev", "--listen", "127.0.0.1:0", "--data", str(data)],
            stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=recording_environment(os.environ, launcher.nonce_log),
        )  # fmt: skip
    return launcher.started(process, data, log)


def _upload_twice(server: Server) -> int:
    """Send a dev server one part twice with different bytes, kill it, and return its pid."""
    assert signed(server, "PUT", "/nonces").status == 200
    upload = signed(server, "POST", "/nonces/k?uploads", dialect="oss").text("UploadId")
    target = f"/nonces/k?partNumber=1&uploadId={upload}"
    for body in (bytes(100 * 1024), b"\1" * (100 * 1024)):
        assert signed(server, "PUT", target, {}, body, dialect="oss").status == 200
    server.kill()
    return server.pid


def test_a_proxy_records_every_frame_that_it_seals_also_when_it_is_killed(tmp_path: Path) -> None:
    pid = _upload_twice(Launcher(tmp_path, nonce_log=tmp_path / "nonces").dev())

    counted = read_nonce_logs(tmp_path / "nonces")
    frames = [pair for pair in counted if re.fullmatch(rb"\0{7}.\0{3}[\0\1]", pair[16:], re.DOTALL)]

    assert [path.name for path in (tmp_path / "nonces").iterdir()] == [f"{pid}.nonces"]
    assert len({pair[:16] for pair in frames}) > 2  # wrap keys, records, and the two attempts
    assert len([pair for pair in frames if pair[16 + 7] == 1]) == 2 * (_FRAMES - 1)  # the second frame of each
    assert find_repeats(tmp_path / "nonces") == []


def test_a_proxy_that_draws_a_salt_twice_is_caught(tmp_path: Path) -> None:
    """The deliberate mistake: the second attempt of a part gets the first one's key."""
    _upload_twice(_start_mistaken(Launcher(tmp_path, nonce_log=tmp_path / "nonces")))

    repeats = find_repeats(tmp_path / "nonces")

    assert len({repeat.key_id for repeat in repeats}) == 1
    assert [(repeat.nonce, repeat.times) for repeat in repeats] == [
        ("00" * 12, 2),
        ("0000000000000001" + "000000" + "01", 2),
    ]


def test_what_the_sessions_check_looks_into_is_where_its_processes_write(tmp_path: Path, launcher: Launcher) -> None:
    assert launcher.nonce_log is not None
    before = read_nonce_logs(launcher.nonce_log) if launcher.nonce_log.exists() else {}
    server = launcher.dev(tmp_path / "dev")

    assert signed(server, "PUT", "/recorded").status == 200
    assert signed(server, "PUT", "/recorded/k", {}, bytes(_MIB)).status == 200

    assert len(read_nonce_logs(launcher.nonce_log)) - len(before) >= 16 + 2  # frames, footer, wrap
    assert (launcher.nonce_log / f"{server.pid}.nonces").stat().st_size > 0
