"""Who lends credentials to a process at Alibaba Cloud: the instance's metadata service, and STS for a service account.

The latter is RRSA, RAM Roles for Service Accounts: Kubernetes puts a token into a file, and STS of 2015-04-01 exchanges
it by AssumeRoleWithOIDC, a call that nobody signs because the token says who asks.
"""

from collections.abc import Mapping
from types import MappingProxyType

from sseproxy.credentials.answers import credentials_of
from sseproxy.credentials.held import Credentials, Lender
from sseproxy.credentials.http import FORM, Http, HttpAnswer
from sseproxy.credentials.metadata import InstanceRoles, MetadataNames
from sseproxy.credentials.roles import TokenRole, token_role
from sseproxy.errors import ConfigurationError, KeyServiceUnavailable
from sseproxy.ports import Clock
from sseproxy.settings_lending import AlibabaLending
from sseproxy.signing.alibaba_rpc import rpc_query

ALIBABA_LENDERS = frozenset({"ram-role", "rrsa"})

_METADATA = "http://100.100.100.200"
_NAMES = MetadataNames(
    lifetime_header="X-aliyun-ecs-metadata-token-ttl-seconds",
    token_header="X-aliyun-ecs-metadata-token",  # noqa: S106  # a header's name
    roles="/latest/meta-data/ram/security-credentials/",
)
_LIFETIME_S = 3600  # what STS takes for every role: its maximum is the role's own, and at least this

# What to do about STS's codes, by their beginning; the first that fits counts.
_REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "AuthenticationFail.OIDCToken.Expired": (
            "the token in oidc_token_file has ended; mount it as a projected service account token, which is renewed"
        ),
        "AuthenticationFail.OIDCToken.AudienceNotMatch": (
            "the token is for somebody else; set the audience of the projected token to sts.aliyuncs.com"
        ),
        "AuthenticationFail.OIDCToken": (
            "the token is not one of oidc_provider_arn; enable RRSA for the cluster, create the pod anew, and check "
            "oidc_provider_arn and oidc_token_file"
        ),
        "AuthenticationFail.NoPermission": (
            "the role does not trust the service account, or there is no such provider; check oidc:iss, oidc:aud and "
            "oidc:sub in the role's trust policy, and oidc_provider_arn"
        ),
        "EntityNotExist": "the role or the provider does not exist; check role_arn and oidc_provider_arn",
        "InvalidParameter": "check role_arn, oidc_provider_arn and role_session_name",
        "Throttling": "it is asked too often; it is asked again when the credentials are needed",
    }
)
_OTHERWISE = "check role_arn, oidc_provider_arn, oidc_token_file and sts_endpoint"


class RamRole:
    """The metadata service of an ECS instance, for its RAM role or the one that is named."""

    def __init__(self, http: Http, endpoint: str, role: str | None) -> None:
        self._roles = InstanceRoles(http, endpoint, _NAMES)
        self._role = role

    async def lend(self) -> Credentials:
        """Ask for the credentials of the configured role, or of the one that the instance has."""
        document = await self._roles.ask(self._role)
        if document.optional_text("Code") != "Success":
            raise KeyServiceUnavailable("The instance's metadata service lends the proxy no credentials.")
        return credentials_of(document, secret_key="AccessKeySecret", token="SecurityToken")  # noqa: S106  # names


class ServiceAccountRole:
    """STS, for the token of a pod's service account (RRSA)."""

    def __init__(self, http: Http, clock: Clock, role: TokenRole, provider_arn: str) -> None:
        self._http = http
        self._clock = clock
        self._role = role
        self._provider_arn = provider_arn

    async def lend(self) -> Credentials:
        """Exchange the token of the moment for credentials. The token goes into the body: URLs are logged."""
        call = {
            "Action": "AssumeRoleWithOIDC",
            "Format": "JSON",
            "Timestamp": self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "Version": "2015-04-01",
        }
        form = {
            "DurationSeconds": str(_LIFETIME_S),
            "OIDCProviderArn": self._provider_arn,
            "OIDCToken": await self._role.token(),
            "RoleArn": self._role.arn,
            "RoleSessionName": self._role.session_name,
        }
        url = f"{self._role.sts}/?{rpc_query(call)}"
        answer = await self._http.ask("POST", url, headers=FORM, body=rpc_query(form).encode())
        if answer.status != 200:
            raise KeyServiceUnavailable(_refusal(answer))
        document = answer.document().inner("Credentials")
        return credentials_of(document, secret_key="AccessKeySecret", token="SecurityToken")  # noqa: S106  # names


def build_alibaba_lender(kind: str, http: Http, settings: AlibabaLending, region: str, clock: Clock) -> Lender:
    """Return the lender that settings name: `ram-role` or `rrsa`. Raises `ConfigurationError`."""
    if kind == "ram-role":
        return RamRole(http, settings.metadata_endpoint or _METADATA, settings.role_name)
    if settings.oidc_provider_arn is None:
        raise ConfigurationError("The credentials `rrsa` need oidc_provider_arn.")
    role = token_role(settings, settings.oidc_token_file, f"https://sts.{region}.aliyuncs.com")
    return ServiceAccountRole(http, clock, role, settings.oidc_provider_arn)


def _refusal(answer: HttpAnswer) -> str:
    """Say what STS refused and what to do; its own message may repeat what it was asked."""
    code = answer.document().optional_text("Code")
    remedy = next((text for start, text in _REMEDIES.items() if code.startswith(start)), _OTHERWISE)
    return f"STS lends the proxy no credentials ({answer.status} {code}): {remedy}."
