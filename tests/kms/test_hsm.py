"""The PKCS#11 adapter where there is no library; tests/interop/test_softhsm.py has the rest."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from sseproxy.errors import ConfigurationError
from sseproxy.kms.hsm import Pkcs11Kms
from sseproxy.settings_remote_kms import Pkcs11KmsSettings


def test_without_the_extra_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    settings = Pkcs11KmsSettings.model_validate({"module": "/m.so", "token": "t", "pin": "1"})

    with ThreadPoolExecutor(1) as thread, pytest.raises(ConfigurationError, match=r"pip install 'sseproxy\[pkcs11\]'"):
        Pkcs11Kms("the key service hsm", settings, thread)
