"""Objects that an OSS SDK encrypted at the client, read in the clear where the proxy has the key (OSS dossier §8).

Such an object is data like any other: it is sealed when it is written, and handed back as it was, ciphertext and
metadata, for the client to decrypt. With `encryption.client_key_files` or `encryption.client_kms_keys` a read is
decrypted here instead, as soon as one of those keys opens the object's content key. It has no tags: a store could have
changed what was not sealed besides.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1
from multidict import CIMultiDict

from sseproxy.exchange import Response, body_of
from sseproxy.operations.bodies import collect
from sseproxy.operations.client_kms import ClientKms
from sseproxy.operations.context import Services
from sseproxy.operations.pump import in_thread, pump
from sseproxy.wire.byte_ranges import parse_content_range
from sseproxy.wire.counter_mode import BLOCK, CounterMode

_PREFIX = "client-side-encryption-"  # behind the dialect's metadata prefix
_OLD = "oss-"  # the same in older oss2: oss-crypto-key, oss-crypto-start, oss-cek-alg, oss-wrap-alg
_OLD_CIPHERS = ("AES/GCM/NoPadding", "AES/CTR/NoPadding")  # CTR it is under either name (OSS dossier §8.7)
_MD5 = "unencrypted-content-md5"
_KMS = "KMS/ALICLOUD"
_MOST_DIGITS = 18  # of an old counter, which fits into 8 bytes so
_CIPHER = "AES/CTR/NoPadding"
_KEY = 32  # bytes of a content key
_OAEP = OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303
_PADDINGS: Mapping[str, AsymmetricPadding] = MappingProxyType(
    {
        "RSA/NONE/PKCS1Padding": PKCS1v15(),
        "RSA/NONE/OAEPWithSHA-1AndMGF1Padding": _OAEP,
    }
)


@dataclass(frozen=True, slots=True, repr=False)
class _ContentKey:
    """What an object's bytes were encrypted with: the key, and the counter of its first block."""

    key: bytes
    counter: bytes


@dataclass(frozen=True, slots=True)
class _Written:
    """What an object's metadata says of its encryption; `old` is the form that older releases of oss2 wrote."""

    wrap: str
    key: str
    start: str
    old: bool = False


async def in_the_clear(services: Services, answer: Response) -> Response:
    """Return an answer to GetObject or HeadObject decrypted, or as it is where no configured key is the object's."""
    if not (services.client_keys or services.client_kms) or answer.status not in {200, 206}:
        return answer
    written = _written(answer.headers, services.dialect.meta_prefix)
    if written is None:
        return answer
    opened = await _opened(services, written)
    if opened is None:
        services.observer.count("client_encrypted_reads_total", result="no_key")
        return answer
    services.observer.count("client_encrypted_reads_total", result="opened")
    stage = CounterMode(opened.key, opened.counter, _first_byte(answer.headers))
    if isinstance(answer.body, bytes):
        answer.body = await collect(pump(body_of(answer.body), stage), len(answer.body))
    else:
        answer.body = pump(answer.body, stage)
    answer.headers = _headers(services, answer.headers)
    return answer


def _written(headers: Mapping[str, str], prefix: str) -> _Written | None:
    """Read the metadata; None where there is none, or it tells of another cipher."""
    new, old = prefix + _PREFIX, prefix + _OLD
    if new + "key" in headers:
        if headers.get(new + "cek-alg") != _CIPHER:
            return None
        wrap, start = headers.get(new + "wrap-alg", ""), headers.get(new + "start", "")
        return _Written(wrap, headers[new + "key"], start)
    if old + "crypto-key" in headers and headers.get(old + "cek-alg") in _OLD_CIPHERS:
        wrap, start = headers.get(old + "wrap-alg", ""), headers.get(old + "crypto-start", "")
        return _Written(wrap, headers[old + "crypto-key"], start, old=True)
    return None


async def _opened(services: Services, written: _Written) -> _ContentKey | None:
    """Return the content key, None where the object was encrypted in another way or for another key."""
    if written.wrap == _KMS:
        return None if services.client_kms is None else await _open_by_kms(services.client_kms, written)
    return await in_thread(services.digest_pool, _open_by_rsa, services.client_keys, written)


async def _open_by_kms(kms: ClientKms, written: _Written) -> _ContentKey | None:
    content_key = await kms.open(written.key)
    counter = None if content_key is None else await kms.open(written.start)
    return None if content_key is None or counter is None else _checked(content_key, _new_counter(counter))


def _open_by_rsa(keys: Sequence[RSAPrivateKey], written: _Written) -> _ContentKey | None:
    padding = _OAEP if written.old and written.wrap == "rsa" else _PADDINGS.get(written.wrap)
    if padding is None:
        return None
    try:
        wrapped_key, wrapped_counter = b64decode(written.key, validate=True), b64decode(written.start, validate=True)
    except (Base64Error, ValueError):
        return None
    for key in keys:
        counter = _unwrap(key, wrapped_counter, padding)
        content_key = _unwrap(key, wrapped_key, padding)
        opened = _checked(content_key, _old_counter(counter) if written.old else _new_counter(counter))
        if opened is not None:
            return opened
    return None


def _checked(key: bytes, counter: bytes) -> _ContentKey | None:
    return _ContentKey(key, counter) if len(key) == _KEY and len(counter) == BLOCK else None


def _new_counter(counter: bytes) -> bytes:
    """Return the counter if it can be one: bytes 8 to 11 of every one that SDKs make are zero; nothing otherwise.

    A wrong RSA key gives an error, or, by the library's defence against padding oracles, random bytes of any length.
    """
    return b"" if any(counter[8:12]) else counter


def _old_counter(text: bytes) -> bytes:
    """Return the counter that oss2 wrote as a number in decimal digits; nothing for anything else."""
    if not (text.isdigit() and len(text) <= _MOST_DIGITS):
        return b""
    return int(text).to_bytes(BLOCK, "big")


def _unwrap(key: RSAPrivateKey, wrapped: bytes, padding: AsymmetricPadding) -> bytes:
    try:
        return key.decrypt(wrapped, padding)
    except ValueError:
        return b""


def _first_byte(headers: Mapping[str, str]) -> int:
    value = headers.get("Content-Range")
    if value is None:
        return 0
    found, _ = parse_content_range(value)
    return found.first


def _headers(services: Services, headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Return the plaintext's headers: without what clients would decrypt by, and without the ciphertext's digests."""
    prefix = services.dialect.meta_prefix
    hidden = (prefix + _PREFIX, prefix + _OLD + "c", prefix + _OLD + "wrap-alg")
    digests = {"content-md5", services.dialect.crc64_header}
    shown: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        lower = name.lower()
        if not lower.startswith(hidden) and lower not in digests and not _is_checksum(services, lower):
            shown.add(name, value)
    md5 = headers.get(f"{prefix}{_PREFIX}{_MD5}", headers.get(f"{prefix}{_OLD}crypto-{_MD5}"))
    if md5 is not None:
        shown["Content-MD5"] = md5
    return shown


def _is_checksum(services: Services, name: str) -> bool:
    return name.startswith(services.dialect.header("checksum-"))
