"""`inventory`: which object is sealed how, and under which CMK and version. Asks the storage alone, opens nothing."""

from typing import Any

from sseproxy.bulk.context import Tools
from sseproxy.bulk.finding import SYMLINK, Listed, Scope, address_in, find, kind_of, version_of
from sseproxy.bulk.job import SimpleJob
from sseproxy.bulk.outcome import Outcome
from sseproxy.errors import EnvelopeRejected
from sseproxy.format import Envelope, decode_envelope, place_of, plaintext_size
from sseproxy.model import Algorithm, Binding, Layout
from sseproxy.operations.attributes import Found

COLUMNS = (
    "key",
    "version_id",
    "outcome",
    "algorithm",
    "cmk",
    "cmk_version",
    "kek",
    "binding",
    "written_for_this_name",
    "layout",
    "suite",
    "bytes",
    "stored_size",
    "last_modified",
    "stored_etag",
    "problem",
)


class Inventory(SimpleJob):
    """HEADs every object. `bytes` are those that clients see, by arithmetic: no object is opened.

    Of an appendable object only its footer tells; of that, the stored ones are counted.
    """

    def __init__(self, *, all_versions: bool = False) -> None:
        self.all_versions = all_versions
        self.name = "inventory of all versions" if all_versions else "inventory"

    async def work(self, tools: Tools, scope: Scope, item: Listed) -> Outcome:
        """Look at one object."""
        found = await find(tools.services, address_in(scope.bucket, item.key, item.version_id))
        if found is None:
            return Outcome(key=item.key, outcome="gone", details=version_of(item))
        if kind_of(tools.services, found) == SYMLINK:
            return Outcome(key=item.key, outcome="symlink", details=version_of(item))
        stored = version_of(item) | {
            "stored_size": found.stored_size,
            "last_modified": item.last_modified.isoformat(),
            "stored_etag": found.backend_etag,
        }
        text = found.headers.get(tools.services.dialect.envelope_header)
        if text is None:
            return Outcome(key=item.key, outcome="plain", size=found.stored_size, group="not sealed", details=stored)
        try:
            envelope = decode_envelope(text)
        except EnvelopeRejected as error:
            return Outcome(
                key=item.key, outcome="unreadable", reason=type(error).__name__, problem=error.message, details=stored
            )
        return _sealed(tools, found, item.key, envelope, stored)


def _sealed(tools: Tools, found: Found, key: str, envelope: Envelope, stored: dict[str, Any]) -> Outcome:
    ref, version = found.address.ref, tools.key_version(envelope)
    at_home = envelope.binding is Binding.NONE or envelope.place == place_of(ref.bucket, ref.key)
    details = {
        "algorithm": envelope.algorithm.value,
        "cmk": None if envelope.algorithm is Algorithm.CUSTOMER else envelope.key_id,
        "cmk_version": version,
        "kek": None if envelope.kek_id is None else envelope.kek_id.hex(),
        "binding": envelope.binding.value,
        "written_for_this_name": at_home,
        "layout": envelope.layout.value,
        "suite": envelope.suite.name,
    }
    size = found.stored_size if envelope.layout is Layout.APPEND else plaintext_size(found.stored_size)
    if size is None:
        return Outcome(
            key=key,
            outcome="unreadable",
            reason="FooterRejected",
            problem="The object's stored size is none that a sealed object can have.",
            details=details | stored,
        )
    return Outcome(key=key, outcome="sealed", size=size, group=_group(envelope, version), details=details | stored)


def _group(envelope: Envelope, version: str | None) -> str:
    if envelope.algorithm is Algorithm.CUSTOMER:
        return "customer keys"
    return f"{envelope.algorithm.value} {envelope.key_id}" + ("" if version is None else f" version {version}")
