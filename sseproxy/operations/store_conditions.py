"""Which conditions on writes the storage keeps, and what follows for a request that has one.

A write that stands on a condition which the storage overlooks would bury what somebody else wrote, or put an envelope
on other bytes: nobody but the storage can decide it without a race. So what is not kept is done in another way, or
refused (docs/interop.md).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from sseproxy.errors import UnsupportedFeature
from sseproxy.model import WriteCondition

_NAMED = {
    WriteCondition.PUT_IF_NONE_MATCH: "If-None-Match on PutObject",
    WriteCondition.PUT_IF_MATCH: "If-Match on PutObject",
    WriteCondition.COPY_IF_NONE_MATCH: "If-None-Match on CopyObject",
    WriteCondition.COPY_IF_MATCH: "If-Match on CopyObject",
    WriteCondition.COPY_SOURCE_IF_MATCH: "the source's ETag on CopyObject",
    WriteCondition.COMPLETE_IF_NONE_MATCH: "If-None-Match on CompleteMultipartUpload",
    WriteCondition.COMPLETE_IF_MATCH: "If-Match on CompleteMultipartUpload",
    WriteCondition.DELETE_IF_MATCH: "If-Match on DeleteObject",
}
_SAID = (  # of a condition: the request's header, and what it is then on a PUT, a copy and a Complete
    (
        "If-None-Match",
        WriteCondition.PUT_IF_NONE_MATCH,
        WriteCondition.COPY_IF_NONE_MATCH,
        WriteCondition.COMPLETE_IF_NONE_MATCH,
    ),
    ("If-Match", WriteCondition.PUT_IF_MATCH, WriteCondition.COPY_IF_MATCH, WriteCondition.COMPLETE_IF_MATCH),
)

Way = Callable[[Collection[str]], tuple[WriteCondition, ...]]  # `on_put`, `on_copy`, `on_complete`


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConditions:
    """What a storage makes of conditions on writes.

    `bare_etags`: a PUT's `If-Match` names the ETag without quotes, as Ceph RGW compares it. `copy_source_header`: the
    header, behind the dialect's prefix, with which a copy names its source's ETag; RGW listens to another one.
    `copies_tags`: a copy with new metadata keeps the tags; RGW's loses them, also those that the request names.
    """

    lacks: frozenset[WriteCondition] = frozenset()
    bare_etags: bool = False
    copy_source_header: str = "copy-source-if-match"
    copies_tags: bool = True

    def keeps(self, *conditions: WriteCondition) -> bool:
        """Tell whether the storage keeps all of these."""
        return not self.lacks.intersection(conditions)

    def require(self, *conditions: WriteCondition) -> None:
        """Raise `UnsupportedFeature` where the storage does not keep one of these."""
        for condition in conditions:
            if condition in self.lacks:
                raise UnsupportedFeature(
                    f"The storage behind this endpoint does not keep {_NAMED[condition]}, so the request is refused "
                    "rather than carried out without its condition."
                )

    def if_match(self, backend_etag: str) -> str:
        """Return the value of `If-Match` that names a state of the object to be replaced."""
        return backend_etag if self.bare_etags else f'"{backend_etag}"'


def on_put(headers: Collection[str]) -> tuple[WriteCondition, ...]:
    """Return what conditions in these headers are on a PutObject."""
    return tuple(put for name, put, _, _ in _SAID if name in headers)


def on_copy(headers: Collection[str]) -> tuple[WriteCondition, ...]:
    """Return what conditions in these headers are on a CopyObject."""
    return tuple(copy for name, _, copy, _ in _SAID if name in headers)


def on_complete(headers: Collection[str]) -> tuple[WriteCondition, ...]:
    """Return what conditions in these headers are on a CompleteMultipartUpload."""
    return tuple(complete for name, _, _, complete in _SAID if name in headers)
