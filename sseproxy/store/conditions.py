"""Conditions on reads, copies and writes (S3 dossier §5.4–5.6, OSS dossier §6.4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sseproxy.store.faults import Fault
from sseproxy.store.records import BucketRow, ObjectRow
from sseproxy.store.service import Call
from sseproxy.store.texts import parse_http_date

NOT_MODIFIED = "not modified"
_TWO = "Multiple conditional request headers present in the request"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What conditions came to: nothing, `NOT_MODIFIED`, or the name of the one that failed."""

    not_modified: str | None = None
    failed: str | None = None


def judge(headers: Mapping[str, str], shown_etag: str, modified_ms: int, prefix: str = "") -> Verdict:
    """Evaluate the four conditions whose names begin with `prefix`."""
    modified = modified_ms // 1000
    if_match = headers.get(prefix + "If-Match")
    if if_match is not None:
        if not _matches(if_match, shown_etag):
            return Verdict(failed="If-Match")
    elif (since := _date(headers, prefix + "If-Unmodified-Since")) is not None and modified > since:
        return Verdict(failed="If-Unmodified-Since")
    if_none_match = headers.get(prefix + "If-None-Match")
    if if_none_match is not None:
        return Verdict(not_modified="If-None-Match") if _matches(if_none_match, shown_etag) else Verdict()
    since = _date(headers, prefix + "If-Modified-Since")
    if since is not None and modified <= since:
        return Verdict(not_modified="If-Modified-Since")
    return Verdict()


def _date(headers: Mapping[str, str], name: str) -> int | None:
    value = headers.get(name)
    return None if value is None else parse_http_date(value)


def _matches(condition: str, shown_etag: str) -> bool:
    wanted = [item.strip().strip('"') for item in condition.split(",")]
    return "*" in wanted or shown_etag.strip('"') in wanted


def failed(name: str) -> Fault:
    """Return the fault for the condition `name`."""
    return Fault("PreconditionFailed", details={"Condition": name})


def check_copy_source(call: Call, source: ObjectRow) -> None:
    """Check the conditions on the source of a copy; on S3 all of them fail with 412."""
    prefix = call.wire.prefix + "copy-source-"
    verdict = judge(call.headers, call.wire.etag(source.etag), source.modified, prefix)
    if verdict.failed or (verdict.not_modified and call.wire.name == "s3"):
        raise failed(prefix + (verdict.failed or verdict.not_modified or ""))
    if verdict.not_modified:
        raise NotModified


class NotModified(Exception):
    """OSS answers 304 to a copy whose source was not modified."""


def write_check(call: Call, bucket: BucketRow) -> Callable[[ObjectRow | None], None]:
    """Return the check that a write must pass against the object it would replace.

    Raises `Fault` at once for conditions that the service does not take. On OSS only `x-oss-forbid-overwrite`
    exists, and that means nothing in a bucket that has or had versioning: nothing is overwritten there.
    """
    if call.wire.name == "oss":
        return _oss_check(call, bucket)
    match, none_match = call.headers.get("If-Match"), call.headers.get("If-None-Match")
    if match is not None and none_match is not None:
        raise _not_implemented("If-Match,If-None-Match", _TWO)
    if none_match is not None and none_match.strip() != "*":
        raise _not_implemented("If-None-Match", _refused("If-None-Match"))
    if match is not None and match.strip() == "*":
        raise _not_implemented("If-Match", _refused("If-Match"))

    def check(old: ObjectRow | None) -> None:
        if none_match is not None and old is not None:
            raise failed("If-None-Match")
        if match is not None:
            _check_match(call, match, old)

    return check


def delete_check(call: Call) -> Callable[[ObjectRow | None], None]:
    """Return the check that a delete must pass; `If-Match` may be `*`."""
    match = call.headers.get("If-Match") if call.wire.name == "s3" else None
    for name in ("x-amz-if-match-last-modified-time", "x-amz-if-match-size"):
        if name in call.headers:
            raise _not_implemented(name, _refused(name))

    def check(old: ObjectRow | None) -> None:
        if match is not None:
            _check_match(call, match, old)

    return check


def _check_match(call: Call, match: str, old: ObjectRow | None) -> None:
    if old is None:
        raise Fault("NoSuchKey", details={"Key": call.key.decode("utf-8", "replace")})
    if not _matches(match, call.wire.etag(old.etag)):
        raise failed("If-Match")


def _oss_check(call: Call, bucket: BucketRow) -> Callable[[ObjectRow | None], None]:
    for name in ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"):
        if name in call.headers:
            raise Fault("NotImplemented", details={"Header": name})
    said = call.header("forbid-overwrite")
    if said is not None and said.lower() not in {"true", "false"}:
        raise Fault("InvalidArgument", details={"ArgumentName": "x-oss-forbid-overwrite", "ArgumentValue": said})
    forbidden = said is not None and said.lower() == "true" and not bucket.versioning

    def check(old: ObjectRow | None) -> None:
        if forbidden and old is not None:
            raise Fault("FileAlreadyExists")

    return check


def _refused(name: str) -> str:
    return f"We don't accept the provided value of {name} header for this API"


def _not_implemented(header: str, message: str) -> Fault:
    return Fault("NotImplemented", details={"Header": header, "additionalMessage": message})
