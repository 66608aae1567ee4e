"""The credentials of AWS KMS that the settings ask for."""

from sseproxy.credentials.aws import ContainerAgent, InstanceMetadata, WebIdentity, sts_of
from sseproxy.credentials.held import CredentialSource, Lender, LentCredentials, given
from sseproxy.credentials.http import Http
from sseproxy.errors import ConfigurationError
from sseproxy.ports import Clock
from sseproxy.settings_remote_kms import AwsKmsSettings


def build_credentials(http: Http, settings: AwsKmsSettings, clock: Clock) -> CredentialSource:
    """Return the credentials that the settings ask for. Raises `ConfigurationError` where something is missing."""
    if settings.credentials != "static":
        return LentCredentials(_lender(http, settings), clock)
    if settings.access_key is None or settings.secret_key is None:
        raise ConfigurationError("The credentials `static` need access_key and secret_key.")
    return given(settings.access_key.get_secret_value(), settings.secret_key, settings.security_token)


def _lender(http: Http, settings: AwsKmsSettings) -> Lender:
    if settings.credentials == "instance":
        return InstanceMetadata(http, settings.metadata_endpoint)
    if settings.credentials == "container":
        return ContainerAgent(http, settings.container_url or "", settings.container_token_file)
    if settings.web_identity_token_file is None:
        raise ConfigurationError("The credentials `web-identity` need web_identity_token_file.")
    endpoint = settings.sts_endpoint or sts_of(settings.region)
    return WebIdentity(http, settings.role_arn or "", settings.web_identity_token_file, endpoint)
