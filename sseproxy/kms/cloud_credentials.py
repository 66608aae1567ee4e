"""The credentials of the clouds' key services that the settings ask for."""

from sseproxy.credentials.alibaba import build_alibaba_lender
from sseproxy.credentials.aws import build_aws_lender
from sseproxy.credentials.held import CredentialSource, LentCredentials, given
from sseproxy.credentials.http import Http
from sseproxy.errors import ConfigurationError
from sseproxy.ports import Clock, Observer
from sseproxy.settings_remote_kms import AlibabaKmsSettings, AwsKmsSettings, CloudKmsSettings


def build_aws_credentials(http: Http, settings: AwsKmsSettings, clock: Clock, observer: Observer) -> CredentialSource:
    """Return the credentials at AWS KMS. Raises `ConfigurationError` where something is missing."""
    if settings.credentials == "static":
        return _given(settings)
    lender = build_aws_lender(settings.credentials, http, settings, settings.region)
    return LentCredentials(lender, clock, observer, service=http.service)


def build_alibaba_credentials(
    http: Http, settings: AlibabaKmsSettings, clock: Clock, observer: Observer
) -> CredentialSource:
    """Return the credentials at Alibaba Cloud KMS. Raises `ConfigurationError` where something is missing."""
    if settings.credentials == "static":
        return _given(settings)
    lender = build_alibaba_lender(settings.credentials, http, settings, settings.region, clock)
    return LentCredentials(lender, clock, observer, service=http.service)


def _given(settings: CloudKmsSettings) -> CredentialSource:
    if settings.access_key is None or settings.secret_key is None:
        raise ConfigurationError("The credentials `static` need access_key and secret_key.")
    return given(settings.access_key.get_secret_value(), settings.secret_key, settings.security_token)
