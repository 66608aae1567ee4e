"""The proxy's token at a Vault or OpenBao server: got, renewed, and got anew (S3 dossier §10.2, "Auth").

Nothing runs in the background: whoever needs the token when two thirds of its time are over renews it, for all.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sseproxy.credentials.http import Document, Http, HttpAnswer
from sseproxy.credentials.tokens import read_token
from sseproxy.errors import ConfigurationError, KeyServiceError, KeyServiceUnavailable
from sseproxy.ports import Clock
from sseproxy.settings_remote_kms import VaultKmsSettings
from sseproxy.single_flight import SingleFlight

_FILE_LOOKED_AT_S = 30.0
_NEXT_TRY_S = 10.0  # after a renewal that failed, while the token is still good


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Session:
    """A token and its times. `lease_s` None: it does not end. `due` None: nothing is to be done about it."""

    token: str
    renewable: bool
    lease_s: float | None
    due: datetime | None
    ends: datetime | None


class VaultLogin:
    """Gives the token that requests carry. Tokens never show in a message."""

    def __init__(self, http: Http, settings: VaultKmsSettings, clock: Clock) -> None:
        self._http = http
        self._settings = settings
        self._clock = clock
        self._session: _Session | None = None
        self._flight: SingleFlight[str, None] = SingleFlight()

    async def token(self) -> str:
        """Return a token that is good as far as its times tell. Raises `KeyServiceUnavailable`."""
        session, now = self._session, self._clock.now()
        if session is None or (session.ends is not None and now >= session.ends):
            await self._flight.run("begin", self._begin)
        elif session.due is not None and now >= session.due:
            await self._flight.run("renew", self._renew)
        if self._session is None:
            raise KeyServiceUnavailable(f"{self._http.service} has ended the proxy's session.")
        return self._session.token

    async def is_dead(self, token: str) -> bool:
        """Say whether a token that was refused is at fault, rather than its rights; if so the next one is another."""
        if self._session is None or self._session.token != token:
            return True
        answer = await self._ask("GET", "auth/token/lookup-self", token=token)
        if answer.status == 200:
            return False
        self._session = None
        return True

    def headers(self, token: str | None = None) -> dict[str, str]:
        """Return the headers of every request."""
        headers = {"Content-Type": "application/json", "X-Vault-Request": "true"}
        if token is not None:
            headers["X-Vault-Token"] = token
        if self._settings.namespace:
            headers["X-Vault-Namespace"] = self._settings.namespace
        return headers

    # ---- beginning ----

    async def _begin(self) -> None:
        self._session = await (self._looked_up() if self._settings.login == "token" else self._logged_in())

    async def _logged_in(self) -> _Session:
        settings = self._settings
        if settings.login == "approle" and settings.secret_id is not None:
            fields = {"role_id": settings.role_id, "secret_id": settings.secret_id.get_secret_value()}
        else:
            fields = {"role": settings.role, "jwt": await read_token(settings.jwt_file)}
        mount = settings.login_mount or settings.login
        return self._session_of(await self._ask("POST", f"auth/{mount}/login", fields), "login")

    async def _looked_up(self) -> _Session:
        """Take the token that is configured, and learn how long it lives."""
        settings = self._settings
        if settings.token_file is not None:
            token = await read_token(settings.token_file)
        elif settings.token is not None:
            token = settings.token.get_secret_value()
        else:
            raise ConfigurationError("The login `token` has no token.")
        data = self._granted(await self._ask("GET", "auth/token/lookup-self", token=token), "token").inner("data")
        session = self._timed(token, data.number("ttl"), renewable=data.fields.get("renewable") is True)
        if settings.token_file is None:
            return session
        # Whoever writes the file renews the token.
        due = self._clock.now() + timedelta(seconds=_FILE_LOOKED_AT_S)
        return _Session(token=token, renewable=False, lease_s=session.lease_s, due=due, ends=session.ends)

    # ---- renewing ----

    async def _renew(self) -> None:
        """Lengthen the session, or begin another; where neither can be done it is used to its end."""
        session = self._session
        if session is None:
            return await self._begin()
        try:
            self._session = await self._renewed(session)
        except KeyServiceError:
            if session.ends is not None and session.ends - self._clock.now() < timedelta(seconds=_NEXT_TRY_S):
                self._session = None
                raise
            self._session = self._put_off(session)

    async def _renewed(self, session: _Session) -> _Session:
        if not session.renewable:
            return await (self._looked_up() if self._settings.login == "token" else self._logged_in())
        answer = await self._ask("POST", "auth/token/renew-self", {}, token=session.token)
        renewed = self._session_of(answer, "renewal") if answer.status == 200 else None
        is_long = renewed is not None and (renewed.lease_s is None or renewed.lease_s * 2 >= (session.lease_s or 0))
        if renewed is not None and (is_long or self._settings.login == "token"):
            return renewed
        return await (self._looked_up() if self._settings.login == "token" else self._logged_in())

    def _put_off(self, session: _Session) -> _Session:
        return _Session(
            token=session.token,
            renewable=session.renewable,
            lease_s=session.lease_s,
            due=self._clock.now() + timedelta(seconds=_NEXT_TRY_S),
            ends=session.ends,
        )

    # ---- answers ----

    def _session_of(self, answer: HttpAnswer, what: str) -> _Session:
        auth = self._granted(answer, what).inner("auth")
        return self._timed(
            auth.text("client_token"), auth.number("lease_duration"), renewable=auth.fields.get("renewable") is True
        )

    def _granted(self, answer: HttpAnswer, what: str) -> Document:
        if answer.status != 200:
            raise KeyServiceUnavailable(
                f"{self._http.service} refuses the proxy's {what} ({answer.status}); check its login in remote_kms."
            )
        return answer.document()

    def _timed(self, token: str, lease_s: int, *, renewable: bool) -> _Session:
        if lease_s <= 0:
            return _Session(token=token, renewable=False, lease_s=None, due=None, ends=None)
        now = self._clock.now()
        # A token that can neither be renewed nor got anew is used to its end.
        is_lasting = renewable or self._settings.login != "token"
        due = now + timedelta(seconds=lease_s * 2 / 3) if is_lasting else None
        return _Session(
            token=token, renewable=renewable, lease_s=lease_s, due=due, ends=now + timedelta(seconds=lease_s)
        )

    async def _ask(
        self, method: str, path: str, fields: dict[str, str | None] | None = None, *, token: str | None = None
    ) -> HttpAnswer:
        body = None if fields is None else json.dumps(fields).encode()
        url = f"{self._settings.address}/v1/{path}"
        return await self._http.ask(method, url, headers=self.headers(token), body=body)
