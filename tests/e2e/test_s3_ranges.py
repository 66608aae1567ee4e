"""Promise: ranges as S3 serves them: one at most, and whatever it does not understand is ignored (S3 dossier §5.1)."""

import pytest

from tests.support.raw_http import signed
from tests.support.servers import Server, s3_client

_BODY = bytes(range(100))
_UNSATISFIABLE = (416, "InvalidRange", "The requested range is not satisfiable")


@pytest.fixture(scope="module")
def bucket(dev: Server) -> str:
    client = s3_client(dev)
    client.create_bucket(Bucket="ranges")
    client.put_object(Bucket="ranges", Key="hundred", Body=_BODY)
    client.put_object(Bucket="ranges", Key="empty", Body=b"")
    return "ranges"


@pytest.mark.parametrize(
    ("value", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("bytes=90-", 90, 99),
        ("bytes=-10", 90, 99),
        ("bytes=000-09", 0, 9),
        ("bytes=90-200", 90, 99),
        ("bytes=-200", 0, 99),
        ("bytes=0-99", 0, 99),
    ],
)
def test_one_range_is_served(dev: Server, bucket: str, value: str, first: int, last: int) -> None:
    target, headers = f"/{bucket}/hundred", {"Range": value}

    got, head = signed(dev, "GET", target, headers), signed(dev, "HEAD", target, headers)

    assert (got.status, got.body) == (206, _BODY[first : last + 1])
    assert got.headers["content-range"] == head.headers["content-range"] == f"bytes {first}-{last}/100"
    assert (head.status, head.headers["content-length"], head.body) == (206, str(last - first + 1), b"")


@pytest.mark.parametrize(
    "value",
    [
        "bytes=0-0,1-2", "bytes=0-9, 20-29", "bytes=0-0,-1", "bytes=10-5", "bytes=abc", "bytes=-", "bytes=-1-", "bytes=,",
        "bytes= -1", "bytes=--1", "bytes=0 -1", "bytes=0--1", "bytes=100-x", "foo=0-1", "bytes=200-300,0-1",
    ],
)  # fmt: skip
def test_several_ranges_and_nonsense_give_the_whole_object(dev: Server, bucket: str, value: str) -> None:
    answer = signed(dev, "GET", f"/{bucket}/hundred", {"Range": value})

    assert (answer.status, answer.body) == (200, _BODY)
    assert "content-range" not in answer.headers


@pytest.mark.parametrize("value", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_outside_the_object_is_refused_with_its_size(dev: Server, bucket: str, value: str) -> None:
    answer = signed(dev, "GET", f"/{bucket}/hundred", {"Range": value})
    head = signed(dev, "HEAD", f"/{bucket}/hundred", {"Range": value})

    assert answer.error == _UNSATISFIABLE
    assert f"<RangeRequested>{value}</RangeRequested>".encode() in answer.body
    assert b"<ActualObjectSize>100</ActualObjectSize>" in answer.body
    assert (head.status, head.body) == (416, b"")


@pytest.mark.parametrize("value", ["bytes=0-0", "bytes=0-", "bytes=-0"])
def test_nothing_of_an_empty_object_can_be_had(dev: Server, bucket: str, value: str) -> None:
    assert signed(dev, "GET", f"/{bucket}/empty", {"Range": value}).error == _UNSATISFIABLE


def test_the_end_of_an_empty_object_is_all_of_it(dev: Server, bucket: str) -> None:
    answer = signed(dev, "GET", f"/{bucket}/empty", {"Range": "bytes=-1"})

    assert (answer.status, answer.body) == (200, b"")
