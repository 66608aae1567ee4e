"""The wire dialects as data."""

from sseproxy.dialect.detect import DIALECTS, tell_dialect

__all__ = ["DIALECTS", "tell_dialect"]
