"""Alibaba Cloud's signature of RPC calls, version 1.0 (OSS dossier §7.1; vectors in §10.7)."""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import quote


def sign_rpc(method: str, parameters: Mapping[str, str], secret: str) -> str:
    """Return the value of `Signature` for a call's parameters, which do not contain it."""
    digest = hmac.digest(f"{secret}&".encode(), rpc_string_to_sign(method, parameters).encode(), "sha1")
    return b64encode(digest).decode()


def rpc_string_to_sign(method: str, parameters: Mapping[str, str]) -> str:
    """Return the string to sign: the sorted query, encoded once more as a whole."""
    return f"{method}&{_encoded('/')}&{_encoded(rpc_query(parameters))}"


def rpc_query(parameters: Mapping[str, str]) -> str:
    """Return parameters as a query, sorted by name, in the encoding that the signature is made of."""
    return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(parameters.items()))


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")
