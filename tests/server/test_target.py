"""What a request target names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sseproxy.errors import InvalidBucketName, MalformedPath
from sseproxy.server.target import Addressing, parse_target

_ADDRESSING = Addressing(("s3.test", "cn.s3.test"), {"files.test": "photos", "own.s3.test": "other"})


@pytest.mark.parametrize(
    ("target", "bucket", "raw_key", "key", "raw_query"),
    [
        ("/", None, "", None, ""),
        ("/?list", None, "", None, "list"),
        ("/b", "b", "", None, ""),
        ("/b/", "b", "", None, ""),
        ("/b/k", "b", "k", "k", ""),
        ("/b//k", "b", "/k", "/k", ""),
        ("/b/../x", "b", "../x", "../x", ""),
        ("/b/a%2Fb", "b", "a%2Fb", "a/b", ""),
        ("/b/a%252Fb", "b", "a%252Fb", "a%2Fb", ""),
        ("/b/a+b%20c", "b", "a+b%20c", "a+b c", ""),
        ("/b/%FF", "b", "%FF", "\udcff", ""),
        ("/b/caf%C3%A9", "b", "caf%C3%A9", "café", ""),
        ("/b/k?a=%2F&b=?", "b", "k", "k", "a=%2F&b=?"),
        ("/b/a%3Fb", "b", "a%3Fb", "a?b", ""),
    ],
)
def test_a_path_names_bucket_and_key(
    target: str, bucket: str | None, raw_key: str, key: str | None, raw_query: str
) -> None:
    parsed = parse_target(target, "127.0.0.1:9000", _ADDRESSING)

    assert (parsed.bucket, parsed.raw_key, parsed.key, parsed.raw_query) == (bucket, raw_key, key, raw_query)
    assert parsed.raw_path == target.partition("?")[0]


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("b.s3.test", "b"),
        ("B.S3.TEST:9000", "b"),
        ("b.s3.test.", "b"),
        ("a.b.s3.test", "a.b"),
        ("b.cn.s3.test", "b"),
        ("s3.test", None),
        ("cn.s3.test", None),
        ("other.test", None),
        ("xs3.test", None),
        ("files.test", "photos"),
        ("FILES.test:9000", "photos"),
        ("a.files.test", None),
        ("own.s3.test", "other"),
        ("10.0.0.1:80", None),
        ("[::1]:9000", None),
        ("localhost", None),
        ("", None),
    ],
)
def test_a_host_names_a_bucket_where_a_domain_says_so(host: str, bucket: str | None) -> None:
    assert _ADDRESSING.bucket_of(host) == bucket


@pytest.mark.parametrize(
    ("target", "raw_key"), [("/", ""), ("/k", "k"), ("//k", "/k"), ("/a/../b", "a/../b"), ("/a%2Fb?x", "a%2Fb")]
)
def test_behind_a_host_that_names_the_bucket_everything_is_key(target: str, raw_key: str) -> None:
    parsed = parse_target(target, "b.s3.test", _ADDRESSING)

    assert (parsed.bucket, parsed.raw_key) == ("b", raw_key)


def test_an_absolute_target_for_this_host_is_understood() -> None:
    parsed = parse_target("http://S3.test:9000/b/k?x", "s3.test:9000", Addressing())

    assert (parsed.raw_path, parsed.raw_query, parsed.bucket, parsed.raw_key) == ("/b/k", "x", "b", "k")
    assert parse_target("http://s3.test", "s3.test", Addressing()).raw_path == "/"


@pytest.mark.parametrize(
    "target", ["http://evil.test/b/k", "*", "", "b/k", "ftp://s3.test/b", "/b/k#x", "/b?x#y", "s3.test:443"]
)
def test_other_targets_are_refused(target: str) -> None:
    with pytest.raises(MalformedPath):
        parse_target(target, "s3.test", Addressing())


def test_a_key_without_a_bucket_is_refused() -> None:
    with pytest.raises(InvalidBucketName):
        parse_target("//k", "127.0.0.1", Addressing())


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#"), max_size=40))
def test_no_path_is_normalised(rest: str) -> None:
    parsed = parse_target(f"/b/{rest}", "127.0.0.1", _ADDRESSING)

    assert (parsed.raw_path, parsed.raw_key) == (f"/b/{rest}", rest)
