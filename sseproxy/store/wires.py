"""The two dialects of the store as data: names, limits and the looks of an answer."""

from collections.abc import Mapping
from dataclasses import dataclass

from sseproxy.store.faults import OSS_CODES, S3_CODES, Code

GIB = 1024**3
MOST_BODY_BYTES = 5 * GIB
MOST_PARTS = 10_000
OWNER_ID = "0000000000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One dialect. Sizes are in bytes."""

    name: str
    prefix: str
    namespace: str
    codes: Mapping[str, Code]
    upper_etags: bool
    content_type: str
    object_acl: str
    most_key_bytes: int
    most_metadata_bytes: int
    smallest_part: int
    page: int
    server: str

    def header(self, name: str) -> str:
        """Return the header `name` with this dialect's prefix."""
        return self.prefix + name

    def etag(self, stored: str) -> str:
        """Return a stored ETag (lower case, unquoted) as this dialect shows it, quoted."""
        return f'"{stored.upper() if self.upper_etags else stored}"'


S3 = Wire(
    name="s3",
    prefix="x-amz-",
    namespace="http://s3.amazonaws.com/doc/2006-03-01/",
    codes=S3_CODES,
    upper_etags=False,
    content_type="binary/octet-stream",
    object_acl="x-amz-acl",
    most_key_bytes=1024,
    most_metadata_bytes=2048,
    smallest_part=5 * 1024 * 1024,
    page=1000,
    server="AmazonS3",
)

OSS = Wire(
    name="oss",
    prefix="x-oss-",
    namespace="",
    codes=OSS_CODES,
    upper_etags=True,
    content_type="application/octet-stream",
    object_acl="x-oss-object-acl",
    most_key_bytes=1023,
    most_metadata_bytes=8192,
    smallest_part=100 * 1024,
    page=100,
    server="AliyunOSS",
)

WIRES: Mapping[str, Wire] = {wire.name: wire for wire in (S3, OSS)}
