"""From an authenticated request to its handler, and what is refused on the way, whatever the operation."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import unquote

from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.dialect import DIALECTS
from sseproxy.dialect.base import Dialect, Operation
from sseproxy.dialect.sse_headers import parse_sse
from sseproxy.errors import AccessRefused, RequestError
from sseproxy.exchange import Request, Response
from sseproxy.operations.abort_upload import abort_upload
from sseproxy.operations.append_object import append_object
from sseproxy.operations.bucket_encryption import (
    delete_bucket_encryption,
    get_bucket_encryption,
    put_bucket_encryption,
)
from sseproxy.operations.buckets import create_bucket, delete_bucket, get_bucket_info, list_buckets
from sseproxy.operations.complete_upload import complete_upload
from sseproxy.operations.context import Services
from sseproxy.operations.copy_object import copy_object
from sseproxy.operations.create_upload import create_upload
from sseproxy.operations.customer_keys import check_customer_keys, refuse_keys_in_url
from sseproxy.operations.delete_object import delete_object
from sseproxy.operations.delete_objects import delete_objects
from sseproxy.operations.get_object import get_object
from sseproxy.operations.head_object import get_object_meta, head_object
from sseproxy.operations.list_objects import list_objects
from sseproxy.operations.list_parts import list_parts
from sseproxy.operations.object_attributes import get_object_attributes
from sseproxy.operations.passthrough import pass_on
from sseproxy.operations.post_object import post_object
from sseproxy.operations.put_object import put_object
from sseproxy.operations.traffic_limit import paced_request, paced_response, traffic_limit
from sseproxy.operations.update_encryption import update_encryption
from sseproxy.operations.upload_part import upload_part
from sseproxy.operations.upload_part_copy import upload_part_copy
from sseproxy.operations.write_policy import check_write
from sseproxy.policy.forwarding import refuse_reserved

Handler = Callable[[Services, Request], Awaitable[Response]]

# Headers that a signed URL may carry in its query instead (S3 dossier §1.9); behind the dialect's prefix.
_HOISTED = ("server-side-", "meta-", "checksum-", "sdk-checksum-", "acl", "grant-", "storage-class", "tagging")

# What an anonymous client may ask, where the storage decides: each goes there in the client's own, unsigned name.
_ANYBODYS = frozenset(
    {
        Operation.HEAD_BUCKET,
        Operation.LIST_OBJECTS,
        Operation.LIST_VERSIONS,
        Operation.PUT_OBJECT,
        Operation.POST_OBJECT,
        Operation.GET_OBJECT,
        Operation.HEAD_OBJECT,
        Operation.GET_OBJECT_META,
        Operation.DELETE_OBJECT,
        Operation.PASS,
    }
)


async def refuse(services: Services, request: Request) -> Response:
    """Refuse what would show or store ciphertext as if it were plaintext; raises the reason."""
    raise services.dialect.refusal(request.method, request.bucket, request.key, request.query, request.headers)


HANDLERS: Mapping[Operation, Handler] = MappingProxyType(
    {
        Operation.LIST_BUCKETS: list_buckets,
        Operation.CREATE_BUCKET: create_bucket,
        Operation.HEAD_BUCKET: pass_on,
        Operation.DELETE_BUCKET: delete_bucket,
        Operation.LIST_OBJECTS: list_objects,
        Operation.LIST_VERSIONS: list_objects,
        Operation.LIST_UPLOADS: pass_on,
        Operation.DELETE_OBJECTS: delete_objects,
        Operation.GET_BUCKET_INFO: get_bucket_info,
        Operation.GET_BUCKET_ENCRYPTION: get_bucket_encryption,
        Operation.PUT_BUCKET_ENCRYPTION: put_bucket_encryption,
        Operation.DELETE_BUCKET_ENCRYPTION: delete_bucket_encryption,
        Operation.PUT_OBJECT: put_object,
        Operation.POST_OBJECT: post_object,
        Operation.GET_OBJECT: get_object,
        Operation.HEAD_OBJECT: head_object,
        Operation.GET_OBJECT_META: get_object_meta,
        Operation.DELETE_OBJECT: delete_object,
        Operation.COPY_OBJECT: copy_object,
        Operation.CREATE_UPLOAD: create_upload,
        Operation.APPEND_OBJECT: append_object,
        Operation.UPLOAD_PART: upload_part,
        Operation.UPLOAD_PART_COPY: upload_part_copy,
        Operation.COMPLETE_UPLOAD: complete_upload,
        Operation.ABORT_UPLOAD: abort_upload,
        Operation.LIST_PARTS: list_parts,
        Operation.GET_OBJECT_ATTRIBUTES: get_object_attributes,
        Operation.UPDATE_ENCRYPTION: update_encryption,
        Operation.PASS: pass_on,
        Operation.REFUSE: refuse,
    }
)


async def handle(services: Services, request: Request) -> Response:
    """Serve a request. Raises what the dialect has an error document for."""
    try:
        return await _serve(services, request)
    except (RequestError, AccessRefused) as error:
        other = services.dialect.told_as.get(type(error))
        if other is None:
            raise
        raise other(error.message, **error.details) from error


async def _serve(services: Services, request: Request) -> Response:
    services = replace(services, keyring=services.keyring.acting_for(request.principal))
    dialect = services.dialect
    refuse_keys_in_url(services, request)
    request = unhoisted(dialect, request)
    _guard_state(services, request)
    refuse_reserved([*request.headers, *request.query], DIALECTS.values())
    dialect.check_names(request.bucket, request.key)
    operation = dialect.route(request.method, request.bucket, request.key, request.query, request.headers)
    if not request.principal:
        services = _as_anybody(services, operation)
    await check_write(services, request, operation)
    check_customer_keys(services, request, operation)
    parse_sse(request.headers, request.query, operation, dialect)  # refuses what is not allowed here
    handler = HANDLERS[operation if request.form is None else Operation.POST_OBJECT]
    bytes_per_s = traffic_limit(dialect.traffic_limit, request, operation)
    if bytes_per_s is None:
        return await handler(services, request)
    return paced_response(await handler(services, paced_request(request, bytes_per_s)), bytes_per_s)


def _as_anybody(services: Services, operation: Operation) -> Services:
    """Return the services for an anonymous client. Raises `AccessRefused` where the storage could not decide.

    Uploads and default encryption are kept by the proxy, and what clients encrypted themselves is not opened for all.
    """
    if services.public is None:
        return services
    if operation not in _ANYBODYS:
        raise AccessRefused
    return replace(services, upstream=services.public, client_keys=(), client_kms=None)


def unhoisted(dialect: Dialect, request: Request) -> Request:
    """Return the request with the headers that its query carries put where headers belong; a real header wins."""
    names = tuple(map(dialect.header, _HOISTED))
    hoisted = [(name, value) for name, value in request.query.items() if name.lower().startswith(names)]
    if not hoisted:
        return request
    headers, query = CIMultiDict(request.headers), CIMultiDict(request.query)
    for name, value in hoisted:
        headers.setdefault(name, value)
        query.popall(name, None)
    return replace(request, headers=CIMultiDictProxy(headers), query=CIMultiDictProxy(query))


def _guard_state(services: Services, request: Request) -> None:
    """Raise `AccessRefused` where the state bucket is named, as the bucket or as a copy's source."""
    source = request.headers.get(services.dialect.header("copy-source"), "")
    source_bucket = unquote(source).removeprefix("/").partition("/")[0]
    if services.state_settings.bucket in {request.bucket, source_bucket}:
        raise AccessRefused
