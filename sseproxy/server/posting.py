"""Uploads by HTML forms: their fields are read, their policy is checked, and they become a PutObject told in fields."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from multidict import CIMultiDict, CIMultiDictProxy

from sseproxy.dialect import DIALECTS
from sseproxy.dialect.base import Dialect, Operation
from sseproxy.dialect.forms import check_header_text, form_headers
from sseproxy.dialect.sse_headers import is_sse_header
from sseproxy.errors import FormTooLong, InvalidArgument, MalformedForm, MissingContentLength, NoFileInForm
from sseproxy.exchange import Body, PostedForm, Request
from sseproxy.ports import Clock
from sseproxy.server.authenticate import Caller
from sseproxy.server.framing import Framing
from sseproxy.server.incoming import Head
from sseproxy.signing import encode_key
from sseproxy.signing.post_claims import PostClaim, needed_conditions
from sseproxy.signing.post_policy import Policy, check_policy, parse_policy
from sseproxy.stage import Buffer
from sseproxy.wire.form_data import FormReader, boundary_of

_FILE_NAME = "${filename}"
_LONGEST = max(dialect.limits.longest_form for dialect in DIALECTS.values())  # bytes, before the dialect is known
_NEEDED = "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields."
_ONE_MECHANISM = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or "
    "the Authorization header should be specified"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedForm:
    """A form up to its file. `fields` have lower-case names; `length` is that of all of them in bytes."""

    fields: Mapping[str, str]
    length: int
    file_name: str
    file_type: str | None
    file: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A form on its way to the operations."""

    head: Head
    framing: Framing
    form: ReceivedForm
    caller: Caller
    claim: PostClaim | None  # None: the form is not signed
    request_id: str
    secure: bool


def is_posted_form(head: Head, dialect: Dialect) -> bool:
    """Tell whether a request is an upload by a form; raises what the router does."""
    return head.method == "POST" and head.operation(dialect) is Operation.POST_OBJECT


async def receive_form(wire: Body, head: Head, framing: Framing) -> ReceivedForm:
    """Read the fields in front of the file.

    Raises `MissingContentLength`, `MalformedForm`, `FormTooLong`, `NoFileInForm`, and `InvalidArgument` for a field
    that is there twice or a request that is signed outside of its form.
    """
    if not framing.is_announced:
        raise MissingContentLength
    if "Authorization" in head.headers:
        raise InvalidArgument(_ONE_MECHANISM, ArgumentName="Authorization")
    boundary = boundary_of(head.headers.get("Content-Type", ""))
    if boundary is None:
        raise MalformedForm
    reader = FormReader(boundary, _LONGEST)
    first: list[Buffer] = []
    async for data in wire:
        first.extend(reader.feed(data))
        if reader.in_file or reader.ended:
            break
    if not reader.in_file:
        reader.finish()
        raise NoFileInForm(ArgumentName="file", ArgumentValue="0")
    return ReceivedForm(
        fields=_unique(reader.fields),
        length=sum(len(name) + len(value.encode("utf-8", "surrogateescape")) for name, value in reader.fields),
        file_name=reader.file_name.replace("\\", "/").rpartition("/")[2],
        file_type=reader.file_type,
        file=_file(first, reader, wire),
    )


def posted_request(posting: Posting, clock: Clock) -> Request:
    """Return a form as the PutObject that it stands for.

    Raises `AccessRefused` where the policy does not allow it, `InvalidPolicy`, `MissingContentLength`, `FormTooLong`,
    and `InvalidArgument` for fields that are missing or malformed.
    """
    head, form, dialect = posting.head, posting.form, posting.caller.dialect
    if posting.framing.length is None and not dialect.chunked_upload_allowed:
        raise MissingContentLength
    if form.length > dialect.limits.longest_form:
        raise FormTooLong
    key = form.fields.get("key", "").replace(_FILE_NAME, form.file_name)
    if not key:
        raise InvalidArgument(_NEEDED, ArgumentName="key", ArgumentValue="")
    policy = _checked_policy(posting, key, clock)
    raw_key = encode_key(key)
    return Request(
        method="PUT",
        raw_path=f"{head.target.raw_path.rstrip('/')}/{raw_key}",
        raw_query="",
        headers=CIMultiDictProxy(_headers(posting)),
        query=CIMultiDictProxy(CIMultiDict()),
        bucket=head.target.bucket,
        key=key,
        raw_key=raw_key,
        body=form.file,
        content_length=None,
        principal=posting.caller.principal,
        request_id=posting.request_id,
        secure=posting.secure,
        signed=posting.claim is not None,
        form=_posted(posting, policy, raw_key),
    )


def _headers(posting: Posting) -> CIMultiDict[str]:
    """Return the headers that the fields stand for, and the POST's own about encryption where they count."""
    form, dialect = posting.form, posting.caller.dialect
    headers = form_headers(dialect, form.fields, form.file_type)
    if dialect.form_hears_encryption_headers and not any(is_sse_header(name, dialect.sse) for name in headers):
        headers.extend(
            (name, value) for name, value in posting.head.headers.items() if is_sse_header(name, dialect.sse)
        )
    return headers


def _posted(posting: Posting, policy: Policy | None, raw_key: str) -> PostedForm:
    fields, head = posting.form.fields, posting.head
    redirect = fields.get("success_action_redirect") or fields.get("redirect", "")
    origin = f"{'https' if posting.secure else 'http'}://{head.headers.get('Host', '')}"
    return PostedForm(
        smallest=0 if policy is None else policy.smallest,
        largest=None if policy is None else policy.largest,
        status=fields.get("success_action_status", "").strip(),
        redirect=check_header_text("success_action_redirect", redirect),
        location=f"{origin}{head.target.raw_path.rstrip('/')}/{raw_key}",
    )


def _checked_policy(posting: Posting, key: str, clock: Clock) -> Policy | None:
    """Return the policy, which allows the form; None where there is none, because nobody signed it."""
    fields, dialect = posting.form.fields, posting.caller.dialect
    encoded = posting.claim.policy if posting.claim is not None else fields.get("policy")
    if encoded is None:
        return None
    policy = parse_policy(encoded)
    told = {**fields, "key": key, "bucket": posting.head.target.bucket or ""}
    needed = () if posting.claim is None else needed_conditions(posting.claim)
    check_policy(policy, told, clock.now(), uncovered=dialect.uncovered_form_fields, needed=needed)
    return policy


async def _file(first: list[Buffer], reader: FormReader, wire: Body) -> AsyncGenerator[Buffer, None]:
    async with aclosing(wire):
        while first:
            yield first.pop(0)
        while not reader.ended:
            data = await anext(wire, None)
            if data is None:
                break
            for out in reader.feed(data):
                yield out
    reader.finish()


def _unique(fields: list[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in fields:
        lower = name.lower()
        if lower in found:  # a policy could be checked against one of them, and the other one be used
            raise InvalidArgument(f"The form field {name} is given more than once.", ArgumentName=name)
        found[lower] = value
    return found
