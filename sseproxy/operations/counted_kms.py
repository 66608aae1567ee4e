"""The key service, every call of it counted and timed."""

from collections.abc import Awaitable
from typing import TypeVar

from sseproxy.errors import KeyServiceError
from sseproxy.model import KeyDescription, WrapContext, WrappedKey
from sseproxy.ports import Clock, Kms, Observer

T = TypeVar("T")


class CountedKms:
    """The `Kms` port before another one: calls go to `kms_calls_total` and `kms_seconds`."""

    def __init__(self, kms: Kms, clock: Clock, observer: Observer) -> None:
        self._kms = kms
        self._clock = clock
        self._observer = observer

    async def generate(self, key_id: str, context: WrapContext, *, length: int = 32) -> tuple[bytes, WrappedKey]:
        """As of the port."""
        return await self._counted("generate", self._kms.generate(key_id, context, length=length))

    async def wrap(self, key_id: str, key: bytes, context: WrapContext) -> WrappedKey:
        """As of the port."""
        return await self._counted("wrap", self._kms.wrap(key_id, key, context))

    async def unwrap(self, wrapped: WrappedKey, context: WrapContext) -> bytes:
        """As of the port."""
        return await self._counted("unwrap", self._kms.unwrap(wrapped, context))

    async def describe(self, key_id: str) -> KeyDescription:
        """As of the port."""
        return await self._counted("describe", self._kms.describe(key_id))

    def version_of(self, wrapped: WrappedKey) -> str | None:
        """As of the port; asks nobody, so it is not counted."""
        return self._kms.version_of(wrapped)

    async def healthy(self) -> None:
        """As of the port; a probe, so it is not counted."""
        await self._kms.healthy()

    async def _counted(self, operation: str, call: Awaitable[T]) -> T:
        began = self._clock.now()
        try:
            result = await call
        except KeyServiceError:
            self._observer.count("kms_calls_total", operation=operation, result="error")
            raise
        finally:
            seconds = (self._clock.now() - began).total_seconds()
            self._observer.observe("kms_seconds", max(0.0, seconds), operation=operation)
        self._observer.count("kms_calls_total", operation=operation, result="ok")
        return result
