"""Operations on buckets that concern encryption: create, delete, describe, list."""

from sseproxy.exchange import Request, Response
from sseproxy.operations.backend import expect
from sseproxy.operations.bucket_states import forget_bucket_state
from sseproxy.operations.context import Services
from sseproxy.operations.deciding import requested_encryption
from sseproxy.operations.passthrough import passed_request, relay
from sseproxy.policy.encryption import check_algorithm, rule_for
from sseproxy.policy.forwarding import to_client

_MOST_INFO = 256 * 1024  # bytes of a bucket's description
_MOST_LISTING = 16 * 1024 * 1024  # bytes of a listing of buckets


async def create_bucket(services: Services, request: Request) -> Response:
    """Serve CreateBucket. Encryption headers, where the dialect takes them here, become the bucket's default."""
    requested = requested_encryption(services, request)
    if requested is not None:
        check_algorithm(requested.algorithm, rule_for(services.encryption, request.bucket or ""))
    response = await relay(services, await passed_request(services, request))
    if requested is not None and request.bucket is not None:
        await services.bucket_defaults.put(request.bucket, requested)
    return response


async def delete_bucket(services: Services, request: Request) -> Response:
    """Serve DeleteBucket. Whoever creates a bucket of that name later does not inherit what is known of it."""
    response = await relay(services, await passed_request(services, request))
    if request.bucket is not None:
        await services.bucket_defaults.delete(request.bucket)
        await forget_bucket_state(services.state, request.bucket)
    return response


async def get_bucket_info(services: Services, request: Request) -> Response:
    """Serve OSS's GetBucketInfo: what the storage says, but our default encryption in the place of its own."""
    render = services.dialect.xml.render_bucket_info
    if render is None or request.bucket is None:
        raise AssertionError("only routed where the dialect has such a document")
    async with services.upstream.send(await passed_request(services, request)) as response:
        await expect(services, response, 200)
        document = await response.read(_MOST_INFO)
        headers = to_client(response.headers, services.dialect, sealed=False)
    shown = render(document, await services.bucket_defaults.read(request.bucket))
    return Response(status=200, headers=headers, body=shown, content_length=len(shown))


async def list_buckets(services: Services, request: Request) -> Response:
    """Serve ListBuckets, without the state bucket."""
    async with services.upstream.send(await passed_request(services, request)) as response:
        await expect(services, response, 200)
        document = await response.read(_MOST_LISTING)
        headers = to_client(response.headers, services.dialect, sealed=False)
    shown = services.dialect.xml.hide_bucket(document, services.state_settings.bucket)
    return Response(status=200, headers=headers, body=shown, content_length=len(shown))
