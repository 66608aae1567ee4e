"""Finding objects: the listing of a bucket, and what one of its objects is."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from sseproxy.errors import UpstreamAnswered
from sseproxy.format import TAIL, is_tail
from sseproxy.model import ObjectRef, name_bytes
from sseproxy.operations.attributes import Found, length_of, read_end
from sseproxy.operations.backend import Address, expect, object_request
from sseproxy.operations.context import Services
from sseproxy.ports import UpstreamRequest
from sseproxy.signing.canonical import encode_key

SYMLINK = "Symlink"  # a kind of object without bytes of its own (OSS dossier §6.8)

_PAGE = 1000  # keys of a listing
_MOST_PAGE = 8 * 1024 * 1024  # bytes of a listing


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which objects a tool works on: those of a bucket whose keys begin with `prefix` and come after `start_after`."""

    bucket: str
    prefix: str = ""
    start_after: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a listing names it. `stored_size` is in bytes, as the storage counts them."""

    key: str
    stored_size: int
    last_modified: datetime


def address_in(bucket: str, key: str, version_id: str | None = None) -> Address:
    """Return the address of an object that is known by its names."""
    return Address(ObjectRef(bucket, key, version_id), encode_key(key))


async def list_objects(services: Services, scope: Scope) -> AsyncGenerator[Listed]:
    """Yield the present objects in the storage's order, 1,000 a request. Raises the storage's refusal."""
    token: str | None = None
    while True:
        query = f"list-type=2&encoding-type=url&max-keys={_PAGE}&prefix={_quoted(scope.prefix)}"
        if scope.start_after:
            query += f"&start-after={_quoted(scope.start_after)}"
        if token is not None:
            query += f"&continuation-token={_quoted(token)}"
        async with services.upstream.send(
            UpstreamRequest(method="GET", bucket=scope.bucket, raw_query=query)
        ) as response:
            await expect(services, response, 200)
            found, token = services.dialect.xml.parse_keys(await response.read(_MOST_PAGE))
        for key, size, last_modified in found:
            yield Listed(key, size, last_modified)
        if token is None:
            return


async def find(services: Services, address: Address, headers: Mapping[str, str] | None = None) -> Found | None:
    """HEAD an object; None where it is not there (any more). Raises the storage's other refusals."""
    request = object_request(services, "HEAD", address)
    request.headers.update(headers or {})
    try:
        async with services.upstream.send(request) as response:
            await expect(services, response, 200)
            return Found(address=address, headers=response.headers, stored_size=length_of(response.headers))
    except UpstreamAnswered as error:
        if error.status == 404:
            return None
        raise


def kind_of(services: Services, found: Found) -> str:
    """Return what kind of object the storage says it is: `Symlink`, `Appendable`, …; empty where it does not say."""
    return found.headers.get(services.dialect.object_type_header or "", "")


async def ends_sealed(services: Services, found: Found) -> bool:
    """Whether an object's last bytes are those of a sealed one: without an envelope, its metadata was lost."""
    if found.stored_size < TAIL:
        return False
    return is_tail(await read_end(services, found, TAIL))


def _quoted(text: str) -> str:
    return quote(name_bytes(text), safe="-_.~")
