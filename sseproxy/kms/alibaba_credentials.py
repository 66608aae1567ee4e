"""The credentials of Alibaba Cloud KMS that the settings ask for."""

from sseproxy.credentials.alibaba import RamRole
from sseproxy.credentials.held import CredentialSource, LentCredentials, given
from sseproxy.credentials.http import Http
from sseproxy.errors import ConfigurationError
from sseproxy.ports import Clock
from sseproxy.settings_remote_kms import AlibabaKmsSettings


def build_alibaba_credentials(http: Http, settings: AlibabaKmsSettings, clock: Clock) -> CredentialSource:
    """Return the credentials that the settings ask for. Raises `ConfigurationError` where something is missing."""
    if settings.credentials == "ram-role":
        return LentCredentials(RamRole(http, settings.metadata_endpoint, settings.role_name), clock)
    if settings.access_key is None or settings.secret_key is None:
        raise ConfigurationError("The credentials `static` need access_key and secret_key.")
    return given(settings.access_key.get_secret_value(), settings.secret_key, settings.security_token)
