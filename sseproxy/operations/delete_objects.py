"""DeleteObjects: relayed, unless it sets conditions on what the objects are.

A client knows other ETags and sizes than the storage, which therefore could not judge them, or overlooks them.
"""

from sseproxy.dialect.xml_reading import children, parse_xml
from sseproxy.errors import MalformedXml, UnsupportedFeature
from sseproxy.exchange import Request, Response
from sseproxy.operations.context import Services
from sseproxy.operations.passthrough import passed_request, relay

_CONDITIONS = frozenset({"ETag", "LastModifiedTime", "Size"})  # of an object (S3 dossier §8.4)


async def delete_objects(services: Services, request: Request) -> Response:
    """Serve DeleteObjects. Raises `UnsupportedFeature` where it deletes on conditions."""
    passed = await passed_request(services, request)
    if isinstance(passed.body, bytes) and _has_conditions(passed.body):
        raise UnsupportedFeature(
            "DeleteObjects with conditions (ETag, LastModifiedTime, Size) is not supported; use DeleteObject with "
            "If-Match for each object."
        )
    return await relay(services, passed)


def _has_conditions(document: bytes) -> bool:
    try:
        root = parse_xml(document)
    except MalformedXml:
        return False  # the storage says so, in its own words
    return any(inner.tag in _CONDITIONS for named in children(root, "Object") for inner in named)
