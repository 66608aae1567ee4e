"""AbortMultipartUpload: the backend forgets the parts, the state bucket the rest."""

from sseproxy.errors import SseProxyError
from sseproxy.exchange import Request, Response
from sseproxy.operations.backend import address_of, refusal
from sseproxy.operations.context import Services
from sseproxy.operations.uploads import forget_upload, upload_query
from sseproxy.ports import UpstreamRequest


async def abort_upload(services: Services, request: Request) -> Response:
    """Serve AbortMultipartUpload."""
    address = address_of(request)
    upload_id = request.query.get("uploadId", "")
    aborted = UpstreamRequest(
        method="DELETE", bucket=address.ref.bucket, raw_key=address.raw_key, raw_query=upload_query(upload_id)
    )
    refused: SseProxyError | None = None
    async with services.upstream.send(aborted) as response:
        if response.status not in {200, 204}:
            refused = await refusal(services, response)
            if response.status != 404:
                raise refused
    # An upload that the backend does not know any more leaves no state behind either.
    services.uploads.forget(address.ref, upload_id)
    await forget_upload(services.state, address.ref, upload_id)
    if refused is not None:
        raise refused
    return Response(status=204)
