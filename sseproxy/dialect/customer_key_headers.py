"""Reading the three headers that carry a client's own key (SSE-C), by a dialect's vocabulary (S3 dossier §1.1, §1.4).

The order of the checks is the service's, because clients' tests see it: the mode first, then the algorithm, the key,
its MD5, and its length last.
"""

import hmac
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from hashlib import md5
from typing import Final

from multidict import CIMultiDict

from sseproxy.dialect.base import CustomerKeyHeaders, SseVocabulary
from sseproxy.errors import InvalidArgument, InvalidRequest, UnknownCustomerAlgorithm
from sseproxy.model import CustomerKey

CUSTOMER_ALGORITHM: Final = "AES256"

_KEY_LENGTH = 32
_PROMISE = "Requests specifying Server Side Encryption with Customer provided keys must "
_INCOMPATIBLE = "Server Side Encryption with Customer provided key is incompatible with the encryption method specified"
_NOT_IN_URLS = "A customer provided key is a secret and must be sent in a header, never in a URL."


def names_customer_key(headers: Mapping[str, str], names: CustomerKeyHeaders) -> bool:
    """Whether any of the three headers is there."""
    return any(name in headers for name in names)


def refuse_key_in_url(query: Mapping[str, str], names: CustomerKeyHeaders) -> None:
    """Raise `InvalidRequest` where a key itself stands in the URL, which others see and write down."""
    if any(name.lower() == names.key for name in query):
        raise InvalidRequest(_NOT_IN_URLS)


def check_compatible(headers: Mapping[str, str], names: CustomerKeyHeaders, words: SseVocabulary) -> None:
    """Raise `InvalidArgument` where a request asks for another encryption and brings a key of its own."""
    word = headers.get(words.algorithm_header)
    if word is not None and names_customer_key(headers, names):
        raise InvalidArgument(_INCOMPATIBLE, ArgumentName=words.algorithm_header, ArgumentValue=word)


def parse_customer_key(
    headers: Mapping[str, str], names: CustomerKeyHeaders, words: SseVocabulary, *, exact: bool
) -> CustomerKey | None:
    """Return the key that a request brings, None where it brings none.

    `exact`: also its length is checked; in a read, a key of another length is just a wrong one. Raises
    `UnknownCustomerAlgorithm`, `InvalidArgument`.
    """
    if not names_customer_key(headers, names):
        return None
    algorithm = headers.get(names.algorithm)
    if algorithm is None:
        raise _incomplete("provide a valid encryption algorithm.", words)
    if algorithm != CUSTOMER_ALGORITHM:
        raise UnknownCustomerAlgorithm(ArgumentName=words.algorithm_header, ArgumentValue=algorithm)
    key, digest = headers.get(names.key), headers.get(names.md5)
    if key is None:
        raise _incomplete("provide an appropriate secret key.", words)
    if digest is None:
        raise _incomplete("provide the client calculated MD5 of the secret key.", words)
    return _checked(_decoded(key), _decoded(digest), exact=exact)


def customer_key_headers(names: CustomerKeyHeaders, key: CustomerKey) -> CIMultiDict[str]:
    """Return how an answer tells of the key that was used: by its algorithm and MD5."""
    return CIMultiDict([(names.algorithm, CUSTOMER_ALGORITHM), (names.md5, key.md5_text)])


def _checked(raw: bytes | None, digest: bytes | None, *, exact: bool) -> CustomerKey:
    if raw is None:
        raise InvalidArgument("The secret key was invalid for the specified algorithm.")
    if digest is None or not hmac.compare_digest(md5(raw, usedforsecurity=False).digest(), digest):
        raise InvalidArgument("The calculated MD5 hash of the key did not match the hash that was provided.")
    if exact and len(raw) != _KEY_LENGTH:
        raise InvalidArgument("The secret key was invalid for the specified algorithm.")
    return CustomerKey(raw)


def _decoded(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        return None


def _incomplete(what: str, words: SseVocabulary) -> InvalidArgument:
    return InvalidArgument(_PROMISE + what, ArgumentName=words.algorithm_header, ArgumentValue="null")
