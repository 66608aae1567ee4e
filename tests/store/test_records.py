"""Records: what a metadata file may say."""

import json
from typing import Any

import pytest

from sseproxy.store.records import Metadata, Piece

_GOOD = Metadata(
    headers={"a": "b"}, user={"c": "d"}, checksums={"crc32": "e"}, crc64=1, md5="f",
    parts=(Piece(number=1, size=2, checksums={"sha1": "g"}),), symlink="h",
).to_json()  # fmt: skip


def test_metadata_goes_through_json() -> None:
    assert Metadata.from_json(json.loads(json.dumps(_GOOD))).to_json() == _GOOD


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": 1}, {"headers": {"a": 1}}, {"user": None}, {"user": []}, {"checksums": "x"}, {"crc64": "1"}, {"crc64": True},
        {"md5": 1}, {"symlink": []}, {"parts": 1}, {"parts": [1]}, {"parts": [{"number": 1}]}, {"unknown": 1},
        {"parts": [{"number": "1", "size": 2}]}, {"parts": [{"number": 1, "size": 2, "checksums": 1}]},
    ],
)  # fmt: skip
def test_anything_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((TypeError, KeyError)):
        Metadata.from_json(_GOOD | changes)


@pytest.mark.parametrize("document", [{}, [], 1, None, "text"])
def test_other_documents_are_refused(document: Any) -> None:
    with pytest.raises((TypeError, KeyError)):
        Metadata.from_json(document)
