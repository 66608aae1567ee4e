"""What a write decides before its first byte: encryption, and the headers that go up with the object."""

from multidict import CIMultiDict

from sseproxy.dialect.sse_headers import parse_sse
from sseproxy.errors import UnsupportedFeature
from sseproxy.exchange import Request
from sseproxy.format import Envelope
from sseproxy.model import ChecksumAlgorithm
from sseproxy.operations.context import Services
from sseproxy.operations.plan import add_envelope
from sseproxy.policy.encryption import EncryptionDecision, decide, rule_for
from sseproxy.policy.forwarding import to_backend

# Features that would store something else than the body, or tell somebody else of the sealed one.
_REFUSED_HEADERS = ("write-offset-bytes", "callback", "callback-var")
_REFUSED_PARAMETERS = ("callback", "callback-var")


async def decide_for(services: Services, request: Request) -> EncryptionDecision:
    """Return how the object that a request writes is encrypted: request, else bucket default, else configuration."""
    bucket = request.bucket or ""
    requested = parse_sse(services.dialect, request.headers)
    default = await services.bucket_defaults.get(bucket)
    return decide(requested, default, rule_for(services.encryption, bucket), services.dialect)


def forwarded_headers(services: Services, request: Request) -> CIMultiDict[str]:
    """Return the client's headers that go up with an object: never its encryption, digests or conditions.

    Raises `UnsupportedFeature` for what cannot be done with a sealed body.
    """
    dialect = services.dialect
    for name in map(dialect.header, _REFUSED_HEADERS):
        if name in request.headers:
            raise UnsupportedFeature(Header=name)
    for name in _REFUSED_PARAMETERS:
        if name in request.query:
            raise UnsupportedFeature(Header=name)
    return to_backend(request.headers, dialect)


def object_headers(services: Services, request: Request, envelope: Envelope) -> CIMultiDict[str]:
    """Return what goes up with an object, its envelope included. Raises `MetadataTooLarge`."""
    headers = forwarded_headers(services, request)
    add_envelope(services.dialect, headers, envelope)
    return headers


def own_checksums(services: Services) -> frozenset[ChecksumAlgorithm]:
    """Return the checksums that every object gets without being asked (S3 dossier §4.2)."""
    return frozenset({ChecksumAlgorithm.CRC64NVME} if services.dialect.checksum_headers else ())
