"""Alibaba Cloud KMS as a `Kms`, by its RPC API of 2016-01-20 (OSS dossier §7, docs/kms-providers.md).

The blob is the text that KMS gives, unchanged; a CMK's canonical id is its id. KMS binds string pairs, as AWS does.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from types import MappingProxyType
from uuid import uuid4

from sseproxy.credentials.held import Credentials, CredentialSource
from sseproxy.credentials.http import FORM, Document, Http, HttpAnswer
from sseproxy.errors import (
    AliasNotFound,
    KeyAccessRefused,
    KeyDisabled,
    KeyNotApplicable,
    KeyNotFound,
    KeyPendingDeletion,
    KeyPendingImport,
    KeyServiceBusy,
    KeyServiceError,
    KeyServiceInDebt,
    KeyServiceNotEnabled,
    KeyServiceOverdue,
    KeyServiceUnavailable,
    KeyStateRefused,
    WrappedKeyRejected,
)
from sseproxy.kms.cloud import CloudKms, not_found
from sseproxy.model import WrapContext, WrappedKey
from sseproxy.ports import Clock
from sseproxy.settings_remote_kms import AlibabaKmsSettings
from sseproxy.signing.alibaba_rpc import rpc_query, sign_rpc

_VERSION = "2016-01-20"

# By the beginning of the error's code; the first that fits counts.
_MEANINGS: Mapping[str, type[KeyServiceError]] = MappingProxyType(
    {
        "Forbidden.KeyNotFound": KeyNotFound,
        "Forbidden.AliasNotFound": AliasNotFound,
        "Forbidden.KmsServiceNotEnabled": KeyServiceNotEnabled,
        "Forbidden.InDebtOverdue": KeyServiceOverdue,
        "Forbidden.InDebt": KeyServiceInDebt,
        "Forbidden": KeyAccessRefused,
        "Rejected.Disabled": KeyDisabled,
        "Rejected.PendingDeletion": KeyPendingDeletion,
        "Rejected.PendingImport": KeyPendingImport,
        "Rejected.Unavailable": KeyServiceUnavailable,
        "Rejected.Throttling": KeyServiceBusy,
        "Rejected": KeyStateRefused,
        "Throttling": KeyServiceBusy,
        "Unsupported": KeyNotApplicable,
        "InvalidParameter": KeyNotApplicable,  # what is not of our making is the CMK's id
        "InternalFailure": KeyServiceUnavailable,
        "ServiceUnavailable": KeyServiceUnavailable,
        "InvalidAccessKeyId": KeyServiceUnavailable,
        "InvalidSecurityToken": KeyServiceUnavailable,
        "IncompleteSignature": KeyServiceUnavailable,
        "SignatureDoesNotMatch": KeyServiceUnavailable,
        "SignatureNonceUsed": KeyServiceUnavailable,
        "InvalidTimeStamp": KeyServiceUnavailable,
    }
)
# What Decrypt says of a blob or a context that is not the one; KMS documents no code for the latter (OSS dossier §7.2).
_NOT_OPENED = ("InvalidCiphertext", "InvalidParameter", "InvalidEncryptionContext")
_LOGIN = ("InvalidAccessKeyId", "InvalidSecurityToken", "IncompleteSignature", "SignatureDoesNotMatch")


class AlibabaKms(CloudKms):
    """The `Kms` port on Alibaba Cloud KMS. `nonce` gives every call a name of its own."""

    canonical_id = "KeyId"
    any_key = "alias/acs/oss"

    def __init__(
        self,
        http: Http,
        settings: AlibabaKmsSettings,
        credentials: CredentialSource,
        clock: Clock,
        *,
        nonce: Callable[[], object] = uuid4,
    ) -> None:
        url = settings.endpoint or f"https://kms.{settings.region}.aliyuncs.com"
        super().__init__(http, url, credentials, clock)
        self._nonce = nonce

    async def generate(self, key_id: str, context: WrapContext, *, length: int = 32) -> tuple[bytes, WrappedKey]:
        """Let KMS draw a fresh data key and return it with its wrapped form."""
        fields = {"KeyId": key_id, "NumberOfBytes": str(length), "EncryptionContext": _context(context)}
        answer = await self._asked("GenerateDataKey", key_id, fields)
        return self._drawn(answer, length), _wrapped(answer)

    async def wrap(self, key_id: str, key: bytes, context: WrapContext) -> WrappedKey:
        """Wrap a data key that exists."""
        plaintext = b64encode(key).decode()
        fields = {"KeyId": key_id, "Plaintext": plaintext, "EncryptionContext": _context(context)}
        return _wrapped(await self._asked("Encrypt", key_id, fields))

    async def unwrap(self, wrapped: WrappedKey, context: WrapContext) -> bytes:
        """Open a wrapped data key. What another CMK opened is refused, though KMS gave it."""
        answer = await self._decrypted(_text_of(wrapped), context, wrapped.key_id)
        if answer.text("KeyId") != wrapped.key_id:
            raise WrappedKeyRejected("The wrapped key belongs to another master key than the envelope says.")
        return answer.blob("Plaintext")

    async def decrypt(self, blob: str, context: WrapContext) -> tuple[str, str]:
        """As of `ClientKeyService`. KMS takes any text for a plaintext, though its documents ask for base64."""
        answer = await self._decrypted(blob, context, "of a client")
        return answer.text("KeyId"), answer.text("Plaintext")

    async def _decrypted(self, blob: str, context: WrapContext, key_id: str) -> Document:
        return await self._asked("Decrypt", key_id, {"CiphertextBlob": blob, "EncryptionContext": _context(context)})

    async def _send(self, operation: str, fields: Mapping[str, object], credentials: Credentials) -> HttpAnswer:
        form = self._signed(operation, {name: str(value) for name, value in fields.items()}, credentials)
        return await self._http.ask("POST", f"{self._url}/", headers=FORM, body=form.encode())

    def _code(self, answer: HttpAnswer) -> str:
        return answer.document().optional_text("Code")

    def _is_about_login(self, code: str) -> bool:
        return code.startswith(_LOGIN)

    def _signed(self, action: str, fields: Mapping[str, str], credentials: Credentials) -> str:
        """Return a call's parameters as a form, its signature among them."""
        parameters = {
            "Action": action,
            "Version": _VERSION,
            "Format": "JSON",
            "AccessKeyId": credentials.access_key,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": str(self._nonce()),
            "Timestamp": self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            **fields,
        }
        if credentials.token is not None:
            parameters["SecurityToken"] = credentials.token
        return rpc_query({**parameters, "Signature": sign_rpc("POST", parameters, credentials.secret_key)})

    def _refusal(self, operation: str, code: str, answer: HttpAnswer, key_id: str) -> KeyServiceError:
        if operation == "Decrypt" and code.startswith(_NOT_OPENED):
            return WrappedKeyRejected()
        meaning = next((found for start, found in _MEANINGS.items() if code.startswith(start)), None)
        if meaning is not None and issubclass(meaning, KeyNotFound):
            return not_found(key_id, meaning)
        if meaning is KeyServiceUnavailable:
            return KeyServiceUnavailable(f"{self._http.service} answered {answer.status} {code}.")
        if meaning is None:
            return KeyServiceError(f"{self._http.service} refused the request ({answer.status} {code}).")
        return meaning()


def _context(context: WrapContext) -> str:
    return json.dumps(dict(context.pairs), ensure_ascii=False, separators=(",", ":"))


def _wrapped(answer: Document) -> WrappedKey:
    blob = answer.text("CiphertextBlob")
    if not blob.isascii():
        raise KeyServiceError(f"{answer.service} sealed a key in an unknown form.")
    return WrappedKey(key_id=answer.text("KeyId"), blob=blob.encode())


def _text_of(wrapped: WrappedKey) -> str:
    try:
        return wrapped.blob.decode("ascii")
    except UnicodeDecodeError as cause:
        raise WrappedKeyRejected from cause
