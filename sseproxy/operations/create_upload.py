"""CreateMultipartUpload: the choice of encryption for a whole upload, made once and kept."""

from dataclasses import replace

from sseproxy.dialect.base import Dialect
from sseproxy.errors import InvalidRequest, UpstreamError
from sseproxy.exchange import Request, Response
from sseproxy.model import ChecksumAlgorithm, ChecksumType, CustomerKey, Layout
from sseproxy.operations.answers import sse_headers
from sseproxy.operations.assertions import requested_algorithm
from sseproxy.operations.backend import address_of, expect
from sseproxy.operations.context import Services
from sseproxy.operations.deciding import decide_for, object_headers
from sseproxy.operations.upload_keys import closing_keys_for
from sseproxy.operations.uploads import Upload, save_upload, upload_query
from sseproxy.operations.write_conditions import forbidden_overwrite
from sseproxy.policy.client_encryption import check_upload, said_in
from sseproxy.ports import UpstreamRequest

_DOCUMENT = 64 * 1024  # bytes of the backend's answer
_CRCS = frozenset({ChecksumAlgorithm.CRC32, ChecksumAlgorithm.CRC32C, ChecksumAlgorithm.CRC64NVME})


async def create_upload(services: Services, request: Request) -> Response:
    """Serve CreateMultipartUpload."""
    address = address_of(request)
    algorithm, kind = requested_checksum(services.dialect, request)
    client_encryption = check_upload(said_in(request.headers, services.dialect))
    decision = await decide_for(services, request)
    key, envelope = await services.keyring.draw(decision, address.ref, Layout.MULTIPART)
    headers = object_headers(services, request, envelope)
    headers.update(forbidden_overwrite(services.dialect, request))  # whether there is an object, the storage knows
    created = UpstreamRequest(
        method="POST",
        bucket=address.ref.bucket,
        raw_key=address.raw_key,
        raw_query="uploads",
        headers=headers,
        body=b"",
    )
    async with services.upstream.send(created) as response:
        await expect(services, response, 200)
        upload_id = services.dialect.xml.parse_created_upload(await response.read(_DOCUMENT))
    upload = Upload(
        ref=address.ref,
        upload_id=upload_id,
        envelope=envelope,
        etag_mode=decision.etag_mode,
        checksum_algorithm=algorithm,
        checksum_type=kind,
        client_encryption=client_encryption,
    )
    try:
        upload = replace(upload, closing_keys=await closing_keys_for(services, key, decision, upload))
        await save_upload(services.state, upload)
    except BaseException:
        await _give_up(services, upload, address.raw_key)
        raise
    services.uploads.remember(upload)
    return _answer(services, request, upload, decision.customer_key)


def requested_checksum(dialect: Dialect, request: Request) -> tuple[ChecksumAlgorithm | None, ChecksumType | None]:
    """Return the checksum that an upload is created with (S3 dossier §4.1, §4.3). Raises `InvalidRequest`."""
    if not dialect.checksum_headers:
        return None, None
    algorithm = requested_algorithm(dialect, request)
    kind = request.headers.get(dialect.header("checksum-type"))
    if algorithm is not None:
        return algorithm, _type_of(algorithm, kind)
    if kind is not None:
        raise InvalidRequest(
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
        )
    return None, None


def _type_of(algorithm: ChecksumAlgorithm, kind: str | None) -> ChecksumType:
    only_whole = algorithm is ChecksumAlgorithm.CRC64NVME
    if kind is None:
        return ChecksumType.FULL_OBJECT if only_whole else ChecksumType.COMPOSITE
    try:
        chosen = ChecksumType(kind.upper())
    except ValueError:
        raise InvalidRequest("Value for x-amz-checksum-type header is invalid.") from None
    if (chosen is ChecksumType.COMPOSITE and only_whole) or (
        chosen is ChecksumType.FULL_OBJECT and algorithm not in _CRCS
    ):
        raise InvalidRequest(
            f"The {chosen.value} checksum type cannot be used with the {algorithm.value.lower()} checksum algorithm."
        )
    return chosen


async def _give_up(services: Services, upload: Upload, raw_key: str) -> None:
    """End an upload at the backend that could not be written down: nobody will ever know its id."""
    aborted = UpstreamRequest(
        method="DELETE", bucket=upload.ref.bucket, raw_key=raw_key, raw_query=upload_query(upload.upload_id)
    )
    try:
        async with services.upstream.send(aborted) as response:
            await response.read()
    except UpstreamError:
        services.observer.event("upload_not_aborted", bucket=upload.ref.bucket, key=upload.ref.key)


def _answer(services: Services, request: Request, upload: Upload, customer_key: CustomerKey | None) -> Response:
    headers = sse_headers(services.dialect, upload.envelope, customer_key, context_shown=True)
    if upload.checksum_algorithm is not None and upload.checksum_type is not None:
        headers[services.dialect.header("checksum-algorithm")] = upload.checksum_algorithm.value
        headers[services.dialect.header("checksum-type")] = upload.checksum_type.value
    is_url_encoded = request.query.get("encoding-type") == "url"
    document = services.dialect.xml.render_created_upload(
        upload.ref.bucket, upload.ref.key, upload.upload_id, is_url_encoded
    )
    headers["Content-Type"] = "application/xml"
    return Response(status=200, headers=headers, body=document)
