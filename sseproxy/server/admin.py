"""The admin port: /healthz, /readyz and /metrics, on an address that clients do not reach."""

import json
from collections.abc import Callable

from aiohttp import web

from sseproxy.server.readiness import Readiness

_LONGEST_LINE = 8 * 1024


def create_admin_server(readiness: Readiness, render_metrics: Callable[[], tuple[bytes, str]]) -> web.Server:
    """Return the admin server. `render_metrics` gives a document and its content type.

    /healthz answers 200 as long as the event loop turns: restart the process when it does not. /readyz answers 503
    with the reasons while requests should go elsewhere.
    """

    async def handle(request: web.BaseRequest) -> web.Response:
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        match request.path:
            case "/healthz":
                return web.Response(text="ok\n")
            case "/readyz":
                problems = await readiness.problems()
                document = json.dumps({"ready": not problems, "problems": dict(problems)}) + "\n"
                return web.Response(text=document, status=503 if problems else 200, content_type="application/json")
            case "/metrics":
                body, content_type = render_metrics()
                return web.Response(body=body, headers={"Content-Type": content_type})
            case _:
                return web.Response(status=404, text="not found; there are /healthz, /readyz and /metrics\n")

    return web.Server(handle, access_log=None, max_line_size=_LONGEST_LINE, max_field_size=_LONGEST_LINE)
