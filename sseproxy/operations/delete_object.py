"""DeleteObject: relayed, a condition on the ETag rewritten to the storage's (S3 dossier §5.5)."""

from sseproxy.errors import PreconditionFailed
from sseproxy.exchange import Request, Response
from sseproxy.model import WriteCondition
from sseproxy.operations.attributes import glance
from sseproxy.operations.backend import address_of
from sseproxy.operations.context import Services
from sseproxy.operations.etags import is_named
from sseproxy.operations.passthrough import passed_request, relay


async def delete_object(services: Services, request: Request) -> Response:
    """Serve DeleteObject.

    Raises `PreconditionFailed` where `If-Match` names another object, `UnsupportedFeature` where the storage would
    overlook it.
    """
    passed = await passed_request(services, request)
    match = request.headers.get("If-Match")
    if match is not None:
        known = await services.conditions.get()
        known.require(WriteCondition.DELETE_IF_MATCH)
    if match is not None and match.strip() != "*":
        present = await glance(services, address_of(request))
        if not is_named(match, present.etag):
            raise PreconditionFailed(Condition="If-Match")
        passed.headers["If-Match"] = f'"{present.found.backend_etag}"'
    return await relay(services, passed)
