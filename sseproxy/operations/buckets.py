"""Operations on buckets that concern encryption: create, delete, list."""

from sseproxy.exchange import Request, Response
from sseproxy.operations.backend import expect
from sseproxy.operations.context import Services
from sseproxy.operations.deciding import requested_encryption
from sseproxy.operations.passthrough import passed_request, relay
from sseproxy.policy.forwarding import to_client

_MOST_LISTING = 16 * 1024 * 1024  # bytes of a listing of buckets


async def create_bucket(services: Services, request: Request) -> Response:
    """Serve CreateBucket. Encryption headers, where the dialect takes them here, become the bucket's default."""
    requested = requested_encryption(services, request)
    response = await relay(services, await passed_request(services, request))
    if requested is not None and request.bucket is not None:
        await services.bucket_defaults.put(request.bucket, requested)
    return response


async def delete_bucket(services: Services, request: Request) -> Response:
    """Serve DeleteBucket. Whoever creates a bucket of that name later does not inherit its default encryption."""
    response = await relay(services, await passed_request(services, request))
    if request.bucket is not None:
        await services.bucket_defaults.delete(request.bucket)
    return response


async def list_buckets(services: Services, request: Request) -> Response:
    """Serve ListBuckets, without the state bucket."""
    async with services.upstream.send(await passed_request(services, request)) as response:
        await expect(services, response, 200)
        document = await response.read(_MOST_LISTING)
        headers = to_client(response.headers, services.dialect, sealed=False)
    shown = services.dialect.xml.hide_bucket(document, services.state_settings.bucket)
    return Response(status=200, headers=headers, body=shown, content_length=len(shown))
