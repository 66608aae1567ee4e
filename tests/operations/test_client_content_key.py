"""How an object's metadata says what its SDK encrypted it with (OSS dossier §8.1, §8.2, §8.7)."""

import pytest
from multidict import CIMultiDict

from sseproxy.operations.client_content_key import (
    ContentKey,
    WrittenKey,
    plaintext_md5,
    tells_of_encryption,
    written_key,
)

P = "x-oss-meta-"
NEW = P + "client-side-encryption-"
CTR = "AES/CTR/NoPadding"
GCM = "AES/GCM/NoPadding"  # what older oss2 called its counter mode
KEY, COUNTER = bytes(range(32)), b"12345678\x00\x00\x00\x00abcd"


def new(**fields: str) -> CIMultiDict[str]:
    values = {"key": "K", "start": "S", "cek-alg": CTR, "wrap-alg": "W"} | {
        name.replace("_", "-"): value for name, value in fields.items()
    }
    return CIMultiDict({NEW + name: value for name, value in values.items()})


def old(cipher: str = CTR) -> CIMultiDict[str]:
    names = {"oss-crypto-key": "K", "oss-crypto-start": "S", "oss-cek-alg": cipher, "oss-wrap-alg": "rsa"}
    return CIMultiDict({P + name: value for name, value in names.items()})


def test_the_form_of_today_is_read_in_any_case() -> None:
    headers = CIMultiDict({name.title(): value for name, value in new().items()})

    assert written_key(headers, P) == WrittenKey("W", "K", "S")


@pytest.mark.parametrize("cipher", [CTR, GCM])
def test_the_old_form_is_counter_mode_under_either_name(cipher: str) -> None:
    assert written_key(old(cipher), P) == WrittenKey("rsa", "K", "S", old=True)


@pytest.mark.parametrize("headers", [{}, {"x-oss-meta-own": "1"}, new(cek_alg=GCM), old("AES/CBC/PKCS5Padding")])
def test_nothing_or_another_cipher_is_no_key(headers: CIMultiDict[str]) -> None:
    assert written_key(CIMultiDict(headers), P) is None


def test_with_both_forms_that_of_today_counts() -> None:
    assert written_key(CIMultiDict([*old().items(), *new().items()]), P) == WrittenKey("W", "K", "S")


NEW_NAMES = (
    "key", "start", "cek-alg", "wrap-alg", "matdesc", "unencrypted-content-length", "unencrypted-content-md5", "data-size",
    "part-size", "magic-number-hmac",
)  # fmt: skip
OLD_NAMES = (
    "oss-crypto-key", "oss-crypto-start", "oss-cek-alg", "oss-wrap-alg", "oss-crypto-matdesc", "oss-matdesc",
    "oss-crypto-unencrypted-content-length", "oss-crypto-unencrypted-content-md5", "unencrypted-content-length",
    "unencrypted-content-md5",
)  # fmt: skip


def test_what_the_sdk_said_is_told_from_what_whoever_wrote_said() -> None:
    today, before = WrittenKey("W", "K", "S"), WrittenKey("rsa", "K", "S", old=True)

    assert all(tells_of_encryption(NEW + name, P, today) for name in NEW_NAMES)
    assert all(tells_of_encryption(P + name, P, before) for name in OLD_NAMES)
    assert not any(tells_of_encryption(P + name, P, today) for name in OLD_NAMES)
    for written in (today, before):
        for name in (
            "x-oss-meta-own",
            "x-oss-meta-oss-color",
            "content-type",
            "oss-crypto-key",
            "x-oss-hash-crc64ecma",
        ):
            assert not tells_of_encryption(name, P, written)


def test_the_plaintexts_md5_is_what_the_sdk_had_been_told() -> None:
    today, before = WrittenKey("W", "K", "S"), WrittenKey("rsa", "K", "S", old=True)

    assert plaintext_md5(new(unencrypted_content_md5="M"), P, today) == "M"
    assert plaintext_md5(CIMultiDict({P + "oss-crypto-unencrypted-content-md5": "M"}), P, before) == "M"
    assert plaintext_md5(CIMultiDict({P + "unencrypted-content-md5": "M"}), P, before) == "M"
    assert plaintext_md5(CIMultiDict({P + "unencrypted-content-md5": "theirs"}), P, today) is None


def test_a_key_has_32_bytes_and_a_counter_16_of_which_four_are_zero() -> None:
    written = WrittenKey("W", "K", "S")

    assert written.content_key(KEY, COUNTER) == ContentKey(KEY, COUNTER)
    for key, counter in (
        (KEY[:31], COUNTER),
        (KEY + b"x", COUNTER),
        (KEY, COUNTER[:15]),
        (KEY, bytes(range(1, 17))),
        (KEY, b""),
    ):
        assert written.content_key(key, counter) is None


def test_the_old_counter_is_a_number_of_digits() -> None:
    written = WrittenKey("rsa", "K", "S", old=True)

    assert written.content_key(KEY, b"258") == ContentKey(KEY, bytes(14) + b"\x01\x02")
    for text in (b"", b"-1", b"1.0", b"9" * 19, COUNTER):
        assert written.content_key(KEY, text) is None


def test_no_key_shows_in_a_repr() -> None:
    assert str(KEY[:4]) not in repr(ContentKey(KEY, COUNTER))
