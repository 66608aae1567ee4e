"""What OSS demands of client-side-encryption metadata, rule by rule (OSS dossier §8.6)."""

import pytest
from multidict import CIMultiDict

from sseproxy.dialect.oss import OSS
from sseproxy.dialect.s3 import S3
from sseproxy.errors import ClientEncryptionInvalid
from sseproxy.policy.client_encryption import (
    check_completion,
    check_object,
    check_part,
    check_part_copy,
    check_upload,
    copied,
    said_in,
    shown_name,
    stored_name,
)

SET = {"key": "a2V5", "start": "c3RhcnQ=", "cek-alg": "AES/CTR/NoPadding", "wrap-alg": "RSA/NONE/PKCS1Padding"}
SIZES = {"data-size": "250", "part-size": "112"}
UPLOAD = SET | SIZES  # of three parts: 112, 112 and 26 bytes
OPEN = SET | {"part-size": "112"}  # how much there will be is left open

MISSING = "Miss some necessary client encryption meta parameters."
SIZE_INVALID = "The client encryption meta data_size or part_size is invalid."
TOO_MANY = "The parts count calculated by client encryption meta is too large."
OTHER_META = "The client encryption meta is inconsistent with init_multipart setted."
OTHER_LIST = "The client encryption part list is unexpected with init_multipart setted."
NUMBER = "The partId must less or equal to expectedPartNumber."
PART_SIZE = "The partSize must same with init_multipart setted except last part."
LAST_SIZE = "The last partSize must same with init_multipart setted."
SET_ONCE = "The parameters of client encryption are allowed to be set once."
NO_PART_COPY = "Client encryption doesn't support upload part copy."


def without(said: dict[str, str], name: str) -> dict[str, str]:
    return {found: value for found, value in said.items() if found != name}


# ---- what is said ----


def test_what_headers_say_is_found_in_any_case_and_named_by_its_ending() -> None:
    headers = CIMultiDict(
        {"X-Oss-Meta-Client-Side-Encryption-Key": "K", "x-oss-meta-own": "1", "x-oss-meta-oss-crypto-key": "old"}
    )

    assert said_in(headers, OSS) == {"key": "K"}


def test_the_s3_dialect_looks_at_nothing_of_it() -> None:
    assert said_in(CIMultiDict({"x-amz-meta-client-side-encryption-key": "K"}), S3) == {}


def test_the_storage_knows_it_by_another_name_which_is_understood_too() -> None:
    name = "x-oss-meta-client-side-encryption-key"
    stored = stored_name(name, OSS)

    assert stored == "x-oss-meta-sseproxy-client-key"
    assert shown_name(stored, OSS) == shown_name(name, OSS) == name
    assert said_in(CIMultiDict({stored.title(): "K"}), OSS) == {"key": "K"}
    for other in ("x-oss-meta-own", "content-type", "x-oss-meta-sseproxy", "x-oss-meta-sseproxy-other"):
        assert stored_name(other, OSS) == shown_name(other, OSS) == other


def test_s3_storages_know_it_by_its_own_name() -> None:
    assert stored_name("x-amz-meta-client-side-encryption-key", S3) == "x-amz-meta-client-side-encryption-key"


# ---- objects ----


@pytest.mark.parametrize("said", [{}, SET, SET | {"matdesc": "{}", "unencrypted-content-length": "nonsense"}])
def test_an_object_says_nothing_or_everything_that_is_needed(said: dict[str, str]) -> None:
    check_object(said)


@pytest.mark.parametrize("name", SET)
def test_an_object_without_one_of_the_four_is_refused(name: str) -> None:
    with pytest.raises(ClientEncryptionInvalid, match=MISSING):
        check_object(without(SET, name))
    with pytest.raises(ClientEncryptionInvalid, match=MISSING):
        check_object(SET | {name: ""})


def test_the_old_rsa_wrap_needs_its_hmac() -> None:
    check_object(SET | {"wrap-alg": "rsa", "magic-number-hmac": "h"})

    with pytest.raises(ClientEncryptionInvalid, match=MISSING):
        check_object(SET | {"wrap-alg": "rsa"})


# ---- uploads ----


@pytest.mark.parametrize(
    "said", [{}, UPLOAD, OPEN, UPLOAD | {"wrap-alg": "rsa", "magic-number-hmac": "h"}, SET | {"part-size": "16"}]
)
def test_an_upload_keeps_what_its_parts_are_held_to(said: dict[str, str]) -> None:
    assert check_upload(said | ({"matdesc": "{}"} if said else {})) == said


@pytest.mark.parametrize("name", [*SET, "part-size"])
def test_an_upload_without_one_that_is_needed_is_refused(name: str) -> None:
    with pytest.raises(ClientEncryptionInvalid, match=MISSING):
        check_upload(without(UPLOAD, name))


@pytest.mark.parametrize("part_size", ["0", "1", "15", "17", "9x5.2", "-16", "1e3", " 16", "१६", "1" + 18 * "6"])
def test_the_part_size_is_a_multiple_of_the_block(part_size: str) -> None:
    with pytest.raises(ClientEncryptionInvalid, match=SIZE_INVALID):
        check_upload(OPEN | {"part-size": part_size})


@pytest.mark.parametrize("data_size", ["9x5.2", "-1", "", "1" * 19])
def test_the_data_size_is_an_integer(data_size: str) -> None:
    with pytest.raises(ClientEncryptionInvalid, match=SIZE_INVALID):
        check_upload(UPLOAD | {"data-size": data_size})


def test_an_upload_is_for_ten_thousand_parts_at_most() -> None:
    check_upload(SET | {"part-size": "16", "data-size": "160000"})

    with pytest.raises(ClientEncryptionInvalid, match=TOO_MANY):
        check_upload(SET | {"part-size": "16", "data-size": "160001"})


# ---- parts ----


@pytest.mark.parametrize("said", [{}, UPLOAD, UPLOAD | {"matdesc": "new", "unencrypted-content-md5": "of this part"}])
@pytest.mark.parametrize(("number", "length"), [(1, 112), (2, 112), (3, 26), (1, None), (3, None)])
def test_a_part_says_nothing_or_what_the_upload_says(said: dict[str, str], number: int, length: int | None) -> None:
    check_part(said, UPLOAD, number, length)


@pytest.mark.parametrize("name", [*SET, "part-size"])
def test_a_part_that_says_only_some_is_refused(name: str) -> None:
    with pytest.raises(ClientEncryptionInvalid, match=MISSING):
        check_part(without(UPLOAD, name), UPLOAD, 1, 112)


@pytest.mark.parametrize(
    "changed",
    [
        {"key": "bw=="},
        {"start": "bw=="},
        {"cek-alg": "other"},
        {"wrap-alg": "other"},
        {"magic-number-hmac": "h"},
        {"data-size": "251"},
        {"part-size": "128"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_part_that_says_something_else_than_its_upload_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(ClientEncryptionInvalid, match=OTHER_META):
        check_part(UPLOAD | changed, UPLOAD, 1, 112)


def test_a_part_of_an_upload_that_says_nothing_says_nothing() -> None:
    check_part({}, {}, 10_000, 5)

    with pytest.raises(ClientEncryptionInvalid, match=OTHER_META):
        check_part(UPLOAD, {}, 1, 112)


@pytest.mark.parametrize("length", [0, None])
def test_a_part_behind_the_last_is_refused(length: int | None) -> None:
    with pytest.raises(ClientEncryptionInvalid, match=NUMBER):
        check_part({}, UPLOAD, 4, length)


@pytest.mark.parametrize("length", [0, 111, 113])
def test_a_part_of_another_size_is_refused(length: int) -> None:
    with pytest.raises(ClientEncryptionInvalid, match=PART_SIZE):
        check_part({}, UPLOAD, 2, length)


@pytest.mark.parametrize("length", [0, 25, 27, 112])
def test_a_last_part_of_another_size_is_refused(length: int) -> None:
    with pytest.raises(ClientEncryptionInvalid, match=LAST_SIZE):
        check_part({}, UPLOAD, 3, length)


def test_where_the_data_size_is_open_any_part_may_be_the_last() -> None:
    for length in (0, 1, 112, None):
        check_part({}, OPEN, 7, length)

    with pytest.raises(ClientEncryptionInvalid, match=PART_SIZE):
        check_part({}, OPEN, 7, 113)


def test_an_upload_of_nothing_has_one_empty_part() -> None:
    empty = UPLOAD | {"data-size": "0"}

    check_part({}, empty, 1, 0)
    check_completion({}, empty, [(1, 0)])

    with pytest.raises(ClientEncryptionInvalid, match=LAST_SIZE):
        check_part({}, empty, 1, 1)


# ---- completion ----


@pytest.mark.parametrize("said", [{}, SIZES, UPLOAD])
def test_a_completion_lists_every_part(said: dict[str, str]) -> None:
    check_completion(said, UPLOAD, [(1, 112), (2, 112), (3, 26)])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([(1, 112), (2, 112)], OTHER_LIST),
        ([(1, 112), (3, 26)], OTHER_LIST),
        ([(1, 112), (2, 112), (3, 26), (4, 1)], OTHER_LIST),
        ([(2, 112), (3, 112), (4, 26)], OTHER_LIST),
        ([(1, 112), (2, 96), (3, 26)], PART_SIZE),
        ([(1, 112), (2, 112), (3, 25)], LAST_SIZE),
    ],
)
def test_a_completion_of_other_parts_is_refused(parts: list[tuple[int, int]], message: str) -> None:
    with pytest.raises(ClientEncryptionInvalid, match=message):
        check_completion({}, UPLOAD, parts)


def test_where_the_data_size_is_open_parts_have_no_gaps_and_all_but_the_last_are_full() -> None:
    check_completion({}, OPEN, [(1, 112), (2, 5)])

    with pytest.raises(ClientEncryptionInvalid, match=OTHER_LIST):
        check_completion({}, OPEN, [(1, 112), (3, 5)])
    with pytest.raises(ClientEncryptionInvalid, match=PART_SIZE):
        check_completion({}, OPEN, [(1, 5), (2, 112)])
    with pytest.raises(ClientEncryptionInvalid, match=PART_SIZE):
        check_completion({}, OPEN, [(1, 112), (2, 113)])


@pytest.mark.parametrize("name", ["data-size", "part-size"])
def test_sizes_in_a_completion_are_integers_and_the_uploads(name: str) -> None:
    parts = [(1, 112), (2, 112), (3, 26)]
    with pytest.raises(ClientEncryptionInvalid, match=SIZE_INVALID):
        check_completion({name: "9x5.2"}, UPLOAD, parts)
    with pytest.raises(ClientEncryptionInvalid, match=OTHER_META):
        check_completion({name: "96"}, UPLOAD, parts)


def test_a_completion_of_an_upload_that_says_nothing_is_free() -> None:
    check_completion({}, {}, [(3, 1), (9, 2)])


# ---- copies ----


def test_parts_are_never_copied_where_anything_is_said() -> None:
    check_part_copy({}, {}, {})

    for place in range(3):
        said: list[dict[str, str]] = [{}, {}, {}]
        said[place] = {"key": "K"}
        with pytest.raises(ClientEncryptionInvalid, match=NO_PART_COPY):
            check_part_copy(*said)


@pytest.mark.parametrize("said", [{}, {"key": SET["key"]}, SET, UPLOAD | {"matdesc": "{}"}])
def test_a_copy_with_new_metadata_says_what_its_source_says(said: dict[str, str]) -> None:
    source = UPLOAD | {"matdesc": "{}"}

    assert copied(said, source) == source


@pytest.mark.parametrize("said", [SET | {"key": "bw=="}, {"matdesc": "new"}, {"key": ""}])
def test_a_copy_that_says_something_else_than_its_source_is_refused(said: dict[str, str]) -> None:
    with pytest.raises(ClientEncryptionInvalid, match=SET_ONCE):
        copied(said, SET)


def test_a_copy_of_what_says_nothing_may_say_it_once_and_whole() -> None:
    assert copied({}, {}) == {}
    assert copied(SET, {}) == SET

    with pytest.raises(ClientEncryptionInvalid, match=MISSING):
        copied({"key": "K"}, {})
