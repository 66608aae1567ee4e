"""Entries of a cache that nobody need trust."""

from dataclasses import replace

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.format.cached_entry import EntryIdentity, EntrySealer, ShownEntry
from sseproxy.model import ChecksumAlgorithm, ChecksumType

_SEALER = EntrySealer(bytes(range(32)))
_IDENTITY = EntryIdentity(bucket="b", key="k", version_id=None, backend_etag="e", stored_size=100)
_SHOWN = ShownEntry(17, "d41d8cd98f00b204e9800998ecf8427e", (ChecksumAlgorithm.CRC32, ChecksumType.FULL_OBJECT))

_checksums = st.none() | st.tuples(st.sampled_from(ChecksumAlgorithm), st.sampled_from(ChecksumType))


@given(size=st.integers(0, 2**45), etag=st.text(max_size=80), checksum=_checksums)
def test_what_is_sealed_opens_under_its_name(
    size: int, etag: str, checksum: tuple[ChecksumAlgorithm, ChecksumType] | None
) -> None:
    shown = ShownEntry(size, etag, checksum)
    name = _SEALER.name(_IDENTITY)

    assert _SEALER.open(name, _SEALER.seal(name, shown)) == shown


@pytest.mark.parametrize(
    "other",
    [
        replace(_IDENTITY, bucket="bk", key=""),
        replace(_IDENTITY, key="K"),
        replace(_IDENTITY, version_id="v"),
        replace(_IDENTITY, backend_etag="e2"),
        replace(_IDENTITY, stored_size=101),
        replace(_IDENTITY, last_modified="2026-11-21T00:00:00.000Z"),
    ],
)
def test_every_part_of_an_identity_makes_another_name_that_does_not_open_it(other: EntryIdentity) -> None:
    sealed = _SEALER.seal(_SEALER.name(_IDENTITY), _SHOWN)

    assert _SEALER.name(other) != _SEALER.name(_IDENTITY)
    assert _SEALER.open(_SEALER.name(other), sealed) is None


def test_no_changed_byte_opens() -> None:
    name = _SEALER.name(_IDENTITY)
    sealed = _SEALER.seal(name, _SHOWN)

    for position in range(len(sealed)):
        changed = sealed[:position] + bytes([sealed[position] ^ 1]) + sealed[position + 1 :]
        assert _SEALER.open(name, changed) is None
    assert _SEALER.open(name, b"") is None


@pytest.mark.parametrize(
    "value", [[2, 17, "e"], [1, "17", "e"], [1, 17, "e", "CRC32"], [1, 17, "e", "CRC1", "FULL_OBJECT"], {}]
)
def test_what_another_release_kept_is_as_good_as_nothing(value: object) -> None:
    name = _SEALER.name(_IDENTITY)

    assert _SEALER.open(name, _SEALER._values.encrypt(msgpack.packb(value), [name])) is None


def test_another_secret_gives_other_names_and_opens_nothing() -> None:
    other = EntrySealer(bytes(32))
    name = _SEALER.name(_IDENTITY)

    assert other.name(_IDENTITY) != name
    assert other.open(name, _SEALER.seal(name, _SHOWN)) is None


def test_names_and_values_show_neither_keys_nor_digests() -> None:
    name = _SEALER.name(replace(_IDENTITY, key="secret-name"))
    sealed = _SEALER.seal(name, _SHOWN)

    assert len(name) == 32
    assert b"secret" not in name + sealed
    assert _SHOWN.etag.encode() not in sealed
