"""Who lends credentials to a process at AWS: STS for a web identity, a container's agent, the instance's metadata."""

from datetime import datetime
from urllib.parse import urlencode

from sseproxy.dialect.xml_reading import child, parse_xml, text_of
from sseproxy.errors import ConfigurationError, KeyServiceUnavailable, MalformedXml
from sseproxy.kms.credentials import (
    Credentials,
    CredentialSource,
    GivenCredentials,
    Lender,
    LentCredentials,
    parse_end,
)
from sseproxy.kms.files import read_token
from sseproxy.kms.http import Document, Http, HttpAnswer
from sseproxy.ports import Clock
from sseproxy.settings_remote_kms import AwsKmsSettings

_SESSION = "sseproxy"
_ROLES = "/latest/meta-data/iam/security-credentials/"
_METADATA_TOKEN_S = "21600"  # noqa: S105  # seconds


def build_credentials(http: Http, settings: AwsKmsSettings, clock: Clock) -> CredentialSource:
    """Return the credentials that the settings ask for."""
    lenders: dict[str, type[WebIdentity | ContainerAgent | InstanceMetadata]] = {
        "web-identity": WebIdentity,
        "container": ContainerAgent,
        "instance": InstanceMetadata,
    }
    if settings.credentials in lenders:
        lender: Lender = lenders[settings.credentials](http, settings)
        return LentCredentials(lender, clock)
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


class WebIdentity:
    """STS, for a token that Kubernetes or another identity provider puts into a file."""

    def __init__(self, http: Http, settings: AwsKmsSettings) -> None:
        self._http = http
        self._settings = settings

    async def lend(self) -> Credentials:
        """Exchange the token of the moment for credentials."""
        settings = self._settings
        if settings.web_identity_token_file is None:
            raise ConfigurationError("The credentials `web-identity` need web_identity_token_file.")
        question = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": settings.role_arn or "",
            "RoleSessionName": _SESSION,
            "WebIdentityToken": await read_token(settings.web_identity_token_file),
        }
        answer = await self._http.ask(
            "POST",
            f"{settings.sts_endpoint or f'https://sts.{settings.region}.amazonaws.com'}/",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(question).encode(),
        )
        return _of_sts(_lent(answer, "STS"))


class ContainerAgent:
    """The agent of ECS or of EKS Pod Identity, which answers on an address of its own."""

    def __init__(self, http: Http, settings: AwsKmsSettings) -> None:
        self._http = http
        self._settings = settings

    async def lend(self) -> Credentials:
        """Ask the agent."""
        settings = self._settings
        headers = {}
        if settings.container_token_file is not None:
            headers["Authorization"] = await read_token(settings.container_token_file)
        answer = await self._http.ask("GET", settings.container_url or "", headers=headers)
        return _of_document(_lent(answer, "the container's agent").document())


class InstanceMetadata:
    """The metadata service of an EC2 instance, version 2."""

    def __init__(self, http: Http, settings: AwsKmsSettings) -> None:
        self._http = http
        self._base = settings.metadata_endpoint

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
