import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.signing.canonical import (
    canonical_path,
    canonical_query,
    collapse,
    decode_path,
    decode_value,
    encode_key,
    encode_value,
    header,
    parse_query,
    redact,
    split_query,
    to_bytes,
)

_KEYS = [
    ("a b+é.txt", "a%20b%2B%C3%A9.txt"),
    ("a%2Fb", "a%252Fb"),
    ("../..//x", "../..//x"),
    ("!*'()@:$,;=", "%21%2A%27%28%29%40%3A%24%2C%3B%3D"),
    ("-_.~", "-_.~"),
    ("", ""),
]


@pytest.mark.parametrize(("key", "encoded"), _KEYS)
def test_keys_are_encoded_the_s3_way(key: str, encoded: str) -> None:
    assert encode_key(key) == encoded
    assert decode_path(encoded) == key


def test_values_also_encode_the_slash() -> None:
    assert encode_value("a/b c~") == "a%2Fb%20c~"


@given(st.binary())
def test_any_bytes_survive_encoding_and_decoding(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")

    assert decode_path(encode_key(text)) == text
    assert decode_path(encode_value(text)) == text
    assert to_bytes(text) == data


def test_a_plus_is_a_blank_in_queries_and_a_plus_in_paths() -> None:
    assert decode_path("a+b%2Bc") == "a+b+c"
    assert decode_value("a+b%2Bc") == "a b+c"
    assert decode_value("a+b%2Bc", plus_is_blank=False) == "a+b+c"


def test_a_path_is_decoded_once_only() -> None:
    assert decode_path("a%252Fb") == "a%2Fb"
    assert canonical_path("/a%2fb%7e!") == "/a/b~%21"
    assert canonical_path("") == "/"


def test_a_query_keeps_its_order_and_knows_a_missing_value_from_an_empty_one() -> None:
    assert parse_query("b&a=&a=1&%C3%A9=x%3Dy=z&&c=+") == [
        ("b", None), ("a", ""), ("a", "1"), ("é", "x=y=z"), ("c", " "),
    ]  # fmt: skip
    assert split_query("") == []


@pytest.mark.parametrize(
    ("bare_empty", "expected"), [(True, "%2B=1&a&a=1&a=2&b%2Fc"), (False, "%2B=1&a=&a=1&a=2&b%2Fc=")]
)
def test_canonical_queries_are_encoded_and_sorted(*, bare_empty: bool, expected: str) -> None:
    pairs = [("b/c", None), ("a", "2"), ("a", "1"), ("a", ""), ("+", "1")]

    assert canonical_query(pairs, bare_empty=bare_empty) == expected


def test_header_values_are_trimmed_and_runs_of_blanks_shrunk_but_no_other_character() -> None:
    assert collapse("  a \t  b  ") == "a b"
    assert collapse("a\u00a0\u00a0b\u3000 ") == "a\u00a0\u00a0b\u3000"


def test_headers_are_found_in_any_case_and_joined() -> None:
    headers = [("X-Amz-Meta-A", "1"), ("host", "h"), ("x-amz-meta-a", "2")]

    assert header(headers, "x-amz-meta-a") == "1,2"
    assert header(headers, "date") is None


def test_keys_and_tokens_are_never_shown() -> None:
    shown = redact(
        "PUT\n/k\nX-Amz-Security-Token=TOKEN&a=1\nhost:h\nx-amz-security-token:TOKEN\n"
        "x-amz-server-side-encryption-customer-key:KEY\nx-amz-server-side-encryption-customer-key-md5:KEY\n"
        "/b/k?security-token=TOKEN&uploads\nhost;x-amz-security-token"
    )

    assert "TOKEN" not in shown
    assert "KEY" not in shown
    assert shown.startswith("PUT\n/k\nX-Amz-Security-Token=[not shown]&a=1\nhost:h\n")
    assert shown.endswith("/b/k?security-token=[not shown]&uploads\nhost;x-amz-security-token")
