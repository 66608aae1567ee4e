"""Lines of several processes on one pipe and on one file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sseproxy.telemetry.lines import line_stream, open_line_lock

# Writes lines of one letter, each flushed. Arguments: descriptor of the lock, of the output, letter, length, lines.
WRITER = """
import sys
from sseproxy.telemetry.lines import LineLock, line_stream
lock, output, letter, length, count = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
stream = line_stream(output, LineLock(lock))
for _ in range(count):
    stream.write(letter * length + "\\n")
    stream.flush()
"""


def _write_from_two(lock: int, output: int, length: int, count: int) -> list[subprocess.Popen[bytes]]:
    return [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(lock), str(output), letter, str(length), str(count)],
            stdin=subprocess.DEVNULL,
            pass_fds=(lock, output),
        )
        for letter in "ab"
    ]


def test_lines_longer_than_a_pipe_takes_at_once_stay_whole() -> None:
    reader, writer = os.pipe()
    with open_line_lock() as lock, open(reader) as written:
        processes = _write_from_two(lock.fd, writer, 20_000, 100)
        os.close(writer)
        lines = written.read().splitlines()
        codes = [process.wait(60) for process in processes]

    assert codes == [0, 0]
    assert sorted(lines) == ["a" * 20_000] * 100 + ["b" * 20_000] * 100


def test_lines_on_a_file_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with open_line_lock() as lock, path.open("wb") as file:
        codes = [process.wait(60) for process in _write_from_two(lock.fd, file.fileno(), 5000, 100)]

    assert codes == [0, 0]
    assert sorted(path.read_text().splitlines()) == ["a" * 5000] * 100 + ["b" * 5000] * 100


def test_what_no_unicode_can_say_is_written_escaped(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with open_line_lock() as lock, path.open("wb") as file:
        stream = line_stream(file.fileno(), lock)
        stream.write("ä\udcff\n")
        stream.flush()

    assert path.read_text() == "ä\\udcff\n"


def test_a_reader_that_is_gone_is_an_os_error_and_frees_the_lock() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open_line_lock() as lock, open(writer, "wb") as gone, open(os.devnull, "wb") as devnull:
        stream = line_stream(gone.fileno(), lock)
        stream.write("lost\n")
        with pytest.raises(BrokenPipeError):
            stream.flush()
        other = line_stream(devnull.fileno(), lock)
        other.write("written\n")
        other.flush()
        os.dup2(devnull.fileno(), gone.fileno())  # what is left in the stream goes there
        stream.flush()
