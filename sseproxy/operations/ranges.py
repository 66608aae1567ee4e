"""Which bytes of an object a reader gets: Range, If-Range, partNumber (S3 dossier §5.1–5.3; OSS dossier §6.4)."""

from dataclasses import dataclass

from sseproxy.dialect.base import Dialect, UnsatisfiableRange
from sseproxy.errors import InvalidRequest, RangeNotSatisfiable
from sseproxy.exchange import Request
from sseproxy.format import part_range
from sseproxy.model import ByteRange
from sseproxy.operations.attributes import Opened, Unsealed
from sseproxy.operations.etags import bare_etag
from sseproxy.operations.part_numbers import part_number
from sseproxy.wire.byte_ranges import FromTo, RangeSpec, Unsatisfiable, parse_range, resolve

_BOTH = "Cannot specify both Range header and partNumber query parameter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a reader gets. `range` None: the whole object. `part` is the part number that was asked for."""

    range: ByteRange | None = None
    part: int | None = None

    def is_whole(self, size: int) -> bool:
        """Whether every byte of an object of `size` bytes is in it."""
        return self.range is None or self.range.length == size


def asks_for_some(request: Request) -> bool:
    """Whether a request names a range or a part."""
    return "Range" in request.headers or "partNumber" in request.query


def wanted_of(dialect: Dialect, request: Request, subject: Opened | Unsealed) -> Wanted:
    """Return what the request wants of the object. Raises `RangeNotSatisfiable`, `PartNumberNotSatisfiable`."""
    part = requested_part(request)
    if part is not None:
        if isinstance(subject, Opened) and subject.attributes is not None:
            return Wanted(range=part_range(subject.attributes, part), part=part)
        return Wanted(part=part)
    value = request.headers.get("Range")
    spec = parse_range(value) if value is not None else None
    if value is None or spec is None or not _if_range_holds(request, subject):
        return Wanted()
    if _is_lenient(dialect, request) and not _lies_within(spec, subject.size):
        return Wanted()
    resolved = resolve(spec, subject.size)
    if isinstance(resolved, Unsatisfiable):
        raise RangeNotSatisfiable(RangeRequested=value, ActualObjectSize=str(subject.size))
    return Wanted(range=resolved)


def requested_part(request: Request) -> int | None:
    """Return the part number of a read. Raises `InvalidPartNumber`, and `InvalidRequest` beside a Range."""
    if "partNumber" not in request.query:
        return None
    if "Range" in request.headers:
        raise InvalidRequest(_BOTH)
    return part_number(request)


def _if_range_holds(request: Request, subject: Opened | Unsealed) -> bool:
    """Whether the object still is the one of the If-Range header: the same strong ETag, or exactly that date."""
    value = request.headers.get("If-Range")
    if value is None:
        return True
    value = value.strip()
    return bare_etag(value).lower() == subject.etag.lower() or value == subject.found.headers.get("Last-Modified")


def _is_lenient(dialect: Dialect, request: Request) -> bool:
    if dialect.unsatisfiable_range is not UnsatisfiableRange.SEND_WHOLE_OBJECT:
        return False
    if dialect.range_behavior_header is None:
        return True
    name, standard = dialect.range_behavior_header
    return request.headers.get(name) != standard


def _lies_within(spec: RangeSpec, size: int) -> bool:
    if isinstance(spec, FromTo):
        return (spec.first if spec.last is None else spec.last) < size
    return 0 < spec.length <= size
