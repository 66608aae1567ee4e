"""Strict maps: one encoding for each, everything else refused."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.format.packing import Fields, pack_map

VALUES = st.one_of(
    st.integers(0, 2**64 - 1), st.binary(max_size=300), st.text("aZ9ä€", max_size=100), st.sampled_from([True])
)


@given(st.dictionaries(st.integers(1, 63), VALUES, max_size=20))
def test_packing_gives_the_bytes_of_the_library_with_ascending_keys(
    fields: dict[int, int | bytes | str | bool],
) -> None:
    assert pack_map(fields) == msgpack.packb(dict(sorted(fields.items())), use_bin_type=True)


def test_fields_without_a_value_are_left_out() -> None:
    assert pack_map({2: None, 1: 5}) == b"\x81\x01\x05"


def test_taking_gives_the_values() -> None:
    fields = Fields(pack_map({1: 7, 2: b"ab", 3: "ä", 4: True}))

    assert fields.integer(1, most=7) == 7
    assert fields.fixed(2, 2) == b"ab"
    assert fields.text(3, least=2, most=2) == "ä"
    assert fields.flag(4)
    assert not fields.flag(5)
    fields.close()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x00",  # a byte behind the map
        b"\x81\x01",  # cut off
        b"\x82\x01\x05\x01\x05",  # the same key twice
        b"\x82\x02\x05\x01\x05",  # keys descending
        b"\x81\x01\xcc\x05",  # 5 in two bytes
        b"\x81\x01\xd0\x05",  # 5 as a signed byte
        b"\xde\x00\x01\x01\x05",  # a short map in the long form
        b"\x81\xcc\x01\x05",  # key 1 in two bytes
        b"\x81\x01\xc5\x00\x01a",  # bin16 for one byte
        b"\x81\x01\xd9\x01a",  # str8 for one byte
        b"\x81\x01\xa1\xff",  # a text that is not UTF-8
        b"\x81\xa1a\x05",  # a text as key
        b"\x81\xc3\x05",  # true as key
        b"\x81\x90\x05",  # a list as key
        b"\x91\x05",  # a list
        b"\x05",
        b"\x81\x40\xcb" + bytes(8),  # a float in an ignored field
        b"\x81\x40\xca" + bytes(4),
        b"\x81\x40\xd4\x05\x00",  # an extension type in an ignored field
        b"\x81\x40\xd6\xff\x00\x00\x00\x00",  # a timestamp
        b"\x81\x40\x82\x01\x01\x01\x01",  # the same key twice, deeper
        b"\x81\x40" + b"\x91" * 9 + b"\x01",  # too deep
        b"\x81\x40" + b"\x91" * 900 + b"\x01",
        b"\x81\x40" + b"\x91" * 5000 + b"\x01",
        b"\xc1",
    ],
    ids=lambda data: data[:12].hex(),
)
def test_anything_but_the_one_encoding_of_a_map_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="map"):
        Fields(data)


@pytest.mark.parametrize("key", [1, 63, 0, -1])
def test_an_unknown_field_below_64_is_refused(key: int) -> None:
    fields = Fields(msgpack.packb({key: 1}))

    with pytest.raises(ValueError, match="not known"):
        fields.close()


def test_fields_from_64_on_are_ignored_whatever_plain_value_they_hold() -> None:
    fields = Fields(msgpack.packb({64: None, 65: [1, {"a": b"b", 2: False}], 1000: -5}))

    fields.close()


@pytest.mark.parametrize("value", [True, "1", b"1", -1, 8, None])
def test_a_number_of_another_type_or_size_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="Field 1"):
        Fields(msgpack.packb({1: value})).integer(1, most=7)


@pytest.mark.parametrize("value", ["ab", 1, b"", b"abc"])
def test_a_byte_string_of_another_type_or_length_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="Field 1"):
        Fields(msgpack.packb({1: value})).binary(1, least=1, most=2)


@pytest.mark.parametrize("value", [b"ab", 1, "", "abc", "éé"])
def test_a_text_of_another_type_or_length_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="Field 1"):
        Fields(msgpack.packb({1: value})).text(1, least=1, most=2)


@pytest.mark.parametrize("value", [False, 1, None])
def test_a_flag_is_true_or_absent(value: object) -> None:
    with pytest.raises(ValueError, match="Field 1"):
        Fields(msgpack.packb({1: value})).flag(1)


def test_a_missing_field_is_refused() -> None:
    with pytest.raises(ValueError, match="missing"):
        Fields(b"\x80").integer(1, most=1)


@given(st.binary(max_size=40))
def test_arbitrary_bytes_raise_nothing_but_value_errors(data: bytes) -> None:
    try:
        fields = Fields(data)
    except ValueError:
        return
    try:
        fields.close()
    except ValueError:
        return
