"""The source of a copy: its name, the conditions on it, and its plaintext.

Conditions are judged on the ETag that clients know (S3 dossier §5.6; OSS dossier §1.6).
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from urllib.parse import unquote

from sseproxy.dialect.base import Dialect
from sseproxy.errors import (
    CopySourceTooLarge,
    InvalidArgument,
    InvalidRequest,
    PreconditionFailed,
    SseProxyError,
    UpstreamAnswered,
)
from sseproxy.exchange import Body, Request
from sseproxy.format import stored_size
from sseproxy.model import ByteRange, ObjectRef
from sseproxy.operations.attributes import Found, Opened, Overwritten, Unsealed, head, pinned
from sseproxy.operations.backend import Address, expect, object_request, refusal
from sseproxy.operations.bodies import start
from sseproxy.operations.context import Services
from sseproxy.operations.object_body import object_body
from sseproxy.operations.plan import largest_plaintext
from sseproxy.operations.reading import Stored
from sseproxy.operations.unsealed import guarded, refuse_lost
from sseproxy.signing.canonical import encode_key
from sseproxy.wire.conditions import Failed, NotModified, evaluate, parse_conditions

_MISSING, _NOT_ALLOWED, _THERE = 404, 405, frozenset({200, 206, 416})
_VERSION = "?versionId="
_IS_MARKER = "The source of a copy request may not specifically refer to a delete marker by version id."
_NO_VERSION = "Version id cannot be the empty string"
_NO_SOURCE = "Copy Source must mention the source bucket and key: /sourcebucket/sourcekey."


class NotModifiedCopy(PreconditionFailed):
    """The source has not changed, and the dialect answers that with 304."""


def copy_source_of(dialect: Dialect, request: Request) -> Address:
    """Return the object that a copy reads.

    Raises `InvalidArgument` where the header names none, and what is wrong with its names: they go into the URL of a
    request to the storage, where another bucket name could lead elsewhere.
    """
    name = dialect.header("copy-source")
    value = request.headers.get(name, "")
    path, names_version, version_id = value.partition(_VERSION)
    bucket, _, key = unquote(path, errors="surrogateescape").removeprefix("/").partition("/")
    if not bucket or not key:
        raise InvalidArgument(_NO_SOURCE, ArgumentName=name, ArgumentValue=value)
    if names_version and not version_id:
        raise InvalidArgument(_NO_VERSION, ArgumentName=name, ArgumentValue="")
    dialect.check_names(bucket, key)
    return Address(ObjectRef(bucket, key, unquote(version_id) or None), encode_key(key))


def check_source_size(dialect: Dialect, length: int, stored: Callable[[int], int] = stored_size) -> None:
    """Raise `CopySourceTooLarge` where a copy that is sealed on its way is more than the storage takes at once.

    `stored` says how large `length` bytes of plaintext become. What the storage itself copies, it judges itself.
    """
    largest = dialect.limits.largest_stored_object
    if stored(length) > largest:
        most = largest if length > largest else largest_plaintext(largest, stored)
        raise CopySourceTooLarge(f"{CopySourceTooLarge.default}: {most}")


async def source_head(services: Services, source: Address) -> Found:
    """HEAD the object that a copy reads. Raises what is missing: its bucket, its key or its version."""
    try:
        return await head(services, source)
    except UpstreamAnswered as error:
        raise await _reason(services, source, error) from error


async def _reason(services: Services, source: Address, error: UpstreamAnswered) -> SseProxyError:
    """Return why there is no source. Where a HEAD tells nothing but its status, a GET does."""
    if error.status == _NOT_ALLOWED and error.headers.get(services.dialect.header("delete-marker")) == "true":
        return InvalidRequest(_IS_MARKER)
    if error.status != _MISSING or services.dialect.error_in_head_header is not None:
        return error
    async with services.upstream.send(object_request(services, "GET", source, wanted=ByteRange(0, 0))) as response:
        return Overwritten() if response.status in _THERE else await refusal(services, response)


def copy_source_header(address: Address) -> str:
    """Return how a copy source is named towards the storage."""
    query = f"?{address.version_query}" if address.version_query else ""
    return f"/{address.ref.bucket}/{address.raw_key}{query}"


def source_version(services: Services, found: Found) -> dict[str, str]:
    """Return the header that tells which version was copied, where the storage keeps versions."""
    version = found.headers.get(services.dialect.header("version-id"))
    return {} if version is None else {services.dialect.header("copy-source-version-id"): version}


def judge_source(services: Services, request: Request, subject: Opened | Unsealed) -> None:
    """Raise `PreconditionFailed`, or `NotModifiedCopy`, where the source is not the one that the client means."""
    prefix = services.dialect.header("copy-source-")
    conditions = parse_conditions(request.headers, prefix)
    verdict = evaluate(conditions, subject.etag, subject.found.last_modified, now=services.clock.now())
    if isinstance(verdict, NotModified):
        if services.dialect.copy_answers_not_modified:
            raise NotModifiedCopy
        raise PreconditionFailed(Condition=prefix + "If-None-Match")
    if isinstance(verdict, Failed):
        raise PreconditionFailed(Condition=prefix + verdict.condition)


async def source_body(services: Services, subject: Opened | Unsealed, wanted: ByteRange | None = None) -> Body:
    """Return the plaintext of a copy's source, or a range of it. The caller closes it.

    Raises `Overwritten` where the source is not any more what it was. A sealed source that is archived has none.
    """
    if isinstance(subject, Opened):
        return object_body(services, subject, wanted)
    return await _unsealed_body(services, subject, wanted)


async def _unsealed_body(services: Services, unsealed: Unsealed, wanted: ByteRange | None) -> Body:
    found = unsealed.found
    if wanted is not None:  # a whole body shows its end by itself
        await refuse_lost(services, found)
    request = object_request(services, "GET", pinned(services, found), wanted=wanted, if_match=found.backend_etag)
    async with AsyncExitStack() as stack:
        response = await stack.enter_async_context(services.upstream.send(request))
        if response.status == 412:
            raise Overwritten
        await expect(services, response, 200 if wanted is None else 206)
        # Begun, so that closing it ends the exchange even where nobody comes to read it.
        return await start(guarded(Stored(response, stack.pop_all(), 0, found.stored_size)))
