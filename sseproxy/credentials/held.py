"""Credentials with which the proxy signs: given once, or lent for a while."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import SecretStr

from sseproxy.errors import KeyServiceError, KeyServiceUnavailable
from sseproxy.ports import Clock, Observer
from sseproxy.single_flight import SingleFlight

_EARLY = timedelta(minutes=5)  # before their end lent credentials are asked for anew
_SPREAD = timedelta(minutes=1)  # most by which a fleet's processes ask earlier, so that they do not ask all at once
_NEXT_TRY = timedelta(seconds=30)  # after that failed, while the old ones are still good


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Credentials:
    """An access key; `ends` None: it has no end."""

    access_key: str
    secret_key: str
    token: str | None = None
    ends: datetime | None = None


class Lender(Protocol):
    """Somebody who lends credentials."""

    async def lend(self) -> Credentials:
        """Ask for credentials. Raises a `KeyServiceError`."""
        ...


class GivenCredentials:
    """Those of the configuration, which stay the same."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def current(self) -> Credentials:
        """Return them."""
        return self._credentials

    def drop(self, credentials: Credentials) -> None:
        """Nothing can be done about credentials that were refused."""


class LentCredentials:
    """Those of a lender, asked for once for all that need them, and anew five to six minutes before their end.

    `spread` says where in that minute, from 0 (late) to 1. `service` is whom they are for, in the log.
    """

    def __init__(
        self,
        lender: Lender,
        clock: Clock,
        observer: Observer,
        *,
        service: str,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._lender = lender
        self._clock = clock
        self._observer = observer
        self._service = service
        self._spread = spread
        self._held: Credentials | None = None
        self._due: datetime | None = None
        self._flight: SingleFlight[str, None] = SingleFlight()

    async def current(self) -> Credentials:
        """Return credentials that are good as far as their end tells. Raises a `KeyServiceError`."""
        now = self._clock.now()
        if self._held is None or (self._due is not None and now >= self._due):
            await self._flight.run("lend", self._renew)
        if self._held is None:
            raise KeyServiceUnavailable("The proxy's credentials were refused and are asked for again.")
        return self._held

    def drop(self, credentials: Credentials) -> None:
        """Forget credentials that were refused, so that the next call asks for others."""
        if self._held is credentials:
            self._held = None

    async def _renew(self) -> None:
        try:
            lent = await self._lender.lend()
        except KeyServiceError as error:
            now = self._clock.now()
            if self._held is None or self._held.ends is None or now >= self._held.ends:
                self._held = None
                raise
            self._due = min(now + _NEXT_TRY, self._held.ends)
            self._observer.event("credentials_not_renewed", service=self._service, reason=error.message)
            return
        self._held = lent
        if lent.ends is None:
            self._due = None
            return
        early = _EARLY + _SPREAD * self._spread()
        self._due = max(lent.ends - early, self._clock.now() + _NEXT_TRY)


class CredentialSource(Protocol):
    """Whatever has the credentials of the moment."""

    async def current(self) -> Credentials:
        """Return credentials that are good as far as is known. Raises a `KeyServiceError`."""
        ...

    def drop(self, credentials: Credentials) -> None:
        """Take note that these were refused."""
        ...


def given(access_key: str, secret_key: SecretStr, token: SecretStr | None) -> GivenCredentials:
    """Return those of a configuration."""
    return GivenCredentials(
        Credentials(
            access_key=access_key,
            secret_key=secret_key.get_secret_value(),
            token=None if token is None else token.get_secret_value(),
        )
    )


def parse_end(text: str) -> datetime:
    """Return the time of an ISO 8601 text with its zone. Raises `KeyServiceUnavailable`."""
    try:
        ends = datetime.fromisoformat(text)
    except ValueError as cause:
        raise KeyServiceUnavailable("Credentials were lent with an end that is no time.") from cause
    if ends.tzinfo is None:
        raise KeyServiceUnavailable("Credentials were lent with an end in no time zone.")
    return ends
