"""Who lends credentials to a process at Alibaba Cloud: the metadata service of an ECS instance, for its RAM role."""

from sseproxy.credentials.held import Credentials, parse_end
from sseproxy.credentials.http import Http, HttpAnswer
from sseproxy.errors import KeyServiceUnavailable

ALIBABA_METADATA = "http://100.100.100.200"

_ROLES = "/latest/meta-data/ram/security-credentials/"
_TOKEN_S = "21600"  # noqa: S105  # seconds


class RamRole:
    """The metadata service, asked with a session token as its hardened mode demands."""

    def __init__(self, http: Http, endpoint: str, role: str | None) -> None:
        self._http = http
        self._base = endpoint
        self._role = role

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
