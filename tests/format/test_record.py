"""Upload records: round trip through an object key, bounds, and every damage."""

import re
from base64 import urlsafe_b64encode
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.errors import StateRejected
from sseproxy.format import MOST_RECORD_TEXT, DataKey, PartRecord, lp, open_record, record, seal_record
from sseproxy.model import Checksum, ChecksumAlgorithm, ChecksumType

KEY = DataKey(bytes(range(32)))
PLACE: dict[str, Any] = {"bucket": "b", "key_name": "k/ä\udcff", "upload_id": "u-1"}
SMALL = PartRecord(
    number=1,
    plaintext_size=0,
    salt=bytes(32),
    md5=None,
    crc64=0,
    crc64nvme=None,
    checksum=None,
    backend_etag="",
    kept=True,
    etag="0" * 32,
)
LARGEST = PartRecord(
    number=10_000,
    plaintext_size=2**40 - 1,
    salt=b"\xff" * 32,
    md5=b"\xff" * 16,
    crc64=2**64 - 1,
    crc64nvme=2**64 - 1,
    checksum=Checksum(algorithm=ChecksumAlgorithm.SHA512, type=ChecksumType.COMPOSITE, value=b"\xff" * 64),
    backend_etag="e" * 128,
    kept=True,
    etag="c" * 64,
)

CHECKSUMS = st.none() | st.builds(
    Checksum,
    algorithm=st.just(ChecksumAlgorithm.CRC32),
    type=st.sampled_from(ChecksumType),
    value=st.binary(min_size=4, max_size=4),
)


@given(
    st.builds(
        PartRecord,
        number=st.integers(1, 10_000),
        plaintext_size=st.integers(0, 2**40 - 1),
        salt=st.binary(min_size=32, max_size=32),
        md5=st.none() | st.binary(min_size=16, max_size=16),
        crc64=st.integers(0, 2**64 - 1),
        crc64nvme=st.none() | st.integers(0, 2**64 - 1),
        checksum=CHECKSUMS,
        backend_etag=st.text('abc"-/ä', max_size=40),
        kept=st.booleans(),
        etag=st.text("0123456789abcdef-", min_size=1, max_size=40),
    )
)
def test_every_record_comes_back(record: PartRecord) -> None:
    assert open_record(KEY, seal_record(KEY, record, **PLACE), **PLACE) == record


@pytest.mark.parametrize("record", [SMALL, LARGEST], ids=["small", "largest"])
def test_the_text_may_stand_in_an_object_key(record: PartRecord) -> None:
    text = seal_record(KEY, record, **PLACE)

    number, *segments = text.split("/")
    assert number == f"{record.number:05d}"
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,200}", segment) for segment in segments)
    assert len(text) <= MOST_RECORD_TEXT


def test_the_largest_state_key_stays_within_the_limit_of_a_key() -> None:
    folder = f"uploads/{'0' * 64}/parts/"

    assert len(seal_record(KEY, LARGEST, **PLACE)) == 558
    assert len(folder) + MOST_RECORD_TEXT <= 1_024 - 340  # what a configured prefix may take


def test_no_two_attempts_share_a_text() -> None:
    texts = {seal_record(KEY, SMALL, **PLACE) for _ in range(50)}

    assert len(texts) == 50


def test_texts_sort_by_part_number() -> None:
    numbers = [10_000, 1, 99, 100, 2]

    texts = sorted(seal_record(KEY, replace(SMALL, number=number), **PLACE) for number in numbers)

    assert [int(text.split("/")[0]) for text in texts] == sorted(numbers)


@pytest.mark.parametrize("changed", ["bucket", "key_name", "upload_id"])
def test_a_record_of_another_upload_is_refused(changed: str) -> None:
    text = seal_record(KEY, SMALL, **PLACE)

    with pytest.raises(StateRejected):
        open_record(KEY, text, **{**PLACE, changed: "other"})


def test_names_cannot_run_into_each_other() -> None:
    text = seal_record(KEY, SMALL, bucket="ab", key_name="c", upload_id="u")

    with pytest.raises(StateRejected):
        open_record(KEY, text, bucket="a", key_name="bc", upload_id="u")


def test_a_record_under_another_key_is_refused() -> None:
    with pytest.raises(StateRejected):
        open_record(DataKey(bytes(32)), seal_record(KEY, SMALL, **PLACE), **PLACE)


def test_a_record_cannot_change_its_part_number() -> None:
    text = seal_record(KEY, SMALL, **PLACE)

    with pytest.raises(StateRejected):
        open_record(KEY, "00002" + text[5:], **PLACE)


def test_a_record_sealed_under_another_number_than_its_own_is_refused() -> None:
    # Nobody without the key can make one; a sealer with a mistake could.
    salt, number = bytes(32), 2
    names = (b"b", b"k/\xc3\xa4\xff", b"u-1")
    aad = b"".join(map(lp, names)) + number.to_bytes(4, "big")
    sealed = salt + AESGCM(KEY.record_key(salt)).encrypt(bytes(12), record._pack(SMALL), aad)
    text = urlsafe_b64encode(sealed).rstrip(b"=").decode()

    with pytest.raises(StateRejected):
        open_record(KEY, f"00002/{text}", **PLACE)


def test_no_character_of_the_text_can_change() -> None:
    text = seal_record(KEY, SMALL, **PLACE)

    for at, character in enumerate(text):
        other = "B" if character == "A" else "A"
        with pytest.raises(StateRejected):
            open_record(KEY, text[:at] + other + text[at + 1 :], **PLACE)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: "00001",
        lambda text: "00001/",
        lambda text: text[1:],
        lambda text: "0" + text,
        lambda text: text + "/",
        lambda text: text + "AAAA",
        lambda text: text[:-1],
        lambda text: text[:-4],
        lambda text: text.replace("/", "//"),
        lambda text: text[:50] + "/" + text[50:],
        lambda text: text + "=",
        lambda text: text[:20] + "é" + text[20:],
        lambda text: "-0001" + text[5:],
        lambda text: " 0001" + text[5:],
        lambda text: "0_001" + text[5:],
        lambda text: "\u0660\u0660\u0660\u0660\u0661" + text[5:],
        lambda text: "99999" + text[5:],
        lambda text: "A" * 601,
        lambda text: "00001/" + "A" * 590,
    ],
)
def test_another_spelling_is_refused(spoil: Any) -> None:
    with pytest.raises(StateRejected):
        open_record(KEY, spoil(seal_record(KEY, SMALL, **PLACE)), **PLACE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": 0},
        {"number": 10_001},
        {"plaintext_size": 2**40},
        {"salt": bytes(31)},
        {"md5": bytes(15)},
        {"backend_etag": "e" * 129},
        {"etag": ""},
        {"etag": "c" * 65},
    ],
    ids=str,
)
def test_a_record_that_no_reader_takes_is_not_written(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the fact matters, not the words
        seal_record(KEY, replace(SMALL, **wrong), **PLACE)


def test_the_same_salt_gives_the_same_text() -> None:
    first, second = (seal_record(KEY, SMALL, **PLACE, _salt=bytes(32)) for _ in range(2))

    assert first == second
    assert first.split("/")[1].startswith(urlsafe_b64encode(bytes(30)).decode())
