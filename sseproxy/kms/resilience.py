"""Round every remote key service: a deadline, repeated attempts, one question at a time, a pause when it is down.

Nothing is kept here: opened data keys are kept by the keyring alone, for `cache.unwrapped_key_lifetime`.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from sseproxy.errors import (
    KeyAccessRefused,
    KeyServiceBusy,
    KeyServiceError,
    KeyServiceInDebt,
    KeyServiceNotEnabled,
    KeyServiceUnavailable,
)
from sseproxy.kms.breaker import Breaker
from sseproxy.model import KeyDescription, WrapContext, WrappedKey
from sseproxy.ports import ClientKeyService, Clock, Kms, Observer
from sseproxy.single_flight import SingleFlight

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

# What an operator may have to look after.
_OPERATORS = (KeyServiceUnavailable, KeyAccessRefused, KeyServiceNotEnabled, KeyServiceInDebt)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Endurance:
    """How long and how often a key service is asked."""

    timeout_s: float = 5.0  # for a call as a whole, its repetitions included
    attempts: int = 3
    breaker_failures: int = 5  # failed calls, one after the other, before a pause; 0: never
    breaker_pause_s: float = 5.0


class ResilientKms:
    """The `Kms` port around a remote one. All operations may be repeated: none changes anything at the service.

    Only `KeyServiceUnavailable` is repeated; what the service refuses is refused at once.
    """

    def __init__(
        self,
        name: str,
        kms: Kms,
        endurance: Endurance,
        *,
        clock: Clock,
        observer: Observer,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._name = name
        self._kms = kms
        self._timeout_s = endurance.timeout_s
        self._observer = observer
        self._breaker = Breaker(name, endurance.breaker_failures, endurance.breaker_pause_s, clock)
        self._attempts = endurance.attempts
        self._sleep = sleep
        self._describing: SingleFlight[str, KeyDescription] = SingleFlight()

    def __repr__(self) -> str:
        return f"ResilientKms({self._name!r})"

    async def generate(self, key_id: str, context: WrapContext, *, length: int = 32) -> tuple[bytes, WrappedKey]:
        """Draw a fresh data key and return it with its wrapped form."""
        return await self._asked("generate", lambda: self._kms.generate(key_id, context, length=length))

    async def wrap(self, key_id: str, key: bytes, context: WrapContext) -> WrappedKey:
        """Wrap a data key that exists."""
        return await self._asked("wrap", lambda: self._kms.wrap(key_id, key, context))

    async def unwrap(self, wrapped: WrappedKey, context: WrapContext) -> bytes:
        """Open a wrapped data key."""
        return await self._asked("unwrap", lambda: self._kms.unwrap(wrapped, context))

    async def describe(self, key_id: str) -> KeyDescription:
        """Resolve an id or alias; callers that ask for the same at once share one call."""
        return await self._describing.run(key_id, lambda: self._asked("describe", lambda: self._kms.describe(key_id)))

    def version_of(self, wrapped: WrappedKey) -> str | None:
        """Return the CMK's version as the wrapped key itself tells it."""
        return self._kms.version_of(wrapped)

    async def healthy(self) -> None:
        """Ask once, whether or not there is a pause."""
        async with self._deadline():
            await self._kms.healthy()

    async def _asked(self, operation: str, ask: Callable[[], Awaitable[T]]) -> T:
        with self._breaker.guarded():
            async with self._deadline():
                return await self._repeated(operation, ask)

    async def _repeated(self, operation: str, ask: Callable[[], Awaitable[T]]) -> T:
        async def attempt() -> T:
            try:
                answer = await ask()
            except KeyServiceError as error:
                self._note(operation, error)
                raise
            except asyncio.CancelledError:
                self._count(operation, "cut short")
                raise
            self._count(operation, "ok")
            return answer

        retrying = AsyncRetrying(
            retry=retry_if_exception_type(KeyServiceUnavailable),
            stop=stop_after_attempt(self._attempts),
            wait=wait_random_exponential(multiplier=_FIRST_PAUSE_S, max=_LONGEST_PAUSE_S),
            sleep=self._sleep,
            reraise=True,
        )
        return await retrying(attempt)

    @asynccontextmanager
    async def _deadline(self) -> AsyncGenerator[None, None]:
        try:
            async with asyncio.timeout(self._timeout_s):
                yield
        except TimeoutError as cause:
            raise KeyServiceUnavailable(
                f"The key service {self._name} did not answer within {self._timeout_s:g} s. Please try again."
            ) from cause

    def _note(self, operation: str, error: KeyServiceError) -> None:
        self._count(operation, _outcome(error))
        if isinstance(error, _OPERATORS):
            fields = {"provider": self._name, "operation": operation, "error": error.message}
            self._observer.event("key_service_failed", **fields)

    def _count(self, operation: str, result: str) -> None:
        self._observer.count("key_service_attempts_total", provider=self._name, operation=operation, result=result)


class ClientKeyKms(Kms, ClientKeyService, Protocol):
    """A key service that also opens what clients had wrapped there."""


class ResilientClientKeyKms(ResilientKms):
    """The same for such a key service."""

    def __init__(
        self,
        name: str,
        kms: ClientKeyKms,
        endurance: Endurance,
        *,
        clock: Clock,
        observer: Observer,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        super().__init__(name, kms, endurance, clock=clock, observer=observer, sleep=sleep)
        self._client_keys = kms

    async def decrypt(self, blob: str, context: WrapContext) -> tuple[str, str]:
        """As of `ClientKeyService`."""
        return await self._asked("decrypt", lambda: self._client_keys.decrypt(blob, context))


def _outcome(error: KeyServiceError) -> str:
    match error:
        case KeyServiceBusy():
            return "busy"
        case KeyServiceUnavailable():
            return "unavailable"
        case _:
            return "refused"
