"""Conditions on what is there before a write (S3 dossier §5.5).

`If-None-Match: *` is the storage's to decide. `If-Match` names an ETag that clients know, so the object is looked at
and the condition rewritten to the storage's own ETag, which then decides without a race.
"""

from collections.abc import Collection

from multidict import CIMultiDict

from sseproxy.dialect.base import Dialect
from sseproxy.errors import InvalidArgument, PreconditionFailed, UnsupportedFeature
from sseproxy.exchange import Request
from sseproxy.model import ObjectRef
from sseproxy.operations.attributes import glance
from sseproxy.operations.backend import Address, address_of
from sseproxy.operations.context import Services
from sseproxy.operations.etags import is_named
from sseproxy.operations.store_conditions import StoreConditions, Way

_VALUE_REFUSED = "We don't accept the provided value of {} header for this API"
_SEVERAL_REFUSED = "Multiple conditional request headers present in the request"


async def write_conditions(services: Services, request: Request, *ways: Way) -> CIMultiDict[str]:
    """Return the conditions to send to the storage with the request that makes the object, in one of `ways`.

    Raises `PreconditionFailed`, what the storage says of an object that is not there, and `UnsupportedFeature`, also
    where the storage would overlook a condition in each of these ways.
    """
    headers: CIMultiDict[str] = CIMultiDict()
    if not services.dialect.replaces_if_match:
        _refuse_dates(request)
    none_match, match = request.headers.get("If-None-Match"), request.headers.get("If-Match")
    if none_match is not None and match is not None:
        raise UnsupportedFeature(Header="If-Match,If-None-Match", additionalMessage=_SEVERAL_REFUSED)
    if none_match is not None:
        if none_match.strip() != "*":
            raise _refused("If-None-Match")
        headers["If-None-Match"] = "*"
    if none_match is None and match is None:
        headers.update(forbidden_overwrite(services.dialect, request))
        return headers
    known = await services.conditions.get()
    _require_one(known, ways, {"If-None-Match" if match is None else "If-Match"})
    if match is not None:
        headers["If-Match"] = known.if_match(await _rewritten(services, request, match))
    headers.update(forbidden_overwrite(services.dialect, request))
    return headers


def forbidden_overwrite(dialect: Dialect, request: Request) -> dict[str, str]:
    """Return the header by which OSS clients forbid overwriting, for the storage to decide; S3 has none.

    Raises `InvalidArgument` for a value that is neither true nor false (OSS dossier §6.1).
    """
    name, _ = dialect.only_if_new_header
    value = request.headers.get(name)
    if value is None or not name.startswith(dialect.header_prefix):
        return {}
    if value.strip().lower() not in {"true", "false"}:
        raise InvalidArgument(ArgumentName=name, ArgumentValue=value)
    return {name: value}


def _refuse_dates(request: Request) -> None:
    """Raise `UnsupportedFeature` for conditions that OSS refuses on writes (OSS dossier §6.4); S3 overlooks them."""
    for name in ("If-Modified-Since", "If-Unmodified-Since"):
        if name in request.headers:
            raise UnsupportedFeature(Header=name)


def _require_one(known: StoreConditions, ways: Collection[Way], names: Collection[str]) -> None:
    if not any(known.keeps(*way(names)) for way in ways):
        for way in ways:
            known.require(*way(names))


async def _rewritten(services: Services, request: Request, match: str) -> str:
    if match.strip() == "*":
        raise _refused("If-Match")
    named = address_of(request)
    current = Address(ObjectRef(named.ref.bucket, named.ref.key), named.raw_key)
    present = await glance(services, current)
    if not is_named(match, present.etag):
        raise PreconditionFailed(Condition="If-Match")
    return present.found.backend_etag


def _refused(header: str) -> UnsupportedFeature:
    return UnsupportedFeature(Header=header, additionalMessage=_VALUE_REFUSED.format(header))
