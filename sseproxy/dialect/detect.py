"""Which dialect a request speaks."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from sseproxy.dialect.base import Dialect
from sseproxy.dialect.oss import OSS
from sseproxy.dialect.s3 import S3

DIALECTS: Mapping[str, Dialect] = MappingProxyType({dialect.name: dialect for dialect in (S3, OSS)})


def tell_dialect(scheme: str | None, headers: Iterable[str], query: Iterable[str], unsigned: str) -> Dialect:
    """Return the dialect: that of the signature, else OSS where any `x-oss-*` name appears, else the configured one.

    `scheme` is the dialect's name by the way the request is signed, None where it is not; `headers` and `query` are
    names; `unsigned` is `listen.unsigned_dialect`.
    """
    if scheme is not None:
        return DIALECTS[scheme]
    if any(name.lower().startswith(OSS.header_prefix) for names in (headers, query) for name in names):
        return OSS
    return DIALECTS[unsigned]
