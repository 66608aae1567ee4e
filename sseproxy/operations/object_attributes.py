"""GetObjectAttributes: size, ETag, checksum and parts as the client knows them (S3 dossier §1.8).

Of objects that are not sealed it tells what their headers say, because a storage that does not know the request might
answer it with the object itself.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping

from multidict import CIMultiDict

from sseproxy.dialect.base import AttributesView, Dialect, ListedPart, PartsOfObject
from sseproxy.errors import InvalidArgument, MethodNotAllowed
from sseproxy.exchange import Request, Response
from sseproxy.format import Attributes
from sseproxy.model import Checksum, ChecksumAlgorithm, ChecksumType
from sseproxy.operations.answers import shown_checksum
from sseproxy.operations.attributes import Opened, Unsealed, look
from sseproxy.operations.backend import address_of, expect, object_request
from sseproxy.operations.context import Services
from sseproxy.operations.customer_keys import customer_key_of
from sseproxy.wire.numbers import natural

_NAMES = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})
_MOST_PARTS = 1000
_MOST_DIGITS = 9  # of a number of parts
_MULTIPART_ETAG = re.compile(r"[0-9A-Fa-f]{32}-([1-9][0-9]{0,4})")


async def get_object_attributes(services: Services, request: Request) -> Response:
    """Serve GetObjectAttributes. Raises `InvalidArgument` where it does not say what it wants."""
    dialect = services.dialect
    render = dialect.xml.render_attributes
    if render is None:
        raise MethodNotAllowed
    wanted = _wanted(dialect, request)
    marker = _number(request, dialect.header("part-number-marker"), default=0)
    most = min(_number(request, dialect.header("max-parts"), default=_MOST_PARTS), _MOST_PARTS)
    subject = await look(services, address_of(request), customer_key_of(services, request))
    if isinstance(subject, Opened):
        attributes = subject.attributes
        checksum = shown_checksum(attributes) if attributes is not None else None
        parts = _parts(attributes, marker, most) if attributes is not None else None
    else:
        checksum = await _stored_checksum(services, subject) if "Checksum" in wanted else None
        parts = _counted(subject.etag)
    headers = subject.found.headers
    view = AttributesView(
        etag=subject.etag if "ETag" in wanted else None,
        checksum=checksum if "Checksum" in wanted else None,
        parts=parts if "ObjectParts" in wanted else None,
        storage_class=headers.get(dialect.header("storage-class"), "STANDARD") if "StorageClass" in wanted else None,
        size=subject.size if "ObjectSize" in wanted else None,
    )
    document = render(view)
    return Response(status=200, headers=_headers(dialect, headers), body=document, content_length=len(document))


def _wanted(dialect: Dialect, request: Request) -> frozenset[str]:
    name = dialect.header("object-attributes")
    texts = [value for given, value in request.headers.items() if given.lower() == name]
    wanted = frozenset(part.strip() for text in texts for part in text.split(","))
    if not wanted or not wanted <= _NAMES:
        shown = ",".join(texts)
        raise InvalidArgument("Invalid attribute name specified.", ArgumentName=name, ArgumentValue=shown)
    return wanted


def _number(request: Request, name: str, *, default: int) -> int:
    text = request.headers.get(name)
    if text is None or text == "":
        return default
    number = natural(text, most_digits=_MOST_DIGITS)
    if number is None:
        short = name.removeprefix("x-amz-")
        raise InvalidArgument(
            f"Provided {short} not an integer or within integer range", ArgumentName=name, ArgumentValue=text
        )
    return number


def _parts(attributes: Attributes, marker: int, most: int) -> PartsOfObject | None:
    """Return the parts of a client's multipart upload; a list of them only where they have checksums."""
    count = attributes.part_count
    if count is None:
        return None
    algorithm = attributes.checksum.algorithm if attributes.checksum is not None else None
    if algorithm is None or not attributes.segments[0].checksum:
        return PartsOfObject(count=count)
    page = list(enumerate(attributes.segments, 1))[marker : marker + most]
    return PartsOfObject(
        count=count,
        marker=marker,
        next_marker=page[-1][0] if page else marker,
        most=most,
        truncated=marker + most < count,
        parts=[
            ListedPart(
                number=number,
                plaintext_size=entry.plaintext_size,
                checksum=Checksum(algorithm=algorithm, type=ChecksumType.FULL_OBJECT, value=entry.checksum),
            )
            for number, entry in page
        ],
    )


def _counted(etag: str) -> PartsOfObject | None:
    """Return the part count that the ETag of an object that is not sealed tells."""
    found = _MULTIPART_ETAG.fullmatch(etag)
    return PartsOfObject(count=int(found[1])) if found is not None else None


async def _stored_checksum(services: Services, unsealed: Unsealed) -> Checksum | None:
    """Return the checksum that the storage has of an object that is not sealed."""
    dialect = services.dialect
    asked = object_request(services, "HEAD", unsealed.found.address)
    asked.headers[dialect.header("checksum-mode")] = "ENABLED"
    async with services.upstream.send(asked) as response:
        await expect(services, response, 200)
        return _checksum_in(dialect, response.headers)


def _checksum_in(dialect: Dialect, headers: Mapping[str, str]) -> Checksum | None:
    for algorithm in ChecksumAlgorithm:
        text = headers.get(dialect.header(f"checksum-{algorithm.value.lower()}"))
        if text is None:
            continue
        value, _, count = text.partition("-")
        kind = headers.get(dialect.header("checksum-type"), "COMPOSITE" if count else "FULL_OBJECT")
        try:
            return Checksum(algorithm=algorithm, type=ChecksumType(kind), value=b64decode(value, validate=True))
        except (Base64Error, ValueError):
            return None
    return None


def _headers(dialect: Dialect, found: Mapping[str, str]) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict({"Content-Type": "application/xml"})
    for name in ("Last-Modified", dialect.header("version-id")):
        if name in found:
            headers[name] = found[name]
    return headers
