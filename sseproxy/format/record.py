"""The record of one part attempt, sealed, as text for an object key (docs/format.md, "Upload records")."""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag

from sseproxy.errors import StateRejected
from sseproxy.format.attributes import take_checksum
from sseproxy.format.codes import CHECKSUM_TYPES, CHECKSUMS
from sseproxy.format.framing import lp
from sseproxy.format.keys import ClosingKeys, DataKey
from sseproxy.format.layout import LARGEST_SEGMENT, MOST_SEGMENTS, SALT, TAG, VERSION
from sseproxy.format.packing import Fields, pack_map
from sseproxy.format.suites import aead_of
from sseproxy.model import Checksum, name_bytes

MOST_RECORD_TEXT: Final = 600  # characters, slashes included, docs/format.md, "Upload records"
LONGEST_RECORD_SEGMENT: Final = 200  # characters between slashes, docs/format.md, "Upload records"
MOST_BACKEND_ETAG: Final = 128  # bytes in UTF-8, docs/format.md, "Upload records"
MOST_ETAG: Final = 64  # bytes in UTF-8, docs/format.md, "Upload records"

_NUMBER_DIGITS = 5
_NONCE = bytes(12)  # the key is used once
_REFUSED = "The record of an uploaded part failed its integrity check."

# Field numbers: docs/format.md, "Upload records".
_VERSION, _NUMBER, _SIZE, _SALT, _MD5, _CRC64, _CRC64NVME = 1, 2, 3, 4, 5, 6, 7
_CHECKSUM, _CHECKSUM_TYPE, _CHECKSUM_VALUE, _BACKEND_ETAG, _KEPT, _ETAG = 8, 9, 10, 11, 12, 13


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRecord:
    """What Complete and ListParts need to know of one attempt of a part.

    `etag` is the client's, without quotes; `backend_etag` is the backend's as it came, empty for a kept part.
    """

    number: int
    plaintext_size: int
    salt: bytes
    md5: bytes | None
    crc64: int
    crc64nvme: int | None
    checksum: Checksum | None
    backend_etag: str
    kept: bool
    etag: str


def seal_record(
    key: DataKey, record: PartRecord, *, bucket: str, key_name: str, upload_id: str, _salt: bytes | None = None
) -> str:
    """Return a record as text that may stand in an object key: part number first, never twice the same.

    At most 600 characters of `A-Z a-z 0-9 - _ /`. Raises `ValueError` where a field is out of its range, for
    example an ETag too long.
    """
    plain = _pack(record)
    _unpack(plain)  # what no reader would take is not written
    salt = secrets.token_bytes(SALT) if _salt is None else _salt
    aad = _aad(bucket, key_name, upload_id, record.number)
    sealed = salt + aead_of(key.suite, key.record_key(salt)).encrypt(_NONCE, plain, aad)
    return _join(record.number, sealed)


def open_record(key: DataKey | ClosingKeys, text: str, *, bucket: str, key_name: str, upload_id: str) -> PartRecord:
    """Open a record's text. Raises `StateRejected` where it is damaged, of another upload, or no record."""
    if len(text) > MOST_RECORD_TEXT:
        raise StateRejected(_REFUSED)
    number, sealed = _split(text)
    salt, ciphertext = sealed[:SALT], sealed[SALT:]
    try:
        plain = aead_of(key.suite, key.record_key(salt)).decrypt(
            _NONCE, ciphertext, _aad(bucket, key_name, upload_id, number)
        )
        record = _unpack(plain)
    except (InvalidTag, ValueError) as cause:
        raise StateRejected(_REFUSED) from cause
    if record.number != number:
        raise StateRejected(_REFUSED)
    return record


def _aad(bucket: str, key_name: str, upload_id: str, number: int) -> bytes:
    return b"".join(lp(name_bytes(name)) for name in (bucket, key_name, upload_id)) + number.to_bytes(4, "big")


def _join(number: int, sealed: bytes) -> str:
    text = urlsafe_b64encode(sealed).rstrip(b"=").decode()
    chunks = [text[at : at + LONGEST_RECORD_SEGMENT] for at in range(0, len(text), LONGEST_RECORD_SEGMENT)]
    return "/".join([f"{number:0{_NUMBER_DIGITS}d}", *chunks])


def _split(text: str) -> tuple[int, bytes]:
    digits, _, rest = text.partition("/")
    encoded = rest.replace("/", "")
    try:
        number, sealed = int(digits), urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError as cause:
        raise StateRejected(_REFUSED) from cause
    if not 0 < number <= MOST_SEGMENTS or len(sealed) < SALT + TAG or _join(number, sealed) != text:
        raise StateRejected(_REFUSED)
    return number, sealed


def _pack(record: PartRecord) -> bytes:
    checksum = record.checksum
    return pack_map(
        {
            _VERSION: VERSION,
            _NUMBER: record.number,
            _SIZE: record.plaintext_size,
            _SALT: record.salt,
            _MD5: record.md5,
            _CRC64: record.crc64.to_bytes(8, "big"),
            _CRC64NVME: None if record.crc64nvme is None else record.crc64nvme.to_bytes(8, "big"),
            _CHECKSUM: None if checksum is None else CHECKSUMS.number(checksum.algorithm),
            _CHECKSUM_TYPE: None if checksum is None else CHECKSUM_TYPES.number(checksum.type),
            _CHECKSUM_VALUE: None if checksum is None else checksum.value,
            _BACKEND_ETAG: record.backend_etag or None,
            _KEPT: record.kept or None,
            _ETAG: record.etag,
        }
    )


def _unpack(plain: bytes) -> PartRecord:
    fields = Fields(plain)
    fields.integer(_VERSION, least=VERSION, most=VERSION)
    record = PartRecord(
        number=fields.integer(_NUMBER, least=1, most=MOST_SEGMENTS),
        plaintext_size=fields.integer(_SIZE, most=LARGEST_SEGMENT),
        salt=fields.fixed(_SALT, SALT),
        md5=fields.fixed(_MD5, 16) if _MD5 in fields else None,
        crc64=int.from_bytes(fields.fixed(_CRC64, 8), "big"),
        crc64nvme=int.from_bytes(fields.fixed(_CRC64NVME, 8), "big") if _CRC64NVME in fields else None,
        checksum=take_checksum(fields, _CHECKSUM, _CHECKSUM_TYPE, _CHECKSUM_VALUE),
        backend_etag=fields.text(_BACKEND_ETAG, least=1, most=MOST_BACKEND_ETAG) if _BACKEND_ETAG in fields else "",
        kept=fields.flag(_KEPT),
        etag=fields.text(_ETAG, least=1, most=MOST_ETAG),
    )
    fields.close()
    return record
