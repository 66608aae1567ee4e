"""PutObject: decide, seal, send, answer."""

from sseproxy.errors import MissingContentLength
from sseproxy.exchange import Request, Response
from sseproxy.model import EtagMode
from sseproxy.operations.answers import written_headers
from sseproxy.operations.backend import address_of, backend_query
from sseproxy.operations.body_check import check_of_request
from sseproxy.operations.context import Services
from sseproxy.operations.deciding import decide_for, own_checksums
from sseproxy.operations.plan import Plan, check_size
from sseproxy.operations.store_conditions import on_put
from sseproxy.operations.storing import store
from sseproxy.operations.write_conditions import write_conditions
from sseproxy.policy.client_encryption import check_object, said_in
from sseproxy.policy.forwarding import to_backend, to_client


async def put_object(services: Services, request: Request) -> Response:
    """Serve PutObject. Everything that can be refused without the body is refused before it is read."""
    announced = request.content_length is not None or request.form is not None
    if not announced and not services.dialect.chunked_upload_allowed:
        raise MissingContentLength
    if request.content_length is not None:
        check_size(services.dialect, request.content_length)
    check_object(said_in(request.headers, services.dialect))
    headers = to_backend(request.headers, services.dialect)
    decision = await decide_for(services, request)
    check = check_of_request(
        services, request, md5=decision.etag_mode is EtagMode.MD5, algorithms=own_checksums(services)
    )
    plan = Plan(
        address=address_of(request),
        decision=decision,
        headers=headers,
        conditions=await write_conditions(services, request, on_put),
        raw_query=backend_query(request),
    )
    stored = await store(services, plan, request.body, request.content_length, check)
    answer = to_client(stored.headers, services.dialect, sealed=True)
    answer.update(written_headers(services.dialect, stored, decision.customer_key))
    return Response(status=200, headers=answer)
