"""What the OSS service demands of the metadata that its SDKs write with objects they encrypted (OSS dossier §8.6).

The data key, the first counter and the names of the algorithms travel in `x-oss-meta-client-side-encryption-*`. Without
one of them nobody can decrypt, and a part in the wrong place decrypts to noise: part n begins at the counter of byte
(n - 1) * part size. So writes that would end so are refused. Values are compared as they were sent and never
understood, except for the two sizes, in bytes.
"""

from collections.abc import Iterable, Mapping

from sseproxy.dialect.base import Dialect
from sseproxy.errors import ClientEncryptionInvalid

CLIENT_ENCRYPTION = "client-side-encryption-"  # behind a dialect's metadata prefix
STORED = "sseproxy-client-"  # the same in the storage (docs/format.md, "Envelope")

Said = Mapping[str, str]  # what a request or an object says, by the names' endings; empty: nothing

_NEEDED = ("key", "start", "cek-alg", "wrap-alg")
_HMAC = "magic-number-hmac"
_NEEDS_HMAC = "rsa"  # of those that wrap keys, the one of SDKs long gone
_DATA_SIZE, _PART_SIZE = "data-size", "part-size"
_OF_UPLOADS = (*_NEEDED, _HMAC, _DATA_SIZE, _PART_SIZE)  # every part says the same of these
_BLOCK = 16  # bytes that one counter stands for
_MOST_PARTS = 10_000
_MOST_DIGITS = 18

_MISSING = "Miss some necessary client encryption meta parameters."
_SET_ONCE = "The parameters of client encryption are allowed to be set once."
_SIZE_INVALID = "The client encryption meta data_size or part_size is invalid."
_TOO_MANY_PARTS = "The parts count calculated by client encryption meta is too large."
_OTHER_META = "The client encryption meta is inconsistent with init_multipart setted."
_OTHER_LIST = "The client encryption part list is unexpected with init_multipart setted."
_NUMBER_TOO_LARGE = "The partId must less or equal to expectedPartNumber."
_OTHER_PART_SIZE = "The partSize must same with init_multipart setted except last part."
_OTHER_LAST_SIZE = "The last partSize must same with init_multipart setted."
_NO_PART_COPY = "Client encryption doesn't support upload part copy."


def said_in(headers: Mapping[str, str], dialect: Dialect) -> dict[str, str]:
    """Return what a request's or an object's headers say of a client's encryption.

    Nothing in a dialect that does not look at it.
    """
    if not dialect.client_encryption_checked:
        return {}
    prefix = dialect.meta_prefix + CLIENT_ENCRYPTION
    shown = ((shown_name(name.lower(), dialect), value) for name, value in headers.items())
    return {name.removeprefix(prefix): value for name, value in shown if name.startswith(prefix)}


def stored_name(name: str, dialect: Dialect) -> str:
    """Return what a header, in lower case, is called in the storage, beside an envelope.

    The OSS service holds parts to the sizes that are said here, and would not let the metadata be written anew; but the
    bytes that it gets are sealed ones, and their metadata is ours to change.
    """
    prefix = dialect.meta_prefix + CLIENT_ENCRYPTION
    if not dialect.client_encryption_checked or not name.startswith(prefix):
        return name
    return dialect.meta_prefix + STORED + name.removeprefix(prefix)


def shown_name(name: str, dialect: Dialect) -> str:
    """Return what a header of the storage, in lower case, is called towards clients: the opposite."""
    prefix = dialect.meta_prefix + STORED
    return dialect.meta_prefix + CLIENT_ENCRYPTION + name.removeprefix(prefix) if name.startswith(prefix) else name


def check_object(said: Said) -> None:
    """Raise `ClientEncryptionInvalid` where an object could not be decrypted by what is said with it."""
    if not said:
        return
    needed = (*_NEEDED, _HMAC) if said.get("wrap-alg") == _NEEDS_HMAC else _NEEDED
    if not all(said.get(name) for name in needed):
        raise ClientEncryptionInvalid(_MISSING)


def check_upload(said: Said) -> dict[str, str]:
    """Return what an upload is created with and its parts are held to. Raises `ClientEncryptionInvalid`.

    SDKs may leave the size of the data open, the size of the parts never.
    """
    check_object(said)
    if said and not said.get(_PART_SIZE):
        raise ClientEncryptionInvalid(_MISSING)
    if said:
        _parts_of(said)
    return {name: said[name] for name in _OF_UPLOADS if name in said}


def check_part(said: Said, upload: Said, number: int, length: int | None) -> None:
    """Raise `ClientEncryptionInvalid` where a part does not fit what its upload was created with.

    Some SDKs say with a part again what they said at the creation, all of it, and some say nothing. `length` is None
    where it was not announced; the completion looks at it then.
    """
    if said:
        check_object(said)
        if not said.get(_PART_SIZE):
            raise ClientEncryptionInvalid(_MISSING)
        if {name: said[name] for name in _OF_UPLOADS if name in said} != dict(upload):
            raise ClientEncryptionInvalid(_OTHER_META)
    if upload:
        _check_place(upload, number, length)


def check_completion(said: Said, upload: Said, parts: Iterable[tuple[int, int]]) -> None:
    """Raise `ClientEncryptionInvalid` where parts, numbers and sizes, are not those the upload was made for.

    They come in order and without gaps, because the counter of a part follows from its number.
    """
    for name in (_DATA_SIZE, _PART_SIZE):
        if name in said:
            _size(said[name])
    if any(upload.get(name) != said[name] for name in _OF_UPLOADS if name in said):
        raise ClientEncryptionInvalid(_OTHER_META)
    if not upload:
        return
    listed = list(parts)
    part_size, expected = _parts_of(upload)
    if [number for number, _ in listed] != list(range(1, (expected or len(listed)) + 1)):
        raise ClientEncryptionInvalid(_OTHER_LIST)
    for number, length in listed:
        _check_place(upload, number, length)
        if number < len(listed) and length != part_size:
            raise ClientEncryptionInvalid(_OTHER_PART_SIZE)


def check_part_copy(*said: Said) -> None:
    """Raise `ClientEncryptionInvalid` where the upload, the request or the source says anything."""
    if any(said):
        raise ClientEncryptionInvalid(_NO_PART_COPY)


def copied(said: Said, source: Said) -> Said:
    """Return what a copy says whose metadata the request replaces: what the source says stays as it is.

    Raises `ClientEncryptionInvalid` where the request says something else.
    """
    if not source:
        check_object(said)
        return said
    if any(source.get(name) != value for name, value in said.items()):
        raise ClientEncryptionInvalid(_SET_ONCE)
    return source


def _check_place(upload: Said, number: int, length: int | None) -> None:
    part_size, expected = _parts_of(upload)
    if expected is not None and number > expected:
        raise ClientEncryptionInvalid(_NUMBER_TOO_LARGE)
    if length is None:
        return
    if number == expected:
        if length != _size(upload[_DATA_SIZE]) - (number - 1) * part_size:
            raise ClientEncryptionInvalid(_OTHER_LAST_SIZE)
    elif length > part_size or (expected is not None and length != part_size):
        raise ClientEncryptionInvalid(_OTHER_PART_SIZE)


def _parts_of(said: Said) -> tuple[int, int | None]:
    """Return the size of the parts, and how many there are to be; None where the size of the data is left open."""
    part_size = _size(said[_PART_SIZE])
    if part_size == 0 or part_size % _BLOCK:
        raise ClientEncryptionInvalid(_SIZE_INVALID)
    if _DATA_SIZE not in said:
        return part_size, None
    expected = max(1, -(-_size(said[_DATA_SIZE]) // part_size))
    if expected > _MOST_PARTS:
        raise ClientEncryptionInvalid(_TOO_MANY_PARTS)
    return part_size, expected


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise ClientEncryptionInvalid(_SIZE_INVALID)
    return int(text)
