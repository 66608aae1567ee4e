"""The vectors of objects that grew by appending, and the command that wrote them (README.md).

`python -m tests.vectors.append_cases` writes those that are not there yet; one that is there is never written again.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sseproxy.format import KEY_LENGTHS, DataKey, encode_envelope
from sseproxy.model import Suite
from tests.format.test_appending import Growing
from tests.vectors.cases import FOLDER, P, stream


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendCase:
    """An object by the plaintext sizes of its appends."""

    name: str
    sizes: Sequence[int]
    suite: Suite = Suite.AES_256_GCM


APPEND_CASES = (
    AppendCase(name="append-nothing", sizes=[0]),
    AppendCase(name="append-once", sizes=[1]),
    AppendCase(name="append-frames", sizes=[P, 0, P + 1, 5]),
    AppendCase(name="append-tables", sizes=[number % 7 for number in range(50)]),
    AppendCase(name="sm4-append", sizes=[3, P + 1, 0, 9], suite=Suite.SM4_GCM),
)


def appended_plaintext(case: AppendCase) -> bytes:
    """Return the whole plaintext of a case."""
    return b"".join(_piece(case, number, size) for number, size in enumerate(case.sizes, 1))


def grow(case: AppendCase) -> Growing:
    """Append to a case's object with its fixed key and salts."""
    key = DataKey(stream(f"key/{case.name}", KEY_LENGTHS[case.suite]), case.suite)
    growing = Growing(key, lambda number: stream(f"salt/{case.name}/{number}", 32))
    for number, size in enumerate(case.sizes, 1):
        growing.append(_piece(case, number, size))
    return growing


def describe_appended(case: AppendCase, growing: Growing) -> dict[str, Any]:
    """Return what a reader in another language needs, as JSON."""
    return {
        "name": case.name,
        "data_key": growing.key.raw.hex(),
        "envelope": encode_envelope(growing.envelope),
        "stored": f"{case.name}.bin",
        "stored_size": len(growing.stored),
        "parts": [
            {"number": number, "plaintext_size": size, "salt": stream(f"salt/{case.name}/{number}", 32).hex()}
            for number, size in enumerate(case.sizes, 1)
        ],
        "plaintext_size": len(growing.plain),
        "plaintext_sha256": sha256(growing.plain).hexdigest(),
        "crc64": str(growing.opened().crc64),
    }


def _piece(case: AppendCase, number: int, size: int) -> bytes:
    return stream(f"plain/{case.name}/{number}", size)


def main() -> None:
    """Write what is not there."""
    for case in APPEND_CASES:
        path = FOLDER / f"{case.name}.json"
        if not path.exists():
            growing = grow(case)
            path.write_text(json.dumps(describe_appended(case, growing), indent=2, ensure_ascii=False) + "\n")
            path.with_suffix(".bin").write_bytes(growing.stored)


if __name__ == "__main__":
    main()
