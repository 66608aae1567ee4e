"""Finding objects: the listing of a bucket, and what one of its objects is."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from urllib.parse import quote

from sseproxy.dialect.xml_listings import parse_versions
from sseproxy.errors import UpstreamAnswered
from sseproxy.format import TAIL, is_tail
from sseproxy.model import ObjectRef, name_bytes
from sseproxy.operations.attributes import Found, length_of, read_end
from sseproxy.operations.backend import Address, expect, object_request
from sseproxy.operations.context import Services
from sseproxy.ports import UpstreamRequest
from sseproxy.signing.canonical import encode_key

SYMLINK = "Symlink"  # a kind of object without bytes of its own (OSS dossier §6.8)

_KNOWS_NO_VERSIONS = frozenset({HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
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
    """An object as a listing names it. `stored_size` is in bytes, as the storage counts them.

    `version_id` is None where the present version is meant.
    """

    key: str
    stored_size: int
    last_modified: datetime
    version_id: str | None = None


def version_of(listed: Listed) -> dict[str, str]:
    """Return what a report says of the version, nothing of a present object that has no version of its own."""
    return {} if listed.version_id is None else {"version_id": listed.version_id}


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


async def list_versions(services: Services, scope: Scope) -> AsyncGenerator[Listed]:
    """Yield every version of every object, 1,000 a request; of a storage that knows no versions the present objects.

    Raises the storage's other refusals. `start_after` of the scope skips all versions of that key.
    """
    after: tuple[str, str] | None = (scope.start_after, "")
    while after is not None:
        query = f"encoding-type=url&max-keys={_PAGE}&prefix={_quoted(scope.prefix)}&versions"
        if after[0]:
            query += f"&key-marker={_quoted(after[0])}"
        if after[1]:
            query += f"&version-id-marker={_quoted(after[1])}"
        async with services.upstream.send(
            UpstreamRequest(method="GET", bucket=scope.bucket, raw_query=query)
        ) as response:
            if response.status in _KNOWS_NO_VERSIONS:
                break
            await expect(services, response, 200)
            found, after = parse_versions(await response.read(_MOST_PAGE))
        for one in found:
            # The version "null" that is the present one is what a storage without versioning calls its objects.
            version = None if one.is_latest and one.version_id == "null" else one.version_id
            yield Listed(one.key, one.size, one.last_modified, version)
    else:
        return
    async with aclosing(list_objects(services, scope)) as objects:
        async for item in objects:
            yield item


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
