"""The vectors of appended objects open, in this package and in a reader of its own, and come out byte for byte."""

import json
from hashlib import sha256
from typing import Any

import pytest
from fastcrc.crc64 import xz as crc64_of

from sseproxy.errors import FooterRejected
from tests.independent_append_reader import read_appended
from tests.independent_reader import Unreadable
from tests.vectors.append_cases import APPEND_CASES, AppendCase, appended_plaintext, describe_appended, grow
from tests.vectors.cases import FOLDER

every_case = pytest.mark.parametrize("case", APPEND_CASES, ids=lambda case: case.name)


def _vector(case: AppendCase) -> tuple[dict[str, Any], bytes]:
    described: dict[str, Any] = json.loads((FOLDER / f"{case.name}.json").read_text())
    return described, (FOLDER / described["stored"]).read_bytes()


@every_case
def test_appending_again_gives_the_same_bytes(case: AppendCase) -> None:
    described, stored = _vector(case)

    growing = grow(case)

    assert growing.stored == stored
    assert describe_appended(case, growing) == described


@every_case
def test_every_appended_vector_opens(case: AppendCase) -> None:
    described, stored = _vector(case)
    growing = grow(case)
    growing.stored = stored

    attributes = growing.opened()

    size = described["plaintext_size"]
    assert (attributes.plaintext_size, attributes.crc64) == (size, int(described["crc64"]))
    plain = growing.read(0, size - 1) if size else b""
    assert plain == appended_plaintext(case)
    assert (sha256(plain).hexdigest(), crc64_of(plain)) == (described["plaintext_sha256"], attributes.crc64)


@every_case
def test_the_independent_reader_reads_every_appended_vector(case: AppendCase) -> None:
    described, stored = _vector(case)

    plain = read_appended(described["envelope"], stored, lambda _: bytes.fromhex(described["data_key"]))

    assert plain == appended_plaintext(case)


@every_case
@pytest.mark.parametrize("at", [-17, -60])
def test_a_changed_end_of_an_appended_vector_opens_nowhere(case: AppendCase, at: int) -> None:
    described, stored = _vector(case)
    changed = bytearray(stored)
    changed[at] ^= 1
    growing = grow(case)

    with pytest.raises(FooterRejected):
        growing.opened(bytes(changed))
    with pytest.raises(Unreadable):
        read_appended(described["envelope"], bytes(changed), lambda _: bytes.fromhex(described["data_key"]))
