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

from sseproxy.credentials.held import CredentialSource
from sseproxy.credentials.http import Document, Http, HttpAnswer
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
from sseproxy.model import KeyDescription, WrapContext, WrappedKey
from sseproxy.ports import Clock
from sseproxy.settings_remote_kms import AwsKmsSettings
from sseproxy.signing.aws_v4 import sign_aws_v4

_CONTENT_TYPE = "application/x-amz-json-1.1"
_ANY_KEY = "alias/aws/s3"  # is asked for where only an answer matters

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


class AwsKms:
    """The `Kms` port on AWS KMS, or on a service that speaks its protocol."""

    def __init__(self, http: Http, settings: AwsKmsSettings, credentials: CredentialSource, clock: Clock) -> None:
        self._http = http
        self._region = settings.region
        self._url = settings.endpoint or f"https://kms.{settings.region}.amazonaws.com"
        self._host = urlsplit(self._url).netloc
        self._credentials = credentials
        self._clock = clock

    def __repr__(self) -> str:
        return f"AwsKms({self._http.service!r})"

    async def generate(self, key_id: str, context: WrapContext, *, length: int = 32) -> tuple[bytes, WrappedKey]:
        """Let KMS draw a fresh data key and return it with its wrapped form."""
        fields = {"KeyId": key_id, "NumberOfBytes": length, "EncryptionContext": dict(context.pairs)}
        answer = await self._asked("GenerateDataKey", key_id, fields)
        key = answer.blob("Plaintext")
        if len(key) != length:
            raise KeyServiceError(f"{self._http.service} drew a key of another length than asked for.")
        return key, WrappedKey(key_id=answer.text("KeyId"), blob=answer.blob("CiphertextBlob"))

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

    async def describe(self, key_id: str) -> KeyDescription:
        """Resolve an id, ARN or alias; raises `KeyNotFound`. KMS does not number a CMK's versions: they are 0."""
        metadata = (await self._asked("DescribeKey", key_id, {"KeyId": key_id})).inner("KeyMetadata")
        return KeyDescription(
            key_id=metadata.text("Arn"),
            state=metadata.text("KeyState"),
            origin="external" if metadata.optional_text("Origin") == "EXTERNAL" else "generated",
            current_version=0,
        )

    def version_of(self, wrapped: WrappedKey) -> str | None:
        """Return None: what KMS gives does not show its version."""

    async def healthy(self) -> None:
        """Return if KMS answers and takes the proxy's signature, whatever it says of a key."""
        try:
            await self.describe(_ANY_KEY)
        except (KeyNotFound, KeyAccessRefused):
            return

    async def _asked(self, operation: str, key_id: str, fields: Mapping[str, object]) -> Document:
        if not key_id:
            raise _not_found(key_id)
        body = json.dumps(fields).encode()
        headers = {"Content-Type": _CONTENT_TYPE, "X-Amz-Target": f"TrentService.{operation}"}
        credentials = await self._credentials.current()
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
        answer = await self._http.ask("POST", f"{self._url}/", headers={**headers, **signature}, body=body)
        if answer.status == 200:
            return answer.document()
        kind = error_kind(answer)
        if kind in _LOGIN:
            self._credentials.drop(credentials)
        raise self._refusal(kind, answer, key_id)

    def _refusal(self, kind: str, answer: HttpAnswer, key_id: str) -> KeyServiceError:
        if kind in _LOGIN:
            return KeyServiceUnavailable(f"{self._http.service} refuses the proxy's signature ({kind}).")
        meaning = _MEANINGS.get(kind)
        if meaning is KeyNotFound:
            return _not_found(key_id)
        if meaning is KeyStateRefused:
            fields = answer.document()
            said = (fields.optional_text("message") or fields.optional_text("Message")).lower()
            return next((state() for words, state in _STATES if words in said), KeyStateRefused())
        if meaning is None:
            return KeyServiceError(f"{self._http.service} refused the request ({answer.status} {kind}).")
        return meaning()


def error_kind(answer: HttpAnswer) -> str:
    """Return the name of an error: it may come with a namespace before it and a URL behind it."""
    return answer.document().optional_text("__type").rpartition("#")[2].partition(":")[0]


def _not_found(key_id: str) -> KeyNotFound:
    return KeyNotFound(f"The key {key_id} does not exist.")
