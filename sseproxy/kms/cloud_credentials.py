"""The credentials of the clouds' key services that the settings ask for."""

from collections.abc import Callable

from sseproxy.credentials.alibaba import build_alibaba_lender
from sseproxy.credentials.aws import build_aws_lender
from sseproxy.credentials.held import CredentialSource, Lender, LentCredentials, given
from sseproxy.credentials.http import Http
from sseproxy.errors import ConfigurationError
from sseproxy.ports import Clock
from sseproxy.settings_remote_kms import AlibabaKmsSettings, AwsKmsSettings, CloudKmsSettings


def build_aws_credentials(http: Http, settings: AwsKmsSettings, clock: Clock) -> CredentialSource:
    """Return the credentials at AWS KMS. Raises `ConfigurationError` where something is missing."""
    return _source(settings, lambda: build_aws_lender(settings.credentials, http, settings, settings.region), clock)


def build_alibaba_credentials(http: Http, settings: AlibabaKmsSettings, clock: Clock) -> CredentialSource:
    """Return the credentials at Alibaba Cloud KMS. Raises `ConfigurationError` where something is missing."""
    return _source(
        settings, lambda: build_alibaba_lender(settings.credentials, http, settings, settings.region, clock), clock
    )


def _source(settings: CloudKmsSettings, lender: Callable[[], Lender], clock: Clock) -> CredentialSource:
    if settings.credentials != "static":
        return LentCredentials(lender(), clock)
    if settings.access_key is None or settings.secret_key is None:
        raise ConfigurationError("The credentials `static` need access_key and secret_key.")
    return given(settings.access_key.get_secret_value(), settings.secret_key, settings.security_token)
