from dataclasses import replace

import pytest

from sseproxy.dialect.base import UnsatisfiableRange
from sseproxy.dialect.oss import OSS
from sseproxy.dialect.s3 import S3
from sseproxy.errors import NoSuchKey


def test_header_names_are_made_of_the_prefix() -> None:
    assert [S3.header("copy-source"), OSS.header("copy-source")] == ["x-amz-copy-source", "x-oss-copy-source"]
    assert [S3.envelope_header, OSS.envelope_header] == ["x-amz-meta-sseproxy", "x-oss-meta-sseproxy"]


def test_etags_are_shown_quoted_and_on_oss_in_upper_case() -> None:
    assert S3.show_etag("0a1b-2") == '"0a1b-2"'
    assert OSS.show_etag("0a1b-2") == '"0A1B-2"'


def test_the_limits_are_those_of_the_services() -> None:
    assert (S3.limits.smallest_part, OSS.limits.smallest_part) == (5 * 1024**2, 100 * 1024)
    assert (S3.limits.most_metadata, OSS.limits.most_metadata) == (2048, 8192)
    assert S3.limits.largest_stored_object == OSS.limits.largest_stored_object == 5 * 1024**3
    assert S3.limits.most_parts == OSS.limits.most_parts == 10_000


def test_the_services_habits_are_kept() -> None:
    assert S3.unsatisfiable_range is UnsatisfiableRange.REFUSE
    assert OSS.unsatisfiable_range is UnsatisfiableRange.SEND_WHOLE_OBJECT
    assert OSS.range_behavior_header == ("x-oss-range-behavior", "standard")
    assert (S3.kms_default_etag_opaque, OSS.kms_default_etag_opaque) == (True, False)
    assert (S3.error_in_head_header, OSS.error_in_head_header) == (None, "x-oss-err")
    assert (S3.chunked_upload_allowed, OSS.chunked_upload_allowed) == (False, True)
    assert (S3.default_encryption_shown, OSS.default_encryption_shown) == (True, False)


def test_no_name_of_one_dialect_is_a_name_of_the_other() -> None:
    def names(dialect: object) -> str:
        return repr(dialect).lower()

    assert "x-oss" not in names(S3)
    assert "x-amz" not in names(OSS)


def test_a_table_without_a_root_is_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError, match="s3"):
        replace(S3, errors={}).error_code(NoSuchKey())
