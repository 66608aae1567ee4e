"""Finding out what an object is: its envelope, its key, and what its footer says (docs/format.md, "Reading")."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sseproxy.errors import (
    CustomerKeyNotApplicable,
    EnvelopeRejected,
    FooterRejected,
    UpstreamAnswered,
    UpstreamError,
    UpstreamUnavailable,
)
from sseproxy.format import (
    TAIL,
    TAIL_READ,
    Attributes,
    DataKey,
    Envelope,
    decode_envelope,
    open_footer,
    open_footer_copy,
    parse_tail,
    plaintext_size,
)
from sseproxy.model import Algorithm, ByteRange, CustomerKey, Layout
from sseproxy.operations.backend import Address, expect, object_request, set_range
from sseproxy.operations.context import Services
from sseproxy.operations.etags import bare_etag, client_etag, opaque_etag
from sseproxy.policy.encryption import rule_for
from sseproxy.ports import UpstreamRequest, UpstreamResponse
from sseproxy.wire.byte_ranges import parse_content_range
from sseproxy.wire.headers import parse_http_date

_UNSEALED = (
    "The bucket is marked as sealed, and the object has no envelope: its metadata was lost (see `sseproxy objects "
    "repair`), or it was written past the proxy (see `sseproxy buckets mark`)."
)
MOST_TRIES = 4  # for an object that is overwritten again and again

T = TypeVar("T")


class Overwritten(UpstreamUnavailable):
    """The object was replaced between two requests that had to see the same one: begin again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An object as the storage shows it: the headers of one answer, its stored size, and its end where it was read."""

    address: Address
    headers: Mapping[str, str]
    stored_size: int
    end: bytes = b""  # the last bytes of the object, as many as were read; empty: none

    @property
    def backend_etag(self) -> str:
        """The storage's ETag, without quotes."""
        return bare_etag(self.headers.get("ETag"))

    @property
    def last_modified(self) -> datetime:
        """When the object was written; raises `UpstreamError` where the storage does not say."""
        return last_modified_of(self.headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsealed:
    """An object without an envelope: it was there before the proxy, or was written past it."""

    found: Found

    @property
    def etag(self) -> str:
        """The ETag that clients see: the storage's own."""
        return self.found.backend_etag

    @property
    def size(self) -> int:
        """How many bytes clients see."""
        return self.found.stored_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A sealed object whose key is known and whose footer has been verified.

    `attributes` is None only where the object's body cannot be read at all now, because it is archived.
    `customer_key` is the request's own key, where the object was sealed under one. `is_etag_opaque`: the bucket shows
    nothing else.
    """

    found: Found
    envelope: Envelope
    key: DataKey
    attributes: Attributes | None
    customer_key: CustomerKey | None = None
    is_etag_opaque: bool = False

    @property
    def etag(self) -> str:
        """The ETag that clients see; under a customer's key it never needs that key, because listings have none."""
        if self.is_etag_opaque or self.envelope.algorithm is Algorithm.CUSTOMER:
            return opaque_etag(self.found.backend_etag)
        return client_etag(self.attributes, self.found.backend_etag)

    @property
    def size(self) -> int:
        """How many bytes clients see."""
        if self.attributes is not None:
            return self.attributes.plaintext_size
        return _size_by_arithmetic(self.found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """An object sealed under a customer's key, seen without that key: its ETag and size need none."""

    found: Found

    @property
    def etag(self) -> str:
        """The ETag that clients see."""
        return opaque_etag(self.found.backend_etag)

    @property
    def size(self) -> int:
        """How many bytes clients see."""
        return _size_by_arithmetic(self.found)


def _size_by_arithmetic(found: Found) -> int:
    size = plaintext_size(found.stored_size)
    if size is None:
        raise FooterRejected("The object's stored size is none that a sealed object can have.")
    return size


async def look(services: Services, address: Address, customer_key: CustomerKey | None = None) -> Opened | Unsealed:
    """HEAD an object and open it. One request to the storage if the envelope has the footer's copy, else two.

    Begins again, a few times, where the object changes in between; then raises `Overwritten`.
    """

    async def attempt() -> Opened | Unsealed:
        return await open_found(services, await head(services, address), customer_key, is_archive_shown=True)

    return await settled(services, attempt)


async def glance(services: Services, address: Address) -> Opened | Unsealed | Closed:
    """Look at an object for its ETag and size alone: one under a customer's key is not opened."""

    async def attempt() -> Opened | Unsealed | Closed:
        found = await head(services, address)
        text = found.headers.get(services.dialect.envelope_header)
        if text is not None and decode_envelope(text).algorithm is Algorithm.CUSTOMER:
            return Closed(found=found)
        return await open_found(services, found, is_archive_shown=True)

    return await settled(services, attempt)


async def settled(services: Services, attempt: Callable[[], Awaitable[T]]) -> T:
    """Return what `attempt` does, tried again where the object was overwritten under it."""
    for _ in range(MOST_TRIES - 1):
        try:
            return await attempt()
        except Overwritten:
            services.observer.count("reads_restarted_total")
    return await attempt()


async def head(services: Services, address: Address) -> Found:
    """HEAD an object, without opening it. Raises what the storage says where it is not there."""
    async with services.upstream.send(object_request(services, "HEAD", address)) as response:
        await expect(services, response, 200)
        return Found(address=address, headers=response.headers, stored_size=length_of(response.headers))


async def open_found(
    services: Services, found: Found, customer_key: CustomerKey | None = None, *, is_archive_shown: bool = False
) -> Opened | Unsealed:
    """Open the object whose headers are there, reading its end where that is needed and not in `found`.

    `customer_key` is the one that the request brings for it. With `is_archive_shown` an archived object is opened
    without attributes instead of refused. Raises `IntegrityError`s, `KeyServiceError`s, `Overwritten`, and
    `CustomerKeyNeeded`, `CustomerKeyNotApplicable` or `WrongCustomerKey` where the request's key is not the object's.
    """
    text = found.headers.get(services.dialect.envelope_header)
    if text is None:
        await _refuse_in_sealed_bucket(services, found.address.ref.bucket)
        if customer_key is not None:
            raise CustomerKeyNotApplicable
        return Unsealed(found=found)
    envelope = decode_envelope(text)
    key = await services.keyring.open(envelope, found.address.ref, customer_key)
    attributes = open_footer_copy(key, envelope, stored_size=found.stored_size)
    if attributes is None:
        try:
            attributes = await _read_footer(services, found, envelope, key)
        except UpstreamAnswered as error:
            is_shown = is_archive_shown and envelope.layout is not Layout.APPEND  # no arithmetic tells its size
            if not (is_shown and error.code == "InvalidObjectState"):
                raise
    has_md5 = attributes is not None and attributes.md5 is not None
    return Opened(
        found=found,
        envelope=envelope,
        key=key,
        attributes=attributes,
        customer_key=customer_key,
        is_etag_opaque=has_md5 and (await services.bucket_states.for_view(found.address.ref.bucket)).opaque_etags,
    )


async def _refuse_in_sealed_bucket(services: Services, bucket: str) -> None:
    """Raise `EnvelopeRejected` where an object without an envelope cannot be a client's, by configuration or record.

    A record that cannot be read raises, too: what such an object is could not be told.
    """
    if rule_for(services.encryption, bucket).sealed:
        raise EnvelopeRejected("This bucket holds sealed objects only, and the object has no envelope.")
    if (await services.bucket_states.get(bucket)).sealed:
        raise EnvelopeRejected(_UNSEALED)


async def _read_footer(services: Services, found: Found, envelope: Envelope, key: DataKey) -> Attributes:
    end = found.end or await read_end(services, found, TAIL_READ)
    tail = parse_tail(end[-TAIL:])
    if tail is None:
        raise FooterRejected("The object does not end like a sealed one.")
    if tail.closing_length > len(end):
        if tail.closing_length > found.stored_size:
            raise FooterRejected("The object is shorter than its footer.")
        end = await read_end(services, found, tail.closing_length)
    footer = end[-tail.closing_length : -TAIL]
    return open_footer(key, envelope, footer, end[-TAIL:], stored_size=found.stored_size)


async def read_end(services: Services, found: Found, length: int) -> bytes:
    """Return the last `length` stored bytes of the very object that was found, or all of it. Raises `Overwritten`."""
    return await read_stored(services, found, ByteRange(max(found.stored_size - length, 0), found.stored_size - 1))


async def read_stored(services: Services, found: Found, wanted: ByteRange) -> bytes:
    """Return stored bytes of the very object that was found. Raises `Overwritten`."""
    async with services.upstream.send(pinned_request(services, found, wanted)) as response:
        await expect_same(services, found, wanted, response)
        data = await response.read(wanted.length)
    if len(data) != wanted.length:
        raise UpstreamError("The storage did not answer the range it was asked for.")
    return data


def pinned_request(services: Services, found: Found, wanted: ByteRange) -> UpstreamRequest:
    """Return a request for stored bytes of the very object that was found.

    One that grows by appending may have grown meanwhile, which changes none of its bytes: no condition could say that.
    """
    if_match = "" if _grows(services, found) else found.backend_etag
    return object_request(services, "GET", pinned(services, found), wanted=wanted, if_match=if_match)


async def expect_same(services: Services, found: Found, wanted: ByteRange, response: UpstreamResponse) -> None:
    """Return if a storage's answer has the wanted bytes of the object that was found. Raises `Overwritten`.

    An envelope is made once per object that grows, so by the envelope it is known.
    """
    grows, name = _grows(services, found), services.dialect.envelope_header
    is_other = grows and response.status in {206, 416} and response.headers.get(name) != found.headers.get(name)
    if response.status == 412 or is_other:
        raise Overwritten
    await expect(services, response, 206)
    try:
        answered, size = parse_content_range(response.headers.get("Content-Range", ""))
    except ValueError:
        answered, size = None, None
    if answered != wanted or size is None or (size < found.stored_size if grows else size != found.stored_size):
        raise UpstreamError("The storage did not answer the range it was asked for.")


def _grows(services: Services, found: Found) -> bool:
    """Whether the storage can append to the object, and it is sealed for that."""
    dialect = services.dialect
    name, text = dialect.object_type_header, found.headers.get(dialect.envelope_header)
    if name is None or text is None or found.headers.get(name) != dialect.object_types[Layout.APPEND.value]:
        return False
    return decode_envelope(text).layout is Layout.APPEND


async def probe(services: Services, address: Address, request: UpstreamRequest) -> Found | None:
    """Read an object's end, and with it its headers, in one request; None where it is empty, so not sealed.

    `request` is what else of the client's request concerns the answer.
    """
    headers = request.headers.copy()
    set_range(services, headers, f"bytes=-{TAIL_READ}")
    async with services.upstream.send(replace(request, headers=headers)) as response:
        if response.status == 416:
            return None
        await expect(services, response, 200, 206)
        size = total_of(response.headers) if response.status == 206 else length_of(response.headers)
        # A storage may answer a suffix with the whole object; a large one is then asked for its end separately.
        end = await response.read(TAIL_READ) if response.status == 206 or size <= TAIL_READ else b""
        return Found(address=address, headers=response.headers, stored_size=size, end=end)


def pinned(services: Services, found: Found) -> Address:
    """Return the address of the very version that was found, where the storage names versions."""
    version = found.headers.get(services.dialect.header("version-id"))
    if version is None or found.address.ref.version_id is not None:
        return found.address
    return Address(replace(found.address.ref, version_id=version), found.address.raw_key)


def length_of(headers: Mapping[str, str]) -> int:
    """Return the Content-Length of a storage's answer; raises `UpstreamError` where it has none."""
    try:
        return int(headers["Content-Length"])
    except (KeyError, ValueError) as cause:
        raise UpstreamError("The storage does not tell the object's size.") from cause


def total_of(headers: Mapping[str, str]) -> int:
    """Return the object's whole size from a Content-Range header; raises `UpstreamError`."""
    try:
        _, size = parse_content_range(headers.get("Content-Range", ""))
    except ValueError:
        size = None
    if size is None:
        raise UpstreamError("The storage does not tell the object's size.")
    return size


def last_modified_of(headers: Mapping[str, str]) -> datetime:
    """Return the Last-Modified of a storage's answer, in UTC; raises `UpstreamError` where it cannot be read."""
    moment = parse_http_date(headers.get("Last-Modified", ""))
    if moment is None:
        raise UpstreamError("The storage does not tell when the object was written.")
    return moment
