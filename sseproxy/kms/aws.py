"""AWS KMS as a `Kms` (S3 dossier §10.1, docs/kms-providers.md).

The blob is what KMS gives, unchanged; a CMK's canonical id is its ARN. KMS binds string pairs, so that a wrap is bound
to the pairs of its context: a digest of the whole, the bucket in the clear, and what the client gave.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from urllib.parse import urlsplit

from sseproxy.credentials.held import Credentials, CredentialSource
from sseproxy.credentials.http import Http, HttpAnswer
from sseproxy.errors import (
    KeyAccessRefused,
    KeyDisabled,
    KeyNotApplicable,
    KeyNotFound,
    KeyPendingDeletion,
    KeyPendingImport,
    KeyServiceBusy,
    KeyServiceError,
    KeyServiceUnavailable,
    KeyStateRefused,
    WrappedKeyRejected,
)
from sseproxy.kms.cloud import CloudKms, not_found
from sseproxy.model import WrapContext, WrappedKey
from sseproxy.ports import Clock
from sseproxy.settings_remote_kms import AwsKmsSettings
from sseproxy.signing.aws_v4 import sign_aws_v4

_CONTENT_TYPE = "application/x-amz-json-1.1"

_MEANINGS: Mapping[str, type[KeyServiceError]] = MappingProxyType(
    {
        "NotFoundException": KeyNotFound,
        "InvalidArnException": KeyNotFound,
        "DisabledException": KeyDisabled,
        "KMSInvalidStateException": KeyStateRefused,
        "InvalidKeyUsageException": KeyNotApplicable,
        "AccessDeniedException": KeyAccessRefused,
        "InvalidCiphertextException": WrappedKeyRejected,
        "IncorrectKeyException": WrappedKeyRejected,
        "ThrottlingException": KeyServiceBusy,
        "LimitExceededException": KeyServiceBusy,
        "RequestLimitExceeded": KeyServiceBusy,
        "KeyUnavailableException": KeyServiceUnavailable,
        "DependencyTimeoutException": KeyServiceUnavailable,
        "KMSInternalException": KeyServiceUnavailable,
    }
)
# What KMS says (in `message`) of a key whose state forbids its use.
_STATES = (("pending deletion", KeyPendingDeletion), ("pending import", KeyPendingImport), ("disabled", KeyDisabled))
_LOGIN = frozenset(
    {
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


class AwsKms(CloudKms):
    """The `Kms` port on AWS KMS, or on a service that speaks its protocol."""

    canonical_id = "Arn"
    any_key = "alias/aws/s3"

    def __init__(self, http: Http, settings: AwsKmsSettings, credentials: CredentialSource, clock: Clock) -> None:
        url = settings.endpoint or f"https://kms.{settings.region}.amazonaws.com"
        super().__init__(http, url, credentials, clock)
        self._region = settings.region
        self._host = urlsplit(url).netloc

    async def generate(self, key_id: str, context: WrapContext, *, length: int = 32) -> tuple[bytes, WrappedKey]:
        """Let KMS draw a fresh data key and return it with its wrapped form."""
        fields = {"KeyId": key_id, "NumberOfBytes": length, "EncryptionContext": dict(context.pairs)}
        answer = await self._asked("GenerateDataKey", key_id, fields)
        return self._drawn(answer, length), WrappedKey(key_id=answer.text("KeyId"), blob=answer.blob("CiphertextBlob"))

    async def wrap(self, key_id: str, key: bytes, context: WrapContext) -> WrappedKey:
        """Wrap a data key that exists."""
        fields = {"KeyId": key_id, "Plaintext": b64encode(key).decode(), "EncryptionContext": dict(context.pairs)}
        answer = await self._asked("Encrypt", key_id, fields)
        return WrappedKey(key_id=answer.text("KeyId"), blob=answer.blob("CiphertextBlob"))

    async def unwrap(self, wrapped: WrappedKey, context: WrapContext) -> bytes:
        """Open a wrapped data key. The CMK is always named, so that no other one of the account opens it."""
        fields = {
            "KeyId": wrapped.key_id,
            "CiphertextBlob": b64encode(wrapped.blob).decode(),
            "EncryptionContext": dict(context.pairs),
        }
        return (await self._asked("Decrypt", wrapped.key_id, fields)).blob("Plaintext")

    async def _send(self, operation: str, fields: Mapping[str, object], credentials: Credentials) -> HttpAnswer:
        body = json.dumps(fields).encode()
        headers = {"Content-Type": _CONTENT_TYPE, "X-Amz-Target": f"TrentService.{operation}"}
        signature = sign_aws_v4(
            method="POST",
            host=self._host,
            raw_path="/",
            raw_query="",
            headers=headers,
            access_key=credentials.access_key,
            secret=credentials.secret_key,
            token=credentials.token,
            region=self._region,
            now=self._clock.now(),
            payload_hash=sha256(body).hexdigest(),
            service="kms",
        )
        return await self._http.ask("POST", f"{self._url}/", headers={**headers, **signature}, body=body)

    def _code(self, answer: HttpAnswer) -> str:
        """Return the name of an error: it may come with a namespace before it and a URL behind it."""
        return answer.document().optional_text("__type").rpartition("#")[2].partition(":")[0]

    def _is_about_login(self, code: str) -> bool:
        return code in _LOGIN

    def _refusal(self, operation: str, code: str, answer: HttpAnswer, key_id: str) -> KeyServiceError:
        if code in _LOGIN:
            return KeyServiceUnavailable(f"{self._http.service} refuses the proxy's signature ({code}).")
        meaning = _MEANINGS.get(code)
        if meaning is KeyNotFound:
            return not_found(key_id)
        if meaning is KeyStateRefused:
            fields = answer.document()
            said = (fields.optional_text("message") or fields.optional_text("Message")).lower()
            return next((state() for words, state in _STATES if words in said), KeyStateRefused())
        if meaning is None:
            return KeyServiceError(f"{self._http.service} refused the request ({answer.status} {code}).")
        return meaning()
