"""Objects that an OSS SDK encrypted at the client, read in the clear where the proxy has the key (OSS dossier §8).

Such an object is data like any other: it is sealed when it is written, and handed back as it was, ciphertext and
metadata, for the client to decrypt. With `encryption.client_key_files` or `encryption.client_kms_keys` a read is
decrypted here instead, as soon as one of those keys opens the object's content key. It has no tags: a store could have
changed what was not sealed besides.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1
from multidict import CIMultiDict

from sseproxy.errors import KeyAccessRefused
from sseproxy.exchange import Response, body_of
from sseproxy.model import ObjectRef
from sseproxy.operations.bodies import collect
from sseproxy.operations.client_content_key import (
    ContentKey,
    WrittenKey,
    plaintext_md5,
    tells_of_encryption,
    written_key,
)
from sseproxy.operations.client_kms import KMS_WRAPS
from sseproxy.operations.context import Services
from sseproxy.operations.pump import in_thread, pump
from sseproxy.wire.byte_ranges import parse_content_range
from sseproxy.wire.counter_mode import CounterMode

_OAEP = OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303
_PADDINGS: Mapping[tuple[bool, str], AsymmetricPadding] = MappingProxyType(  # by what `WrittenKey.old` and `wrap` say
    {
        (False, "RSA/NONE/PKCS1Padding"): PKCS1v15(),
        (False, "RSA/NONE/OAEPWithSHA-1AndMGF1Padding"): _OAEP,
        (True, "rsa"): _OAEP,
    }
)


async def in_the_clear(services: Services, ref: ObjectRef, answer: Response) -> Response:
    """Return an answer to GetObject or HeadObject decrypted, or as it is.

    As it is where no configured key is the object's, and where the client has no grant for its CMK.
    """
    if not (services.client_keys or services.client_kms) or answer.status not in {200, 206}:
        return answer
    written = written_key(answer.headers, services.dialect.meta_prefix)
    if written is None:
        return answer
    opened = await _opened(services, ref, written)
    if opened is None:
        services.observer.count("client_encrypted_reads_total", result="no_key")
        return answer
    services.observer.count("client_encrypted_reads_total", result="opened")
    stage = CounterMode(opened.key, opened.counter, _first_byte(answer.headers))
    if isinstance(answer.body, bytes):
        answer.body = await collect(pump(body_of(answer.body), stage), len(answer.body))
    else:
        answer.body = pump(answer.body, stage)
    answer.headers = _headers(services, answer.headers, written)
    return answer


async def _opened(services: Services, ref: ObjectRef, written: WrittenKey) -> ContentKey | None:
    """Return the content key, None where the object was encrypted in another way or for another key."""
    if (written.old, written.wrap) in KMS_WRAPS:
        return await _open_by_kms(services, ref, written)
    padding = _PADDINGS.get((written.old, written.wrap))
    if padding is None:
        return None
    return await in_thread(services.digest_pool, _open_by_rsa, services.client_keys, written, padding)


async def _open_by_kms(services: Services, ref: ObjectRef, written: WrittenKey) -> ContentKey | None:
    opened = None if services.client_kms is None else await services.client_kms.open(written)
    if opened is None:
        return None
    try:
        await services.keyring.check_client_key(opened.key_id, ref)
    except KeyAccessRefused:
        return None
    return opened.content


def _open_by_rsa(keys: Sequence[RSAPrivateKey], written: WrittenKey, padding: AsymmetricPadding) -> ContentKey | None:
    try:
        wrapped_key, wrapped_start = b64decode(written.key, validate=True), b64decode(written.start, validate=True)
    except (Base64Error, ValueError):
        return None
    for key in keys:
        opened = written.content_key(_unwrap(key, wrapped_key, padding), _unwrap(key, wrapped_start, padding))
        if opened is not None:
            return opened
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


def _headers(services: Services, headers: Mapping[str, str], written: WrittenKey) -> CIMultiDict[str]:
    """Return the plaintext's headers: without what clients would decrypt by, and without the ciphertext's digests."""
    prefix = services.dialect.meta_prefix
    digests = {"content-md5", services.dialect.crc64_header}
    shown: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        lower = name.lower()
        is_hidden = tells_of_encryption(lower, prefix, written) or lower in digests or _is_checksum(services, lower)
        if not is_hidden:
            shown.add(name, value)
    md5 = plaintext_md5(headers, prefix, written)
    if md5 is not None:
        shown["Content-MD5"] = md5
    return shown


def _is_checksum(services: Services, name: str) -> bool:
    return name.startswith(services.dialect.header("checksum-"))
