"""What the vectors of format version 1 hold, and the command that wrote them.

`python -m tests.vectors.cases` writes the vectors that are not there yet. A vector that is there is never written
again: a release that cannot read it is broken, not the vector. README.md explains the files.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

from sseproxy.format import (
    KEY_LENGTHS,
    DataKey,
    Envelope,
    PartRecord,
    encode_envelope,
    place_of,
    seal_record,
    stored_size,
    wrap_context,
)
from sseproxy.format.kek import Kek
from sseproxy.model import Algorithm, Binding, Checksum, ChecksumAlgorithm, ChecksumType, Layout, Suite
from tests.format.sealing import Sealed, seal

FOLDER = Path(__file__).parent / "v1"
P, M = 65_536, 102_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An object: its parts as (number, plaintext size)."""

    name: str
    parts: Sequence[tuple[int, int]]
    layout: Layout = Layout.SINGLE
    with_copy: bool = False
    checksum: Checksum | None = None
    part_checksums: Sequence[bytes] = field(default=())
    suite: Suite = Suite.AES_256_GCM


def stream(label: str, length: int) -> bytes:
    """Return the vectors' pseudo-random bytes: SHA-256(label ‖ "/" ‖ decimal block number), block after block."""
    blocks = (sha256(f"{label}/{number}".encode()).digest() for number in count())
    return b"".join(next(blocks) for _ in range(-(-length // 32)))[:length]


def part_plaintext(case: Case, number: int) -> bytes:
    size = dict(case.parts)[number]
    return stream(f"plain/{case.name}/{number}", size)


def _composite() -> Case:
    parts = [(1, M), (2, M + 1), (7, 77)]
    name = "multipart-checksums"
    digests = [sha256(stream(f"plain/{name}/{number}", size)).digest() for number, size in parts]
    value = sha256(b"".join(digests)).digest()
    checksum = Checksum(algorithm=ChecksumAlgorithm.SHA256, type=ChecksumType.COMPOSITE, value=value)
    return Case(name=name, parts=parts, layout=Layout.MULTIPART, checksum=checksum, part_checksums=digests)


CASES = (
    Case(name="empty", parts=[(1, 0)]),
    Case(name="one-byte", parts=[(1, 1)]),
    Case(name="one-byte-with-copy", parts=[(1, 1)], with_copy=True),
    Case(name="one-frame", parts=[(1, P)]),
    Case(name="one-frame-and-a-byte", parts=[(1, P + 1)], with_copy=True),
    Case(name="three-frames", parts=[(1, 2 * P + 1000)]),
    Case(name="multipart", parts=[(1, M), (2, M + 1), (7, 77)], layout=Layout.MULTIPART),
    Case(name="multipart-empty-last", parts=[(1, M), (2, 0)], layout=Layout.MULTIPART),
    Case(name="multipart-empty", parts=[(1, 0)], layout=Layout.MULTIPART),
    _composite(),
    Case(name="sm4-one-byte-with-copy", parts=[(1, 1)], with_copy=True, suite=Suite.SM4_GCM),
    Case(name="sm4-three-frames", parts=[(1, 2 * P + 1000)], suite=Suite.SM4_GCM),
    Case(name="sm4-multipart", parts=[(1, M), (2, M + 1), (7, 77)], layout=Layout.MULTIPART, suite=Suite.SM4_GCM),
)


def build(case: Case) -> Sealed:
    """Seal a case with its fixed key and salts."""
    return seal(
        [(number, part_plaintext(case, number)) for number, _ in case.parts],
        layout=case.layout,
        key=DataKey(stream(f"key/{case.name}", KEY_LENGTHS[case.suite]), case.suite),
        salt_of=lambda number: stream(f"salt/{case.name}/{number}", 32),
        part_checksums=case.part_checksums,
        checksum=case.checksum,
        with_copy=case.with_copy,
    )


def describe(case: Case, sealed: Sealed) -> dict[str, Any]:
    """Return what a reader in another language needs, as JSON."""
    return {
        "name": case.name,
        "data_key": sealed.key.raw.hex(),
        "envelope": sealed.header,
        "stored": f"{case.name}.bin",
        "stored_size": len(sealed.stored),
        "parts": [
            {"number": number, "plaintext_size": size, "salt": stream(f"salt/{case.name}/{number}", 32).hex()}
            for number, size in case.parts
        ],
        "plaintext_size": len(sealed.plain),
        "plaintext_sha256": sha256(sealed.plain).hexdigest(),
    }


def values() -> dict[str, Any]:
    """Return the vectors that are no objects: sizes, derived keys, wrap contexts, a full envelope, a record."""
    key, salt = DataKey(stream("key/values", 32)), stream("salt/values", 32)
    sizes = [0, 1, P - 1, P, P + 1, M - 1, M, 5 * 2**20 + 1, 5 * 2**30, 9_999 * M, 10_000 * M, 50 * 2**40]
    return {
        "stored_sizes": [[size, stored_size(size)] for size in sizes],
        "keys": _keys(key, salt),
        "wrap_contexts": [_context(binding, caller) for binding in Binding for caller in ("", '{"team":"red"}')],
        "full_envelope": encode_envelope(full_envelope()),
        "record": _record(key, salt),
    }


def sm4_values() -> dict[str, Any]:
    """Return what depends on the suite, for suite 2."""
    key, salt = DataKey(stream("key/sm4-values", 16), Suite.SM4_GCM), stream("salt/values", 32)
    return {"keys": _keys(key, salt), "record": _record(key, salt)}


def kek_values() -> dict[str, Any]:
    """Return a KEK, what the CMK wraps of it and with which contexts, and data keys of both suites under it."""
    kek, salt = Kek(stream("kek/values", 32), 1_795_262_400), stream("salt/kek-values", 32)
    context = wrap_context(
        purpose="dek", algorithm="KMS", layout="single", binding=Binding.BUCKET_KEY, bucket="bucket", key="key ä"
    )
    keys = [DataKey(stream("key/values", 32)), DataKey(stream("key/sm4-values", 16), Suite.SM4_GCM)]
    return {
        "wrapped_by_the_cmk": kek.pack().hex(),
        "kek_id": kek.id.hex(),
        "contexts_of_that_wrap": {binding.value: _kek_context(binding) for binding in Binding},
        "context_of_the_data_keys": context.aad.hex(),
        "data_keys": [key.raw.hex() for key in keys],
        "wrapped_data_keys": [kek.wrap(key, context, _salt=salt).hex() for key in keys],
    }


def _kek_context(binding: Binding) -> str:
    return wrap_context(purpose="kek", algorithm="KMS", layout="", binding=binding, bucket="bucket", key="").aad.hex()


def _keys(key: DataKey, salt: bytes) -> dict[str, str]:
    return {
        "data_key": key.raw.hex(),
        "salt": salt.hex(),
        "segment_key_of_number_7": key.segment_key(salt, 7).hex(),
        "footer_key": key.footer_key.hex(),
        "footer_nonce_key": key.footer_nonce_key.hex(),
        "record_key": key.record_key(salt).hex(),
        "part_etag": key.part_etag(salt),
        "commitment": key.commitment.hex(),
    }


def _record(key: DataKey, salt: bytes) -> dict[str, str]:
    return {
        "bucket": "bucket",
        "key": "key ä",
        "upload_id": "upload-1",
        "salt_of_its_key": salt.hex(),
        "text": seal_record(key, part_record(), bucket="bucket", key_name="key ä", upload_id="upload-1", _salt=salt),
    }


def _context(binding: Binding, caller: str) -> dict[str, Any]:
    context = wrap_context(
        purpose="dek",
        algorithm="KMS",
        layout="single",
        binding=binding,
        bucket="bucket",
        key="key ä",
        caller=caller.encode(),
    )
    return {"binding": binding.value, "caller": caller, "aad": context.aad.hex(), "pairs": dict(context.pairs)}


def full_envelope() -> Envelope:
    """Return an envelope with every field of version 1."""
    return Envelope(
        suite=Suite.AES_256_GCM,
        algorithm=Algorithm.KMS,
        key_id="key-1",
        key_version="3",
        kek_id=stream("kek-id", 16),
        wrapped_kek=stream("wrapped-kek", 92),
        wrapped_key=stream("wrapped-key", 80),
        binding=Binding.KEY,
        place=place_of("bucket", "key ä"),
        caller_context=b'{"team":"red"}',
        bucket_key=True,
        layout=Layout.SINGLE,
        commitment=DataKey(stream("key/values", 32)).commitment,
        footer=stream("footer", 180),
    )


def part_record() -> PartRecord:
    """Return an upload record with every field of version 1."""
    return PartRecord(
        number=7,
        plaintext_size=5 * 2**20,
        salt=stream("salt/values", 32),
        md5=stream("md5", 16),
        crc64=0x0123456789ABCDEF,
        crc64nvme=0xFEDCBA9876543210,
        checksum=Checksum(algorithm=ChecksumAlgorithm.CRC32, type=ChecksumType.COMPOSITE, value=b"\x01\x02\x03\x04"),
        backend_etag='"backend"',
        kept=True,
        etag=stream("md5", 16).hex(),
    )


# What a hostile store does to `multipart` and `one-byte-with-copy`, and which failure a reader of this package gives.
# A reader in another language must fail as well; the name of its failure is its own affair.
TAMPERED: list[dict[str, Any]] = [
    {"base": "multipart", "edit": {"flip": 32}, "expect": "FrameRejected"},
    {"base": "multipart", "edit": {"flip": 32 + P}, "expect": "FrameRejected"},
    {"base": "multipart", "edit": {"flip": 200_000}, "expect": "FrameRejected"},
    {"base": "multipart", "edit": {"flip": -17}, "expect": "FooterRejected"},
    {"base": "multipart", "edit": {"flip": -200}, "expect": "FooterRejected"},
    {"base": "multipart", "edit": {"flip": -1}, "expect": "FooterRejected"},
    {"base": "multipart", "edit": {"flip": -10}, "expect": "FooterRejected"},
    {"base": "multipart", "edit": {"flip": -11}, "expect": "FooterRejected"},
    {"base": "multipart", "edit": {"cut": 1}, "expect": "FooterRejected"},
    {"base": "multipart", "edit": {"cut_head": 1}, "expect": "FooterRejected"},
    {"base": "multipart", "edit": {"append": "00"}, "expect": "FooterRejected"},
    {"base": "multipart", "edit": {"envelope_of": "one-byte"}, "expect": "CommitmentMismatch"},
    {"base": "multipart", "edit": {"body_of": "multipart-checksums"}, "expect": "FooterRejected"},
    {"base": "multipart", "edit": {"body_of": "empty"}, "expect": "FooterRejected"},
    {"base": "multipart", "edit": {"key_of": "empty"}, "expect": "CommitmentMismatch"},
    {"base": "one-byte-with-copy", "edit": {"flip": 32}, "expect": "FrameRejected"},
    {"base": "one-byte-with-copy", "edit": {"envelope": ""}, "expect": "EnvelopeRejected"},
    {"base": "one-byte-with-copy", "edit": {"envelope": "iQEC"}, "expect": "EnvelopeRejected"},
    {"base": "one-byte-with-copy", "edit": {"envelope_append": "AAAA"}, "expect": "EnvelopeRejected"},
]
SM4_TAMPERED: list[dict[str, Any]] = [
    {"base": "sm4-multipart", "edit": {"flip": 32}, "expect": "FrameRejected"},
    {"base": "sm4-multipart", "edit": {"flip": 32 + P}, "expect": "FrameRejected"},
    {"base": "sm4-multipart", "edit": {"flip": 200_000}, "expect": "FrameRejected"},
    {"base": "sm4-multipart", "edit": {"flip": -17}, "expect": "FooterRejected"},
    {"base": "sm4-multipart", "edit": {"flip": -200}, "expect": "FooterRejected"},
    {"base": "sm4-multipart", "edit": {"body_of": "sm4-three-frames"}, "expect": "FooterRejected"},
    {"base": "sm4-multipart", "edit": {"key_of": "sm4-three-frames"}, "expect": "CommitmentMismatch"},
    {"base": "sm4-one-byte-with-copy", "edit": {"flip": 32}, "expect": "FrameRejected"},
]


def main() -> None:
    """Write what is not there."""
    for case in CASES:
        path = FOLDER / f"{case.name}.json"
        if path.exists():
            continue
        sealed = build(case)
        _write(path, describe(case, sealed))
        path.with_suffix(".bin").write_bytes(sealed.stored)
    written: dict[str, object] = {
        "values": values(),
        "tampered": TAMPERED,
        "sm4-tampered": SM4_TAMPERED,
        "sm4-values": sm4_values(),
        "kek-values": kek_values(),
    }
    for name, content in written.items():
        if not (FOLDER / f"{name}.json").exists():
            _write(FOLDER / f"{name}.json", content)


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
