"""Who lends credentials to a process at AWS: STS for a web identity, a container's agent, the instance's metadata."""

from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

from sseproxy.credentials.held import Credentials, parse_end
from sseproxy.credentials.http import Document, Http, HttpAnswer
from sseproxy.credentials.tokens import read_token
from sseproxy.dialect.xml_reading import child, parse_xml, text_of
from sseproxy.errors import KeyServiceUnavailable, MalformedXml

AWS_METADATA = "http://169.254.169.254"

_SESSION = "sseproxy"
_ROLES = "/latest/meta-data/iam/security-credentials/"
_METADATA_TOKEN_S = "21600"  # noqa: S105  # seconds


def sts_of(region: str) -> str:
    """Return the URL of STS in a region."""
    return f"https://sts.{region}.amazonaws.com"


class WebIdentity:
    """STS, for a token that Kubernetes or another identity provider puts into a file."""

    def __init__(self, http: Http, role: str, token_file: Path, endpoint: str) -> None:
        self._http = http
        self._role = role
        self._token_file = token_file
        self._endpoint = endpoint

    async def lend(self) -> Credentials:
        """Exchange the token of the moment for credentials."""
        question = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": self._role,
            "RoleSessionName": _SESSION,
            "WebIdentityToken": await read_token(self._token_file),
        }
        answer = await self._http.ask(
            "POST",
            f"{self._endpoint}/",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(question).encode(),
        )
        return _of_sts(_lent(answer, "STS"))


class ContainerAgent:
    """The agent of ECS or of EKS Pod Identity, which answers on an address of its own."""

    def __init__(self, http: Http, url: str, token_file: Path | None) -> None:
        self._http = http
        self._url = url
        self._token_file = token_file

    async def lend(self) -> Credentials:
        """Ask the agent."""
        headers = {}
        if self._token_file is not None:
            headers["Authorization"] = await read_token(self._token_file)
        answer = await self._http.ask("GET", self._url, headers=headers)
        return _of_document(_lent(answer, "the container's agent").document())


class InstanceMetadata:
    """The metadata service of an EC2 instance, version 2."""

    def __init__(self, http: Http, endpoint: str) -> None:
        self._http = http
        self._base = endpoint

    async def lend(self) -> Credentials:
        """Ask for the credentials of the instance's role."""
        what = "the instance's metadata service"
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": _METADATA_TOKEN_S}
        token = _lent(await self._http.ask("PUT", f"{self._base}/latest/api/token", headers=headers), what)
        headers = {"X-aws-ec2-metadata-token": token.body.decode("ascii", "replace").strip()}
        roles = _lent(await self._http.ask("GET", self._base + _ROLES, headers=headers), what)
        role = roles.body.decode("ascii", "replace").partition("\n")[0].strip()
        answer = await self._http.ask("GET", self._base + _ROLES + role, headers=headers)
        return _of_document(_lent(answer, what).document())


def _lent(answer: HttpAnswer, lender: str) -> HttpAnswer:
    if answer.status != 200:
        raise KeyServiceUnavailable(f"{lender} lends the proxy no credentials ({answer.status}).")
    return answer


def _of_document(document: Document) -> Credentials:
    return Credentials(
        access_key=document.text("AccessKeyId"),
        secret_key=document.text("SecretAccessKey"),
        token=document.text("Token"),
        ends=parse_end(document.text("Expiration")),
    )


def _of_sts(answer: HttpAnswer) -> Credentials:
    try:
        result = child(parse_xml(answer.body), "AssumeRoleWithWebIdentityResult")
    except MalformedXml as cause:
        raise KeyServiceUnavailable("STS answered with something else than XML.") from cause
    lent = None if result is None else child(result, "Credentials")
    if lent is None:
        raise KeyServiceUnavailable("STS answered without credentials.")
    access_key, secret_key, token = (text_of(lent, name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
    ends: datetime = parse_end(text_of(lent, "Expiration"))
    if not (access_key and secret_key and token):
        raise KeyServiceUnavailable("STS answered without credentials.")
    return Credentials(access_key=access_key, secret_key=secret_key, token=token, ends=ends)
