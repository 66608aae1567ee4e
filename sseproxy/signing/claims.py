"""Facts of a request that is to be verified, and what it claims: who signed it, how, and until when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Scheme(Enum):
    """A way of signing; the value is the dialect that it belongs to, and its name."""

    AWS_V4 = ("s3", "v4")
    AWS_V4_QUERY = ("s3", "v4 query")
    AWS_V2 = ("s3", "v2")
    AWS_V2_QUERY = ("s3", "v2 query")
    OSS_V1 = ("oss", "v1")
    OSS_V1_QUERY = ("oss", "v1 query")
    OSS_V2 = ("oss", "v2")
    OSS_V2_QUERY = ("oss", "v2 query")
    OSS_V4 = ("oss", "v4")
    OSS_V4_QUERY = ("oss", "v4 query")

    @property
    def dialect(self) -> str:
        """The dialect whose clients sign like this: `s3` or `oss`."""
        return self.value[0]

    @property
    def in_query(self) -> bool:
        """Whether the signature travels in the URL."""
        return self.value[1].endswith("query")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """What of a request a signature can cover, as it was received.

    `raw_path` and `raw_query` are percent-encoded and untouched; `headers` in order, names in any case. `bucket` and
    `raw_key` name the logical resource, which OSS signs whatever the addressing style.
    """

    method: str
    raw_path: str
    raw_query: str
    headers: Sequence[tuple[str, str]]
    bucket: str | None = None
    raw_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Claim:
    """What a request says of its signature. Nothing here has been verified."""

    scheme: Scheme
    access_key: str
    signature: str
    timestamp: str = ""  # the very text that is signed: x-amz-date, x-oss-date, Date or Expires
    time: datetime | None = None  # when it was signed, where the scheme says so
    scope_date: str = ""
    region: str = ""
    service: str = ""
    signed_headers: tuple[str, ...] = ()
    expires_s: int | None = None  # V4 queries: seconds after `time`; V1 and V2 queries: seconds since the epoch
    payload_hash: str = ""
    token: str | None = None

    @property
    def scope(self) -> str:
        """The credential scope of the V4 schemes."""
        terminal = "aliyun_v4_request" if self.scheme.dialect == "oss" else "aws4_request"
        return f"{self.scope_date}/{self.region}/{self.service}/{terminal}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Verified:
    """A claim that holds. Seed signature and key go on to the chunks of a streamed body (S3 dossier §3.5)."""

    claim: Claim
    seed_signature: str
    signing_key: bytes
