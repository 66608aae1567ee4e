"""The envelope codec: round trip, strictness, sizes."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.errors import EnvelopeRejected, MetadataTooLarge
from sseproxy.format import (
    MOST_ENVELOPE,
    DataKey,
    Envelope,
    decode_envelope,
    decode_recovery,
    encode_envelope,
    encode_envelope_within,
    place_of,
    recovery_bytes,
)
from sseproxy.model import Algorithm, Binding, Layout, Suite
from tests.format.sealing import envelope_for, fixed_bytes, seal_single

PLAIN = envelope_for(DataKey(bytes(32)), Layout.SINGLE)
FULL = replace(
    PLAIN,
    kek_id=bytes(16),
    wrapped_kek=fixed_bytes(184),
    key_version="3",
    caller_context=b'{"a":"b"}',
    bucket_key=True,
    footer=fixed_bytes(150),
)


def fields_of(envelope: Envelope) -> dict[int, Any]:
    text = encode_envelope(envelope)
    fields = msgpack.unpackb(urlsafe_b64decode(text + "=" * (-len(text) % 4)), strict_map_key=False)
    assert isinstance(fields, dict)
    return fields


def text_of(fields: dict[int, Any]) -> str:
    return urlsafe_b64encode(msgpack.packb(dict(sorted(fields.items())))).rstrip(b"=").decode()


@pytest.mark.parametrize("envelope", [PLAIN, FULL], ids=["plain", "full"])
def test_an_envelope_comes_back(envelope: Envelope) -> None:
    assert decode_envelope(encode_envelope(envelope)) == envelope


@given(
    st.builds(
        Envelope,
        suite=st.just(Suite.AES_256_GCM),
        algorithm=st.sampled_from([Algorithm.AES256, Algorithm.KMS]),
        key_id=st.text("azAZ09-:/ä", min_size=1, max_size=80),
        wrapped_key=st.binary(min_size=1, max_size=300),
        binding=st.sampled_from(Binding),
        place=st.binary(min_size=8, max_size=8),
        layout=st.sampled_from([Layout.SINGLE, Layout.MULTIPART]),
        commitment=st.binary(min_size=32, max_size=32),
        bucket_key=st.booleans(),
        caller_context=st.sampled_from([b"", b'{"name":"value"}']),
        key_version=st.none() | st.text("0123456789", min_size=1, max_size=9),
    )
)
def test_every_envelope_comes_back(envelope: Envelope) -> None:
    text = encode_envelope(envelope)

    assert decode_envelope(text) == envelope
    assert text.isascii()
    assert not set(text) & set("=+/")


def test_the_fields_have_the_numbers_of_the_specification() -> None:
    fields = fields_of(FULL)

    assert {key: value for key, value in fields.items() if isinstance(value, int | str)} == {
        1: 1,
        2: 1,
        3: 2,
        4: FULL.key_id,
        5: "3",
        9: 1,
        12: True,
        13: 1,
    }
    assert fields[6] == FULL.kek_id
    assert fields[7] == FULL.wrapped_kek
    assert fields[8] == FULL.wrapped_key
    assert fields[10] == FULL.place
    assert fields[11] == FULL.caller_context
    assert fields[14] == FULL.commitment
    assert fields[15] == FULL.footer


def test_a_typical_envelope_is_short() -> None:
    assert len(encode_envelope(PLAIN)) < 300
    assert len(seal_single(b"x", with_copy=True).header) < 500


@pytest.mark.parametrize("missing", sorted({1, 2, 3, 4, 8, 9, 10, 13, 14}))
def test_a_missing_field_is_refused(missing: int) -> None:
    fields = fields_of(FULL)
    del fields[missing]

    with pytest.raises(EnvelopeRejected, match=f"Field {missing} is missing"):
        decode_envelope(text_of(fields))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (1, 0), (1, 2), (1, True), (1, "1"), (1, 1.0),
        (2, 0), (2, 3), (2, "AES"),
        (3, 0), (3, 4), (3, 256), (3, "KMS"),
        (4, ""), (4, b"id"), (4, 5),
        (5, ""), (5, 3),
        (6, bytes(15)), (6, bytes(17)), (6, "x" * 16),
        (7, b""), (7, "x"),
        (8, b""), (8, "x"), (8, None),
        (9, 0), (9, 4),
        (10, bytes(7)), (10, bytes(9)),
        (11, b""), (11, b"{" + b" " * 255 + b"}"), (11, b"no json"), (11, b'{"sseproxy":"x"}'),
        (12, False), (12, 1),
        (13, 0), (13, 4), (13, "single"),
        (14, bytes(31)), (14, bytes(33)), (14, "x" * 32),
        (15, b""), (15, bytes(15)), (15, bytes(513)),
        (16, 1), (63, b""), (0, 1), (-1, 1),
    ],
)  # fmt: skip
def test_a_field_that_is_not_as_it_must_be_is_refused(key: int, value: object) -> None:
    fields = fields_of(FULL)
    fields[key] = value

    with pytest.raises(EnvelopeRejected):
        decode_envelope(text_of(fields))


def test_fields_from_64_on_are_ignored() -> None:
    fields = {**fields_of(FULL), 64: "later", 200: [1, b"2"]}

    assert decode_envelope(text_of(fields)) == FULL


@pytest.mark.parametrize("algorithm", [Algorithm.SM4, Algorithm.KMS])
def test_an_envelope_of_suite_two_comes_back(algorithm: Algorithm) -> None:
    envelope = replace(PLAIN, suite=Suite.SM4_GCM, algorithm=algorithm)

    assert decode_envelope(encode_envelope(envelope)) == envelope
    assert fields_of(envelope)[2] == 2


@pytest.mark.parametrize(("suite", "algorithm"), [(2, 1), (1, 3), (2, 4)], ids=["AES256", "SM4", "CUSTOMER"])
def test_an_algorithm_with_another_ones_cipher_is_refused(suite: int, algorithm: int) -> None:
    with pytest.raises(EnvelopeRejected, match="its suite is not one of the algorithm's"):
        decode_envelope(text_of({**fields_of(PLAIN), 2: suite, 3: algorithm, 4: "customer"}))


@pytest.mark.parametrize("key", [6, 7])
def test_a_kek_and_its_id_come_together(key: int) -> None:
    fields = fields_of(FULL)
    del fields[key]

    with pytest.raises(EnvelopeRejected, match="together"):
        decode_envelope(text_of(fields))


def test_only_a_single_object_has_a_copy_of_the_footer() -> None:
    with pytest.raises(EnvelopeRejected, match="single"):
        decode_envelope(text_of({**fields_of(FULL), 13: 2}))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text + "=",
        lambda text: text + "A",
        lambda text: text[:-1],
        lambda text: text[:10] + "\n" + text[10:],
        lambda text: text[:10] + "+" + text[11:],
        lambda text: text[:10] + "/" + text[11:],
        lambda text: text[:10] + "é" + text[11:],
        lambda text: " " + text,
        lambda text: text + "AAAA",
        lambda text: "A" * 8193,
        lambda text: "A" * 8192,
        lambda text: "not an envelope",
    ],
)
def test_another_spelling_is_refused(spoil: Any) -> None:
    with pytest.raises(EnvelopeRejected):
        decode_envelope(spoil(encode_envelope(PLAIN)))


def test_base64_with_stray_bits_is_refused() -> None:
    text = encode_envelope(replace(PLAIN, key_id=PLAIN.key_id + "x" * ((1 - len(recovery_bytes(PLAIN))) % 3)))
    assert len(text) % 4 == 2
    last = text[-1]
    other = chr(ord(last) + 1)

    with pytest.raises(EnvelopeRejected):
        decode_envelope(text[:-1] + other)


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_no_flipped_bit_goes_unnoticed_unless_it_changes_a_field(at: int, bit: int) -> None:
    raw = bytearray(recovery_bytes(FULL))
    raw[at % len(raw)] ^= 1 << bit

    try:
        changed = decode_recovery(bytes(raw))
    except EnvelopeRejected:
        return

    assert changed != replace(FULL, footer=None)


@given(st.text(max_size=60))
def test_arbitrary_text_is_refused(text: str) -> None:
    with pytest.raises(EnvelopeRejected):
        decode_envelope(text)


def test_the_limit_counts_everything_but_the_copy() -> None:
    longest = replace(PLAIN, wrapped_key=bytes(975 - len(recovery_bytes(replace(PLAIN, wrapped_key=bytes(300)))) + 300))

    text = encode_envelope(longest)
    assert len(text) == MOST_ENVELOPE
    assert len(encode_envelope(replace(longest, footer=bytes(300)))) > MOST_ENVELOPE
    with pytest.raises(MetadataTooLarge):
        encode_envelope(replace(longest, wrapped_key=longest.wrapped_key + b"x"))


def test_the_copy_of_the_footer_is_the_first_to_go() -> None:
    whole = encode_envelope(FULL)
    bare = encode_envelope(replace(FULL, footer=None))

    assert encode_envelope_within(FULL, len(whole)) == whole
    assert encode_envelope_within(FULL, len(whole) - 1) == bare
    assert encode_envelope_within(FULL, len(bare)) == bare
    with pytest.raises(MetadataTooLarge):
        encode_envelope_within(FULL, len(bare) - 1)


@pytest.mark.parametrize(
    "wrong",
    [{"place": b"short"}, {"kek_id": None}, {"layout": Layout.MULTIPART}, {"commitment": b""}, {"key_id": ""}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_an_envelope_that_no_reader_takes_is_not_written(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is the reader's
        encode_envelope(replace(FULL, **wrong))


def test_the_recovery_record_is_the_envelope_without_the_copy() -> None:
    assert decode_recovery(recovery_bytes(FULL)) == replace(FULL, footer=None)


def test_an_envelope_shows_nothing_in_text() -> None:
    assert FULL.key_id not in repr(FULL)


def test_the_place_tells_bucket_and_key_apart() -> None:
    places = {place_of("b", "k"), place_of("bk", ""), place_of("", "bk"), place_of("b", "K"), place_of("b", "\udcff")}

    assert len(places) == 5
    assert {len(place) for place in places} == {8}
