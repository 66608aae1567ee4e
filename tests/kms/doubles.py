"""What tests of remote key services put in the place of the service, the observer and the time that pauses take."""

from collections import Counter
from collections.abc import Awaitable, Callable

from sseproxy.model import KeyDescription, WrapContext, WrappedKey


class RecordingObserver:
    """Remembers counts by name and labels, and events with their fields."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.events: list[tuple[str, dict[str, object]]] = []

    def count(self, name: str, value: float = 1.0, /, **labels: str) -> None:
        self.counts[name, *labels.values()] += int(value)

    def observe(self, name: str, value: float, /, **labels: str) -> None:
        """Take a measurement; nobody asks for it here."""

    def event(self, name: str, /, **fields: str | float | bool | None) -> None:
        self.events.append((name, dict(fields)))


class Pauses(list[float]):
    """A sleep that takes no time and remembers how long it should have been."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


class ScriptedKms:
    """A KMS of which every call first does what the script says next; after its end all calls succeed."""

    def __init__(self, *script: Exception | Callable[[], Awaitable[None]]) -> None:
        self.script = list(script)
        self.calls: list[str] = []

    async def _do(self, call: str) -> None:
        self.calls.append(call)
        step = self.script.pop(0) if self.script else None
        if isinstance(step, Exception):
            raise step
        if step is not None:
            await step()

    async def generate(self, key_id: str, context: WrapContext, *, length: int = 32) -> tuple[bytes, WrappedKey]:
        await self._do("generate")
        return b"k" * length, WrappedKey(key_id=key_id, blob=context.aad)

    async def wrap(self, key_id: str, key: bytes, context: WrapContext) -> WrappedKey:
        await self._do("wrap")
        return WrappedKey(key_id=key_id, blob=key + context.aad)

    async def unwrap(self, wrapped: WrappedKey, context: WrapContext) -> bytes:
        await self._do("unwrap")
        return wrapped.blob

    async def describe(self, key_id: str) -> KeyDescription:
        await self._do("describe")
        return KeyDescription(key_id=key_id, state="Enabled", origin="generated", current_version=1)

    def version_of(self, wrapped: WrappedKey) -> str | None:
        return wrapped.key_id[-1]

    async def healthy(self) -> None:
        await self._do("healthy")
