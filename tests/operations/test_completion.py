from hashlib import md5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.dialect.base import CompletedPart
from sseproxy.errors import EntityTooSmall, InvalidPart, InvalidPartOrder, InvalidRequest, NoParts
from sseproxy.format import DataKey, Envelope, PartRecord, check_attributes
from sseproxy.model import (
    Algorithm,
    Binding,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    EtagMode,
    Layout,
    ObjectRef,
    Suite,
)
from sseproxy.operations.completion import (
    attributes_of,
    candidates,
    check_listed_checksums,
    check_order,
    check_sizes,
    etag_from_list,
    tail_number,
)
from sseproxy.operations.uploads import Upload
from sseproxy.wire.digests import Digests, composite, digest_of

_SMALLEST = 100 * 1024


def _upload(
    mode: EtagMode = EtagMode.MD5,
    algorithm: ChecksumAlgorithm | None = None,
    kind: ChecksumType | None = None,
) -> Upload:
    envelope = Envelope(
        suite=Suite.AES_256_GCM, algorithm=Algorithm.AES256, key_id="k", wrapped_key=b"w", binding=Binding.BUCKET_KEY,
        place=bytes(8), layout=Layout.MULTIPART, commitment=DataKey(bytes(range(32))).commitment,
    )  # fmt: skip
    return Upload(
        ref=ObjectRef("b", "k"), upload_id="u", envelope=envelope, etag_mode=mode, checksum_algorithm=algorithm,
        checksum_type=kind,
    )  # fmt: skip


def _record(number: int, body: bytes, *, kept: bool = False, algorithm: ChecksumAlgorithm | None = None) -> PartRecord:
    digests = Digests(md5=True, crc64=True, algorithms=frozenset({ChecksumAlgorithm.CRC64NVME}))
    digests.update(body)
    value = None
    if algorithm is not None:
        value = Checksum(algorithm=algorithm, type=ChecksumType.FULL_OBJECT, value=digest_of(algorithm, body))
    return PartRecord(
        number=number, plaintext_size=len(body), salt=bytes([number % 256]) * 32, md5=digests.md5, crc64=digests.crc64,
        crc64nvme=int.from_bytes(digests.checksum(ChecksumAlgorithm.CRC64NVME), "big"), checksum=value,
        backend_etag="" if kept else f"backend-{number}", kept=kept, etag=md5(body).hexdigest(),
    )  # fmt: skip


def _listed(*records: PartRecord) -> list[CompletedPart]:
    return [CompletedPart(number=record.number, etag=record.etag.upper()) for record in records]


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(NoParts, match=r"^You must specify at least one part$"):
        check_order([])


@pytest.mark.parametrize("numbers", [[2, 1], [1, 1], [1, 3, 2]])
def test_a_list_that_does_not_ascend_is_refused(numbers: list[int]) -> None:
    with pytest.raises(InvalidPartOrder):
        check_order([CompletedPart(number=number, etag="e") for number in numbers])


def test_an_attempt_is_found_by_its_etag_whatever_the_case() -> None:
    first, second = _record(1, b"first"), _record(1, b"second")

    assert candidates(_listed(second), [first, second], "u") == [[second]]


def test_a_part_with_another_etag_or_none_is_named_in_the_error() -> None:
    with pytest.raises(InvalidPart) as refused:
        candidates([CompletedPart(number=7, etag="abc")], [_record(7, b"x")], "the-upload")

    assert refused.value.details == {"UploadId": "the-upload", "PartNumber": "7", "ETag": "abc"}


def test_only_the_last_part_may_be_small() -> None:
    big, small = _record(1, bytes(_SMALLEST)), _record(2, b"x")

    check_sizes([big, small], _SMALLEST)
    with pytest.raises(EntityTooSmall) as refused:
        check_sizes([small, big], _SMALLEST)
    assert refused.value.details["ProposedSize"] == "1"
    assert refused.value.details["MinSizeAllowed"] == str(_SMALLEST)


def test_the_tail_follows_the_last_part_or_takes_its_place() -> None:
    one, two, kept = _record(1, b"a"), _record(2, b"b"), _record(9, b"c", kept=True)

    assert tail_number([one, two], [one, two]) == 3
    assert tail_number([one, kept], [one, kept]) == 9


def test_the_tail_never_takes_the_place_of_a_part_that_was_left_out() -> None:
    one, two, five = _record(1, b"a"), _record(2, b"b"), _record(5, b"c")

    assert tail_number([one], [one, two, five]) == 6
    assert tail_number([one, two], [one, two, five]) == 3


def test_part_ten_thousand_leaves_room_for_nothing_behind_it() -> None:
    last = _record(10_000, b"x", kept=True)

    assert tail_number([last], [last, _record(9_999, b"y")]) == 10_000


@given(st.lists(st.integers(_SMALLEST, _SMALLEST + 5), min_size=1, max_size=3), st.integers(0, 70))
def test_attributes_are_those_of_the_joined_parts(sizes: list[int], last: int) -> None:
    bodies = [bytes([index]) * size for index, size in enumerate([*sizes, last], 1)]
    records = [_record(number, body) for number, body in enumerate(bodies, 1)]
    whole = Digests(md5=False, crc64=True, algorithms=frozenset({ChecksumAlgorithm.CRC64NVME}))
    whole.update(b"".join(bodies))

    attributes = attributes_of(_upload(), records)

    check_attributes(attributes)
    assert attributes.plaintext_size == sum(map(len, bodies))
    assert attributes.crc64 == whole.crc64
    assert attributes.crc64nvme == int.from_bytes(whole.checksum(ChecksumAlgorithm.CRC64NVME), "big")
    assert attributes.md5 == md5(b"".join(md5(body).digest() for body in bodies)).digest()
    assert attributes.part_count == len(bodies)
    assert etag_from_list(_listed(*records)) == attributes.md5


def test_composite_and_full_checksums_are_made_of_the_parts() -> None:
    bodies = [b"a" * _SMALLEST, b"b"]
    crc, sha = ChecksumAlgorithm.CRC32, ChecksumAlgorithm.SHA256
    crcs = [_record(number, body, algorithm=crc) for number, body in enumerate(bodies, 1)]
    shas = [_record(number, body, algorithm=sha) for number, body in enumerate(bodies, 1)]

    full = attributes_of(_upload(algorithm=crc, kind=ChecksumType.FULL_OBJECT), crcs)
    joined = attributes_of(_upload(algorithm=sha, kind=ChecksumType.COMPOSITE), shas)

    assert full.checksum == Checksum(
        algorithm=crc, type=ChecksumType.FULL_OBJECT, value=digest_of(crc, b"".join(bodies))
    )
    assert joined.checksum == Checksum(
        algorithm=sha, type=ChecksumType.COMPOSITE, value=composite(sha, [digest_of(sha, body) for body in bodies])
    )
    assert [entry.checksum for entry in joined.segments] == [digest_of(sha, body) for body in bodies]


def test_opaque_uploads_have_no_md5() -> None:
    assert attributes_of(_upload(EtagMode.OPAQUE), [_record(1, b"x")]).md5 is None


def test_a_composite_upload_needs_every_checksum_in_the_list() -> None:
    upload = _upload(algorithm=ChecksumAlgorithm.CRC32, kind=ChecksumType.COMPOSITE)
    record = _record(1, b"x", algorithm=ChecksumAlgorithm.CRC32)

    with pytest.raises(InvalidRequest) as refused:
        check_listed_checksums(upload, _listed(record), [record])

    assert refused.value.message == (
        "The upload was created using a crc32 checksum. The complete request must include the checksum for each part. "
        "It was missing for part 1 in the request."
    )


def test_a_listed_checksum_of_other_bytes_is_refused() -> None:
    record = _record(1, b"x", algorithm=ChecksumAlgorithm.CRC32)
    part = CompletedPart(number=1, etag=record.etag, checksums={ChecksumAlgorithm.CRC32: "AAAAAA=="})

    with pytest.raises(InvalidPart):
        check_listed_checksums(_upload(), [part], [record])


@pytest.mark.parametrize("etag", ["xyz", "abcd", "d41d8cd98f00b204e9800998ecf8427e-2"])
def test_a_list_with_other_etags_than_md5s_has_no_md5(etag: str) -> None:
    assert etag_from_list([CompletedPart(number=1, etag=etag)]) is None
