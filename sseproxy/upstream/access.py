"""The proxy's own credentials at the store: those of the settings, of a file, or of somebody who lends them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sseproxy.credentials.alibaba import ALIBABA_LENDERS, build_alibaba_lender
from sseproxy.credentials.aws import build_aws_lender
from sseproxy.credentials.file import FileCredentials
from sseproxy.credentials.held import Credentials, CredentialSource, Lender, LentCredentials, given
from sseproxy.credentials.http import Http, open_session
from sseproxy.errors import ConfigurationError, KeyServiceError, UpstreamUnavailable
from sseproxy.ports import Clock, Observer
from sseproxy.settings_upstream import UpstreamSettings

_CONNECTIONS = 2
_NEXT_DROP_S = 30.0


class Access:
    """What requests to the store are signed with, at any moment."""

    def __init__(self, source: CredentialSource, timeout_s: float, observer: Observer) -> None:
        self._source = source
        self._timeout_s = timeout_s
        self._observer = observer
        self._dropped_s: float | None = None  # when, by the event loop's clock

    async def current(self) -> Credentials:
        """Return the credentials of the moment. Raises `UpstreamUnavailable` where there are none."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._source.current()
        except (KeyServiceError, TimeoutError) as cause:
            reason = cause.message if isinstance(cause, KeyServiceError) else "no answer in time"
            self._observer.event("storage_credentials_failed", reason=reason)
            raise UpstreamUnavailable from cause

    async def instead_of(self, refused: Credentials, code: str) -> Credentials | None:
        """Return others than those that the store refused with `code`, None where there are none.

        Whoever lends is asked for others at once, but once in half a minute: a role that was taken away brings every
        request here. Raises `UpstreamUnavailable` where nobody answers.
        """
        now_s = asyncio.get_running_loop().time()
        if await self.current() is refused and (self._dropped_s is None or now_s >= self._dropped_s + _NEXT_DROP_S):
            self._dropped_s = now_s
            self._source.drop(refused)
            if await self.current() is not refused:
                self._observer.event("storage_credentials_refused", code=code)
        held = await self.current()
        return None if held is refused else held


@asynccontextmanager
async def open_access(settings: UpstreamSettings, clock: Clock, observer: Observer) -> AsyncGenerator[Access, None]:
    """Open the credentials. Nobody is asked before they are needed."""
    async with open_session(None, _CONNECTIONS) as session:
        source = build_source(Http(session, "the lender of the store's credentials"), settings, clock, observer)
        yield Access(source, settings.credentials.timeout, observer)


def build_source(http: Http, settings: UpstreamSettings, clock: Clock, observer: Observer) -> CredentialSource:
    """Return the credentials that the settings ask for. Raises `ConfigurationError` where something is missing."""
    wanted = settings.credentials
    if wanted.source == "file" and wanted.path is not None:
        return FileCredentials(wanted.path, wanted.profile, clock, period_s=wanted.look_every)
    if wanted.source != "static":
        return LentCredentials(_lender(http, settings, clock), clock, observer, service="the store")
    if settings.access_key is None or settings.secret_key is None:
        raise ConfigurationError("upstream.access_key and upstream.secret_key are missing.")
    return given(settings.access_key, settings.secret_key, settings.security_token)


def _lender(http: Http, settings: UpstreamSettings, clock: Clock) -> Lender:
    wanted = settings.credentials
    if wanted.source in ALIBABA_LENDERS:
        return build_alibaba_lender(wanted.source, http, wanted, settings.region, clock)
    return build_aws_lender(wanted.source, http, wanted, settings.region)
