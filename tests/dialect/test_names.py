import pytest

from sseproxy.dialect.base import Dialect
from sseproxy.dialect.oss import OSS
from sseproxy.dialect.s3 import S3
from sseproxy.errors import InvalidBucketName, InvalidObjectName, KeyTooLong


@pytest.mark.parametrize(
    ("dialect", "bucket"),
    [
        (S3, "bucket"),
        (S3, "a.b-c.9"),
        (S3, "Legacy_Name"),
        (S3, "b" * 63),
        (OSS, "bucket"),
        (OSS, "a-b-9"),
        (OSS, "b" * 63),
        (OSS, "bkt"),
    ],
)
def test_a_legal_bucket_name_passes(dialect: Dialect, bucket: str) -> None:
    dialect.check_names(bucket, None)


@pytest.mark.parametrize(
    ("dialect", "bucket"),
    [
        *((dialect, name) for dialect in (S3, OSS) for name in ("", "a", "ab", "-abc", "abc-", "a b", "a/b", "bücket")),
        (S3, "a..b"),
        (S3, "b" * 256),
        (OSS, "a.b.c"),
        (OSS, "Bucket"),
        (OSS, "b" * 64),
        (OSS, "bucket\n"),
        (S3, "bucket\n"),
    ],
)
def test_an_illegal_bucket_name_is_refused_and_named(dialect: Dialect, bucket: str) -> None:
    with pytest.raises(InvalidBucketName) as raised:
        dialect.check_names(bucket, "key")

    assert raised.value.details == {"BucketName": bucket}


@pytest.mark.parametrize("key", ["k", "/k", "\\k", "../x", "a//b", "k" * 1024, "é" * 512, "\udcff" * 1024])
def test_s3_takes_any_key_of_up_to_1024_bytes(key: str) -> None:
    S3.check_names("bucket", key)


@pytest.mark.parametrize("key", ["k" * 1025, "é" * 513, "\udcff" * 1025])
def test_s3_refuses_longer_keys(key: str) -> None:
    with pytest.raises(KeyTooLong):
        S3.check_names("bucket", key)


@pytest.mark.parametrize("key", ["k", "a/b", "../x", "k" * 1023, "é" * 511])
def test_oss_takes_keys_of_1_to_1023_bytes(key: str) -> None:
    OSS.check_names("bucket", key)


@pytest.mark.parametrize("key", ["", "k" * 1024, "é" * 512, "/k", "\\k"])
def test_oss_refuses_other_keys_by_its_own_code(key: str) -> None:
    with pytest.raises(InvalidObjectName) as raised:
        OSS.check_names("bucket", key)

    assert OSS.error_code(raised.value).code == "InvalidObjectName"


def test_a_request_without_names_passes() -> None:
    S3.check_names(None, None)
    OSS.check_names(None, None)
