"""PostObject: an upload by an HTML form. A PutObject whose headers came as fields, answered as a browser needs it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from urllib.parse import urlencode, urlsplit

from multidict import CIMultiDict

from sseproxy.dialect.xml_forms import render_posted
from sseproxy.errors import EntityTooLarge, EntityTooSmall, MalformedForm
from sseproxy.exchange import Body, PostedForm, Request, Response
from sseproxy.operations.context import Services
from sseproxy.operations.plan import largest_plaintext
from sseproxy.operations.put_object import put_object
from sseproxy.stage import Buffer

_DONE, _DOCUMENT, _EMPTY, _ELSEWHERE = 200, 201, 204, 303
_STATUSES = {str(status): status for status in (_DONE, _DOCUMENT, _EMPTY)}


async def post_object(services: Services, request: Request) -> Response:
    """Serve PostObject. Raises what `put_object` does, `EntityTooLarge`, `EntityTooSmall`."""
    form = request.form
    if form is None:
        raise MalformedForm
    most = largest_plaintext(services.dialect.limits.largest_stored_object)
    largest = most if form.largest is None else min(most, form.largest)
    body = within(request.body, form.smallest, largest)
    put = await put_object(services, replace(request, body=body))
    return _answer(form, request, put.headers)


async def within(body: Body, smallest: int, largest: int) -> AsyncGenerator[Buffer, None]:
    """Pass a body of `smallest` to `largest` bytes on, and closes it. Raises as soon as it is another."""
    size = 0
    async with aclosing(body):
        async for data in body:
            size += len(data)
            if size > largest:
                raise EntityTooLarge(ProposedSize=str(size), MaxSizeAllowed=str(largest))
            yield data
    if size < smallest:
        raise EntityTooSmall(ProposedSize=str(size), MinSizeAllowed=str(smallest))


def _answer(form: PostedForm, request: Request, headers: CIMultiDict[str]) -> Response:
    bucket, key, etag = request.bucket or "", request.key or "", headers["ETag"]
    target = _redirect(form.redirect, bucket, key, etag)
    if target is not None:
        headers["Location"] = target
        return Response(status=_ELSEWHERE, headers=headers)
    headers["Location"] = form.location
    status = _STATUSES.get(form.status, _EMPTY)
    if status != _DOCUMENT:
        return Response(status=status, headers=headers)
    document = render_posted(form.location, bucket, key, etag)
    headers["Content-Type"] = "application/xml"
    return Response(status=status, headers=headers, body=document, content_length=len(document))


def _redirect(url: str, bucket: str, key: str, etag: str) -> str | None:
    """Return where the browser goes with what it is told; None: nowhere, also if the form's URL is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isascii():
        return None
    told = urlencode({"bucket": bucket, "key": key, "etag": etag}, errors="surrogateescape")
    return parts._replace(query="&".join(filter(None, [parts.query, told]))).geturl()
