"""Keys that clients send: what they wrap, and that nothing else opens it."""

import hmac
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sseproxy.errors import EnvelopeRejected, WrongCustomerKey
from sseproxy.format import (
    CUSTOMER_KEY_ID,
    ClosingKeys,
    DataKey,
    decode_envelope,
    encode_envelope,
    open_for_customer,
    wrap_context,
    wrap_for_customer,
)
from sseproxy.model import Algorithm, Binding, CustomerKey, Layout, WrapContext
from tests.format.sealing import envelope_for

KEY = DataKey(bytes(range(32)))
CUSTOMER = CustomerKey(b"0123456789abcdef0123456789abcdef")
SALT = bytes(range(7, 39))


def _context(key: str = "k") -> WrapContext:
    return wrap_context(
        purpose="dek", algorithm="CUSTOMER", layout="single", binding=Binding.BUCKET_KEY, bucket="b", key=key
    )


def _hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    return hmac.digest(hmac.digest(salt, key, "sha256"), info + b"\x01", "sha256")


def test_a_data_key_opens_with_the_customers_key_and_its_names() -> None:
    opened = open_for_customer(CUSTOMER, wrap_for_customer(CUSTOMER, KEY, _context()), _context())

    assert opened.raw == KEY.raw


def test_the_wrap_is_the_one_of_the_specification() -> None:
    wrapped = wrap_for_customer(CUSTOMER, KEY, _context())

    once = _hkdf(CUSTOMER.raw, wrapped[:32], b"sseproxy/v1/customer" + _context().aad)
    assert AESGCM(once).decrypt(bytes(12), wrapped[32:], None) == KEY.raw


@pytest.mark.parametrize(
    "customer",
    [CustomerKey(bytes(32)), CustomerKey(CUSTOMER.raw[:31]), CustomerKey(CUSTOMER.raw + b"x"), CustomerKey(b"")],
)
def test_another_key_of_any_length_is_just_wrong(customer: CustomerKey) -> None:
    wrapped = wrap_for_customer(CUSTOMER, KEY, _context())

    with pytest.raises(WrongCustomerKey):
        open_for_customer(customer, wrapped, _context())


@pytest.mark.parametrize("damaged", [b"", bytes(48), bytes(200)])
def test_another_name_or_a_damaged_wrap_does_not_open(damaged: bytes) -> None:
    wrapped = wrap_for_customer(CUSTOMER, KEY, _context())

    with pytest.raises(WrongCustomerKey):
        open_for_customer(CUSTOMER, wrapped, _context("other"))
    with pytest.raises(WrongCustomerKey):
        open_for_customer(CUSTOMER, damaged, _context())


def test_nothing_is_wrapped_under_a_key_of_another_length() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        wrap_for_customer(CustomerKey(bytes(16)), KEY, _context())


def test_a_customers_key_shows_nothing_of_itself() -> None:
    assert "0123" not in f"{CUSTOMER!r} {[CUSTOMER]}"
    assert CUSTOMER.md5_text == "hRasmdxgYDKV3nvbahU1MA=="


def test_an_envelope_under_a_customers_key_names_no_cmk() -> None:
    mine = replace(envelope_for(KEY, Layout.SINGLE), algorithm=Algorithm.CUSTOMER, key_id=CUSTOMER_KEY_ID)

    assert decode_envelope(encode_envelope(mine)) == mine
    with pytest.raises(ValueError, match="customer"):
        encode_envelope(replace(mine, key_id="another"))
    with pytest.raises(ValueError, match="customer"):
        encode_envelope(replace(mine, kek_id=bytes(16), wrapped_kek=b"x"))
    with pytest.raises(EnvelopeRejected):
        decode_envelope("AAAA")


def test_closing_keys_are_the_data_keys_own_for_records_and_footer() -> None:
    closing = ClosingKeys(KEY.closing_keys.raw)

    assert closing.record_key(SALT) == KEY.record_key(SALT)
    assert closing.footer_key == KEY.footer_key
    assert closing.footer_nonce_key == KEY.footer_nonce_key
    assert KEY.raw not in closing.raw
    assert repr(closing) == "ClosingKeys(<redacted>)"


@pytest.mark.parametrize("length", [0, 32, 95, 97])
def test_closing_keys_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match="three keys"):
        ClosingKeys(bytes(length))
