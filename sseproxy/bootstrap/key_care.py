"""What is done with keys beside serving them: grants in force, and rotation by period."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from sseproxy.errors import KeyServiceError, StateRejected, UpstreamUnavailable
from sseproxy.kms.embedded import EmbeddedKms
from sseproxy.kms.routing import RoutedKms
from sseproxy.policy.grants import ConfiguredGrants, NamedClientsOnly
from sseproxy.ports import Grants, Kms, Observer
from sseproxy.settings import ClientsSettings
from sseproxy.settings_remote_kms import EMBEDDED

_PAUSE_S = 60.0  # between looks at what time has brought


def build_grants(settings: ClientsSettings, kms: Kms) -> Grants | None:
    """Return who may use which CMK; None where nobody needs a grant."""
    granted = ConfiguredGrants(settings.grants, embedded_in(kms)) if settings.require_grants else None
    return granted if settings.anonymous == "refuse" else NamedClientsOnly(granted)


@asynccontextmanager
async def maintained(
    kms: Kms, observer: Observer, rewrap_keks: Callable[[str], Awaitable[int]]
) -> AsyncGenerator[None, None]:
    """Rotate CMKs of the embedded KMS that are due, and delete what has expired, while the context is open.

    `rewrap_keks` wraps the bucket keys under a CMK that was rotated again.
    """
    embedded = embedded_in(kms)
    if embedded is None:
        yield
        return
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_maintain(embedded, observer, rewrap_keks))
        try:
            yield
        finally:
            task.cancel()


def embedded_in(kms: Kms) -> EmbeddedKms | None:
    """Return the embedded KMS among key services, None where there is none."""
    found = kms.service(EMBEDDED) if isinstance(kms, RoutedKms) else kms
    return found if isinstance(found, EmbeddedKms) else None


async def _maintain(kms: EmbeddedKms, observer: Observer, rewrap_keks: Callable[[str], Awaitable[int]]) -> None:
    while True:
        try:
            for key_id in await kms.maintain():
                observer.event("key_rotated", key_id=key_id)
                await rewrap_keks(key_id)
        except (KeyServiceError, UpstreamUnavailable, StateRejected) as error:
            observer.event("key_maintenance_failed", error=error.message)
        await asyncio.sleep(_PAUSE_S)
