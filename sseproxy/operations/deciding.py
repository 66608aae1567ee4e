"""What a write decides before its first byte: encryption, and the headers that go up with the object."""

from dataclasses import replace

from multidict import CIMultiDict

from sseproxy.dialect.base import SseRequest
from sseproxy.dialect.sse_headers import bucket_key_flag, parse_sse
from sseproxy.exchange import Request
from sseproxy.format import Envelope
from sseproxy.model import Algorithm, ChecksumAlgorithm, EtagMode
from sseproxy.operations.context import Services
from sseproxy.operations.customer_keys import customer_key_of
from sseproxy.operations.plan import add_envelope
from sseproxy.policy.encryption import (
    EncryptionDecision,
    check_algorithm,
    decide,
    decide_for_customer,
    rule_for,
)
from sseproxy.policy.forwarding import to_backend


async def decide_for(services: Services, request: Request) -> EncryptionDecision:
    """Return how the object that a request writes is encrypted: request, else bucket default, else configuration."""
    bucket = request.bucket or ""
    default = await services.bucket_defaults.get(bucket)
    rule = rule_for(services.encryption, bucket)
    customer_key = customer_key_of(services, request)
    if customer_key is not None:
        check_algorithm(Algorithm.CUSTOMER, rule)
        return decide_for_customer(customer_key, rule)
    asked = requested_encryption(services, request)
    flag = bucket_key_flag(request.headers, services.dialect.sse)
    if asked is None and flag is not None:  # the flag alone: for whatever the bucket's default is
        asked = replace(default or SseRequest(algorithm=rule.default_algorithm), bucket_key=flag)
    decision = decide(asked, default, rule, services.dialect)
    check_algorithm(decision.algorithm, rule)
    return await _as_the_bucket_shows(services, bucket, decision)


async def default_for(services: Services, bucket: str) -> EncryptionDecision:
    """Return how an object is encrypted whose request does not say."""
    rule = rule_for(services.encryption, bucket)
    decision = decide(None, await services.bucket_defaults.get(bucket), rule, services.dialect)
    return await _as_the_bucket_shows(services, bucket, decision)


async def _as_the_bucket_shows(services: Services, bucket: str, decision: EncryptionDecision) -> EncryptionDecision:
    """Return the decision with an opaque ETag where the bucket has no others, whatever the configuration says now."""
    if decision.etag_mode is EtagMode.MD5 and (await services.bucket_states.get(bucket)).opaque_etags:
        return replace(decision, etag_mode=EtagMode.OPAQUE)
    return decision


def requested_encryption(services: Services, request: Request) -> SseRequest | None:
    """Return what a request says of its encryption; raises where it may not say it, or says nonsense."""
    dialect = services.dialect
    operation = dialect.route(request.method, request.bucket, request.key, request.query, request.headers)
    return parse_sse(request.headers, request.query, operation, dialect)


def object_headers(services: Services, request: Request, envelope: Envelope) -> CIMultiDict[str]:
    """Return what goes up with an object, its envelope included. Raises `MetadataTooLarge`."""
    headers = to_backend(request.headers, services.dialect)
    add_envelope(services.dialect, headers, envelope)
    return headers


def own_checksums(services: Services) -> frozenset[ChecksumAlgorithm]:
    """Return the checksums that every object gets without being asked (S3 dossier §4.2)."""
    return frozenset({ChecksumAlgorithm.CRC64NVME} if services.dialect.checksum_headers else ())
