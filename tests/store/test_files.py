"""Files: moved into place whole, shared, joined, swept."""

import os
from pathlib import Path
from typing import Any

import pytest

from sseproxy.store.files import Files, StoreInUse, write_all
from sseproxy.store.records import Metadata, Piece


@pytest.fixture
def files(tmp_path: Path) -> Any:
    files = Files(tmp_path)
    yield files
    files.close()


def _make(files: Files, body: bytes) -> str:
    name, descriptor = files.begin()
    write_all(descriptor, [body])
    files.keep(name, descriptor)
    os.close(descriptor)
    return name


def test_a_file_is_aside_until_it_is_kept(files: Files) -> None:
    name, descriptor = files.begin()
    assert not files.path(name).exists()

    files.keep(name, descriptor)

    assert files.path(name).exists()
    os.close(descriptor)


def test_many_buffers_are_written_in_order(files: Files) -> None:
    buffers = [bytes([number % 256]) * (number % 7) for number in range(2000)]
    name, descriptor = files.begin()

    write_all(descriptor, buffers)

    assert os.pread(descriptor, 10**6, 0) == b"".join(buffers)
    files.drop(name)
    os.close(descriptor)


def test_a_shared_body_outlives_its_first_name(files: Files) -> None:
    name = _make(files, b"body")

    other = files.share(name)
    files.remove([name, "", "never-there.body"])

    assert files.path(other).read_bytes() == b"body"


def test_pieces_are_joined_and_seen(files: Files) -> None:
    one, two = _make(files, b"0123456789"), _make(files, b"a" * 3_000_000)
    seen: list[bytes] = []

    joined = files.join([(one, 2, 3), (two, 0, 3_000_000), (one, 0, 0)], lambda data: seen.append(bytes(data)))

    assert files.path(joined).read_bytes() == b"".join(seen) == b"234" + b"a" * 3_000_000


@pytest.mark.parametrize("piece", [("missing.body", 0, 1), ("short", 0, 11)])
def test_a_join_that_fails_leaves_nothing(files: Files, tmp_path: Path, piece: tuple[str, int, int]) -> None:
    short = _make(files, b"0123456789")
    name = short if piece[0] == "short" else piece[0]

    with pytest.raises(OSError, match=r"No such file|shorter than"):
        files.join([(name, *piece[1:])])

    assert list((tmp_path / "incoming").iterdir()) == []


def test_metadata_comes_back_as_it_was(files: Files) -> None:
    metadata = Metadata(
        headers={"a": "ü"}, user={"b": "\udcff"}, checksums={"crc32": "x"}, crc64=2**64 - 1, md5=None,
        parts=(Piece(number=1, size=2, checksums={"sha1": "y"}),),
    )  # fmt: skip

    assert files.read_metadata(files.write_metadata(metadata)) == metadata


def test_a_sweep_keeps_what_is_needed_only(files: Files, tmp_path: Path) -> None:
    kept, gone = _make(files, b"kept"), _make(files, b"gone")
    aside, descriptor = files.begin()
    os.close(descriptor)

    files.sweep({kept})

    assert (files.path(kept).exists(), files.path(gone).exists()) == (True, False)
    assert not (tmp_path / "incoming" / aside).exists()


def test_one_directory_is_open_once(files: Files, tmp_path: Path) -> None:
    with pytest.raises(StoreInUse):
        Files(tmp_path)
