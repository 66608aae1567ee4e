"""From an aiohttp request to `exchange.Request`: everything that is known before the body is read."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.dialect.base import Dialect, Operation
from sseproxy.errors import MissingContentLength
from sseproxy.exchange import Request, header_text
from sseproxy.server.authenticate import Caller
from sseproxy.server.body import ClientBody
from sseproxy.server.framing import Framing, decoded_length
from sseproxy.server.payload_form import payload_form
from sseproxy.server.plaintext import check_hash_of_nothing, plaintext_of
from sseproxy.server.target import Target
from sseproxy.signing import AUTH_QUERY_NAMES, SignedRequest, parse_query

_WITH_BODY = frozenset({Operation.PUT_OBJECT, Operation.UPLOAD_PART, Operation.APPEND_OBJECT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A request's head in text that can be signed, looked up and sent on."""

    method: str
    target: Target
    listed: Sequence[tuple[str, str]]  # headers in order
    headers: CIMultiDictProxy[str]
    query: CIMultiDictProxy[str]  # decoded once, authentication removed

    @property
    def signed_request(self) -> SignedRequest:
        """What a signature can cover."""
        return SignedRequest(
            method=self.method,
            raw_path=self.target.raw_path,
            raw_query=self.target.raw_query,
            headers=self.listed,
            bucket=self.target.bucket,
            raw_key=self.target.raw_key,
        )

    def operation(self, dialect: Dialect) -> Operation:
        """Return what the request asks for; raises what the dialect's router does."""
        return dialect.route(self.method, self.target.bucket, self.target.key, self.query, self.headers)


def header_list(raw: web.BaseRequest) -> list[tuple[str, str]]:
    """Return all headers in order."""
    return [(header_text(name), header_text(value)) for name, value in raw.raw_headers]


def read_head(method: str, target: Target, listed: Sequence[tuple[str, str]]) -> Head:
    """Put a head together."""
    query = CIMultiDict(
        (name, value or "") for name, value in parse_query(target.raw_query) if name.lower() not in AUTH_QUERY_NAMES
    )
    return Head(
        method=method,
        target=target,
        listed=listed,
        headers=CIMultiDictProxy(CIMultiDict(listed)),
        query=CIMultiDictProxy(query),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request whose sender is known, on its way to the operations."""

    head: Head
    caller: Caller
    operation: Operation
    framing: Framing
    request_id: str
    secure: bool


def build_request(arrival: Arrival, wire: ClientBody, pool: Executor) -> Request:
    """Return the request as operations see it. Raises what is wrong with the announced form of the body."""
    head, caller, framing = arrival.head, arrival.caller, arrival.framing
    if arrival.operation in _WITH_BODY and not framing.is_announced:
        raise MissingContentLength
    form = payload_form(caller.claim, head.headers, arrival.operation)
    if not framing.has_body and not form.framed:
        check_hash_of_nothing(form)
    length = decoded_length(head.headers) if form.framed else framing.length
    plaintext = plaintext_of(wire.read(), form, head.headers, length, caller.verified, pool)
    return Request(
        method=head.method,
        raw_path=head.target.raw_path,
        raw_query=head.target.raw_query,
        headers=head.headers,
        query=head.query,
        bucket=head.target.bucket,
        key=head.target.key,
        raw_key=head.target.raw_key,
        body=plaintext.body,
        content_length=length,
        principal=caller.principal,
        request_id=arrival.request_id,
        secure=arrival.secure,
        signed=caller.verified is not None,
        trailers=plaintext.trailers,
    )
