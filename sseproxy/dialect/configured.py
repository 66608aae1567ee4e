"""What the configuration changes about a dialect."""

from dataclasses import replace

from sseproxy.dialect.base import Dialect
from sseproxy.settings import EncryptionSettings


def configured_dialect(dialect: Dialect, settings: EncryptionSettings) -> Dialect:
    """Return a dialect as the configuration wants it spoken."""
    variant = dialect.variants.get(settings.compat)
    dialect = variant(dialect) if variant is not None else dialect
    return replace(dialect, sse=replace(dialect.sse, are_aliases_heard=settings.misspelled_headers))
