"""A host whose cryptography library lacks a cipher."""

from typing import NoReturn

import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from sseproxy.format import suites


def without_sm4(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let SM4-GCM be as unknown to the product as it is to a library that was built without it."""

    class Missing:
        def __init__(self, *_: object) -> None:
            """Take what `Cipher` takes."""

        def encryptor(self) -> NoReturn:
            raise UnsupportedAlgorithm("sm4 in GCM mode is not supported by this backend.")

    monkeypatch.setattr(suites, "Cipher", Missing)
