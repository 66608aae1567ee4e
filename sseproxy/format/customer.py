"""Data keys under a key that the client sends: wrapped with it and opened with it (docs/format.md, "Envelope")."""

from typing import Final

from sseproxy.errors import WrongCustomerKey
from sseproxy.format.keys import KEY_LENGTH, DataKey
from sseproxy.format.wrapping import WrapRejected, unwrap, wrap
from sseproxy.model import CustomerKey, WrapContext

CUSTOMER_KEY_ID: Final = "customer"  # stands where an envelope names its CMK, docs/format.md, "Envelope"

_LABEL = b"sseproxy/v1/customer"  # docs/format.md, "Envelope"


def wrap_for_customer(customer: CustomerKey, key: DataKey, context: WrapContext) -> bytes:
    """Return a data key wrapped under a customer's key. Raises `ValueError` where that has not 32 bytes."""
    if len(customer.raw) != KEY_LENGTH:
        raise ValueError(f"A customer's key has {KEY_LENGTH} bytes.")
    return wrap(customer.raw, key.raw, _LABEL + context.aad)


def open_for_customer(customer: CustomerKey, wrapped: bytes, context: WrapContext) -> DataKey:
    """Open a data key with a customer's key. Raises `WrongCustomerKey` where it is another key or another context."""
    if len(customer.raw) != KEY_LENGTH:
        raise WrongCustomerKey
    try:
        return DataKey(unwrap(customer.raw, wrapped, _LABEL + context.aad))
    except (WrapRejected, ValueError) as cause:
        raise WrongCustomerKey from cause
