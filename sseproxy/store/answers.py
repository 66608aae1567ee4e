"""Answers and error documents in the looks of a dialect."""

import base64
import secrets
import time
from collections.abc import Iterable, Mapping

from aiohttp import web
from multidict import CIMultiDict

from sseproxy.store.faults import Fault
from sseproxy.store.service import Call, has_unread
from sseproxy.store.texts import Node, document
from sseproxy.store.wires import Wire


def common_headers(wire: Wire, request_id: str, started: float) -> CIMultiDict[str]:
    """Return the headers that every answer has."""
    headers = CIMultiDict({"Server": wire.server})
    if wire.name == "oss":
        headers["x-oss-request-id"] = request_id
        headers["x-oss-server-time"] = str(int((time.monotonic() - started) * 1000))
    else:
        headers["x-amz-request-id"] = request_id[:16]
        headers["x-amz-id-2"] = base64.b64encode(request_id.encode()).decode()
    return headers


def answer(call: Call, status: int = 200, headers: Mapping[str, str] | None = None, body: bytes = b"") -> web.Response:
    """Return an answer with a short body, or none."""
    full = common_headers(call.wire, call.request_id, call.started)
    full.update(headers or {})
    if call.raw.method == "HEAD" and status != 304:
        full.setdefault("Content-Length", "0")
    return web.Response(status=status, headers=full, body=body or None)


def xml_answer(call: Call, root: str, nodes: Iterable[Node], headers: Mapping[str, str] | None = None) -> web.Response:
    """Return 200 with an XML document in the dialect's namespace."""
    body = document(root, nodes, call.wire.namespace)
    return answer(call, headers={"Content-Type": "application/xml", **(headers or {})}, body=body)


def fault_answer(raw: web.BaseRequest, wire: Wire, fault: Fault, call: Call | None = None) -> web.Response:
    """Return the error document for `fault`; on HEAD in the header that OSS has for it, or nowhere."""
    request_id = call.request_id if call else secrets.token_hex(12).upper()
    headers = common_headers(wire, request_id, call.started if call else time.monotonic())
    headers.update(fault.headers)
    code = wire.codes[fault.name]
    nodes: list[Node] = [("Code", code.code), ("Message", fault.message or code.message), *fault.details.items()]
    if wire.name == "oss":
        nodes += [("RequestId", request_id), ("HostId", raw.headers.get("Host", ""))]
    else:
        nodes += [("RequestId", headers["x-amz-request-id"]), ("HostId", headers["x-amz-id-2"])]
    body = document("Error", nodes)
    headers["Content-Type"] = "application/xml"
    if raw.method == "HEAD":
        if wire.name == "oss":
            headers["x-oss-err"] = base64.b64encode(body).decode()
        headers["Content-Length"] = "0"
        body = b""
    response = web.Response(status=code.status, headers=headers, body=body or None)
    if has_unread(raw):
        response.force_close()
    return response
