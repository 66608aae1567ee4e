"""What the key services of both clouds have in common: who asks them, and how a key is described."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from sseproxy.credentials.held import Credentials, CredentialSource
from sseproxy.credentials.http import Document, Http, HttpAnswer
from sseproxy.errors import KeyAccessRefused, KeyNotFound, KeyServiceError
from sseproxy.model import KeyDescription, WrappedKey
from sseproxy.ports import Clock


class CloudKms(ABC):
    """The part of the `Kms` port that does not hang on what a cloud's calls look like."""

    canonical_id: ClassVar[str]  # the field of DescribeKey with the id that a CMK goes by
    any_key: ClassVar[str]  # is asked for where only an answer matters

    def __init__(self, http: Http, url: str, credentials: CredentialSource, clock: Clock) -> None:
        self._http = http
        self._url = url
        self._credentials = credentials
        self._clock = clock

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._http.service!r})"

    async def describe(self, key_id: str) -> KeyDescription:
        """Resolve an id, ARN or alias; raises `KeyNotFound`. KMS does not number a CMK's versions: they are 0."""
        metadata = (await self._asked("DescribeKey", key_id, {"KeyId": key_id})).inner("KeyMetadata")
        return KeyDescription(
            key_id=metadata.text(self.canonical_id),
            state=metadata.text("KeyState"),
            origin="external" if metadata.optional_text("Origin") == "EXTERNAL" else "generated",
            current_version=0,
        )

    def version_of(self, wrapped: WrappedKey) -> str | None:
        """Return None: what KMS gives does not show its version."""
        return None

    async def healthy(self) -> None:
        """Return if KMS answers and takes the proxy's signature, whatever it says of a key."""
        try:
            await self.describe(self.any_key)
        except (KeyNotFound, KeyAccessRefused):
            return

    async def _asked(self, operation: str, key_id: str, fields: Mapping[str, object]) -> Document:
        """Return what KMS answers. Raises a `KeyServiceError`; credentials that were refused are dropped."""
        if not key_id:
            raise not_found(key_id)
        credentials = await self._credentials.current()
        answer = await self._send(operation, fields, credentials)
        if answer.status == 200:
            return answer.document()
        code = self._code(answer)
        if self._is_about_login(code):
            self._credentials.drop(credentials)
        raise self._refusal(operation, code, answer, key_id)

    def _drawn(self, answer: Document, length: int) -> bytes:
        """Return the data key of an answer to GenerateDataKey."""
        key = answer.blob("Plaintext")
        if len(key) != length:
            raise KeyServiceError(f"{self._http.service} drew a key of another length than asked for.")
        return key

    @abstractmethod
    async def _send(self, operation: str, fields: Mapping[str, object], credentials: Credentials) -> HttpAnswer: ...

    @abstractmethod
    def _code(self, answer: HttpAnswer) -> str: ...

    @abstractmethod
    def _is_about_login(self, code: str) -> bool: ...

    @abstractmethod
    def _refusal(self, operation: str, code: str, answer: HttpAnswer, key_id: str) -> KeyServiceError: ...


def not_found(key_id: str, kind: type[KeyNotFound] = KeyNotFound) -> KeyNotFound:
    """Return the error for a key or alias that is not there."""
    return kind(f"The key {key_id} does not exist.")
