"""The source of a copy: its name, the conditions on it, and its plaintext.

Conditions are judged on the ETag that clients know (S3 dossier §5.6; OSS dossier §1.6).
"""

from contextlib import AsyncExitStack
from urllib.parse import unquote

from sseproxy.dialect.base import Dialect
from sseproxy.errors import InvalidArgument, PreconditionFailed
from sseproxy.exchange import Body, Request
from sseproxy.model import ByteRange, ObjectRef
from sseproxy.operations.attributes import Found, Opened, Overwritten, Unsealed, pinned
from sseproxy.operations.backend import Address, expect, object_request
from sseproxy.operations.bodies import start
from sseproxy.operations.context import Services
from sseproxy.operations.object_body import object_body
from sseproxy.operations.reading import Stored
from sseproxy.operations.unsealed import guarded, refuse_lost
from sseproxy.signing.canonical import encode_key
from sseproxy.wire.conditions import Failed, NotModified, evaluate, parse_conditions

_VERSION = "?versionId="
_NO_SOURCE = "Copy Source must mention the source bucket and key: /sourcebucket/sourcekey."


class NotModifiedCopy(PreconditionFailed):
    """The source has not changed, and the dialect answers that with 304."""


def copy_source_of(dialect: Dialect, request: Request) -> Address:
    """Return the object that a copy reads. Raises `InvalidArgument` where the header names none."""
    name = dialect.header("copy-source")
    value = request.headers.get(name, "")
    path, _, version_id = value.partition(_VERSION)
    bucket, _, key = unquote(path, errors="surrogateescape").removeprefix("/").partition("/")
    if not bucket or not key:
        raise InvalidArgument(_NO_SOURCE, ArgumentName=name, ArgumentValue=value)
    return Address(ObjectRef(bucket, key, unquote(version_id) or None), encode_key(key))


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
