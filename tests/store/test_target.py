"""Request targets: nothing is normalised, everything is decoded once."""

import pytest

from sseproxy.store.faults import Fault
from sseproxy.store.target import parse_target


@pytest.mark.parametrize(
    ("raw", "bucket", "key"),
    [
        ("/", None, b""),
        ("/b", "b", b""),
        ("/b/", "b", b""),
        ("/b/k", "b", b"k"),
        ("/b//k", "b", b"/k"),
        ("/b/../x", "b", b"../x"),
        ("/b/a%2Fb%252F+%20", "b", b"a/b%2F+ "),
        ("/b/%FF%00", "b", b"\xff\x00"),
        ("/b/a%3Fb?x=y", "b", b"a?b"),
    ],
)
def test_paths(raw: str, bucket: str | None, key: bytes) -> None:
    target = parse_target(raw, "127.0.0.1:9000", ["localhost"])

    assert (target.bucket, target.key) == (bucket, key)


@pytest.mark.parametrize(
    ("host", "bucket", "key"),
    [("b.localhost:9000", "b", b"x/k"), ("A.b.LOCALHOST", "a.b", b"x/k"), ("localhost:9000", "x", b"k")],
)
def test_a_host_below_the_domain_names_the_bucket(host: str, bucket: str, key: bytes) -> None:
    target = parse_target("/x/k", host, ["localhost"])

    assert (target.bucket, target.key) == (bucket, key)


def test_queries_know_values_empty_values_and_no_values() -> None:
    target = parse_target("/b?a=1&a=2&b=&c&d=x+y%2B&&=e", "h", [])

    assert [target.get(name) for name in ("a", "b", "c", "d", "e")] == ["1", "", "", "x y+", None]
    assert [target.has(name) for name in ("a", "b", "c", "d", "e")] == [True, True, True, True, False]
    assert dict(target.pairs)["c"] is None


@pytest.mark.parametrize(
    ("raw", "name"), [("http://h/b", "InvalidURI"), ("*", "InvalidURI"), ("//k", "InvalidBucketName")]
)
def test_other_forms_are_refused(raw: str, name: str) -> None:
    with pytest.raises(Fault) as refused:
        parse_target(raw, "h", [])

    assert refused.value.name == name
