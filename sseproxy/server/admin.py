"""The admin port: /healthz, /readyz and /metrics, on an address that clients do not reach."""

import json
from collections.abc import Mapping
from typing import Protocol

from aiohttp import web

_LONGEST_LINE = 8 * 1024
_TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"  # Prometheus'


class Reports(Protocol):
    """What the admin port tells."""

    async def is_healthy(self) -> bool:
        """Whether there is no reason to start the program again."""
        ...

    async def problems(self) -> Mapping[str, str]:
        """Return what keeps the program from being ready, by name; empty when it is ready."""
        ...

    async def metrics(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        ...


def create_admin_server(reports: Reports) -> web.Server:
    """Return the admin server.

    /healthz answers 200 as long as the event loop turns, of every worker where there are several: restart the program
    when it does not. /readyz answers 503 with the reasons while requests should go elsewhere.
    """

    async def handle(request: web.BaseRequest) -> web.Response:
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        match request.path:
            case "/healthz":
                healthy = await reports.is_healthy()
                return web.Response(text="ok\n") if healthy else web.Response(text="a worker hangs\n", status=503)
            case "/readyz":
                problems = await reports.problems()
                document = json.dumps({"ready": not problems, "problems": dict(problems)}) + "\n"
                return web.Response(text=document, status=503 if problems else 200, content_type="application/json")
            case "/metrics":
                return web.Response(body=await reports.metrics(), headers={"Content-Type": _TEXT_FORMAT})
            case _:
                return web.Response(status=404, text="not found; there are /healthz, /readyz and /metrics\n")

    return web.Server(handle, access_log=None, max_line_size=_LONGEST_LINE, max_field_size=_LONGEST_LINE)
