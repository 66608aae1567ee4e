"""Byte ranges as each service understands them (S3 dossier §5.1, OSS dossier §6.4)."""

import re
from dataclasses import dataclass

from sseproxy.store.faults import Fault
from sseproxy.store.service import Call

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)
_COPY_RANGE = re.compile(r"bytes=(\d{1,19})-(\d{1,19})", re.ASCII)
_COPY_FORM = (
    "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based "
    "offsets of the first and last bytes to copy"
)


@dataclass(frozen=True, slots=True)
class Span:
    """`length` bytes from `first` on."""

    first: int
    length: int

    def content_range(self, size: int) -> str:
        """Return the value of `Content-Range`."""
        return f"bytes {self.first}-{self.first + self.length - 1}/{size}"


def requested_span(call: Call, header: str, size: int) -> Span | None:
    """Return what the `Range` header selects, or None for the whole object."""
    found = _RANGE.fullmatch(header)
    if found is None or (not found[1] and not found[2]):
        return None
    if call.wire.name == "oss" and (call.header("range-behavior") or "").lower() != "standard":
        return _lenient(found[1], found[2], size)
    return _standard(found[1], found[2], size, header)


def _standard(first: str, last: str, size: int, header: str) -> Span | None:
    details = {"RangeRequested": header, "ActualObjectSize": str(size)}
    if not first:
        wanted = int(last)
        if wanted and not size:
            return None
        if not wanted:
            raise Fault("InvalidRange", details=details)
        return Span(max(0, size - wanted), min(wanted, size))
    start = int(first)
    end = min(int(last), size - 1) if last else size - 1
    if last and int(last) < start:
        return None
    if start >= size:
        raise Fault("InvalidRange", details=details)
    return Span(start, end - start + 1)


def _lenient(first: str, last: str, size: int) -> Span | None:
    """OSS by default: whatever does not lie wholly inside the object selects all of it."""
    if not first:
        wanted = int(last)
        return Span(size - wanted, wanted) if 0 < wanted <= size else None
    start, end = int(first), int(last) if last else size - 1
    return Span(start, end - start + 1) if start <= end < size else None


def copy_span(call: Call, header: str | None, size: int) -> Span:
    """Return which bytes of the source UploadPartCopy takes; raises `Fault` for a range outside of it."""
    if header is None:
        return Span(0, size)
    found = _COPY_RANGE.fullmatch(header)
    details = {"ArgumentName": call.wire.prefix + "copy-source-range", "ArgumentValue": header}
    if found is None or int(found[2]) < int(found[1]):
        raise Fault("InvalidArgument", _COPY_FORM, details=details)
    first, last = int(found[1]), int(found[2])
    if first >= size:
        raise Fault("InvalidRequest", "The specified copy range is invalid for the source object size")
    if last >= size:
        raise Fault(
            "InvalidArgument", f"Range specified is not valid for source object of size: {size}", details=details
        )
    return Span(first, last - first + 1)
