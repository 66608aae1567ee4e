"""Who lends credentials to a process at AWS: STS for a web identity, a container's agent, the instance's metadata."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlencode

from sseproxy.credentials.answers import credentials_of, lent
from sseproxy.credentials.held import Credentials, Lender, parse_end
from sseproxy.credentials.http import FORM, Http, HttpAnswer
from sseproxy.credentials.metadata import InstanceRoles, MetadataNames
from sseproxy.credentials.roles import TokenRole, token_role
from sseproxy.credentials.tokens import read_token
from sseproxy.dialect.xml_reading import child, parse_xml, text_of
from sseproxy.dialect.xml_shapes import parse_error
from sseproxy.errors import KeyServiceUnavailable, MalformedXml
from sseproxy.settings_lending import AwsLending

_METADATA = "http://169.254.169.254"
_NAMES = MetadataNames(
    lifetime_header="X-aws-ec2-metadata-token-ttl-seconds",
    token_header="X-aws-ec2-metadata-token",  # noqa: S106  # a header's name
    roles="/latest/meta-data/iam/security-credentials/",
)

# What to do about STS's codes for AssumeRoleWithWebIdentity.
_REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "AccessDenied": (
            "the role does not trust the web identity; check the provider, `aud` and `sub` in the role's trust policy, "
            "and role_arn"
        ),
        "ExpiredTokenException": (
            "the token in web_identity_token_file has ended; mount it as a projected service account token, which is "
            "renewed"
        ),
        "InvalidIdentityToken": (
            "no provider in IAM vouches for the token; create the OIDC provider of its issuer, and check "
            "web_identity_token_file"
        ),
        "RegionDisabledException": "STS is switched off in the region; switch it on, or name another in sts_endpoint",
    }
)


class WebIdentity:
    """STS, for a token that Kubernetes or another identity provider puts into a file."""

    def __init__(self, http: Http, role: TokenRole) -> None:
        self._http = http
        self._role = role

    async def lend(self) -> Credentials:
        """Exchange the token of the moment for credentials."""
        question = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": self._role.arn,
            "RoleSessionName": self._role.session_name,
            "WebIdentityToken": await self._role.token(),
        }
        answer = await self._http.ask("POST", f"{self._role.sts}/", headers=FORM, body=urlencode(question).encode())
        if answer.status != 200:
            raise KeyServiceUnavailable(_refusal(answer))
        return _of_sts(answer)


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
        document = lent(answer, "The container's agent").document()
        return credentials_of(document, secret_key="SecretAccessKey", token="Token")  # noqa: S106  # fields' names


class InstanceMetadata:
    """The metadata service of an EC2 instance, version 2."""

    def __init__(self, http: Http, endpoint: str) -> None:
        self._roles = InstanceRoles(http, endpoint, _NAMES)

    async def lend(self) -> Credentials:
        """Ask for the credentials of the instance's role."""
        document = await self._roles.ask(None)
        return credentials_of(document, secret_key="SecretAccessKey", token="Token")  # noqa: S106  # fields' names


def build_aws_lender(kind: str, http: Http, settings: AwsLending, region: str) -> Lender:
    """Return the lender that settings name: `instance`, `container` or `web-identity`. Raises `ConfigurationError`."""
    if kind == "instance":
        return InstanceMetadata(http, settings.metadata_endpoint or _METADATA)
    if kind == "container":
        return ContainerAgent(http, settings.container_url or "", settings.container_token_file)
    sts = f"https://sts.{region}.amazonaws.com"
    return WebIdentity(http, token_role(settings, settings.web_identity_token_file, sts))


def _refusal(answer: HttpAnswer) -> str:
    """Say what STS refused and what to do; its own message may repeat what it was asked."""
    code = parse_error(answer.body)[0]
    remedy = _REMEDIES.get(code, "check role_arn, web_identity_token_file and sts_endpoint")
    return f"STS lends the proxy no credentials ({f'{answer.status} {code}'.rstrip()}): {remedy}."


def _of_sts(answer: HttpAnswer) -> Credentials:
    try:
        result = child(parse_xml(answer.body), "AssumeRoleWithWebIdentityResult")
    except MalformedXml as cause:
        raise KeyServiceUnavailable("STS answered with something else than XML.") from cause
    given = None if result is None else child(result, "Credentials")
    if given is None:
        raise KeyServiceUnavailable("STS answered without credentials.")
    access_key, secret_key, token = (
        text_of(given, name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")
    )
    ends = parse_end(text_of(given, "Expiration"))
    if not (access_key and secret_key and token):
        raise KeyServiceUnavailable("STS answered without credentials.")
    return Credentials(access_key=access_key, secret_key=secret_key, token=token, ends=ends)
