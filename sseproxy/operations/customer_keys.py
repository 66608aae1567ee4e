"""Customers' keys (SSE-C) in requests: which one a request brings, whether it may, and what it opens.

The key is taken from the request's headers each time it is needed and goes nowhere else: not into state, caches, logs
or requests to the storage (S3 dossier §1.2 to §1.4).
"""

from sseproxy.dialect.base import CustomerKeyHeaders, Operation
from sseproxy.dialect.customer_key_headers import (
    check_compatible,
    names_customer_key,
    parse_customer_key,
    refuse_key_in_url,
)
from sseproxy.errors import InvalidRequest
from sseproxy.exchange import Request
from sseproxy.model import CustomerKey
from sseproxy.operations.context import Services

_READS = frozenset({Operation.GET_OBJECT, Operation.HEAD_OBJECT, Operation.GET_OBJECT_ATTRIBUTES})
_NOT_SECURE = (
    "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection."
)


def check_customer_keys(services: Services, request: Request, operation: Operation) -> None:
    """Refuse whatever is wrong with the keys that a request brings, before anything else is done.

    Operations that take no key ignore it, as the service does. Raises `InvalidRequest` for a key over a plain
    connection, and what `parse_customer_key` raises.
    """
    words = services.dialect.sse
    for names in filter(None, (words.customer_key, words.source_customer_key)):
        if operation in words.customer_key_on and names_customer_key(request.headers, names):
            _check_transport(services, request)
    if words.customer_key is None or operation not in words.customer_key_on:
        return
    if operation in words.legal_on:
        check_compatible(request.headers, words.customer_key, words)
    parse_customer_key(request.headers, words.customer_key, words, exact=operation not in _READS)
    if words.source_customer_key is not None:
        parse_customer_key(request.headers, words.source_customer_key, words, exact=False)


def refuse_keys_in_url(services: Services, request: Request) -> None:
    """Raise `InvalidRequest` where a customer's key itself stands in the URL, as old signers put it there."""
    words = services.dialect.sse
    for names in filter(None, (words.customer_key, words.source_customer_key)):
        refuse_key_in_url(request.query, names)


def customer_key_of(services: Services, request: Request) -> CustomerKey | None:
    """Return the key for the object that a request names, None where it brings none."""
    return _key(services, request, services.dialect.sse.customer_key)


def source_key_of(services: Services, request: Request) -> CustomerKey | None:
    """Return the key for the source of a copy, None where the request brings none."""
    return _key(services, request, services.dialect.sse.source_customer_key)


def _key(services: Services, request: Request, names: CustomerKeyHeaders | None) -> CustomerKey | None:
    if names is None:
        return None
    return parse_customer_key(request.headers, names, services.dialect.sse, exact=False)


def _check_transport(services: Services, request: Request) -> None:
    if not request.secure and not services.encryption.customer_keys_over_http:
        raise InvalidRequest(_NOT_SECURE)
