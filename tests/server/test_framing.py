"""What a head says of its body."""

import pytest

from sseproxy.errors import MissingContentLength
from sseproxy.server.framing import Framing, MalformedRequest, UnknownExpectation, decoded_length, read_framing

_11 = (1, 1)


@pytest.mark.parametrize(
    ("headers", "framing"),
    [
        ({}, Framing(length=0, awaits_continue=False, is_announced=False)),
        ({"Content-Length": "0"}, Framing(length=0, awaits_continue=False)),
        ({"Content-Length": "7"}, Framing(length=7, awaits_continue=False)),
        ({"Transfer-Encoding": "Chunked"}, Framing(length=None, awaits_continue=False)),
        ({"Content-Length": "7", "Expect": "100-Continue"}, Framing(length=7, awaits_continue=True)),
        ({"Transfer-Encoding": "chunked", "Expect": "100-continue"}, Framing(length=None, awaits_continue=True)),
        ({"Content-Length": "0", "Expect": "100-continue"}, Framing(length=0, awaits_continue=True)),
        ({"Content-Length": "7", "Expect": " "}, Framing(length=7, awaits_continue=False)),
    ],
)
def test_a_framing_is_read(headers: dict[str, str], framing: Framing) -> None:
    assert read_framing(headers, _11) == framing
    assert framing.has_body == (framing.length != 0)


@pytest.mark.parametrize("coding", ["gzip, chunked", "identity", "chunked, chunked", "xchunked", ""])
def test_another_coding_than_chunked_is_refused(coding: str) -> None:
    with pytest.raises(MalformedRequest):
        read_framing({"Transfer-Encoding": coding}, _11)


def test_two_lengths_are_refused() -> None:
    with pytest.raises(MalformedRequest):
        read_framing({"Transfer-Encoding": "chunked", "Content-Length": "3"}, _11)


def test_chunks_in_an_old_version_are_refused_and_its_expectations_ignored() -> None:
    with pytest.raises(MalformedRequest):
        read_framing({"Transfer-Encoding": "chunked"}, (1, 0))
    assert not read_framing({"Content-Length": "1", "Expect": "100-continue"}, (1, 0)).awaits_continue


def test_another_expectation_is_refused() -> None:
    with pytest.raises(UnknownExpectation):
        read_framing({"Expect": "200-ok"}, _11)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "٣", "0x1", "1" * 20])
def test_a_decoded_length_must_be_a_number(text: str) -> None:
    with pytest.raises(MissingContentLength):
        decoded_length({"x-amz-decoded-content-length": text})
    with pytest.raises(MissingContentLength):
        decoded_length({})


def test_a_decoded_length_is_read() -> None:
    assert decoded_length({"x-amz-decoded-content-length": "123"}) == 123
