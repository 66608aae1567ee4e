"""The independent reader reads what the package writes, shares no code with it, and is as strict."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.format import FRAME, envelope, parse_tail, place_of
from tests import independent_reader
from tests.format.sealing import Sealed, fixed_bytes, seal, seal_single
from tests.independent_reader import Unreadable, read

P, M = FRAME, 102_400
SOURCE = Path(independent_reader.__file__)


def read_back(sealed: Sealed, stored: bytes | None = None) -> bytes:
    return read(sealed.header, sealed.stored if stored is None else stored, lambda _: sealed.key.raw)


@pytest.mark.parametrize("size", [0, 1, P - 1, P, P + 1, 2 * P, 2 * P + 1])
@pytest.mark.parametrize("with_copy", [False, True])
def test_it_reads_every_single_object(size: int, with_copy: bool) -> None:  # noqa: FBT001 - a parameter of the table
    sealed = seal_single(fixed_bytes(size), with_copy=with_copy)

    assert read_back(sealed) == sealed.plain


@given(st.lists(st.integers(M, 3 * M), max_size=3), st.integers(0, 2 * P))
def test_it_reads_every_multipart_object(sizes: list[int], last: int) -> None:
    sealed = seal([(2 * n + 1, fixed_bytes(size, seed=n)) for n, size in enumerate([*sizes, last])])

    assert read_back(sealed) == sealed.plain


def test_it_reads_objects_with_a_recovery_record() -> None:
    sealed = seal_single(b"hello")
    tail = parse_tail(sealed.stored[-16:])
    assert tail is not None
    assert tail.recovery_length > 0

    assert read_back(sealed) == b"hello"


@given(st.integers(0, 1_000_000))
def test_it_refuses_what_the_package_refuses(at: int) -> None:
    sealed = seal([(1, fixed_bytes(M)), (2, fixed_bytes(9))])
    stored = bytearray(sealed.stored)
    stored[at % len(stored)] ^= 1

    try:
        plain = read_back(sealed, bytes(stored))
    except Unreadable:
        return

    assert plain == sealed.plain


def test_it_refuses_another_key() -> None:
    with pytest.raises(Unreadable, match="commitment"):
        read(seal_single(b"x").header, seal_single(b"x").stored, lambda _: bytes(32))


def test_it_finds_the_fields_that_the_package_wrote() -> None:
    sealed = seal_single(b"x")
    seen: list[independent_reader.Map] = []

    def unwrap(fields: independent_reader.Map) -> bytes:
        seen.append(fields)
        return sealed.key.raw

    read(sealed.header, sealed.stored, unwrap)

    assert seen[0][4] == sealed.envelope.key_id
    assert seen[0][8] == sealed.envelope.wrapped_key
    assert seen[0][10] == place_of("bucket", "a/key ä") == independent_reader.place_of(b"bucket", "a/key ä".encode())


def test_it_shares_no_code_with_the_package() -> None:
    tree = ast.parse(SOURCE.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert not [name for name in imported if name.split(".")[0] in {"sseproxy", "tests", "msgpack"}]


def test_it_stays_short_enough_to_be_read() -> None:
    assert len(SOURCE.read_text().splitlines()) < 200


def test_it_runs_as_a_command() -> None:
    folder = Path(__file__).parent / "vectors" / "v1"
    text = (folder / "one-byte.json").read_text()
    described = ast.literal_eval(text)
    command = [sys.executable, SOURCE, described["envelope"], folder / "one-byte.bin", described["data_key"]]

    finished = subprocess.run(command, capture_output=True, check=True, timeout=60)

    assert len(finished.stdout) == 1
    assert envelope.decode_envelope(described["envelope"]).key_id
