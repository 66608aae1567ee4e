"""Several key services behind one `Kms`: which CMK lives where is told by the pattern of its id, and by nothing else.

An id that no pattern matches belongs to the default service. What a service does not give, no other is asked for.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sseproxy.errors import KeyServiceError
from sseproxy.model import KeyDescription, WrapContext, WrappedKey
from sseproxy.policy.encryption import SERVICE_KEY_ALIAS
from sseproxy.ports import Kms


@dataclass(frozen=True, slots=True)
class Way:
    """A pattern of ids (`*` any characters, `?` any one), and the name of the service that they lead to."""

    keys: str
    service: str

    def matches(self, key_id: str) -> bool:
        """Say whether an id or alias belongs here."""
        pattern = re.escape(self.keys).replace(r"\*", ".*").replace(r"\?", ".")
        return re.fullmatch(pattern, key_id, re.DOTALL) is not None


class RoutedKms:
    """The `Kms` port on several others, by name.

    `service_key` is the CMK that `SERVICE_KEY_ALIAS` stands for; with None that alias is the default service's own.
    """

    def __init__(
        self, services: Mapping[str, Kms], ways: Sequence[Way], *, default: str, service_key: str | None
    ) -> None:
        self._services = dict(services)
        self._ways = tuple(ways)
        self._default = default
        self._service_key = service_key

    def __repr__(self) -> str:
        return f"RoutedKms({sorted(self._services)})"

    def service(self, name: str) -> Kms | None:
        """Return one of the key services."""
        return self._services.get(name)

    def service_for(self, key_id: str) -> Kms:
        """Return the key service that an id leads to."""
        return self._services[self._service_of(key_id)]

    async def generate(self, key_id: str, context: WrapContext, *, length: int = 32) -> tuple[bytes, WrappedKey]:
        """Draw a fresh data key and return it with its wrapped form."""
        name, key_id = self._place(key_id)
        key, wrapped = await self._services[name].generate(key_id, context, length=length)
        self._check_way_back(name, wrapped.key_id)
        return key, wrapped

    async def wrap(self, key_id: str, key: bytes, context: WrapContext) -> WrappedKey:
        """Wrap a data key that exists."""
        name, key_id = self._place(key_id)
        wrapped = await self._services[name].wrap(key_id, key, context)
        self._check_way_back(name, wrapped.key_id)
        return wrapped

    async def unwrap(self, wrapped: WrappedKey, context: WrapContext) -> bytes:
        """Open a wrapped data key, at the service that its CMK's id leads to."""
        return await self._services[self._service_of(wrapped.key_id)].unwrap(wrapped, context)

    async def describe(self, key_id: str) -> KeyDescription:
        """Resolve an id or alias; raises `KeyNotFound`."""
        name, key_id = self._place(key_id)
        return await self._services[name].describe(key_id)

    def version_of(self, wrapped: WrappedKey) -> str | None:
        """Return the CMK's version as the wrapped key itself tells it."""
        return self._services[self._service_of(wrapped.key_id)].version_of(wrapped)

    async def healthy(self) -> None:
        """Return if the service with the service master key can be used: nothing works without it.

        Another one that is away fails only the requests that need it, not all of this proxy's.
        """
        name, _ = self._place(SERVICE_KEY_ALIAS)
        await self._services[name].healthy()

    def _place(self, key_id: str) -> tuple[str, str]:
        """Return the service to ask for an id or alias, and what to ask it for."""
        if key_id != SERVICE_KEY_ALIAS:
            return self._service_of(key_id), key_id
        if self._service_key is None:
            return self._default, key_id
        return self._service_of(self._service_key), self._service_key

    def _service_of(self, key_id: str) -> str:
        return next((way.service for way in self._ways if way.matches(key_id)), self._default)

    def _check_way_back(self, name: str, key_id: str) -> None:
        """Refuse what could not be opened again: readers find the service by the CMK's canonical id alone."""
        found = self._service_of(key_id)
        if found != name:
            raise KeyServiceError(
                f"The key {key_id} is in the key service {name}, but remote_kms.routes leads its id to {found}: "
                "add a route for it."
            )
