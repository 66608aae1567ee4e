"""Who lends credentials to a process at Alibaba Cloud: the metadata service of an ECS instance, for its RAM role."""

from sseproxy.errors import ConfigurationError, KeyServiceUnavailable
from sseproxy.kms.credentials import (
    Credentials,
    CredentialSource,
    GivenCredentials,
    LentCredentials,
    parse_end,
)
from sseproxy.kms.http import Http, HttpAnswer
from sseproxy.ports import Clock
from sseproxy.settings_remote_kms import AlibabaKmsSettings

_ROLES = "/latest/meta-data/ram/security-credentials/"
_TOKEN_S = "21600"  # noqa: S105  # seconds


def build_alibaba_credentials(http: Http, settings: AlibabaKmsSettings, clock: Clock) -> CredentialSource:
    """Return the credentials that the settings ask for."""
    if settings.credentials == "ram-role":
        return LentCredentials(RamRole(http, settings), clock)
    if settings.access_key is None or settings.secret_key is None:
        raise ConfigurationError("The credentials `static` need access_key and secret_key.")
    token = settings.security_token
    return GivenCredentials(
        Credentials(
            access_key=settings.access_key.get_secret_value(),
            secret_key=settings.secret_key.get_secret_value(),
            token=None if token is None else token.get_secret_value(),
        )
    )


class RamRole:
    """The metadata service, asked with a session token as its hardened mode demands."""

    def __init__(self, http: Http, settings: AlibabaKmsSettings) -> None:
        self._http = http
        self._base = settings.metadata_endpoint
        self._role = settings.role_name

    async def lend(self) -> Credentials:
        """Ask for the credentials of the configured role, or of the one that the instance has."""
        headers = {"X-aliyun-ecs-metadata-token-ttl-seconds": _TOKEN_S}
        token = _text(await self._http.ask("PUT", f"{self._base}/latest/api/token", headers=headers))
        headers = {"X-aliyun-ecs-metadata-token": token}
        role = self._role
        if role is None:
            role = _text(await self._http.ask("GET", self._base + _ROLES, headers=headers)).partition("\n")[0]
        answer = await self._http.ask("GET", self._base + _ROLES + role, headers=headers)
        _text(answer)
        document = answer.document()
        if document.optional_text("Code") != "Success":
            raise KeyServiceUnavailable("The instance's metadata service lends the proxy no credentials.")
        return Credentials(
            access_key=document.text("AccessKeyId"),
            secret_key=document.text("AccessKeySecret"),
            token=document.text("SecurityToken"),
            ends=parse_end(document.text("Expiration")),
        )


def _text(answer: HttpAnswer) -> str:
    if answer.status != 200:
        raise KeyServiceUnavailable(
            f"The instance's metadata service lends the proxy no credentials ({answer.status})."
        )
    return answer.body.decode("ascii", "replace").strip()
