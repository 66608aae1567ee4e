"""Deciding a CompleteMultipartUpload: which attempts make the object, and what is then true of it.

Pure functions: records in, a plan out. Rules: docs/format.md, "Multipart"; S3 dossier §4.2, §4.3, §7.2.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import md5
from itertools import pairwise

from sseproxy.dialect.base import CompletedPart
from sseproxy.errors import EntityTooSmall, InvalidPart, InvalidPartOrder, InvalidRequest, MalformedXml, NoParts
from sseproxy.format import Attributes, PartRecord, SegmentEntry, fits
from sseproxy.model import CHECKSUM_WIDTHS, Checksum, ChecksumAlgorithm, ChecksumType, EtagMode, Layout
from sseproxy.operations.part_numbers import MOST_PARTS
from sseproxy.operations.uploads import Upload
from sseproxy.wire.digests import CRC64_XZ, composite, crc_combine, parse_checksum


def check_order(listed: Sequence[CompletedPart]) -> None:
    """Raise unless the list names 1 to 10,000 parts in strictly ascending order."""
    if not listed:
        raise NoParts
    if len(listed) > MOST_PARTS:
        raise MalformedXml("The list has more than 10,000 parts.")
    if any(later.number <= earlier.number for earlier, later in pairwise(listed)):
        raise InvalidPartOrder


def candidates(
    listed: Sequence[CompletedPart], records: Iterable[PartRecord], upload_id: str
) -> list[list[PartRecord]]:
    """Return, per listed part, the attempts whose client ETag is the listed one; never an empty list.

    Raises `InvalidPart` where a listed part was never sent, or with other bytes.
    """
    by_number: dict[int, list[PartRecord]] = {}
    for record in records:
        by_number.setdefault(record.number, []).append(record)
    found = []
    for part in listed:
        matching = [record for record in by_number.get(part.number, ()) if record.etag == part.etag.lower()]
        if not matching:
            raise missing_part(part, upload_id)
        found.append(matching)
    return found


def missing_part(part: CompletedPart, upload_id: str) -> InvalidPart:
    """Return the error for a listed part that cannot be used."""
    return InvalidPart(UploadId=upload_id, PartNumber=str(part.number), ETag=part.etag)


def check_sizes(chosen: Sequence[PartRecord], smallest_part: int) -> None:
    """Raise `EntityTooSmall` where a part other than the last is below the minimum, judged on plaintext."""
    for record in chosen[:-1]:
        if record.plaintext_size < smallest_part:
            raise EntityTooSmall(
                ProposedSize=str(record.plaintext_size),
                MinSizeAllowed=str(smallest_part),
                PartNumber=str(record.number),
                ETag=record.etag,
            )


def tail_number(chosen: Sequence[PartRecord], recorded: Iterable[PartRecord]) -> int:
    """Return the number of the part that closes the object.

    The kept last part's own number; else one above the last listed, or, where the backend already holds a part
    of that number, one above the highest that it holds. Part 10,000 never goes to the backend as it is, so the
    result is at most 10,000.
    """
    last = chosen[-1]
    if last.kept:
        return last.number
    at_backend = {record.number for record in recorded if not record.kept}
    return last.number + 1 if last.number + 1 not in at_backend else max(at_backend) + 1


def attributes_of(upload: Upload, chosen: Sequence[PartRecord]) -> Attributes:
    """Return what is true of the object that the chosen attempts make."""
    checksum = checksum_of(upload, chosen)
    segments = tuple(
        SegmentEntry(
            number=record.number,
            plaintext_size=record.plaintext_size,
            salt=record.salt,
            checksum=record.checksum.value if checksum is not None and record.checksum is not None else b"",
        )
        for record in chosen
    )
    attributes = Attributes(
        layout=Layout.MULTIPART,
        plaintext_size=sum(record.plaintext_size for record in chosen),
        segments=segments,
        crc64=_combined(CRC64_XZ, [(record.crc64, record.plaintext_size) for record in chosen]),
        md5=_md5_of_md5s(chosen) if upload.etag_mode is EtagMode.MD5 else None,
        part_count=len(chosen),
        checksum=checksum,
        crc64nvme=_crc64nvme(chosen),
    )
    if fits(attributes):
        return attributes
    return replace(attributes, segments=tuple(replace(entry, checksum=b"") for entry in segments))


def checksum_of(upload: Upload, chosen: Sequence[PartRecord]) -> Checksum | None:
    """Return the object's checksum of the upload's algorithm and type, None where it was created without."""
    algorithm, kind = upload.checksum_algorithm, upload.checksum_type
    if algorithm is None or kind is None:
        return None
    values = [record.checksum.value for record in chosen if record.checksum is not None]
    if len(values) != len(chosen):
        raise InvalidRequest("A part of this upload has no checksum of the upload's algorithm; upload it again.")
    if kind is ChecksumType.COMPOSITE:
        return Checksum(algorithm=algorithm, type=kind, value=composite(algorithm, values))
    sized = [
        (int.from_bytes(value, "big"), record.plaintext_size) for value, record in zip(values, chosen, strict=True)
    ]
    return Checksum(algorithm=algorithm, type=kind, value=_combined(algorithm, sized).to_bytes(len(values[0]), "big"))


def check_listed_checksums(upload: Upload, listed: Sequence[CompletedPart], chosen: Sequence[PartRecord]) -> None:
    """Compare the checksums in Complete's list with those of the parts (S3 dossier §4.2, §4.3).

    An upload with COMPOSITE checksums needs one for each part, and parts numbered from 1 without gaps.
    """
    needed = upload.checksum_algorithm if upload.checksum_type is ChecksumType.COMPOSITE else None
    for position, (part, record) in enumerate(zip(listed, chosen, strict=True), 1):
        if needed is not None and needed not in part.checksums:
            raise InvalidRequest(
                f"The upload was created using a {needed.value.lower()} checksum. The complete request must include "
                f"the checksum for each part. It was missing for part {part.number} in the request."
            )
        if needed is not None and part.number != position:
            raise missing_part(part, upload.upload_id)
        for algorithm, text in part.checksums.items():
            known = known_checksum(record, algorithm)
            if known is not None and known != parse_checksum(algorithm, text):
                raise missing_part(part, upload.upload_id)


def etag_from_list(listed: Sequence[CompletedPart]) -> bytes | None:
    """Return the MD5 over the listed ETags as MD5s, None where one is no MD5."""
    digest = md5(usedforsecurity=False)
    for part in listed:
        try:
            value = bytes.fromhex(part.etag)
        except ValueError:
            return None
        if len(value) != digest.digest_size:
            return None
        digest.update(value)
    return digest.digest()


def known_checksum(of: Attributes | PartRecord, algorithm: ChecksumAlgorithm) -> bytes | None:
    """Return a checksum of an object or a part, None where it has none of that algorithm."""
    if of.checksum is not None and of.checksum.algorithm is algorithm:
        return of.checksum.value
    if algorithm is ChecksumAlgorithm.CRC64NVME and of.crc64nvme is not None:
        return of.crc64nvme.to_bytes(CHECKSUM_WIDTHS[algorithm], "big")
    return None


def _md5_of_md5s(chosen: Sequence[PartRecord]) -> bytes:
    digest = md5(usedforsecurity=False)
    for record in chosen:
        if record.md5 is None:
            raise InvalidRequest(f"Part {record.number} of this upload has no MD5; upload it again.")
        digest.update(record.md5)
    return digest.digest()


def _crc64nvme(chosen: Sequence[PartRecord]) -> int | None:
    sized = [(record.crc64nvme, record.plaintext_size) for record in chosen if record.crc64nvme is not None]
    return _combined(ChecksumAlgorithm.CRC64NVME, sized) if len(sized) == len(chosen) else None


def _combined(algorithm: ChecksumAlgorithm | str, sized: Sequence[tuple[int, int]]) -> int:
    total = sized[0][0]
    for crc, plaintext_size in sized[1:]:
        total = crc_combine(algorithm, total, crc, plaintext_size)
    return total
