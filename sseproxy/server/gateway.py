"""What happens to every request between its head and the end of its answer, whatever it asks for."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass, replace
from secrets import token_urlsafe

from aiohttp import web
from multidict import CIMultiDict

from sseproxy.dialect.base import Operation
from sseproxy.errors import IntegrityError, SseProxyError
from sseproxy.exchange import Body, Request, Response
from sseproxy.ports import Clock, Observer
from sseproxy.server.admission import Admission
from sseproxy.server.authenticate import Authenticator
from sseproxy.server.body import ClientBody
from sseproxy.server.framing import Framing, MalformedRequest, read_framing
from sseproxy.server.incoming import Arrival, Head, build_request, header_list, read_head
from sseproxy.server.outgoing import CutOff, deliver
from sseproxy.server.posting import Posting, is_posted_form, posted_request, receive_form
from sseproxy.server.refusals import error_code, known_error, refuse
from sseproxy.server.target import Addressing, parse_target
from sseproxy.server.transport import Transport
from sseproxy.server.visit import Ledger, Visit, new_request_id
from sseproxy.settings import ClientsSettings, LimitsSettings, Listen
from sseproxy.signing import parse_query
from sseproxy.telemetry.access import AccessLog
from sseproxy.telemetry.audit import acting_for
from sseproxy.telemetry.tally import Tally, tallying

_GONE = (ConnectionError, TimeoutError)  # what a client that goes away, or takes nothing any more, raises

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backing:
    """What the server stands on.

    `handlers` serve the requests of the dialects that are spoken here, by the dialect's name. `digest_pool` runs
    hashing that would hold up the event loop.
    """

    handlers: Mapping[str, Handler]
    listen: Listen
    clients: ClientsSettings
    limits: LimitsSettings
    clock: Clock
    observer: Observer
    access_log: AccessLog
    digest_pool: Executor


class Gateway:
    """The one handler of the data port."""

    def __init__(self, backing: Backing) -> None:
        self._handlers = backing.handlers
        self._addressing = Addressing(backing.listen.domains, backing.listen.hosts)
        self._transport = Transport(backing.listen)
        self._timeout_s = backing.limits.body_timeout
        self._pool = backing.digest_pool
        self._clock = backing.clock
        self._authenticator = Authenticator(
            backing.clients, backing.handlers.keys(), backing.listen.unsigned_dialect, backing.clock
        )
        self._ledger = Ledger(backing.observer, backing.access_log, asyncio.get_running_loop().time)
        self._host_id = token_urlsafe(32)
        self.admission = Admission(backing.limits.requests, backing.observer)
        self.is_draining = False  # every answer ends its connection

    async def serve(self, raw: web.BaseRequest) -> web.StreamResponse:
        """Serve a request. Raises `CutOff` where the client could not be given all of an answer."""
        with tallying() as tally:
            visit = self._begin(raw, tally)
            try:
                with acting_for(visit):
                    return await self._answer(raw, visit)
            except CutOff as cut:
                if not isinstance(cut.cause, _GONE):
                    self._note(visit, cut.cause)
                raise
            except Exception as error:
                self._ledger.surprised(visit, error)  # a mistake on the way to the error document itself
                raise
            finally:
                self._ledger.close(visit)

    def last_resort(self, error: SseProxyError) -> web.Response:
        """Return the answer where there is no request that could be understood; it ends the connection."""
        dialect = self._authenticator.guess_dialect({}, ())
        request_id = new_request_id()
        response = refuse(dialect, error, "GET", request_id, self._host_id)
        response.headers.update(dialect.answer_headers)
        response.headers[dialect.request_id_header] = request_id
        if dialect.host_id_header is not None:
            response.headers[dialect.host_id_header] = self._host_id
        answer = web.Response(status=response.status, headers=response.headers, body=response.body)
        answer.force_close()
        return answer

    def _begin(self, raw: web.BaseRequest, tally: Tally) -> Visit:
        names = [name for name, _ in parse_query(raw.raw_path.partition("?")[2])]
        return Visit(
            method=raw.method,
            client=raw.remote or "",
            host=raw.headers.get("Host", ""),
            dialect=self._authenticator.guess_dialect(raw.headers, names),
            began=asyncio.get_running_loop().time(),
            tally=tally,
        )

    async def _answer(self, raw: web.BaseRequest, visit: Visit) -> web.StreamResponse:
        try:
            with self.admission.place():
                response = await self._handlers_answer(raw, visit)
                return await self._deliver(raw, visit, response)
        except CutOff:
            raise
        except Exception as error:  # noqa: BLE001  # whatever went wrong, the client gets an answer
            self._note(visit, error)
            known = known_error(error) or SseProxyError()
            host = self._host_id if visit.dialect.host_id_header is not None else visit.host
            refusal = refuse(visit.dialect, known, visit.method, visit.request_id, host)
            answer = await self._deliver(raw, visit, refusal)
            if isinstance(known, MalformedRequest):
                raw.protocol.force_close()  # nobody can tell where the next request would begin
            return answer

    async def _handlers_answer(self, raw: web.BaseRequest, visit: Visit) -> Response:
        framing = read_framing(raw.headers, raw.version)
        body = visit.body = ClientBody(raw, framing, self._timeout_s)
        secure = self._transport.check(raw)
        target = visit.target = parse_target(raw.raw_path, visit.host, self._addressing)
        head = read_head(raw.method, target, header_list(raw))
        if is_posted_form(head, visit.dialect):
            async with aclosing(body.read()) as wire:
                return await self._handlers_answer_to_form(visit, head, framing, wire, secure=secure)
        caller = self._authenticator.authenticate(head.signed_request, visit.dialect)
        visit.dialect, visit.principal = caller.dialect, caller.principal
        operation = visit.operation = head.operation(visit.dialect)
        arrival = Arrival(
            head=head,
            caller=caller,
            operation=operation,
            framing=framing,
            request_id=visit.request_id,
            secure=secure,
        )
        return await self._handlers[visit.dialect.name](build_request(arrival, body, self._pool))

    async def _handlers_answer_to_form(
        self, visit: Visit, head: Head, framing: Framing, wire: Body, *, secure: bool
    ) -> Response:
        """Return the answer to an upload by an HTML form, which brings its signature in its body."""
        visit.operation = Operation.POST_OBJECT
        form = await receive_form(wire, head, framing)
        visit.dialect = self._authenticator.dialect_of_form(form.fields, visit.dialect)
        caller, claim = self._authenticator.authenticate_form(form.fields, visit.dialect)
        visit.principal = caller.principal
        posting = Posting(
            head=head,
            framing=framing,
            form=form,
            caller=caller,
            claim=claim,
            request_id=visit.request_id,
            secure=secure,
        )
        request = posted_request(posting, self._clock)
        visit.target = replace(head.target, raw_key=request.raw_key)
        return await self._handlers[visit.dialect.name](request)

    async def _deliver(self, raw: web.BaseRequest, visit: Visit, response: Response) -> web.StreamResponse:
        unread = not (raw.content.is_eof() if visit.body is None else visit.body.may_be_left_unread)
        return await deliver(
            raw,
            visit,
            response,
            self._headers(visit, response),
            timeout_s=self._timeout_s,
            close=unread or self.is_draining,
        )

    def _headers(self, visit: Visit, response: Response) -> CIMultiDict[str]:
        """Return the answer's headers with those that every answer has."""
        dialect, headers = visit.dialect, response.headers
        headers.update(dialect.answer_headers)
        headers[dialect.request_id_header] = visit.request_id
        if dialect.host_id_header is not None:
            headers[dialect.host_id_header] = self._host_id
        if dialect.server_time_header is not None:
            took = asyncio.get_running_loop().time() - visit.began
            headers[dialect.server_time_header] = str(round(took * 1000))
        if dialect.default_content_type is not None and response.body:
            headers.setdefault("Content-Type", dialect.default_content_type)
        return headers

    def _note(self, visit: Visit, error: BaseException) -> None:
        """Take down what went wrong: the code of the answer, what an operator must know."""
        known = known_error(error)
        visit.code = error_code(visit.dialect, known or SseProxyError()).code
        if known is None:
            self._ledger.surprised(visit, error)
        elif isinstance(known, IntegrityError):
            self._ledger.integrity_failed(visit, known)
