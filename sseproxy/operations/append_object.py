"""OSS AppendObject: every append is a segment with a footer of its own behind it (docs/format.md, "Append").

The storage's own AppendObject, at the stored length that was looked at, decides who of several comes first: exactly
one append lands at a position, whole or not at all. Positions are plaintext positions (OSS dossier §6.3).
"""

from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace

from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.errors import (
    EntityTooLarge,
    InvalidArgument,
    ObjectNotAppendable,
    PositionNotEqualToLength,
    UpstreamAnswered,
)
from sseproxy.exchange import Body, Request, Response, body_of
from sseproxy.format import (
    TAIL,
    TAIL_READ,
    Attributes,
    Block,
    DataKey,
    Envelope,
    SegmentSealer,
    appended,
    block_closing,
    block_of,
    block_stored_size,
    parse_tail,
    table_start,
    unsealed_entry,
)
from sseproxy.model import Layout
from sseproxy.operations.answers import digest_headers, sse_headers
from sseproxy.operations.assertions import BodyFacts
from sseproxy.operations.attributes import Opened, open_found, probe, read_end, settled
from sseproxy.operations.backend import Address, address_of, backend_query, object_request, refusal
from sseproxy.operations.bodies import collect, collect_head, preceded
from sseproxy.operations.body_check import check_of_request
from sseproxy.operations.context import Services
from sseproxy.operations.deciding import decide_for
from sseproxy.operations.etags import bare_etag, opaque_etag
from sseproxy.operations.object_body import earlier_block
from sseproxy.operations.plan import add_envelope, largest_plaintext
from sseproxy.operations.sealing import MOST_HELD, entry_of, seal_segment
from sseproxy.operations.storing import content_md5
from sseproxy.policy.client_encryption import check_object, said_in
from sseproxy.policy.forwarding import to_backend, to_client
from sseproxy.ports import UpstreamRequest
from sseproxy.stage import Buffer
from sseproxy.wire.digests import CRC64_XZ, crc_combine
from sseproxy.wire.numbers import natural

_DECIDED_HERE = frozenset({"append", "position"})  # in the query, lower case
_LARGEST_POSITION = 2**63 - 1
_CONFLICT = "PositionNotEqualToLength"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grown:
    """An appendable object as far as it has grown. `blocks`: its last ones, the last one first; none: not there yet."""

    key: DataKey
    envelope: Envelope
    blocks: tuple[Block, ...] = ()
    stored_size: int = 0

    @property
    def plaintext_size(self) -> int:
        return self.blocks[0].attributes.plaintext_size if self.blocks else 0

    @property
    def crc64(self) -> int:
        return self.blocks[0].attributes.crc64 if self.blocks else 0

    @property
    def next_number(self) -> int:
        return self.blocks[0].attributes.segments[-1].number + 1 if self.blocks else 1

    def after(self, sealer: SegmentSealer, crc64: int) -> Attributes:
        """Return the attributes after one more segment, whose own CRC-64 is given."""
        return appended(
            self.blocks,
            entry_of(sealer, self.next_number),
            crc_combine(CRC64_XZ, self.crc64, crc64, sealer.plaintext_size),
            stored_size=self.stored_size,
            plaintext_size=self.plaintext_size,
        )

    def block_size(self, plaintext_size: int) -> int:
        """Return how many bytes an append of `plaintext_size` bytes will take in the storage."""
        attributes = appended(
            self.blocks,
            unsealed_entry(self.next_number, plaintext_size),
            0,
            stored_size=self.stored_size,
            plaintext_size=self.plaintext_size,
        )
        return block_stored_size(attributes, self.envelope)


async def append_object(services: Services, request: Request) -> Response:
    """Serve AppendObject.

    Raises `PositionNotEqualToLength`, which tells the true length, `ObjectNotAppendable`, `EntityTooLarge`, and what a
    PutObject raises.
    """
    position = _position(request)
    check_object(said_in(request.headers, services.dialect))
    address = address_of(request)
    present = await settled(services, lambda: _present(services, address))
    _check_position(services, position, 0 if present is None else present[1].plaintext_size)
    check = check_of_request(services, request, md5=False)
    headers: CIMultiDict[str] = CIMultiDict()
    if present is None:
        decision = await decide_for(services, request)
        await _announce(services, address.ref.bucket)
        key, envelope = await services.keyring.draw(decision, address.ref, Layout.APPEND)
        grown = _Grown(key=key, envelope=envelope)
        headers = to_backend(request.headers, services.dialect)
        add_envelope(services.dialect, headers, envelope)
    else:  # metadata, ACL and encryption are those of the first append
        grown = present[1]
    sealer = SegmentSealer(grown.key, grown.next_number)
    known: list[Attributes] = []

    def close(facts: BodyFacts) -> Iterable[Buffer]:
        known.append(grown.after(sealer, facts.crc64))
        return block_closing(grown.key, known[0], grown.envelope)

    def seal(body: Body) -> Body:
        return seal_segment(body, sealer, check, close)

    upstream = await _request(services, request, address, grown, headers, seal)
    answer = await _send(services, address, upstream, sealer)
    return _response(services, grown.envelope, known[0], answer)


async def _announce(services: Services, bucket: str) -> None:
    """Record that sizes in the bucket cannot all be told by arithmetic any more, before there is such an object.

    For listings that do not name the type of objects: a store may be reached in a dialect that has none.
    """
    state = await services.bucket_states.read(bucket)
    if state.sealed and not state.appended:
        await services.bucket_states.put(bucket, replace(state, appended=True))


async def _present(services: Services, address: Address) -> tuple[Opened, _Grown] | None:
    """Return the object as far as it has grown, None where there is none. Raises `ObjectNotAppendable`."""
    try:
        found = await probe(services, address, object_request(services, "GET", address))
    except UpstreamAnswered as error:
        if error.code == "NoSuchKey":
            return None
        raise
    dialect = services.dialect
    appendable = dialect.object_types[Layout.APPEND.value]
    if found is None or found.headers.get(dialect.object_type_header or "") != appendable:
        raise ObjectNotAppendable
    found = replace(found, end=found.end or await read_end(services, found, TAIL_READ))
    subject = await open_found(services, found)
    if not isinstance(subject, Opened) or subject.attributes is None or subject.envelope.layout is not Layout.APPEND:
        raise ObjectNotAppendable("The object is appendable in the storage, but its bytes are not sealed.")
    tail = parse_tail(found.end[-TAIL:])
    if tail is None:
        raise AssertionError("the object was opened by its tail")
    blocks = [block_of(subject.attributes, found.end[-tail.closing_length :], end=found.stored_size)]
    start = table_start(blocks[0].attributes.segments[-1].number + 1)
    place = blocks[0].attributes.before
    while place is not None and blocks[-1].attributes.segments[0].number > start:
        blocks.append(await earlier_block(services, subject, place))
        place = blocks[-1].attributes.before
    grown = _Grown(key=subject.key, envelope=subject.envelope, blocks=tuple(blocks), stored_size=found.stored_size)
    return subject, grown


async def _request(
    services: Services,
    request: Request,
    address: Address,
    grown: _Grown,
    headers: CIMultiDict[str],
    seal: Callable[[Body], Body],
) -> UpstreamRequest:
    """Return the storage's append: held whole where it is short, else streamed.

    Closes the request's body on failure.
    """
    query = backend_query(request, without=_DECIDED_HERE)
    upstream = UpstreamRequest(
        method="POST",
        bucket=address.ref.bucket,
        raw_key=address.raw_key,
        raw_query="&".join(filter(None, [f"append&position={grown.stored_size}", query])),
        headers=headers,
    )
    length = request.content_length
    if length is not None:
        _check_room(services, grown, length)
        if length > MOST_HELD:
            return replace(upstream, body=seal(request.body), content_length=grown.block_size(length))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(aclosing(request.body))
        buffers, ended = await collect_head(request.body, MOST_HELD)
        if not ended:
            stack.pop_all()
            return replace(upstream, body=seal(preceded(buffers, request.body)), content_length=None)
    stored = await collect(seal(body_of(*buffers)), 2 * MOST_HELD)
    _check_room(services, grown, sum(map(len, buffers)))
    upstream.headers["Content-MD5"] = await content_md5(services, stored)
    return replace(upstream, body=stored, content_length=len(stored))


async def _send(
    services: Services, address: Address, request: UpstreamRequest, sealer: SegmentSealer
) -> CIMultiDictProxy[str]:
    """Append, and return the headers of the storage's answer. Raises `PositionNotEqualToLength`."""
    async with services.upstream.send(request) as response:
        if response.status == 200:
            return response.headers
        error = await refusal(services, response)
    if not isinstance(error, UpstreamAnswered) or error.code != _CONFLICT:
        raise error
    present = await settled(services, lambda: _present(services, address))
    if present is None:
        raise _wrong_position(services, 0)
    subject, now = present
    # A request that the storage had taken already, when its answer was lost, was sent again: it is in the object.
    if any(entry.salt == sealer.salt for entry in subject.attributes.segments) if subject.attributes else False:
        return CIMultiDictProxy(CIMultiDict(subject.found.headers))
    raise _wrong_position(services, now.plaintext_size)


def _response(
    services: Services, envelope: Envelope, attributes: Attributes, answer: CIMultiDictProxy[str]
) -> Response:
    dialect = services.dialect
    headers = to_client(answer, dialect, sealed=True)
    headers.update(sse_headers(dialect, envelope))
    headers.update(digest_headers(dialect, attributes))
    headers["ETag"] = dialect.show_etag(opaque_etag(bare_etag(answer.get("ETag"))))
    headers[dialect.header("next-append-position")] = str(attributes.plaintext_size)
    return Response(status=200, headers=headers)


def _position(request: Request) -> int:
    text = request.query.get("position", "")
    position = natural(text)
    if position is None or position > _LARGEST_POSITION:
        raise InvalidArgument(
            "The append position must be a number of bytes.", ArgumentName="position", ArgumentValue=text
        )
    return position


def _check_position(services: Services, position: int, length: int) -> None:
    if position != length:
        raise _wrong_position(services, length)


def _wrong_position(services: Services, length: int) -> PositionNotEqualToLength:
    error = PositionNotEqualToLength()
    error.headers[services.dialect.header("next-append-position")] = str(length)
    return error


def _check_room(services: Services, grown: _Grown, plaintext_size: int) -> None:
    largest = services.dialect.limits.largest_stored_object
    if grown.stored_size + grown.block_size(plaintext_size) > largest:
        raise EntityTooLarge(
            ProposedSize=str(grown.plaintext_size + plaintext_size), MaxSizeAllowed=str(largest_plaintext(largest))
        )
