"""Objects that an OSS SDK encrypted at the client, read in the clear where the proxy has the RSA key (OSS dossier §8).

Such an object is data like any other: it is sealed when it is written, and handed back as it was, ciphertext and
metadata, for the client to decrypt. With `encryption.client_key_files` a read is decrypted here instead, as soon as one
of those keys opens the object's content key. It has no tags: a store could have changed what was not sealed besides.
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
from sseproxy.operations.context import Services
from sseproxy.operations.pump import in_thread, pump
from sseproxy.wire.byte_ranges import parse_content_range
from sseproxy.wire.counter_mode import BLOCK, CounterMode

_PREFIX = "client-side-encryption-"  # behind the dialect's metadata prefix
_CIPHER = "AES/CTR/NoPadding"
_KEY = 32  # bytes of a content key
_PADDINGS: Mapping[str, AsymmetricPadding] = MappingProxyType(
    {
        "RSA/NONE/PKCS1Padding": PKCS1v15(),
        "RSA/NONE/OAEPWithSHA-1AndMGF1Padding": OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None),  # noqa: S303
    }
)


@dataclass(frozen=True, slots=True, repr=False)
class _ContentKey:
    """What an object's bytes were encrypted with: the key, and the counter of its first block."""

    key: bytes
    counter: bytes


async def in_the_clear(services: Services, answer: Response) -> Response:
    """Return an answer to GetObject or HeadObject decrypted, or as it is where no configured key is the object's."""
    prefix = services.dialect.meta_prefix + _PREFIX
    if not services.client_keys or prefix + "key" not in answer.headers or answer.status not in {200, 206}:
        return answer
    opened = await in_thread(services.digest_pool, _open, services.client_keys, answer.headers, prefix)
    if opened is None:
        services.observer.count("client_encrypted_reads_total", result="no_key")
        return answer
    services.observer.count("client_encrypted_reads_total", result="opened")
    stage = CounterMode(opened.key, opened.counter, _first_byte(answer.headers))
    if isinstance(answer.body, bytes):
        answer.body = await collect(pump(body_of(answer.body), stage), len(answer.body))
    else:
        answer.body = pump(answer.body, stage)
    answer.headers = _headers(services, answer.headers, prefix)
    return answer


def _open(keys: Sequence[RSAPrivateKey], headers: Mapping[str, str], prefix: str) -> _ContentKey | None:
    """Return the content key, None where the object was encrypted in another way or for another key."""
    padding = _PADDINGS.get(headers.get(prefix + "wrap-alg", ""))
    if padding is None or headers.get(prefix + "cek-alg") != _CIPHER:
        return None
    try:
        wrapped_key = b64decode(headers[prefix + "key"], validate=True)
        wrapped_counter = b64decode(headers[prefix + "start"], validate=True)
    except (KeyError, Base64Error, ValueError):
        return None
    for key in keys:
        content_key, counter = _unwrap(key, wrapped_key, padding), _unwrap(key, wrapped_counter, padding)
        # A wrong key gives an error, or, by the library's defence against padding oracles, random bytes of any length.
        if len(content_key) == _KEY and len(counter) == BLOCK and not any(counter[8:12]):
            return _ContentKey(content_key, counter)
    return None


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


def _headers(services: Services, headers: Mapping[str, str], prefix: str) -> CIMultiDict[str]:
    """Return the plaintext's headers: without what clients would decrypt by, and without the ciphertext's digests."""
    digests = {"content-md5", services.dialect.crc64_header}
    shown: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        lower = name.lower()
        if not lower.startswith(prefix) and lower not in digests and not _is_checksum(services, lower):
            shown.add(name, value)
    md5 = headers.get(prefix + "unencrypted-content-md5")
    if md5 is not None:
        shown["Content-MD5"] = md5
    return shown


def _is_checksum(services: Services, name: str) -> bool:
    return name.startswith(services.dialect.header("checksum-"))
