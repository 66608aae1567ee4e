"""Response overrides: query parameters of a signed read that replace headers of its answer (S3 dossier §5.6)."""

from collections.abc import Mapping
from types import MappingProxyType

OVERRIDES: Mapping[str, str] = MappingProxyType(
    {
        "response-cache-control": "Cache-Control",
        "response-content-disposition": "Content-Disposition",
        "response-content-encoding": "Content-Encoding",
        "response-content-language": "Content-Language",
        "response-content-type": "Content-Type",
        "response-expires": "Expires",
    }
)


def overridden(query: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that a request overrides, by their names in the answer. Both dialects have the same ones.

    They apply to successes alone, and a request that is not signed may not use them; both is the caller's to see to.
    """
    return {header: query[name] for name, header in OVERRIDES.items() if query.get(name)}
