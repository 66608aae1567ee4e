"""Versions, delete markers, object lock, legal holds, retention."""

from tests.differential.case import (
    DIGESTED,
    Case,
    Place,
    Step,
    case,
    create,
    delete,
    get,
    head,
    listing,
    on_bucket,
    on_key,
    put,
    xml,
)

_UNTIL = "2031-01-01T00:00:00Z"


def _versioning(status: str) -> Step:
    return on_bucket("PUT", "versioning", xml("VersioningConfiguration", f"<Status>{status}</Status>"))


def _put_xml(key: str, query: str, root: str, inner: str, headers: dict[str, str] | None = None) -> Step:
    body = xml(root, inner)
    return put(key, body, {**DIGESTED, **(headers or {})}, query)


def _lock_bucket(inner: str) -> Step:
    body = xml("ObjectLockConfiguration", f"<ObjectLockEnabled>Enabled</ObjectLockEnabled>{inner}")
    return on_bucket("PUT", "object-lock", body, DIGESTED)


def _retention(mode: str, query: str = "retention", headers: dict[str, str] | None = None, until: str = _UNTIL) -> Step:
    inner = f"<Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate>"
    return _put_xml("k", query, "Retention", inner, headers)


_BYPASS = {"x-amz-bypass-governance-retention": "true"}
_FREE = on_key("DELETE", "k", "versionId={version:1}", _BYPASS)

_VERSIONS = (
    case("Versioning", "configuration", create(), on_bucket("GET", "versioning"), _versioning("Enabled"), on_bucket("GET", "versioning"),
         _versioning("Suspended"), on_bucket("GET", "versioning"), place=Place.OWN),
    case("Versioning", "an unknown status", create(), _versioning("Perhaps"), on_bucket("GET", "versioning"), place=Place.OWN),
    case("Versioning", "two versions, by their ids", put("k", b"1"), put("k", b"22"), get("k"), get("k", "versionId={version:1}"), head("k", "versionId={version:2}"),
         get("k", "versionId={version:1}", {"range": "bytes=0-0"}), place=Place.VERSIONED),
    case("Versioning", "a list with sizes", put("a", b"1"), put("a", b"22"), put("b", b"333"), delete("b"), listing("versions"), listing("list-type=2"), place=Place.VERSIONED),
    case("Versioning", "a list in pages", put("a", b"1"), put("a", b"22"), put("b", b"333"), listing("versions&max-keys=2"),
         listing("versions&max-keys=2&key-marker={prefix}a&version-id-marker={version:1}"), listing("versions&delimiter=%2F"), listing("versions&encoding-type=url"), place=Place.VERSIONED),
    case("Versioning", "a delete marker", put("k", b"1"), delete("k"), get("k"), head("k"), get("k", "versionId={version:2}"), head("k", "versionId={version:2}"),
         get("k", "versionId={version:1}"), place=Place.VERSIONED),
    case("Versioning", "a delete marker removed", put("k", b"1"), delete("k"), delete("k", "versionId={version:2}"), get("k"), place=Place.VERSIONED),
    case("Versioning", "the current version removed", put("k", b"1"), put("k", b"22"), delete("k", "versionId={version:2}"), get("k"), listing("versions"), place=Place.VERSIONED),
    case("Versioning", "a version that is not there", put("k", b"1"), get("k", "versionId=00000000000000000000000000000000"), place=Place.VERSIONED),
    case("Versioning", "a version id that is none", put("k", b"1"), get("k", "versionId=%20"), head("k", "versionId=%20"), delete("k", "versionId=%20"), place=Place.VERSIONED),
    case("Versioning", "an empty version id", put("k", b"1"), get("k", "versionId="), place=Place.VERSIONED),
    case("Versioning", "the null version of an unversioned bucket", put("k", b"1"), get("k", "versionId=null"), listing("versions"), delete("k", "versionId=null"), get("k")),
    case("Versioning", "suspended over versions", create(), put("k", b"0"), _versioning("Enabled"), put("k", b"1"), _versioning("Suspended"), put("k", b"22"),
         get("k"), get("k", "versionId=null"), get("k", "versionId={version:4}"), listing("versions"), delete("k"), listing("versions"), place=Place.OWN),
    case("Versioning", "conditions on a version", put("k", b"1"), put("k", b"22"), get("k", "versionId={version:1}", {"if-match": "{etag:1}"}),
         get("k", "versionId={version:1}", {"if-match": "{etag:2}"}), get("k", "versionId={version:1}", {"if-none-match": "{etag:1}"}), place=Place.VERSIONED),
)  # fmt: skip

_LOCKS = (
    case("ObjectLock", "configuration", Step("PUT", "/{bucket}", {"x-amz-bucket-object-lock-enabled": "true"}), on_bucket("GET", "object-lock"),
         _lock_bucket("<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>"), on_bucket("GET", "object-lock"),
         on_bucket("GET", "versioning"), place=Place.OWN),
    case("ObjectLock", "configuration of a bucket without", on_bucket("GET", "object-lock")),
    case("ObjectLock", "configuration, malformed", _lock_bucket("<Rule><DefaultRetention><Mode>GOVERNANCE</Mode></DefaultRetention></Rule>"), place=Place.LOCKED),
    case("ObjectLock", "versioning cannot be suspended", _versioning("Suspended"), place=Place.LOCKED),
    case("ObjectLock", "retention by headers", put("k", b"x", {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": _UNTIL}), head("k"),
         get("k", "retention"), delete("k", "versionId={version:1}"), _FREE, place=Place.LOCKED),
    case("ObjectLock", "retention, set and changed", put("k", b"x"), _retention("GOVERNANCE"), get("k", "retention"), _retention("GOVERNANCE", until="2030-01-01T00:00:00Z"),
         _retention("GOVERNANCE", headers=_BYPASS, until="2030-01-01T00:00:00Z"), get("k", "retention"), _FREE, place=Place.LOCKED),
    case("ObjectLock", "retention, an unknown mode", put("k", b"x"), _retention("FOREVER"), _FREE, place=Place.LOCKED),
    case("ObjectLock", "retention until the past", put("k", b"x"), _retention("GOVERNANCE", until="2001-01-01T00:00:00Z"), _FREE, place=Place.LOCKED),
    case("ObjectLock", "retention of an object that has none", put("k", b"x"), get("k", "retention"), get("k", "legal-hold"), _FREE, place=Place.LOCKED),
    case("ObjectLock", "retention in a bucket without lock", put("k", b"x"), _retention("GOVERNANCE"), get("k", "retention")),
    case("ObjectLock", "retention headers in a bucket without lock",
         put("k", b"x", {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": _UNTIL}), head("k")),
    case("ObjectLock", "a mode without a date", put("k", b"x", {"x-amz-object-lock-mode": "GOVERNANCE"}), head("k"), place=Place.LOCKED),
    case("ObjectLock", "a legal hold by header", put("k", b"x", {"x-amz-object-lock-legal-hold": "ON"}), head("k"), get("k", "legal-hold"), delete("k", "versionId={version:1}"),
         _put_xml("k", "legal-hold", "LegalHold", "<Status>OFF</Status>"), get("k", "legal-hold"), delete("k", "versionId={version:1}"), place=Place.LOCKED),
    case("ObjectLock", "a legal hold, set", put("k", b"x"), _put_xml("k", "legal-hold", "LegalHold", "<Status>ON</Status>"), get("k", "legal-hold"), head("k"),
         _put_xml("k", "legal-hold", "LegalHold", "<Status>OFF</Status>"), _FREE, place=Place.LOCKED),
    case("ObjectLock", "a legal hold, an unknown status", put("k", b"x"), _put_xml("k", "legal-hold", "LegalHold", "<Status>MAYBE</Status>"), _FREE, place=Place.LOCKED),
    case("ObjectLock", "a delete marker over a locked version", put("k", b"x", {"x-amz-object-lock-legal-hold": "ON"}), delete("k"), listing("versions"),
         _put_xml("k", "legal-hold&versionId={version:1}", "LegalHold", "<Status>OFF</Status>"), _FREE, place=Place.LOCKED),
    case("ObjectLock", "an upload in parts under retention", on_key("POST", "k", "uploads", {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": _UNTIL}),
         put("k", b"x", query="partNumber=1&uploadId={upload:1}"),
         on_key("POST", "k", "uploadId={upload:1}", {}, xml("CompleteMultipartUpload", "<Part><PartNumber>1</PartNumber><ETag>{etag:2}</ETag></Part>")), head("k"), place=Place.LOCKED),
)  # fmt: skip

CASES: tuple[Case, ...] = (*_VERSIONS, *_LOCKS)
