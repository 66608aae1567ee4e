"""Wraps under long-lived keys: a key of its own each time, bound to what it is for."""

import hmac
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.format.wrapping import OVERHEAD, WrapRejected, framed, unwrap, wrap

_KEY = bytes(range(32))


@given(plain=st.binary(min_size=1, max_size=64), info=st.binary(max_size=64))
def test_what_is_wrapped_opens_with_the_same_key_and_purpose(plain: bytes, info: bytes) -> None:
    wrapped = wrap(_KEY, plain, info)

    assert len(wrapped) == len(plain) + OVERHEAD
    assert unwrap(_KEY, wrapped, info) == plain
    with pytest.raises(WrapRejected):
        unwrap(_KEY, wrapped, info + b"x")
    with pytest.raises(WrapRejected):
        unwrap(bytes(32), wrapped, info)


def test_a_wrap_is_what_the_specification_says() -> None:
    """Told again with nothing but HMAC and the cipher: RFC 5869 with one block, then AES-256-GCM with a zero nonce."""
    wrapped = wrap(_KEY, b"data key", b"purpose")
    salt, sealed = wrapped[:32], wrapped[32:]

    pseudorandom = hmac.new(salt, _KEY, sha256).digest()
    wrap_key = hmac.new(pseudorandom, b"purpose" + b"\x01", sha256).digest()

    assert AESGCM(wrap_key).decrypt(bytes(12), sealed, None) == b"data key"


def test_no_salt_comes_twice() -> None:
    assert len({wrap(_KEY, b"x", b"")[:32] for _ in range(100)}) == 100


@pytest.mark.parametrize("length", [0, 1, OVERHEAD - 1, OVERHEAD])
def test_what_is_too_short_is_rejected(length: int) -> None:
    with pytest.raises(WrapRejected):
        unwrap(_KEY, bytes(length), b"")


@given(st.lists(st.binary(max_size=8), max_size=4), st.lists(st.binary(max_size=8), max_size=4))
def test_different_fields_are_framed_differently(some: list[bytes], others: list[bytes]) -> None:
    assert (framed(*some) == framed(*others)) == (some == others)
