"""What the proxy speaks TLS with towards the store: whom it trusts, and the certificate that it shows."""

import ssl

from sseproxy.errors import ConfigurationError
from sseproxy.settings_upstream import UpstreamSettings
from sseproxy.tls import RenewableContext


def store_tls(settings: UpstreamSettings) -> RenewableContext | None:
    """Return the context of connections to the store, None for plain HTTP.

    Raises `ConfigurationError` where a file cannot be used.
    """
    if not settings.endpoint.startswith("https"):
        return None
    return RenewableContext(lambda: _context(settings), (settings.ca_file, settings.tls_cert, settings.tls_key))


def _context(settings: UpstreamSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except OSError as cause:  # SSLError is one
        raise ConfigurationError(
            f"upstream.ca_file {settings.ca_file} cannot be used: {cause.strerror or cause}; give a PEM file of the CA"
        ) from cause
    if settings.tls_cert is not None:
        try:
            context.load_cert_chain(settings.tls_cert, settings.tls_key)
        except OSError as cause:
            raise ConfigurationError(
                f"upstream.tls_cert {settings.tls_cert} cannot be used with upstream.tls_key {settings.tls_key}: "
                f"{cause.strerror or cause}; give a PEM chain and the private key that belongs to it"
            ) from cause
    return context
