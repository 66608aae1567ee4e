"""GET, PUT and DELETE ?encryption: kept in the state bucket, never in the storage (S3 dossier §2; OSS dossier §2)."""

from sseproxy.dialect.base import SseRequest
from sseproxy.errors import NoBucketEncryption, NoSuchBucket
from sseproxy.exchange import Request, Response
from sseproxy.operations.backend import expect
from sseproxy.operations.context import Services
from sseproxy.operations.passthrough import verified_document
from sseproxy.policy.encryption import rule_for
from sseproxy.ports import UpstreamRequest


async def get_bucket_encryption(services: Services, request: Request) -> Response:
    """Serve GetBucketEncryption."""
    bucket = await _existing_bucket(services, request)
    rule = await services.bucket_defaults.read(bucket)
    if rule is None:
        if not services.dialect.default_encryption_shown:
            raise NoBucketEncryption(BucketName=bucket)
        rule = _configured(services, bucket)
    document = services.dialect.xml.render_bucket_encryption(rule)
    response = Response(status=200, body=document, content_length=len(document))
    response.headers["Content-Type"] = "application/xml"
    return response


async def put_bucket_encryption(services: Services, request: Request) -> Response:
    """Serve PutBucketEncryption. The key is not asked for: a wrong one fails later, at the first write."""
    document = await verified_document(services, request)
    bucket = await _existing_bucket(services, request)
    await services.bucket_defaults.put(bucket, services.dialect.xml.parse_bucket_encryption(document))
    return Response(status=200)


async def delete_bucket_encryption(services: Services, request: Request) -> Response:
    """Serve DeleteBucketEncryption; there may be nothing to delete."""
    bucket = await _existing_bucket(services, request)
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
