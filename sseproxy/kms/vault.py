"""HashiCorp Vault and OpenBao: the transit engine as a `Kms` (S3 dossier §10.2, docs/kms-providers.md).

The transit engine encrypts with random nonces, and only derived keys know a context. So it never wraps a data key
itself: each wrap has a one-use key of its own, which the engine draws (`datakey/plaintext`) and opens again (`decrypt`)
under the context, and which wraps the data key here, bound to the context as well. Thus keys that are not derived bind
it too, and the proxy needs no right to encrypt, with which it could create keys.

    blob := "V", u8 1, u32 version, u16 length, sealed one-use key, wrap(one-use key, data key)

The version and the sealed key are those of transit's `vault:v<version>:<base64>`.

A CMK's id is the name of its transit key.
"""

import json
import re
import secrets
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from dataclasses import dataclass
from hashlib import sha256
from struct import Struct

from sseproxy.credentials.http import Document, Http, HttpAnswer
from sseproxy.errors import (
    KeyAccessRefused,
    KeyDisabled,
    KeyNotApplicable,
    KeyNotFound,
    KeyServiceError,
    KeyServiceUnavailable,
    KeyStateRefused,
    WrappedKeyRejected,
)
from sseproxy.format.wrapping import WrapRejected, framed, unwrap, wrap
from sseproxy.kms.vault_login import VaultLogin
from sseproxy.model import KeyDescription, WrapContext, WrappedKey
from sseproxy.settings_remote_kms import VaultKmsSettings

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_CIPHERTEXT = re.compile(r"vault:v([1-9][0-9]{0,8}):([A-Za-z0-9+/]+=*)")
_HEAD = Struct(">2sIH")  # mark, key version, length of the sealed one-use key
_MARK = b"V\x01"
_ONE_USE = 32  # bytes
_MOST_TOLD = 200  # characters of the server's own words

# What the engine says (with status 400), and what it means. The first that it contains counts.
_MEANINGS: tuple[tuple[str, type[KeyServiceError]], ...] = (
    ("encryption key not found", KeyNotFound),
    ("soft-deleted", KeyDisabled),
    ("disallowed by policy", KeyStateRefused),  # below min_decryption_version
    ("message authentication failed", WrappedKeyRejected),
    ("decryption error", WrappedKeyRejected),
    ("invalid ciphertext", WrappedKeyRejected),
    ("not supported for key type", KeyNotApplicable),
)


@dataclass(frozen=True, slots=True, repr=False)
class _Blob:
    version: int
    sealed: bytes  # the one-use key as transit sealed it
    wrapped: bytes  # the data key under the one-use key


class VaultKms:
    """The `Kms` port on a transit engine. Knows no aliases: a name is an id."""

    def __init__(self, http: Http, settings: VaultKmsSettings, login: VaultLogin) -> None:
        self._http = http
        self._base = f"{settings.address}/v1/"
        self._mount = settings.mount
        self._login = login

    def __repr__(self) -> str:
        return f"VaultKms({self._http.service!r})"

    async def generate(self, key_id: str, context: WrapContext, *, length: int = 32) -> tuple[bytes, WrappedKey]:
        """Draw a fresh data key and return it with its wrapped form."""
        key = secrets.token_bytes(length)
        return key, await self.wrap(key_id, key, context)

    async def wrap(self, key_id: str, key: bytes, context: WrapContext) -> WrappedKey:
        """Wrap a data key under the present version of a transit key."""
        data = await self._asked("datakey/plaintext", key_id, {"context": _context(context), "bits": _ONE_USE * 8})
        version, sealed = _parse_ciphertext(data)
        one_use = data.blob("plaintext")
        if len(one_use) != _ONE_USE:
            raise KeyServiceError(f"{self._http.service} drew a key of another length than asked for.")
        head = _HEAD.pack(_MARK, version, len(sealed))
        wrapped = wrap(one_use, key, _info(key_id, head + sealed, context))
        return WrappedKey(key_id=key_id, blob=head + sealed + wrapped)

    async def unwrap(self, wrapped: WrappedKey, context: WrapContext) -> bytes:
        """Open a wrapped data key with the version of the transit key that it was wrapped under."""
        blob = _parse(wrapped.blob)
        ciphertext = f"vault:v{blob.version}:{b64encode(blob.sealed).decode()}"
        data = await self._asked("decrypt", wrapped.key_id, {"context": _context(context), "ciphertext": ciphertext})
        head = wrapped.blob[: _HEAD.size + len(blob.sealed)]
        try:
            return unwrap(data.blob("plaintext"), blob.wrapped, _info(wrapped.key_id, head, context))
        except WrapRejected as cause:
            raise WrappedKeyRejected from cause

    async def describe(self, key_id: str) -> KeyDescription:
        """Return where a transit key stands; raises `KeyNotFound`."""
        data = await self._asked("keys", key_id, None)
        return KeyDescription(
            key_id=key_id,
            state="Disabled" if data.fields.get("soft_deleted") is True else "Enabled",
            origin="external" if data.fields.get("imported_key") is True else "generated",
            current_version=data.number("latest_version"),
        )

    def version_of(self, wrapped: WrappedKey) -> str | None:
        """Return the transit key's version that a wrapped key names; None where it is none of ours."""
        try:
            return str(_parse(wrapped.blob).version)
        except WrappedKeyRejected:
            return None

    async def healthy(self) -> None:
        """Return if the server is unsealed and takes the proxy's token; raises `KeyServiceUnavailable`."""
        answer = await self._http.ask("GET", f"{self._base}sys/health?standbyok=true&perfstandbyok=true")
        if answer.status != 200:
            raise KeyServiceUnavailable(f"{self._http.service} is not ready ({answer.status}).")
        await self._login.token()

    async def _asked(self, path: str, key_id: str, fields: dict[str, object] | None) -> Document:
        """Ask the engine about a key and return the `data` of its answer."""
        if _NAME.fullmatch(key_id) is None:
            raise _not_found(key_id)
        answer = await self._authenticated(f"{self._base}{self._mount}/{path}/{key_id}", fields)
        if answer.status != 200:
            raise self._refusal(answer, key_id)
        return answer.document().inner("data")

    async def _authenticated(self, url: str, fields: dict[str, object] | None) -> HttpAnswer:
        """Ask with the proxy's token, and once again with another one if that was at fault."""
        method, body = ("GET", None) if fields is None else ("POST", json.dumps(fields).encode())
        token = await self._login.token()
        answer = await self._http.ask(method, url, headers=self._login.headers(token), body=body)
        if answer.status != 403 or not await self._login.is_dead(token):
            return answer
        token = await self._login.token()
        return await self._http.ask(method, url, headers=self._login.headers(token), body=body)

    def _refusal(self, answer: HttpAnswer, key_id: str) -> KeyServiceError:
        said = _errors(answer)
        if answer.status == 403:
            return KeyAccessRefused()
        if answer.status == 404 and not said:
            return _not_found(key_id)
        if answer.status == 400:
            for words, meaning in _MEANINGS:
                if words in said:
                    return _not_found(key_id) if meaning is KeyNotFound else meaning()
        return KeyServiceError(f"{self._http.service} refused the request ({answer.status}): {said[:_MOST_TOLD]}")


def _errors(answer: HttpAnswer) -> str:
    errors = answer.document().fields.get("errors")
    return "; ".join(map(str, errors)) if isinstance(errors, list) else ""


def _not_found(key_id: str) -> KeyNotFound:
    return KeyNotFound(f"The key {key_id} does not exist.")


def _context(context: WrapContext) -> str:
    """Return what derived keys are derived from."""
    return b64encode(sha256(context.aad).digest()).decode()


def _info(key_id: str, sealed: bytes, context: WrapContext) -> bytes:
    return framed(b"sseproxy/kms/v1/vault", key_id.encode(), sealed, context.aad)


def _parse_ciphertext(data: Document) -> tuple[int, bytes]:
    """Take transit's text apart: version and bytes, which are stored without base64, so that there is one form."""
    found = _CIPHERTEXT.fullmatch(data.text("ciphertext"))
    if found is None:
        raise KeyServiceError(f"{data.service} sealed a key in an unknown form.")
    try:
        return int(found[1]), b64decode(found[2], validate=True)
    except NoBase64 as cause:
        raise KeyServiceError(f"{data.service} sealed a key in an unknown form.") from cause


def _parse(blob: bytes) -> _Blob:
    """Take a wrapped key apart. Raises `WrappedKeyRejected`."""
    if len(blob) < _HEAD.size:
        raise WrappedKeyRejected
    mark, version, length = _HEAD.unpack_from(blob)
    sealed, wrapped = blob[_HEAD.size : _HEAD.size + length], blob[_HEAD.size + length :]
    if mark != _MARK or not version or not sealed or not wrapped:
        raise WrappedKeyRejected
    return _Blob(version, sealed, wrapped)
