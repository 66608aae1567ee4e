"""A hardware security module behind PKCS#11 as a `Kms` (docs/kms-providers.md). Needs the extra `pkcs11`.

A CMK is one or more AES keys on the token under one label: the id of the CMK. Their CKA_ID, read as a number, is the
version; the highest one wraps. Keys on the token never leave it: each wrap has a one-use key, drawn here, which the
token wraps (CKM_AES_KEY_WRAP, which needs no nonce) and which wraps the data key, bound to the context.

    blob := "P", u8 1, u8 length, CKA_ID, u16 length, wrapped one-use key, wrap(one-use key, data key)
"""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from struct import Struct
from typing import Any, TypeVar

from sseproxy.errors import (
    ConfigurationError,
    KeyNotApplicable,
    KeyNotFound,
    KeyServiceError,
    KeyServiceUnavailable,
    WrappedKeyRejected,
)
from sseproxy.format.wrapping import WrapRejected, framed, unwrap, wrap
from sseproxy.model import KeyDescription, WrapContext, WrappedKey
from sseproxy.settings_remote_kms import Pkcs11KmsSettings

T = TypeVar("T")

_MARK = b"P\x01"
_SHORT, _LONG = Struct(">B"), Struct(">H")
_ONE_USE = 32  # bytes


class Pkcs11Kms:
    """The `Kms` port on a token. `thread` must be a single one: the session is used by one call at a time."""

    def __init__(self, service: str, settings: Pkcs11KmsSettings, thread: Executor) -> None:
        self._service = service
        self._token = _Token(service, settings)
        self._thread = thread

    def __repr__(self) -> str:
        return f"Pkcs11Kms({self._service!r})"

    async def generate(self, key_id: str, context: WrapContext, *, length: int = 32) -> tuple[bytes, WrappedKey]:
        """Draw a fresh data key and return it with its wrapped form."""
        key = secrets.token_bytes(length)
        return key, await self.wrap(key_id, key, context)

    async def wrap(self, key_id: str, key: bytes, context: WrapContext) -> WrappedKey:
        """Wrap a data key under the newest key of a label."""
        one_use = secrets.token_bytes(_ONE_USE)
        version, sealed = await self._run(lambda: self._token.seal(key_id, one_use))
        head = _MARK + _SHORT.pack(len(version)) + version + _LONG.pack(len(sealed)) + sealed
        return WrappedKey(key_id=key_id, blob=head + wrap(one_use, key, _info(key_id, head, context)))

    async def unwrap(self, wrapped: WrappedKey, context: WrapContext) -> bytes:
        """Open a wrapped data key with the key on the token that it was wrapped under."""
        version, sealed, head, inner = _parse(wrapped.blob)
        one_use = await self._run(lambda: self._token.open(wrapped.key_id, version, sealed))
        try:
            return unwrap(one_use, inner, _info(wrapped.key_id, head, context))
        except WrapRejected as cause:
            raise WrappedKeyRejected from cause

    async def describe(self, key_id: str) -> KeyDescription:
        """Return what is on the token under a label; raises `KeyNotFound`."""
        newest = await self._run(lambda: self._token.newest(key_id))
        return KeyDescription(
            key_id=key_id, state="Enabled", origin="generated", current_version=int.from_bytes(newest, "big")
        )

    def version_of(self, wrapped: WrappedKey) -> str | None:
        """Return the number of the key on the token; None where the wrapped key is none of ours."""
        try:
            return str(int.from_bytes(_parse(wrapped.blob)[0], "big"))
        except WrappedKeyRejected:
            return None

    async def healthy(self) -> None:
        """Return if the token is there and takes the PIN."""
        await self._run(self._token.check)

    async def close(self) -> None:
        """End the session."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._token.close)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


class _Token:
    """A session with a token; all methods block. Raises `KeyServiceError`s alone."""

    def __init__(self, service: str, settings: Pkcs11KmsSettings) -> None:
        try:
            import pkcs11
        except ImportError as cause:
            raise ConfigurationError("A PKCS#11 key service needs the extra: pip install 'sseproxy[pkcs11]'") from cause
        self._api = pkcs11
        self._service = service
        self._settings = settings
        self._session: Any = None
        self._is_pin_wrong = False

    def seal(self, label: str, one_use: bytes) -> tuple[bytes, bytes]:
        """Return the CKA_ID of the newest key of a label, and the one-use key wrapped by it."""
        with _Translated(self):
            key = self._keys(label)[-1]
            return bytes(key.id), self._sealed(key, one_use)

    def open(self, label: str, version: bytes, sealed: bytes) -> bytes:
        """Return a one-use key that `seal` wrapped."""
        with _Translated(self):
            key = next((key for key in self._keys(label) if bytes(key.id) == version), None)
            if key is None:
                raise WrappedKeyRejected(f"The key {label} has no version {int.from_bytes(version, 'big')}.")
            try:
                return self._opened(key, sealed)
            except self._api.PKCS11Error as cause:
                self._sealed(key, secrets.token_bytes(_ONE_USE))  # raises where the token is at fault, not the blob
                raise WrappedKeyRejected from cause

    def newest(self, label: str) -> bytes:
        """Return the CKA_ID of the newest key of a label."""
        with _Translated(self):
            return bytes(self._keys(label)[-1].id)

    def check(self) -> None:
        """Open a session unless there is one, and use it."""
        with _Translated(self):
            self._opened_session().generate_random(8)

    def close(self) -> None:
        """End the session, whatever state it is in."""
        session, self._session = self._session, None
        if session is not None:
            with suppress(self._api.PKCS11Error):
                session.close()

    def translated(self, error: Exception) -> KeyServiceError:
        """Return what an error of the library means; after one that is not about a key the session is begun anew."""
        api = self._api
        if isinstance(error, api.KeyNotWrappable | api.MechanismInvalid | api.WrappingKeyTypeInconsistent):
            return KeyNotApplicable()
        if isinstance(error, api.PinIncorrect | api.PinInvalid | api.PinLenRange | api.PinLocked):
            self._is_pin_wrong = True
        self.close()
        return KeyServiceUnavailable(f"{self._service} failed ({type(error).__name__}).")

    def _keys(self, label: str) -> list[Any]:
        """Return the AES keys of a label, the newest last."""
        kind = self._api.Attribute
        wanted = {
            kind.CLASS: self._api.ObjectClass.SECRET_KEY,
            kind.KEY_TYPE: self._api.KeyType.AES,
            kind.LABEL: label,
            kind.TOKEN: True,
        }
        found = sorted(self._opened_session().get_objects(wanted), key=lambda key: int.from_bytes(key.id, "big"))
        if not label or not found:
            raise KeyNotFound(f"The key {label} does not exist.")
        return found

    def _sealed(self, key: Any, one_use: bytes) -> bytes:  # noqa: ANN401  # the library's own classes are generated
        if not hasattr(key, "wrap_key"):  # the library gives a key only the methods that its attributes allow
            raise KeyNotApplicable
        kind = self._api.Attribute
        short_lived = self._opened_session().create_object(
            {kind.CLASS: self._api.ObjectClass.SECRET_KEY, kind.KEY_TYPE: self._api.KeyType.AES, kind.VALUE: one_use}
            | self._short_lived()
        )
        try:
            return bytes(key.wrap_key(short_lived, mechanism=self._api.Mechanism.AES_KEY_WRAP))
        finally:
            short_lived.destroy()

    def _opened(self, key: Any, sealed: bytes) -> bytes:  # noqa: ANN401
        if not hasattr(key, "unwrap_key"):
            raise KeyNotApplicable
        api = self._api
        short_lived = key.unwrap_key(
            api.ObjectClass.SECRET_KEY,
            api.KeyType.AES,
            sealed,
            mechanism=api.Mechanism.AES_KEY_WRAP,
            template=self._short_lived(),
        )
        try:
            return bytes(short_lived[api.Attribute.VALUE])
        finally:
            short_lived.destroy()

    def _short_lived(self) -> dict[Any, bool]:
        kind = self._api.Attribute
        return {kind.TOKEN: False, kind.EXTRACTABLE: True, kind.SENSITIVE: False}

    def _opened_session(self) -> Any:  # noqa: ANN401
        if self._is_pin_wrong:  # another try could lock the token
            raise KeyServiceUnavailable(f"{self._service} refuses the PIN: correct it and start the proxy again.")
        if self._session is None:
            module = self._api.lib(str(self._settings.module))
            token = module.get_token(token_label=self._settings.token)
            try:
                self._session = token.open(user_pin=self._settings.pin.get_secret_value())
            except self._api.UserAlreadyLoggedIn:  # a login counts for all sessions of a process
                self._session = token.open()
        return self._session


class _Translated:
    """Turns the library's errors into ours."""

    def __init__(self, token: _Token) -> None:
        self._token = token

    def __enter__(self) -> None:
        """Nothing is prepared."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, KeyServiceError):
            raise self._token.translated(error) from error


def _info(label: str, head: bytes, context: WrapContext) -> bytes:
    return framed(b"sseproxy/kms/v1/pkcs11", label.encode(), head, context.aad)


def _parse(blob: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Take a wrapped key apart: CKA_ID, wrapped one-use key, everything before the inner wrap, the inner wrap."""
    if not blob.startswith(_MARK):
        raise WrappedKeyRejected
    version, at = _field(blob, len(_MARK), _SHORT)
    sealed, at = _field(blob, at, _LONG)
    return version, sealed, blob[:at], blob[at:]


def _field(blob: bytes, at: int, length: Struct) -> tuple[bytes, int]:
    if len(blob) < at + length.size:
        raise WrappedKeyRejected
    start = at + length.size
    end = start + int(length.unpack_from(blob, at)[0])
    if len(blob) < end:
        raise WrappedKeyRejected
    return blob[start:end], end
