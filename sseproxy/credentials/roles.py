"""A role that the proxy takes on by showing a token from a file, which somebody else renews."""

from dataclasses import dataclass
from pathlib import Path

from sseproxy.credentials.tokens import read_token
from sseproxy.errors import ConfigurationError
from sseproxy.settings_lending import Lending


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRole:
    """Which role, in whose eyes, and where the token is."""

    arn: str
    session_name: str
    token_file: Path
    sts: str

    async def token(self) -> str:
        """Return the token of the moment. Raises `KeyServiceUnavailable`."""
        return await read_token(self.token_file)


def token_role(settings: Lending, token_file: Path | None, sts: str) -> TokenRole:
    """Return the role of the settings; `sts` counts where they name none. Raises `ConfigurationError`."""
    if settings.role_arn is None or token_file is None:
        raise ConfigurationError("Credentials that are lent for a token need role_arn and the token's file.")
    return TokenRole(
        arn=settings.role_arn,
        session_name=settings.role_session_name,
        token_file=token_file,
        sts=settings.sts_endpoint or sts,
    )
