"""The data port: one handler for every request, from the raw target to the end of the answer."""

import secrets
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from aiohttp import web
from multidict import CIMultiDict

from sseproxy.dialect import DIALECTS, tell_dialect
from sseproxy.dialect.base import Dialect, Operation
from sseproxy.errors import Overloaded, UnsupportedFeature, WrongDialect
from sseproxy.exchange import Request, Response
from sseproxy.operations.context import Services
from sseproxy.operations.dispatch import handle
from sseproxy.ports import Clock, Observer
from sseproxy.server.authenticate import Authenticator
from sseproxy.server.body import Counted, is_waiting, plain_body, wire_body
from sseproxy.server.failures import as_sse_proxy_error, error_answer, note_integrity
from sseproxy.server.incoming import Target, check_framing, decoded_query, read_target, signed_request
from sseproxy.server.outgoing import Sent, send
from sseproxy.settings import Settings
from sseproxy.signing import Claim, SignedRequest, find_claim
from sseproxy.telemetry.access import AccessLog, AccessRecord
from sseproxy.telemetry.tally import tallying
from sseproxy.wire.headers import print_http_date

READ_BUFFER = 256 * 1024  # bytes of a body that aiohttp collects before it stops reading
_LINGERING_S = 5.0  # how long the rest of a refused body is read, so that the client sees the answer
_MOST_HEADERS = 256
_STORING = frozenset({Operation.PUT_OBJECT, Operation.UPLOAD_PART})
_OSS_PREFIXES = ("OSS ", "OSS2 ", "OSS4-")


@dataclass(slots=True)
class _Exchange:
    """What becomes known of a request while it is served; the access log tells it at the end."""

    request_id: str
    dialect: Dialect
    counted: Counted = field(default_factory=Counted)
    sent: Sent = field(default_factory=Sent)
    bucket: str | None = None
    key: str | None = None
    principal: str = ""
    operation: str = "unknown"
    status: int = 500
    code: str | None = None


class DataServer:
    """Serves the data port. `services` has the dialects that are allowed, by name."""

    def __init__(
        self,
        services: Mapping[str, Services],
        settings: Settings,
        access_log: AccessLog,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._services = services
        self._listen = settings.listen
        self._limits = settings.limits
        self._authenticator = Authenticator(settings.clients, clock)
        self._access_log = access_log
        self._clock = clock
        self._observer = observer
        self._in_flight = 0

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one request. Raises only where the connection has been cut."""
        exchange = _Exchange(secrets.token_hex(12).upper(), self._first_guess(request))
        begun = time.perf_counter()
        self._in_flight += 1
        self._observer.count("in_flight", 1)
        aborted = True
        with tallying() as tally:
            try:
                answer = await self._serve(request, exchange)
                aborted = False
                return answer
            finally:
                self._in_flight -= 1
                self._observer.count("in_flight", -1)
                self._tell(request, exchange, time.perf_counter() - begun, tally.upstream_requests, aborted=aborted)

    async def _serve(self, request: web.BaseRequest, exchange: _Exchange) -> web.StreamResponse:
        try:
            response = await self._answer(request, exchange)
        except Exception as error:  # noqa: BLE001  # the outermost handler: everything becomes an answer
            response = self._failure(request, exchange, error)
        exchange.status = response.status
        try:
            return await send(
                request,
                response,
                self._complete_headers(exchange, response),
                exchange.sent,
                close=_must_close(request, exchange),
            )
        except Exception as error:
            note_integrity(
                error, self._observer, request_id=exchange.request_id, bucket=exchange.bucket, key=exchange.key
            )
            exchange.code = exchange.dialect.error_code(
                as_sse_proxy_error(error, self._observer, exchange.request_id)
            ).code
            raise

    async def _answer(self, request: web.BaseRequest, exchange: _Exchange) -> Response:
        if self._in_flight > self._limits.requests:
            self._observer.count("requests_refused_total", reason="overloaded")
            raise Overloaded
        check_framing(request)
        target = read_target(request.raw_path, request.headers.get("Host", ""), self._listen.domains)
        exchange.bucket, exchange.key = target.bucket, target.key
        signed = signed_request(request, target)
        claim = find_claim(signed)
        services = self._services_for(request, claim, target, exchange)
        core_request = self._core_request(request, exchange, target, claim, signed, services)
        async with aclosing(core_request.body):
            return await handle(services, core_request)

    def _services_for(
        self, request: web.BaseRequest, claim: Claim | None, target: Target, exchange: _Exchange
    ) -> Services:
        """Return the services of the request's dialect. Raises `WrongDialect` where it is not spoken here."""
        query = decoded_query(target.raw_query)
        exchange.dialect = tell_dialect(
            claim.scheme.dialect if claim else None, request.headers, query, self._listen.unsigned_dialect
        )
        services = self._services.get(exchange.dialect.name)
        if services is None:
            spoken = " and ".join(sorted(self._services))
            raise WrongDialect(
                f"This endpoint speaks the {spoken} protocol; the request is signed for {exchange.dialect.name}."
            )
        return services

    def _core_request(  # what the steps before have found out
        self,
        request: web.BaseRequest,
        exchange: _Exchange,
        target: Target,
        claim: Claim | None,
        signed: SignedRequest,
        services: Services,
    ) -> Request:
        caller = self._authenticator.identify(claim, signed)
        exchange.principal = caller.principal
        query = decoded_query(target.raw_query)
        dialect = exchange.dialect
        operation = dialect.route(request.method, target.bucket, target.key, query, request.headers)
        exchange.operation = operation.name.lower()
        _check_expectation(request)
        raw = wire_body(request, self._limits.body_timeout, exchange.counted)
        plain = plain_body(
            request,
            caller.verified,
            raw,
            services.digest_pool,
            is_object=operation in _STORING,
            chunked_allowed=dialect.chunked_upload_allowed,
        )
        return Request(
            method=request.method,
            raw_path=target.raw_path,
            raw_query=target.raw_query,
            headers=request.headers,
            query=query,
            bucket=target.bucket,
            key=target.key,
            raw_key=target.raw_key,
            body=plain.body,
            content_length=plain.length,
            principal=caller.principal,
            request_id=exchange.request_id,
            secure=request.secure,
            signed=claim is not None,
            trailers=plain.trailers,
        )

    def _failure(self, request: web.BaseRequest, exchange: _Exchange, error: Exception) -> Response:
        found = as_sse_proxy_error(error, self._observer, exchange.request_id)
        note_integrity(found, self._observer, request_id=exchange.request_id, bucket=exchange.bucket, key=exchange.key)
        exchange.code = exchange.dialect.error_code(found).code
        return error_answer(
            exchange.dialect,
            found,
            method=request.method,
            request_id=exchange.request_id,
            host=request.headers.get("Host", ""),
        )

    def _complete_headers(self, exchange: _Exchange, response: Response) -> CIMultiDict[str]:
        headers = response.headers.copy()
        for name, value in exchange.dialect.answer_headers.items():
            headers[name] = value
        headers["Date"] = print_http_date(self._clock.now())
        headers[exchange.dialect.request_id_header] = exchange.request_id
        if isinstance(response.body, bytes) and response.body:
            headers.setdefault("Content-Type", "application/xml")
        return headers

    def _first_guess(self, request: web.BaseRequest) -> Dialect:
        """Return the dialect for errors that come before the signature has been understood."""
        authorization = request.headers.get("Authorization", "")
        if authorization.startswith(_OSS_PREFIXES):
            return DIALECTS["oss"]
        scheme = "s3" if authorization.startswith("AWS") else None
        return tell_dialect(scheme, request.headers, (), self._listen.unsigned_dialect)

    def _tell(
        self, request: web.BaseRequest, exchange: _Exchange, seconds: float, upstream_requests: int, *, aborted: bool
    ) -> None:
        labels = {"dialect": exchange.dialect.name, "operation": exchange.operation}
        self._observer.count("requests_total", status=str(exchange.status), **labels)
        self._observer.observe("request_seconds", seconds, **labels)
        self._observer.count("bytes_in_total", exchange.counted.bytes_in, dialect=exchange.dialect.name)
        self._observer.count("bytes_out_total", exchange.sent.bytes_out, dialect=exchange.dialect.name)
        self._access_log.write(
            AccessRecord(
                request_id=exchange.request_id,
                client=request.remote or "",
                method=request.method,
                operation=exchange.operation,
                dialect=exchange.dialect.name,
                bucket=exchange.bucket,
                key=exchange.key,
                principal=exchange.principal,
                status=exchange.status,
                code=exchange.code,
                bytes_in=exchange.counted.bytes_in,
                bytes_out=exchange.sent.bytes_out,
                duration_ms=seconds * 1000,
                upstream_requests=upstream_requests,
                aborted=aborted,
            )
        )


def create_server(
    services: Mapping[str, Services], settings: Settings, access_log: AccessLog, clock: Clock, observer: Observer
) -> web.Server:
    """Return the server of the data port, to be given to `loop.create_server`.

    A low-level server without a router: raw targets survive, bodies are not decompressed, `100 Continue` is ours, and
    a client that goes away cancels what is done for it.
    """
    handler = DataServer(services, settings, access_log, clock, observer)
    return web.Server(
        handler,
        handler_cancellation=True,
        auto_decompress=False,
        access_log=None,
        keepalive_timeout=settings.limits.idle_timeout,
        lingering_time=_LINGERING_S,
        max_line_size=settings.limits.header_bytes,
        max_field_size=settings.limits.header_bytes,
        max_headers=_MOST_HEADERS,
        read_bufsize=READ_BUFFER,
    )


def _check_expectation(request: web.BaseRequest) -> None:
    expect = request.headers.get("Expect")
    if expect is not None and expect.strip().lower() not in {"100-continue", ""}:
        raise UnsupportedFeature(Header="Expect")


def _must_close(request: web.BaseRequest, exchange: _Exchange) -> bool:
    """Whether the connection cannot be used again: the client may or may not send the body it announced."""
    return is_waiting(request) and not exchange.counted.bytes_in and request.body_exists
