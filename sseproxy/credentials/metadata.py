"""The metadata service of a cloud's instance: both clouds answer the same questions under other names."""

from dataclasses import dataclass

from sseproxy.credentials.answers import lent, text_of
from sseproxy.credentials.http import Document, Http

_TOKEN_S = "21600"  # noqa: S105  # seconds
_LENDER = "The instance's metadata service"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataNames:
    """What a cloud calls things: the header that asks for a session token and for how long, the one with the token."""

    lifetime_header: str
    token_header: str
    roles: str


class InstanceRoles:
    """The roles of the instance. Every question carries a session token, as hardened services demand."""

    def __init__(self, http: Http, endpoint: str, names: MetadataNames) -> None:
        self._http = http
        self._base = endpoint
        self._names = names

    async def ask(self, role: str | None) -> Document:
        """Return what is lent for a role, for the instance's own one where it is None. Raises a `KeyServiceError`."""
        opening = {self._names.lifetime_header: _TOKEN_S}
        token = text_of(lent(await self._http.ask("PUT", f"{self._base}/latest/api/token", headers=opening), _LENDER))
        headers = {self._names.token_header: token}
        roles = self._base + self._names.roles
        if role is None:
            role = (
                text_of(lent(await self._http.ask("GET", roles, headers=headers), _LENDER)).partition("\n")[0].strip()
            )
        return lent(await self._http.ask("GET", roles + role, headers=headers), _LENDER).document()
