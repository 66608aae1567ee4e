"""One frame: the nonce is the specification's, and a published vector goes through the very code."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sseproxy.errors import FrameRejected
from sseproxy.format.frame import FrameCipher
from sseproxy.model import Suite

KEY = bytes(range(32))


def sealed(index: int, plain: bytes, *, final: bool, key: bytes = KEY) -> bytes:
    out = bytearray(len(plain) + 16)
    FrameCipher(Suite.AES_256_GCM, key, 1).seal_into(index, plain, memoryview(out), final=final)
    return bytes(out)


@pytest.mark.parametrize(
    ("index", "final", "nonce"),
    [
        (0, False, "000000000000000000000000"),
        (0, True, "000000000000000000000001"),
        (1, False, "000000000000000100000000"),
        (2**40, True, "000001000000000000000001"),
    ],
)
def test_the_nonce_is_index_zeros_and_the_final_flag(index: int, final: bool, nonce: str) -> None:  # noqa: FBT001 - a parameter of the table
    assert sealed(index, b"hello", final=final) == AESGCM(KEY).encrypt(bytes.fromhex(nonce), b"hello", None)


def test_the_published_vector_of_gcm_comes_out() -> None:
    # McGrew and Viega, "The Galois/Counter Mode of Operation", test case 14: all zero.
    expected = "cea7403d4d606b6e074ec5d3baf39d18" + "d0d1c8a799996bf0265b98b5d48ab919"

    assert sealed(0, bytes(16), final=False, key=bytes(32)).hex() == expected


@pytest.mark.parametrize(("index", "final"), [(1, False), (0, True), (1, True)])
def test_a_frame_opens_in_its_own_place_alone(index: int, final: bool) -> None:  # noqa: FBT001 - a parameter of the table
    frame = sealed(0, b"hello", final=False)
    cipher = FrameCipher(Suite.AES_256_GCM, KEY, 4)

    with pytest.raises(FrameRejected, match=f"Frame {index} of segment 4"):
        cipher.open_into(index, frame, memoryview(bytearray(5)), final=final)
