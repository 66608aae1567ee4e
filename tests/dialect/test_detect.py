import pytest

from sseproxy.dialect import DIALECTS, tell_dialect
from sseproxy.dialect.oss import OSS
from sseproxy.dialect.s3 import S3


def test_both_dialects_are_found_by_name() -> None:
    assert dict(DIALECTS) == {"s3": S3, "oss": OSS}


@pytest.mark.parametrize("unsigned", ["s3", "oss"])
def test_the_signature_says_whose_request_it_is(unsigned: str) -> None:
    assert tell_dialect("s3", ["x-oss-meta-a"], ["x-oss-process"], unsigned) is S3
    assert tell_dialect("oss", ["x-amz-date"], [], unsigned) is OSS


@pytest.mark.parametrize(
    ("headers", "query"),
    [(["Host", "X-Oss-Meta-A"], []), (["Host"], ["prefix", "x-oss-process"]), ([], ["X-OSS-Process"])],
)
def test_an_unsigned_request_with_an_oss_name_is_oss(headers: list[str], query: list[str]) -> None:
    assert tell_dialect(None, headers, query, "s3") is OSS


@pytest.mark.parametrize(("unsigned", "dialect"), [("s3", S3), ("oss", OSS)])
def test_any_other_unsigned_request_is_what_the_configuration_says(unsigned: str, dialect: object) -> None:
    assert tell_dialect(None, ["Host", "x-amz-acl"], ["prefix"], unsigned) is dialect
