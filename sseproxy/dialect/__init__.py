"""The wire dialects as data."""

from sseproxy.dialect.configured import configured_dialect
from sseproxy.dialect.detect import DIALECTS, tell_dialect

__all__ = ["DIALECTS", "configured_dialect", "tell_dialect"]
