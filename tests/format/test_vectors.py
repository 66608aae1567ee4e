"""The vectors of released versions open, say what they must, and come out of the sealer byte for byte."""

import json
from base64 import urlsafe_b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sseproxy import errors
from sseproxy.format import DataKey, decode_envelope, open_footer_copy, open_record, plaintext_size, stored_size
from sseproxy.format.kek import Kek
from sseproxy.model import Suite, WrapContext
from tests.format.sealing import open_object
from tests.independent_reader import Unreadable, read
from tests.vectors.append_cases import APPEND_CASES
from tests.vectors.cases import (
    CASES,
    FOLDER,
    Case,
    build,
    describe,
    full_envelope,
    kek_values,
    part_plaintext,
    part_record,
    sm4_values,
    values,
)

TAMPERED: list[dict[str, Any]] = [
    tampered for name in ("tampered", "sm4-tampered") for tampered in json.loads((FOLDER / f"{name}.json").read_text())
]


def vector(name: str) -> tuple[dict[str, Any], bytes]:
    described: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return described, (FOLDER / described["stored"]).read_bytes()


def key_of(described: dict[str, Any], key: str | None = None) -> DataKey:
    """Return a vector's data key, or another one; its suite stands in the envelope."""
    try:
        suite = decode_envelope(described["envelope"]).suite
    except errors.EnvelopeRejected:
        suite = Suite.AES_256_GCM
    return DataKey(bytes.fromhex(key or described["data_key"]), suite)


def plaintext(case: Case) -> bytes:
    return b"".join(part_plaintext(case, number) for number, _ in case.parts)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_vector_opens(case: Case) -> None:
    described, stored = vector(case.name)

    plain = open_object(key_of(described), described["envelope"], stored)

    assert plain == plaintext(case)
    assert sha256(plain).hexdigest() == described["plaintext_sha256"]
    assert len(stored) == described["stored_size"] == stored_size(described["plaintext_size"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_sealing_again_gives_the_same_bytes(case: Case) -> None:
    described, stored = vector(case.name)

    sealed = build(case)

    assert sealed.stored == stored
    assert describe(case, sealed) == described


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_independent_reader_reads_every_vector(case: Case) -> None:
    described, stored = vector(case.name)

    plain = read(described["envelope"], stored, lambda _: bytes.fromhex(described["data_key"]))

    assert plain == plaintext(case)


@pytest.mark.parametrize("name", ["one-byte-with-copy", "one-frame-and-a-byte", "sm4-one-byte-with-copy"])
def test_the_copy_in_the_envelope_opens(name: str) -> None:
    described, stored = vector(name)
    envelope = decode_envelope(described["envelope"])

    attributes = open_footer_copy(key_of(described), envelope, stored_size=len(stored))

    assert attributes is not None
    assert attributes.plaintext_size == described["plaintext_size"]


def edited(change: dict[str, Any], described: dict[str, Any], stored: bytes) -> tuple[str, str, bytes]:
    """Return key, envelope and stored bytes after an edit."""
    key, envelope = described["data_key"], described["envelope"]
    match change:
        case {"flip": int(at)}:
            changed = bytearray(stored)
            changed[at] ^= 1
            stored = bytes(changed)
        case {"cut": int(length)}:
            stored = stored[:-length]
        case {"cut_head": int(length)}:
            stored = stored[length:]
        case {"append": str(more)}:
            stored += bytes.fromhex(more)
        case {"envelope_of": str(name)}:
            envelope = vector(name)[0]["envelope"]
        case {"body_of": str(name)}:
            stored = vector(name)[1]
        case {"key_of": str(name)}:
            key = vector(name)[0]["data_key"]
        case {"envelope": str(text)}:
            envelope = text
        case {"envelope_append": str(text)}:
            envelope += text
        case _:
            raise AssertionError(change)
    return key, envelope, stored


@pytest.mark.parametrize("tampered", TAMPERED, ids=lambda tampered: f"{tampered['base']} {tampered['edit']}")
def test_no_tampered_vector_opens(tampered: dict[str, Any]) -> None:
    described, stored = vector(tampered["base"])
    key, envelope, stored = edited(tampered["edit"], described, stored)

    with pytest.raises(getattr(errors, tampered["expect"])):
        open_object(key_of(described, key), envelope, stored)
    with pytest.raises(Unreadable):
        read(envelope, stored, lambda _: bytes.fromhex(key))


def test_the_values_are_those_of_the_vectors() -> None:
    assert values() == json.loads((FOLDER / "values.json").read_text())
    assert sm4_values() == json.loads((FOLDER / "sm4-values.json").read_text())
    assert kek_values() == json.loads((FOLDER / "kek-values.json").read_text())


def test_the_data_keys_under_the_kek_of_the_vectors_open() -> None:
    recorded = json.loads((FOLDER / "kek-values.json").read_text())
    kek = Kek.unpack(bytes.fromhex(recorded["wrapped_by_the_cmk"]), bytes.fromhex(recorded["kek_id"]))
    context = WrapContext(aad=bytes.fromhex(recorded["context_of_the_data_keys"]), pairs=())

    opened = [
        kek.open(bytes.fromhex(wrapped), context, suite).raw.hex()
        for wrapped, suite in zip(recorded["wrapped_data_keys"], Suite, strict=True)
    ]

    assert opened == recorded["data_keys"]


def test_the_record_of_suite_two_is_read_back() -> None:
    recorded = json.loads((FOLDER / "sm4-values.json").read_text())
    key = DataKey(bytes.fromhex(recorded["keys"]["data_key"]), Suite.SM4_GCM)
    place = {"bucket": "bucket", "key_name": "key ä", "upload_id": "upload-1"}

    assert open_record(key, recorded["record"]["text"], **place) == part_record()


def test_the_values_of_the_vectors_are_read_back() -> None:
    recorded = json.loads((FOLDER / "values.json").read_text())
    key = DataKey(bytes.fromhex(recorded["keys"]["data_key"]))

    assert [[plaintext_size(stored), stored] for _, stored in recorded["stored_sizes"]] == recorded["stored_sizes"]
    assert decode_envelope(recorded["full_envelope"]) == full_envelope()
    assert (
        open_record(key, recorded["record"]["text"], bucket="bucket", key_name="key ä", upload_id="upload-1")
        == part_record()
    )


def test_every_file_of_the_vectors_is_used() -> None:
    names = {path.stem for path in FOLDER.iterdir()}

    objects = {case.name for case in CASES} | {case.name for case in APPEND_CASES}
    assert names == objects | {"values", "tampered", "sm4-tampered", "sm4-values", "kek-values"}


def test_the_vectors_are_small() -> None:
    assert sum(path.stat().st_size for path in Path(FOLDER).iterdir()) < 3_000_000


def test_the_worked_example_of_the_specification_is_the_vector() -> None:
    specification = (FOLDER.parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    described, stored = vector("one-byte")
    envelope = described["envelope"]

    assert described["data_key"] in specification
    assert urlsafe_b64decode(envelope + "=" * (-len(envelope) % 4)).hex() in specification.replace("\n", "").replace(
        " ", ""
    )
    assert stored[:49].hex() in specification.replace("\n", "").replace(" ", "")
    assert stored[-16:].hex() in specification.replace("\n", "").replace(" ", "")
