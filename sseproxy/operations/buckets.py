"""Operations on buckets that concern encryption: create, delete, describe, list."""

from sseproxy.exchange import Request, Response
from sseproxy.model import EtagMode
from sseproxy.operations.backend import expect
from sseproxy.operations.bucket_states import BucketState
from sseproxy.operations.context import Services
from sseproxy.operations.deciding import requested_encryption
from sseproxy.operations.passthrough import passed_request, relay
from sseproxy.policy.encryption import check_algorithm, rule_for
from sseproxy.policy.forwarding import to_client
from sseproxy.ports import UpstreamRequest

_MOST_INFO = 256 * 1024  # bytes of a bucket's description
_MOST_LISTING = 16 * 1024 * 1024  # bytes of a listing of buckets
_MOST_ENTRY = 256 * 1024  # bytes of a listing with one entry
_NO_VERSIONS = frozenset({405, 501})  # statuses of a storage that does not know versions


async def create_bucket(services: Services, request: Request) -> Response:
    """Serve CreateBucket. Encryption headers, where the dialect takes them here, become the bucket's default.

    A bucket that was not there before and holds nothing is marked as sealed; where ETags are to be opaque, for good.
    """
    requested = requested_encryption(services, request)
    if requested is not None:
        check_algorithm(requested.algorithm, rule_for(services.encryption, request.bucket or ""))
    passed = await passed_request(services, request)
    is_new = request.bucket is not None and await _is_absent(services, request.bucket)
    response = await relay(services, passed)
    if requested is not None and request.bucket is not None:
        await services.bucket_defaults.put(request.bucket, requested)
    if request.bucket is not None and is_new and await _is_empty(services, request.bucket):
        is_opaque = rule_for(services.encryption, request.bucket).etag is EtagMode.OPAQUE
        await services.bucket_states.put(request.bucket, BucketState(sealed=True, opaque_etags=is_opaque))
    return response


async def _is_absent(services: Services, bucket: str) -> bool:
    """Ask before: a storage may answer 200 to whoever creates a bucket that is there and theirs (S3 dossier §1.3)."""
    async with services.upstream.send(UpstreamRequest(method="HEAD", bucket=bucket)) as response:
        return response.status == 404


async def _is_empty(services: Services, bucket: str) -> bool:
    """Whether a bucket holds no object and no version; false where the storage does not tell."""
    for query in ("max-keys=1", "versions&max-keys=1"):
        asked = UpstreamRequest(method="GET", bucket=bucket, raw_query=query)
        async with services.upstream.send(asked) as response:
            if response.status in _NO_VERSIONS and query.startswith("versions"):
                continue
            if response.status != 200 or services.dialect.xml.parse_listing(await response.read(_MOST_ENTRY)):
                return False
    return True


async def delete_bucket(services: Services, request: Request) -> Response:
    """Serve DeleteBucket. Whoever creates a bucket of that name later does not inherit what is known of it."""
    response = await relay(services, await passed_request(services, request))
    if request.bucket is not None:
        await services.bucket_defaults.delete(request.bucket)
        await services.bucket_states.forget(request.bucket)
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
