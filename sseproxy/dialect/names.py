"""Which bucket names and object keys are legal. The storage may be stricter; it is asked next."""

import re

from sseproxy.errors import InvalidBucketName, InvalidObjectName, KeyTooLong
from sseproxy.model import name_bytes

# Legacy names with capitals and underscores exist; whether a new bucket may have one is the storage's to say.
_S3_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_OSS_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_LONGEST_S3_KEY = 1024
_LONGEST_OSS_KEY = 1023


def check_s3_names(bucket: str | None, key: str | None) -> None:
    """Raise `InvalidBucketName` or `KeyTooLong` (S3 dossier §7.1). None: the request names none."""
    if bucket is not None and (_S3_BUCKET.fullmatch(bucket) is None or ".." in bucket):
        raise InvalidBucketName(BucketName=bucket)
    if key is not None and len(name_bytes(key)) > _LONGEST_S3_KEY:
        raise KeyTooLong(Size=str(len(name_bytes(key))), MaxSizeAllowed=str(_LONGEST_S3_KEY))


def check_oss_names(bucket: str | None, key: str | None) -> None:
    """Raise `InvalidBucketName` or `InvalidObjectName` (OSS dossier §6.1). None: the request names none."""
    if bucket is not None and _OSS_BUCKET.fullmatch(bucket) is None:
        raise InvalidBucketName(BucketName=bucket)
    if key is not None and (not 1 <= len(name_bytes(key)) <= _LONGEST_OSS_KEY or key.startswith(("/", "\\"))):
        raise InvalidObjectName(ObjectName=key)
