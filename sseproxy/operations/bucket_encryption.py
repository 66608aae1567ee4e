"""GET, PUT and DELETE ?encryption: kept in the state bucket, never in the storage (S3 dossier §2; OSS dossier §2)."""

from dataclasses import replace

from sseproxy.dialect.base import SseRequest
from sseproxy.errors import NoBucketEncryption, NoSuchBucket, UnsupportedFeature
from sseproxy.exchange import Request, Response
from sseproxy.operations.backend import expect
from sseproxy.operations.context import Services
from sseproxy.operations.passthrough import verified_document
from sseproxy.policy.encryption import check_algorithm, rule_for
from sseproxy.ports import UpstreamRequest


async def get_bucket_encryption(services: Services, request: Request) -> Response:
    """Serve GetBucketEncryption. Raises `UnsupportedFeature` for a rule that the dialect has no word for."""
    bucket = await _existing_bucket(services, request)
    rule = await services.bucket_defaults.read(bucket)
    if rule is None:
        if not services.dialect.default_encryption_shown:
            raise NoBucketEncryption(BucketName=bucket)
        rule = _configured(services, bucket)
    if rule.algorithm not in services.dialect.sse.words:
        raise UnsupportedFeature(
            f"The bucket's default encryption, {rule.algorithm.value}, was set in another protocol."
        )
    document = services.dialect.xml.render_bucket_encryption(rule)
    response = Response(status=200, body=document, content_length=len(document))
    response.headers["Content-Type"] = "application/xml"
    return response


async def put_bucket_encryption(services: Services, request: Request) -> Response:
    """Serve PutBucketEncryption. The key is not asked for: a wrong one fails later, at the first write."""
    bucket = await _existing_bucket(services, request)
    document = await verified_document(services, request, digest_needed=services.dialect.checksum_headers)
    rule = services.dialect.xml.parse_bucket_encryption(document)
    check_algorithm(rule.algorithm, rule_for(services.encryption, bucket))
    if rule.customer_keys_blocked is None:  # not said: what is blocked stays so
        before = await services.bucket_defaults.read(bucket)
        rule = replace(rule, customer_keys_blocked=before.customer_keys_blocked if before is not None else None)
    await services.bucket_defaults.put(bucket, rule)
    return Response(status=200)


async def delete_bucket_encryption(services: Services, request: Request) -> Response:
    """Serve DeleteBucketEncryption; there may be nothing to delete."""
    bucket = await _existing_bucket(services, request)
    before = await services.bucket_defaults.read(bucket)
    if before is not None and before.customer_keys_blocked:  # the default goes, what is blocked stays so
        await services.bucket_defaults.put(bucket, replace(_configured(services, bucket), customer_keys_blocked=True))
    else:
        await services.bucket_defaults.delete(bucket)
    return Response(status=204)


async def _existing_bucket(services: Services, request: Request) -> str:
    """Return the bucket's name; raises `NoSuchBucket` where the storage has none of it."""
    bucket = request.bucket or ""
    async with services.upstream.send(UpstreamRequest(method="HEAD", bucket=bucket)) as response:
        if response.status == 404:
            raise NoSuchBucket(BucketName=bucket)
        await expect(services, response, 200)
    return bucket


def _configured(services: Services, bucket: str) -> SseRequest:
    """Return the default that the configuration gives a bucket without a rule of its own."""
    rule = rule_for(services.encryption, bucket)
    return SseRequest(algorithm=rule.default_algorithm, key_id=rule.default_key_id)
